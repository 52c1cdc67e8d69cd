"""The fields of a form, from the catalogue: what each takes, in words and as a browser knows it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from service.documents import Document, credits_text
from service.generation import CATALOGUE, FlatPrice, Model
from service.generation.image_parameter import Image
from service.generation.parameters import Boolean, Integer, Number, Parameter
from service.generation.string_parameters import AspectRatio, Choice, Text
from service.web.new.draft import Draft, number
from service.web.new.reading import FILE, INPUT
from service.web.wording import in_credits

#: What people change most; the others are in a part that opens.
_FIRST = frozenset({"prompt", "width", "height", "aspect_ratio", "seed"})
#: A bound beyond this says nothing but that numbers end.
_FAR = 2**53
_PIXELS_PER_MEGAPIXEL = 1_000_000
_MEBIBYTE = 2**20
_YES_NO = {True: "yes", False: "no"}

#: What is wrong, by the pointer into the job's body.
Errors = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Field:
    """One parameter as a form shows it."""

    parameter: str
    #: `prompt`, `text`, `number`, `choice` or `picture`.
    kind: str
    hint: str
    text: str
    required: bool
    errors: Sequence[str]
    #: In HTML's own words.
    limits: Mapping[str, object]
    #: Of a choice: what is sent, and how it reads.
    choices: Sequence[tuple[str, str]]
    #: What is known of the picture that is named.
    picture: Document | None

    @property
    def name(self) -> str:
        """The name that its value is sent under."""
        return f"{INPUT}{self.parameter}"

    @property
    def file_name(self) -> str:
        """The name that its file is sent under."""
        return f"{FILE}{self.parameter}"

    @property
    def is_used(self) -> bool:
        """Whether there is something to see in it."""
        return bool(self.text or self.errors)

    @property
    def label(self) -> str:
        """Its name as people write."""
        return self.parameter.replace("_", " ").capitalize()


@dataclass(frozen=True)
class Fields:
    """All fields of a model, by where they stand."""

    first: Sequence[Field]
    #: Further ones.
    pictures: Sequence[Field]
    others: Sequence[Field]


def fields(draft: Draft, errors: Errors, pictures: Mapping[str, Document]) -> Fields:
    """Return the fields of a draft's model, with what was typed and what is wrong with it."""
    model = draft.facts
    drawn = [
        Field(
            parameter=name,
            kind=_kind(name, parameter, draft.given.get(name, "")),
            hint=" ".join([parameter.description, *_in_words(parameter), *_ways(model, name)]),
            text=draft.given.get(name, ""),
            required=parameter.required,
            errors=errors.get(f"/input/{name}", ()),
            limits=dict(_limits(parameter)),
            choices=_choices(parameter),
            picture=pictures.get(name),
        )
        for name, parameter in model.parameters.items()
    ]
    first = _first(model)
    rest = [one for one in drawn if one.parameter not in first]
    return Fields(
        [one for one in drawn if one.parameter in first],
        [one for one in rest if one.kind == "picture"],
        [one for one in rest if one.kind != "picture"],
    )


def models(configured: Collection[str]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the models that we can have drawn, by family, each with what it costs."""
    served = [one for one in CATALOGUE.models.values() if set(one.providers) & set(configured)]
    by_family = groupby(sorted(served, key=lambda one: one.family), key=lambda one: one.family)
    return [(family, [(one.name, _option(one)) for one in ones]) for family, ones in by_family]


def price_from(model: Model) -> str:
    """Return what a model costs at least: `4 credits`, `from 3 credits`."""
    if model.price is None:
        return "price not published"
    if isinstance(model.price, FlatPrice):
        return in_credits(credits_text(model.price.image_credits) or "")
    return f"from {in_credits(credits_text(model.price.first_output_credits) or '')}"


def _option(model: Model) -> str:
    old = ", to be withdrawn" if model.deprecated else ""
    return f"{model.name} ({price_from(model)}{old})"


def _first(model: Model) -> Collection[str]:
    """Return what stands at the top: what must be given, too, and what a rule joins."""
    joined = {name for rule in model.all_rules for name in rule.concerns}
    required = {name for name, parameter in model.parameters.items() if parameter.required}
    return _FIRST | joined | required | set(model.image_parameters[:1])


def _kind(name: str, parameter: Parameter, text: str) -> str:
    if isinstance(parameter, Image):
        return "picture"
    if isinstance(parameter, Choice | Boolean):
        return "choice"
    # a number's field would show nothing of what is no number
    if isinstance(parameter, Integer | Number) and not (text and isinstance(number(text), str)):
        return "number"
    return "prompt" if name == "prompt" else "text"


def _in_words(parameter: Parameter) -> Iterator[str]:
    """Yield what a parameter takes, and what it is where it is left blank."""
    if isinstance(parameter, Integer) and parameter.maximum < _FAR:
        step = f", a multiple of {parameter.multiple_of}" if parameter.multiple_of else ""
        yield f"{parameter.minimum} to {parameter.maximum}{step}."
    elif isinstance(parameter, Number):
        yield f"{parameter.minimum:g} to {parameter.maximum:g}."
    elif isinstance(parameter, Text):
        yield f"At most {parameter.max_length:,} characters."
    elif isinstance(parameter, AspectRatio):
        yield f"Such as 16:9, from {parameter.tallest} to {parameter.widest}."
    elif isinstance(parameter, Image):
        megapixels = parameter.max_pixels / _PIXELS_PER_MEGAPIXEL
        yield f"At most {parameter.max_bytes / _MEBIBYTE:.0f} MiB and {megapixels:.0f} megapixels."
    if parameter.default is not None and not isinstance(parameter, Choice | Boolean):
        yield f"Left blank: {parameter.default}."


def _ways(model: Model, name: str) -> Iterator[str]:
    """Yield how a picture is given."""
    if name in model.images:
        url = ", its URL" if model.takes_url(name) else ""
        yield f"The id of an image or upload{url}, or a file, which goes before the id."


def _limits(parameter: Parameter) -> Iterator[tuple[str, object]]:
    if isinstance(parameter, Integer) and parameter.maximum < _FAR:
        yield from (("min", parameter.minimum), ("max", parameter.maximum))
    if isinstance(parameter, Integer):
        yield "step", parameter.multiple_of or 1
    elif isinstance(parameter, Number):
        yield from (("min", parameter.minimum), ("max", parameter.maximum), ("step", "any"))


def _choices(parameter: Parameter) -> list[tuple[str, str]]:
    if isinstance(parameter, Choice):
        return [("", f"default ({parameter.default})"), *((one, one) for one in parameter.choices)]
    if isinstance(parameter, Boolean):
        usual = _YES_NO[bool(parameter.default)]
        return [("", f"default ({usual})"), ("true", "yes"), ("false", "no")]
    return []
