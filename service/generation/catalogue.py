"""The catalogue of Flux models: facts about them as data, checked when it is loaded."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from importlib import resources
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from service.generation.image_parameter import Image
from service.generation.parameters import Boolean, Integer, Number
from service.generation.picture_rules import AnyPictureRule
from service.generation.rules import AnyRule, BetweenParameters, NoUrlWhen
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
    {"max_active", "accepts_webhook", "providers", "deprecated", "servers", "follows_input_size"}
)

#: Tasks in progress that upstream lets an account have of most models together.
USUAL_MAX_ACTIVE = 24

_NOTHING: Mapping[str, object] = MappingProxyType({})


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

    #: Upstream's own: its address below a provider's base URL; may hold a slash.
    name: str
    family: str
    parameters: Mapping[str, AnyParameter]
    rules: tuple[AnyRule, ...] = ()
    picture_rules: tuple[AnyPictureRule, ...] = ()
    #: Whether the picture takes the first input image's size when neither side is given.
    follows_input_size: bool = False
    #: None when no source names a price.
    price: Annotated[FlatPrice | MegapixelPrice, Field(discriminator="type")] | None
    #: Tasks that upstream lets one account have in progress at a time.
    max_active: Annotated[int, Field(gt=0)]
    accepts_webhook: bool
    providers: tuple[Provider, ...]
    #: Base URL of a provider that serves this model elsewhere than the others.
    servers: Mapping[Provider, str] = {}
    deprecated: bool = False
    #: Each stated fact of `_SOURCED` to its key in the catalogue's `sources`.
    sources: Mapping[str, str]
    #: What to do instead of a parameter that other models have and this one lacks.
    hints: Mapping[str, str] = {}
    #: Where sources disagree, and what we made of it.
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        if not _PATH.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no plain path")
        joined = {name for rule in self.all_rules for name in rule.concerns}
        if missing := joined - set(self.parameters):
            raise ValueError(f"a rule names unknown parameters {missing}")
        if needless := set(self.hints) & set(self.parameters):
            raise ValueError(f"hints for parameters that it has {needless}")
        if unsourced := (self.model_fields_set & _SOURCED) ^ set(self.sources):
            raise ValueError(f"facts without a source, or sources without a fact: {unsourced}")
        return self

    @property
    def images(self) -> Mapping[str, Image]:
        """The parameters that take an image, by name."""
        return {n: p for n, p in self.parameters.items() if isinstance(p, Image)}

    @property
    def image_parameters(self) -> tuple[str, ...]:
        """The names of the parameters that take an image."""
        return tuple(self.images)

    @property
    def all_rules(self) -> tuple[BetweenParameters, ...]:
        """Those of the input, then those of the pictures behind it."""
        return (*self.rules, *self.picture_rules)

    def server(self, provider: str) -> str | None:
        """Return the base URL of a provider that serves this model elsewhere than the others."""
        return next((base for name, base in self.servers.items() if name == provider), None)

    @property
    def pool(self) -> str:
        """Whose slots upstream it takes: the account's (""), or its own if it has fewer."""
        return self.name if self.max_active < USUAL_MAX_ACTIVE else ""

    def takes_url(self, parameter_name: str, cleaned: Mapping[str, object] = _NOTHING) -> bool:
        """Tell whether upstream fetches this image by URL, beside the rest of `cleaned`."""
        image = self.images.get(parameter_name)
        return (
            image is not None
            and image.accepts == "base64_or_url"
            and not any(
                isinstance(rule, NoUrlWhen) and rule.forbids_url(parameter_name, cleaned)
                for rule in self.rules
            )
        )

    def source_keys(self) -> Iterator[str]:
        """Yield every key into the catalogue's `sources` that this model uses."""
        yield from self.sources.values()
        for sourced in self.parameters.values():
            yield from sourced.source_keys()
        yield from (rule.source for rule in self.all_rules)
        if self.price:
            yield self.price.source


class Catalogue(_Facts):
    """Every model we offer, by name, and the sources that the facts are taken from.

    In the file, a fact which holds for many models is written once: a model's parameter may be
    the name of one in `definitions`, and a model may be `like` another but for what it states. A
    parameter that names no source of its own has the model's `schema` for it.
    """

    sources: Mapping[str, str]
    models: Mapping[str, Model]

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, document: dict[str, Any]) -> dict[str, Any]:
        definitions, models = document["definitions"], document["models"]

        def merged(name: str) -> dict[str, Any]:
            own: dict[str, Any] = models[name]
            like = merged(own["like"]) if "like" in own else {}
            inner = {key: like.get(key, {}) | own.get(key, {}) for key in ("parameters", "sources")}
            return like | own | inner

        def expanded(name: str) -> dict[str, Any]:
            model = merged(name)
            model.pop("like", None)
            schema = {"source": model.pop("schema")}
            parameters = {
                parameter: schema | (definitions[facts] if isinstance(facts, str) else facts)
                for parameter, facts in model["parameters"].items()
            }
            return model | {"name": name, "parameters": parameters}

        return {"sources": document["sources"], "models": {name: expanded(name) for name in models}}

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
