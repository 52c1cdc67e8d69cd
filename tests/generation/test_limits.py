"""Every limit of every parameter of every model, on both sides, generated from the catalogue.

That the catalogue's limits are the right ones is checked in `test_facts`.
"""

from collections.abc import Mapping
from functools import singledispatch

import pytest
from generation.minimal import minimal_input

from service.generation import CATALOGUE, validate_input
from service.generation.image_parameter import Image
from service.generation.parameters import Boolean, Integer, Number, Parameter
from service.generation.string_parameters import AspectRatio, Choice, Text

Values = tuple[object, ...]

NOT_STRINGS: Values = (0, 1, 1.5, True, [], {}, ["a"], {"a": 1})
NOT_NUMBERS: Values = (
    "1024", "x", True, False, [1], {"a": 1}, float("nan"), float("inf"), -float("inf"),
)  # fmt: skip
LINKS: Values = (
    "https://example.com/a.png?x=1", "HTTP://example.com:8080/a", "https://[2001:db8::1]/a",
)  # fmt: skip
NO_IMAGES: Values = (
    "http://", "https:///a", "https://a b.example/", "https://exämple.com/", "http://[::1/",
    "http://a:99999/", "ftp://example.com/a", "file:///etc/passwd", "https://a.example/\n",
    "https://a.example/" + "a" * 8192,
    "abc", "ab=c", "====", "a-_=", " ",
    "data:image/png;base64,", "data:text/html,aGk=", "data:,;base64,aGk=",
    "photo.png", "aGk=aGk=", "\ud800aaa", "aaa\x00",
    "img_", "upl_" + "a" * 31, "upl_" + "A" * 32, "img_" + "g" * 32, "job_" + "0" * 32,
    "upl_" + "a" * 33, " upl_" + "a" * 32, "data:image/png;base64,upl_" + "a" * 32,
    "data:image/png;base64,https://example.com/a",
)  # fmt: skip


@singledispatch
def limits(parameter: Parameter) -> tuple[Values, Values]:
    """Return values at the limits of a parameter, and ones just beyond or of another type."""
    raise NotImplementedError(parameter.json_type)


@limits.register
def _(parameter: Integer) -> tuple[Values, Values]:
    low, high, step = parameter.minimum, parameter.maximum, parameter.multiple_of or 1
    misfits = () if step == 1 else (low + 1, high - 1, low + step // 2)
    outside = {low - 1, low - step, high + 1, high + step, 10**5000, -(10**5000)}
    refused = outside - ({0} if parameter.zero_means_unset else set())
    return (low, low + step, high - step, high), (*refused, *misfits, 320.5, *NOT_NUMBERS)


@limits.register
def _(parameter: Number) -> tuple[Values, Values]:
    low, high = parameter.minimum, parameter.maximum
    within = (low, low + 0.01, high - 0.01, high, int(high))
    return within, (low - 0.01, high + 0.01, 10**400, -(10**400), 1e308, *NOT_NUMBERS)


@limits.register
def _(_parameter: Boolean) -> tuple[Values, Values]:
    return (True, False), (0, 1, "true", [], {})


@limits.register
def _(parameter: Text) -> tuple[Values, Values]:
    longest = parameter.max_length
    blank = ("", " ", "\n") if parameter.required else ()
    unsound = ("a\x00b", "\ud800", "a\udc00", "a" * (longest + 1))
    return ("a", "\n\ta", "猫 🐈", "é" * longest), (*unsound, *blank, *NOT_STRINGS)


@limits.register
def _(parameter: Choice) -> tuple[Values, Values]:
    return parameter.choices, ("jpg", "JPEG", "High", " png", *NOT_STRINGS)


@limits.register
def _(parameter: AspectRatio) -> tuple[Values, Values]:
    tall, wide = parameter.tallest, parameter.widest
    broken = ("16/9", "16:0", "0:1", "1:1:1", "1.5:1", " 1:1", "1:1\n", "-1:1", "\u0661:\u0661")
    return (tall, wide, "1:1", "3:2"), (*beyond(tall, wide), *broken, *NOT_STRINGS)


@limits.register
def _(parameter: Image) -> tuple[Values, Values]:
    links = LINKS if parameter.accepts == "base64_or_url" else ()
    ids = ("img_" + "0" * 32, "upl_0123456789abcdef0123456789abcdef")
    refused = tuple(link for link in LINKS if link not in links)
    return ("aGk=", "iVBORw0KGgo=", *links, *ids), (*NO_IMAGES, *refused, *NOT_STRINGS)


def beyond(tall: str, wide: str) -> Values:
    """Return the ratios just outside: a thousandth taller than the tallest, wider than the widest.

    Written with larger numbers, as "9001:21000" is beyond "9:21".
    """
    (a, b), (c, d) = (map(int, ratio.split(":")) for ratio in (tall, wide))
    return (f"{a * 1000 - 1}:{b * 1000}", f"{c * 1000 + 1}:{d * 1000}")


PARAMETERS = [
    pytest.param(model, name, parameter, id=f"{model}-{name}")
    for model in CATALOGUE.names()
    for name, parameter in CATALOGUE[model].parameters.items()
]


def checked(model: str, **changes: object) -> tuple[Mapping[str, object], list[str]]:
    raw = {**minimal_input(CATALOGUE[model]), **changes}
    cleaned, errors = validate_input(CATALOGUE[model], raw)
    return cleaned, [error.pointer for error in errors]


@pytest.mark.parametrize(("model", "name", "parameter"), PARAMETERS)
def test_values_within_the_limits_are_kept_as_they_are(
    model: str, name: str, parameter: Parameter
) -> None:
    accepted, _ = limits(parameter)
    for value in accepted:
        cleaned, pointers = checked(model, **{name: value})
        assert (pointers, cleaned[name], type(cleaned[name])) == ([], value, type(value))


@pytest.mark.parametrize(("model", "name", "parameter"), PARAMETERS)
def test_values_beyond_the_limits_are_refused_by_name(
    model: str, name: str, parameter: Parameter
) -> None:
    _, refused = limits(parameter)
    for position, value in enumerate(refused):
        cleaned, pointers = checked(model, **{name: value})
        assert set(pointers) == {f"/input/{name}"}, f"refused value number {position}"
        assert name not in cleaned


@pytest.mark.parametrize(("model", "name", "parameter"), PARAMETERS)
def test_null_is_dropped_where_upstream_allows_it_and_refused_elsewhere(
    model: str, name: str, parameter: Parameter
) -> None:
    cleaned, pointers = checked(model, **{name: None})
    assert name not in cleaned
    assert pointers == ([] if parameter.nullable else [f"/input/{name}"])


@pytest.mark.parametrize(("model", "name", "parameter"), PARAMETERS)
def test_an_empty_string_is_dropped_whatever_the_type(
    model: str, name: str, parameter: Parameter
) -> None:
    raw = minimal_input(CATALOGUE[model])
    raw.pop(name, None)
    cleaned, pointers = checked(model, **{name: ""})
    left_out, errors = validate_input(CATALOGUE[model], raw)
    assert (cleaned, pointers) == (left_out, [error.pointer for error in errors])
    assert (f"/input/{name}" in pointers) is parameter.required


@pytest.mark.parametrize(("model", "name", "parameter"), PARAMETERS)
@pytest.mark.parametrize("zero", [0, 0.0, -0.0])
def test_zero_means_unset_for_a_size_that_may_be_left_out_and_for_nothing_else(
    model: str, name: str, parameter: Parameter, zero: float
) -> None:
    cleaned, pointers = checked(model, **{name: zero})
    if name in {"width", "height"} and not parameter.required:
        assert (name in cleaned, pointers) == (False, [])
    elif isinstance(parameter, Integer | Number) and parameter.minimum <= 0:
        assert (cleaned[name], pointers) == (0, [])
    else:
        assert pointers == [f"/input/{name}"]


def test_an_image_may_have_twenty_eight_million_characters_and_no_more() -> None:
    longest = "A" * 28_000_000
    assert checked("flux-2-pro", input_image=longest)[1] == []
    assert checked("flux-2-pro", input_image=longest + "AAAA")[1] == ["/input/input_image"]
