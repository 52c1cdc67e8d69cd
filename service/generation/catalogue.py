"""The catalogue of Flux models: facts about them as data, checked when it is loaded."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from importlib import resources
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from service.generation.image_parameter import Image
from service.generation.parameters import Boolean, Integer, Number
from service.generation.string_parameters import AspectRatio, Choice, Text

Provider = Literal["cometapi", "bfl", "simulator"]

AnyParameter = Annotated[
    Integer | Number | Boolean | Text | Choice | AspectRatio | Image, Field(discriminator="type")
]

Credits = Annotated[Decimal, Field(ge=0)]

#: Safe in a URL path as it stands: no dot segments, nothing to escape.
_PATH = re.compile(r"[a-z0-9]+(?:[./-][a-z0-9]+)*")

#: Facts of a model whose source it names itself; a parameter and a price carry theirs.
_SOURCED = frozenset(
    {
        "required_one_of",
        "max_pixels",
        "max_active",
        "accepts_webhook",
        "providers",
        "deprecated",
    }
)


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FlatPrice(_Facts):
    """The same for every image."""

    type: Literal["flat"]
    image_credits: Credits
    source: str


class MegapixelPrice(_Facts):
    """By size: per started megapixel (2**20 px) of the output, and of each input image."""

    type: Literal["per_megapixel"]
    first_output_credits: Credits
    further_output_credits: Credits
    input_credits: Credits
    source: str


class Model(_Facts):
    """One Flux model: how to call it, what it takes, what it costs, who serves it."""

    name: str
    #: Appended to the provider's base URL, which ends in `/v1`.
    path: str
    family: str
    parameters: Mapping[str, AnyParameter]
    #: Of these parameters at least one must be given; empty when there is no such rule.
    required_one_of: tuple[str, ...] = ()
    #: Limit of width times height in pixels.
    max_pixels: Annotated[int, Field(gt=0)] | None = None
    #: None when no source names a price.
    price: Annotated[FlatPrice | MegapixelPrice, Field(discriminator="type")] | None
    #: Tasks that upstream lets one account have in progress at a time.
    max_active: Annotated[int, Field(gt=0)]
    accepts_webhook: bool
    providers: tuple[Provider, ...]
    deprecated: bool = False
    #: Each stated fact of `_SOURCED` to its key in the catalogue's `sources`.
    sources: Mapping[str, str]
    #: Where sources disagree, and what we made of it.
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        if not _PATH.fullmatch(self.path):
            raise ValueError(f"{self.path!r} is no plain path")
        if missing := set(self.required_one_of) - set(self.parameters):
            raise ValueError(f"required_one_of names unknown parameters {missing}")
        if unsourced := (self.model_fields_set & _SOURCED) ^ set(self.sources):
            raise ValueError(f"facts without a source, or sources without a fact: {unsourced}")
        return self

    @property
    def image_parameters(self) -> tuple[str, ...]:
        """The names of the parameters that take an image."""
        return tuple(n for n, parameter in self.parameters.items() if isinstance(parameter, Image))

    def source_keys(self) -> Iterator[str]:
        """Yield every key into the catalogue's `sources` that this model uses."""
        yield from self.sources.values()
        yield from (parameter.source for parameter in self.parameters.values())
        if self.price:
            yield self.price.source


class Catalogue(_Facts):
    """Every model we offer, by name, and the sources that the facts are taken from.

    In the file, a model's parameter may be the name of one in `definitions`, so that a fact which
    holds for many models is written once.
    """

    sources: Mapping[str, str]
    models: Mapping[str, Model]

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, document: dict[str, Any]) -> dict[str, Any]:
        definitions = document["definitions"]

        def expanded(name: str, model: dict[str, Any]) -> dict[str, Any]:
            parameters = {
                parameter: definitions[facts] if isinstance(facts, str) else facts
                for parameter, facts in model["parameters"].items()
            }
            return model | {"name": name, "parameters": parameters}

        models = {name: expanded(name, model) for name, model in document["models"].items()}
        return {"sources": document["sources"], "models": models}

    @model_validator(mode="after")
    def _every_source_is_named(self) -> Self:
        used = {key for model in self.models.values() for key in model.source_keys()}
        if used != set(self.sources):
            raise ValueError(f"sources unnamed or unused: {sorted(used ^ set(self.sources))}")
        return self

    def __getitem__(self, name: str) -> Model:
        return self.models[name]

    def get(self, name: str) -> Model | None:
        """Return the model of this name, or None."""
        return self.models.get(name)

    def names(self) -> tuple[str, ...]:
        """Return the models' names in the catalogue's order."""
        return tuple(self.models)


def load_catalogue() -> Catalogue:
    """Read and check the catalogue that comes with the package.

    Raises:
        pydantic.ValidationError: the file contradicts itself or the form above.
    """
    text = resources.files(__package__).joinpath("catalogue.json").read_text("utf-8")
    return Catalogue.model_validate_json(text)


CATALOGUE = load_catalogue()
