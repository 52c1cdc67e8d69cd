"""Rules between the parameters of one model, as data of a few general kinds.

Rule
├─ OneOf   ├─ OneAboveZero   ├─ MaxPixels   └─ NoUrlWhen

They judge the input alone; those for the pictures behind it are in `picture_rules`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.errors import FieldError
from service.generation.image_parameter import URL_SCHEME_PATTERN, ImageSource, image_source

#: Of a side that upstream chooses, pixels. No source says what it takes; two such are the least
#: price.
ASSUMED_SIDE_PIXELS = 1024


class BetweenParameters(BaseModel, ABC):
    """A rule that joins parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Key into the catalogue's `sources`.
    source: str

    @property
    @abstractmethod
    def concerns(self) -> tuple[str, ...]:
        """The parameters that the rule joins."""

    @property
    @abstractmethod
    def description(self) -> str:
        """The rule in words."""


class Rule(BetweenParameters, ABC):
    """What must hold between the values of several parameters."""

    @abstractmethod
    def errors(self, cleaned: Mapping[str, object]) -> Iterator[FieldError]:
        """Yield what is wrong with parameters that are sound each by itself."""

    def json_schema(self) -> dict[str, object]:
        """Return the rule as JSON Schema, empty where that has no words for it."""
        return {}


class OneOf(Rule):
    """At least one of several parameters is given."""

    type: Literal["one_of"]
    parameters: Annotated[tuple[str, ...], Field(min_length=2)]

    @property
    def concerns(self) -> tuple[str, ...]:
        """The parameters of which one is needed."""
        return self.parameters

    @property
    def description(self) -> str:
        """The rule in words."""
        return f"must have at least one of {', '.join(self.parameters)}"

    def errors(self, cleaned: Mapping[str, object]) -> Iterator[FieldError]:
        """Yield one error if none is given."""
        if not any(name in cleaned for name in self.parameters):
            yield FieldError("/input", self.description)

    def json_schema(self) -> dict[str, object]:
        """Say that one is there and neither null nor empty."""
        given = {"not": {"enum": [None, ""]}}
        return {
            "anyOf": [{"required": [name], "properties": {name: given}} for name in self.parameters]
        }


class OneAboveZero(Rule):
    """At least one of several whole numbers is above 0."""

    type: Literal["one_above_zero"]
    parameters: Annotated[tuple[str, ...], Field(min_length=2)]

    @property
    def concerns(self) -> tuple[str, ...]:
        """The parameters of which one is above 0."""
        return self.parameters

    @property
    def description(self) -> str:
        """The rule in words."""
        return f"must have at least one of {', '.join(self.parameters)} above 0"

    def errors(self, cleaned: Mapping[str, object]) -> Iterator[FieldError]:
        """Yield one error if all are 0 or not given."""
        if not any(cleaned.get(name) for name in self.parameters):
            yield FieldError("/input", self.description)

    def json_schema(self) -> dict[str, object]:
        """Say that one is there and above 0."""
        above = {"type": "integer", "minimum": 1}
        return {
            "anyOf": [{"required": [name], "properties": {name: above}} for name in self.parameters]
        }


class MaxPixels(Rule):
    """Width times height has a limit; one of them left out counts as ASSUMED_SIDE_PIXELS."""

    type: Literal["max_pixels"]
    max_pixels: Annotated[int, Field(gt=0)]

    @property
    def concerns(self) -> tuple[str, ...]:
        """Width and height."""
        return ("width", "height")

    @property
    def description(self) -> str:
        """The rule in words."""
        return f"width times height must be at most {self.max_pixels:,} pixels"

    def errors(self, cleaned: Mapping[str, object]) -> Iterator[FieldError]:
        """Yield an error with the width, or a height that is alone, that would fit."""
        sides = {n: side for n in self.concerns if isinstance(side := cleaned.get(n), int)}
        if not sides:
            return
        name, side = next(iter(sides.items()))
        other = "height" if name == "width" else "width"
        most = self.max_pixels // sides.get(other, ASSUMED_SIDE_PIXELS)
        if side > most:
            said = sides.get(other, f"left out, which counts as {ASSUMED_SIDE_PIXELS},")
            fits = f"with {other} {said} the {name} can be at most {most}"
            yield FieldError(f"/input/{name}", f"{self.description}; {fits}")


class NoUrlWhen(Rule):
    """An image may be given as a URL, but not beside a certain choice."""

    type: Literal["no_url_when"]
    parameter: str
    choice: str
    value: str

    @property
    def concerns(self) -> tuple[str, ...]:
        """The image and the choice."""
        return (self.parameter, self.choice)

    @property
    def description(self) -> str:
        """The rule in words."""
        return f"{self.parameter} takes no URL when {self.choice} is {self.value}"

    def forbids_url(self, name: str, cleaned: Mapping[str, object]) -> bool:
        """Tell whether this parameter takes no URL in this input."""
        return name == self.parameter and cleaned.get(self.choice) == self.value

    def errors(self, cleaned: Mapping[str, object]) -> Iterator[FieldError]:
        """Yield an error for a URL beside the choice."""
        if not self.forbids_url(self.parameter, cleaned):
            return
        if image_source(str(cleaned.get(self.parameter, ""))) is ImageSource.URL:
            yield FieldError(
                f"/input/{self.parameter}",
                f"takes no URL when {self.choice} is {self.value}; upload the picture with "
                "POST /v1/uploads and give its id, or give base64",
            )

    def json_schema(self) -> dict[str, object]:
        """Say it as a condition."""
        no_url = {"not": {"type": "string", "pattern": URL_SCHEME_PATTERN}}
        return {
            "if": {"required": [self.choice], "properties": {self.choice: {"const": self.value}}},
            "then": {"properties": {self.parameter: no_url}},
        }


AnyRule = Annotated[OneOf | OneAboveZero | MaxPixels | NoUrlWhen, Field(discriminator="type")]
