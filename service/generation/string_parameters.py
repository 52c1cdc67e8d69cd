"""The parameters that are strings: free text, words of a list, aspect ratios."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import Field

from service.generation.parameters import Parameter
from service.generation.suggestion import did_you_mean


class StringParameter(Parameter, ABC):
    """What is sent as a string."""

    json_type = "string"

    default: str | None = None

    def problems(self, value: object) -> Iterator[str]:
        """Check the type, then what the string says."""
        if isinstance(value, str):
            yield from self.string_problems(value)
        else:
            yield "must be a string"

    @abstractmethod
    def string_problems(self, value: str) -> Iterator[str]:
        """Yield what is wrong with the string."""


class Text(StringParameter):
    """Free text in any language, of a bounded length in characters."""

    type: Literal["text"]
    max_length: Annotated[int, Field(gt=0)]

    def string_problems(self, value: str) -> Iterator[str]:
        """Check length, and that the text can be stored and sent: no NUL, no lone surrogate."""
        if self.required and not value.strip():
            yield "must not be blank"
        if len(value) > self.max_length:
            yield f"must be at most {self.max_length:,} characters"
        if "\x00" in value:
            yield "must not contain the NUL character"
        if re.search("[\ud800-\udfff]", value):
            yield "must be valid Unicode: it contains half of a surrogate pair"

    def limits(self) -> dict[str, object]:
        """Return the length, and that there is no NUL; a required text is not blank."""
        any_text = r"[^\u0000]*"
        pattern = rf"{any_text}[^\s\u0000]{any_text}" if self.required else any_text
        return {"maxLength": self.max_length, "pattern": f"^{pattern}$"}


class Choice(StringParameter):
    """One word of a list, spelt exactly so."""

    type: Literal["choice"]
    choices: Annotated[tuple[str, ...], Field(min_length=1, strict=False)]

    def string_problems(self, value: str) -> Iterator[str]:
        """Check that the word is in the list."""
        if value not in self.choices:
            yield f"must be one of {', '.join(self.choices)}{did_you_mean(value, self.choices)}"

    def limits(self) -> dict[str, object]:
        """Return the words, and null where it is allowed, as `enum` overrides `type`."""
        return {"enum": [*self.choices, *([None] if self.nullable else [])]}


_RATIO = re.compile(r"([1-9][0-9]{0,4}):([1-9][0-9]{0,4})")


def _ratio(text: str) -> Fraction | None:
    match = _RATIO.fullmatch(text)
    return Fraction(int(match[1]), int(match[2])) if match else None


class AspectRatio(StringParameter):
    """Width to height as `W:H`, between the tallest and the widest shape the model draws."""

    type: Literal["aspect_ratio"]
    tallest: Annotated[str, Field(pattern=_RATIO.pattern)]
    widest: Annotated[str, Field(pattern=_RATIO.pattern)]

    def is_unset(self, value: object) -> bool:
        """Add "custom", which upstream's own example sends beside a width and a height."""
        return super().is_unset(value) or value == "custom"

    def string_problems(self, value: str) -> Iterator[str]:
        """Check form and range."""
        ratio, tallest, widest = _ratio(value), _ratio(self.tallest), _ratio(self.widest)
        if not (ratio and tallest and widest and tallest <= ratio <= widest):
            yield f'must be width:height, such as "16:9", from {self.tallest} to {self.widest}'

    def limits(self) -> dict[str, object]:
        """Return the form; JSON Schema has no words for the range."""
        return {"pattern": f"^{_RATIO.pattern}$"}
