"""The kinds of parameter that Flux models take: what each accepts, and how it says no.

Parameter
├─ Integer   ├─ Number   ├─ Boolean
└─ StringParameter
   ├─ Text   ├─ Choice   ├─ AspectRatio   └─ Image      (in modules of their own)

The facts of one parameter (limits, default, source) are data, read from `catalogue.json`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

#: What PostgreSQL's bigint and most JSON clients can carry; upstream itself names no limit.
_INT64_MIN = -(2**63)
_INT64_MAX = 2**63 - 1


class Parameter(BaseModel, ABC):
    """One parameter of a model; `default` is what upstream takes when it is left out."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    json_type: ClassVar[str]

    description: str
    required: bool = False
    nullable: bool = False
    default: object = None
    #: Key into the catalogue's `sources`.
    source: str

    @model_validator(mode="after")
    def _default_is_acceptable(self) -> Self:
        if self.default is not None and list(self.problems(self.default)):
            raise ValueError(f"the default {self.default!r} is not acceptable")
        return self

    def source_keys(self) -> Iterator[str]:
        """Yield every key into the catalogue's `sources` that this parameter uses."""
        yield self.source

    def is_unset(self, value: object) -> bool:
        """Tell whether `value` says "not given", as an empty string in upstream's own example."""
        return value == "" or (value is None and (self.nullable or self.required))

    def normalise(self, value: object) -> object:
        """Return `value` in the form sent upstream; what is not understood stays as it is."""
        return value

    @abstractmethod
    def problems(self, value: object) -> Iterator[str]:
        """Yield what is wrong with a normalised `value`, in words its sender can act on.

        Never raises, whatever JSON value it is given, and never repeats the value: it may be huge.
        """

    @abstractmethod
    def limits(self) -> dict[str, object]:
        """Return the keywords of JSON Schema that say what `problems` checks."""

    def json_schema(self) -> dict[str, object]:
        """Return the JSON Schema (2020-12) of this parameter."""
        schema: dict[str, object] = {
            "description": self.description,
            "type": [self.json_type, "null"] if self.nullable else self.json_type,
            **self.limits(),
        }
        if self.default is not None:
            schema["default"] = self.default
        return schema


class Integer(Parameter):
    """A whole number; 1024.0 counts as one, as in JSON Schema and upstream, and is sent as 1024."""

    json_type = "integer"

    type: Literal["integer"]
    default: int | None = None
    minimum: int = _INT64_MIN
    maximum: int = _INT64_MAX
    multiple_of: Annotated[int, Field(gt=0)] | None = None
    #: Upstream's own examples and defaults send 0 for a size that is left to the model.
    zero_means_unset: bool = False

    @model_validator(mode="after")
    def _limits_are_sound(self) -> Self:
        if self.minimum > self.maximum:
            raise ValueError("minimum is above maximum")
        if self.multiple_of and (
            self.minimum % self.multiple_of or self.maximum % self.multiple_of
        ):
            raise ValueError("minimum and maximum must be multiples themselves")
        return self

    def is_unset(self, value: object) -> bool:
        """Add 0 where it means that upstream chooses."""
        zero = isinstance(value, int | float) and not isinstance(value, bool) and value == 0
        return super().is_unset(value) or (zero and self.zero_means_unset)

    def normalise(self, value: object) -> object:
        """Turn a float without a fraction into the integer it stands for."""
        return int(value) if isinstance(value, float) and value.is_integer() else value

    def problems(self, value: object) -> Iterator[str]:
        """Check type, limits, step; a value that obeys the first complaint obeys them all."""
        if not isinstance(value, int) or isinstance(value, bool):
            yield "must be an integer"
        elif value < self.minimum:
            yield f"must be at least {self.minimum}"
        elif value > self.maximum:
            yield f"must be at most {self.maximum}"
        elif self.multiple_of and value % self.multiple_of:
            below = value - value % self.multiple_of
            yield (
                f"must be a multiple of {self.multiple_of}; "
                f"nearest are {below} and {below + self.multiple_of}"
            )

    def limits(self) -> dict[str, object]:
        """Return minimum, maximum and multipleOf."""
        limits: dict[str, object] = {"minimum": self.minimum, "maximum": self.maximum}
        return limits | ({"multipleOf": self.multiple_of} if self.multiple_of else {})


class Number(Parameter):
    """A number within limits, whole or not."""

    json_type = "number"

    type: Literal["number"]
    default: float | None = None
    minimum: float
    maximum: float

    def problems(self, value: object) -> Iterator[str]:
        """Check type and limits; NaN and the infinities lie outside any."""
        if not isinstance(value, int | float) or isinstance(value, bool):
            yield "must be a number"
        elif not self.minimum <= value <= self.maximum:
            yield f"must be between {self.minimum:g} and {self.maximum:g}"

    def limits(self) -> dict[str, object]:
        """Return minimum and maximum."""
        return {"minimum": self.minimum, "maximum": self.maximum}


class Boolean(Parameter):
    """True or false; 0, 1 and "true" are neither."""

    json_type = "boolean"

    type: Literal["boolean"]
    default: bool | None = None

    def problems(self, value: object) -> Iterator[str]:
        """Check the type."""
        if not isinstance(value, bool):
            yield "must be true or false"

    def limits(self) -> dict[str, object]:
        """Return nothing: the type says it all."""
        return {}
