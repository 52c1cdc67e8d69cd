"""Jobs as callers hand them in: any model, any parameters, in every form that is taken.

Each comes with what upstream must be sent for it, which the generator knows by itself. The limits
of single parameters are the catalogue's, so that jobs lie on its edges again and again.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import singledispatch

from generated.pictures import Form, Picture

from service.generation import Model
from service.generation.image_parameter import Image
from service.generation.parameters import Boolean, Integer, Number, Parameter
from service.generation.picture_rules import MaxTotalPixels, SameSize
from service.generation.rules import MaxPixels, OneAboveZero, OneOf
from service.generation.string_parameters import AspectRatio, Choice, StringParameter, Text

_WORDS = ("a red fox", "猫 🐈", "at dusk,", "50mm\tf/1.4", 'says "no"', "\\o/", "naïve", "\u200d")
_EXACT_IN_A_FLOAT = 2**53
#: What a client with one form for all models sends along, and means nothing by.
_IDLE: Mapping[str, object] = {
    "raw": False,
    "image_prompt": "",
    "aspect_ratio": "custom",
    "prompt_upsampling": False,
    "steps": None,
    "width": 0,
    "webhook_url": "",
}


@dataclass(frozen=True)
class Job:
    """What a caller gives, and what it comes to."""

    model: str
    given: Mapping[str, object] = field(repr=False)
    #: What upstream is sent, pictures apart.
    meant: Mapping[str, object]
    pictures: Mapping[str, tuple[Form, Picture]]


def generate(model: Model, including: str, chance: random.Random, stock: Sequence[Picture]) -> Job:
    """Make a job that the model takes, with one parameter for certain and others by chance."""
    meant = _meant(model, including, chance)
    pictures = _pictures(model, including, meant, chance, stock)
    given = {name: _written(model.parameters[name], value, chance) for name, value in meant.items()}
    given |= {name: picture.given[form] for name, (form, picture) in pictures.items()}
    given |= _unset(model, given, chance)
    names = chance.sample(sorted(given), len(given))
    return Job(model.name, {name: given[name] for name in names}, meant, pictures)


def _meant(model: Model, including: str, chance: random.Random) -> dict[str, object]:
    plain = {n: p for n, p in model.parameters.items() if not isinstance(p, Image)}
    wanted = {n for n, p in plain.items() if p.required or chance.random() < 0.5}
    wanted |= {including}
    meant = {name: _value(p, chance) for name, p in plain.items() if name in wanted}
    for rule in model.rules:
        if isinstance(rule, OneAboveZero):
            meant[chance.choice(rule.parameters)] = chance.randint(1, 2048)
        if isinstance(rule, MaxPixels):
            meant |= _sides({"width", "height"} & set(meant), rule.max_pixels, chance)
    return meant


def _sides(names: set[str], max_pixels: int, chance: random.Random) -> dict[str, object]:
    """Choose sides that fit together; one that is alone has 1024 beside it."""
    least = 64
    first = max_pixels // (least if len(names) == 2 else 1024)
    sides = [chance.choice([least, first, round(least * (first / least) ** chance.random())])]
    second = max_pixels // sides[0]
    sides.append(chance.choice([least, second, chance.randint(least, second)]))
    return dict(zip(chance.sample(sorted(names), len(names)), sides, strict=False))


def _pictures(
    model: Model,
    including: str,
    meant: Mapping[str, object],
    chance: random.Random,
    stock: Sequence[Picture],
) -> dict[str, tuple[Form, Picture]]:
    names = {including} & set(model.images)
    names |= set(chance.sample(sorted(model.images), _few(len(model.images), chance)))
    names |= {name for name, parameter in model.images.items() if parameter.required}
    for rule in model.rules:
        if isinstance(rule, OneOf) and names.union(meant).isdisjoint(rule.parameters):
            names.add(chance.choice([name for name in rule.parameters if name in model.images]))
    alike = any(isinstance(rule, SameSize) for rule in model.picture_rules)
    least = max((model.images[name].min_side_pixels for name in names), default=1)
    fitting = [picture for picture in stock if min(picture.width, picture.height) >= least]
    one = chance.choice(fitting)
    chosen = {name: one if alike else chance.choice(fitting) for name in sorted(names)}
    for most in [r.max_pixels for r in model.picture_rules if isinstance(r, MaxTotalPixels)]:
        while _all_pixels(meant, list(chosen.values())) > most:
            del chosen[chance.choice(sorted(chosen.keys() - {including}))]
    return {name: (_form(model, name, meant, chance), each) for name, each in chosen.items()}


def _all_pixels(meant: Mapping[str, object], pictures: Sequence[Picture]) -> int:
    """Count what goes in and comes out; without a side the output is like the first picture."""
    sides = [meant.get("width"), meant.get("height")]
    if pictures and sides == [None, None]:
        sides = [pictures[0].width, pictures[0].height]
    width, height = (side if isinstance(side, int) else 1024 for side in sides)
    return width * height + sum(each.width * each.height for each in pictures)


def _few(most: int, chance: random.Random) -> int:
    """Choose a number: often none, seldom all."""
    return chance.choice([0, 0, min(1, most), chance.randint(0, most)])


def _form(model: Model, name: str, meant: Mapping[str, object], chance: random.Random) -> Form:
    return chance.choice([f for f in Form if f is not Form.URL or model.takes_url(name, meant)])


def _unset(model: Model, given: Mapping[str, object], chance: random.Random) -> dict[str, object]:
    """Return ways to say "not given" of what is not, the model's own parameters and others'."""
    idle = {name: value for name, value in _IDLE.items() if name not in model.parameters}
    for name, parameter in model.parameters.items():
        ways = _ways_to_unset(parameter)
        if ways and name not in given and not parameter.required:
            idle[name] = chance.choice(ways)
    return {name: value for name, value in idle.items() if chance.random() < 0.2}


def _ways_to_unset(parameter: Parameter) -> list[object]:
    ways: list[object] = [None] if parameter.nullable else []
    if isinstance(parameter, StringParameter):
        ways.append("")
    if isinstance(parameter, AspectRatio):
        ways.append("custom")
    if isinstance(parameter, Integer) and parameter.zero_means_unset:
        ways += [0, 0.0]
    return ways


def _written(parameter: Parameter, value: object, chance: random.Random) -> object:
    """Write a whole number as a float now and then, as clients in some languages do."""
    if not isinstance(parameter, Integer) or not isinstance(value, int):
        return value
    return float(value) if abs(value) < _EXACT_IN_A_FLOAT and chance.random() < 0.3 else value


@singledispatch
def _value(parameter: Parameter, _chance: random.Random) -> object:
    raise NotImplementedError(parameter.json_type)


@_value.register
def _(parameter: Integer, chance: random.Random) -> object:
    step = parameter.multiple_of or 1
    low, high = parameter.minimum, parameter.maximum
    return chance.choice([low, high, chance.randrange(low, high + 1, step)])


@_value.register
def _(parameter: Number, chance: random.Random) -> object:
    low, high = parameter.minimum, parameter.maximum
    return chance.choice([low, high, int(high), chance.uniform(low, high)])


@_value.register
def _(_parameter: Boolean, chance: random.Random) -> object:
    return chance.random() < 0.5


@_value.register
def _(parameter: Text, chance: random.Random) -> object:
    if chance.random() < 0.02:
        return "é" * parameter.max_length
    return " ".join(chance.choices(_WORDS, k=chance.randint(1, 9)))[: parameter.max_length]


@_value.register
def _(parameter: Choice, chance: random.Random) -> object:
    return chance.choice(parameter.choices)


@_value.register
def _(parameter: AspectRatio, chance: random.Random) -> object:
    return chance.choice([parameter.tallest, parameter.widest, "1:1", "16:9", "1999:1000", "2:3"])
