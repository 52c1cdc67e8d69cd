"""Every limit of every parameter, on both sides.

The expectations are written here by hand from upstream's published schemas. A parameter that the
catalogue gains has to be added here, or `test_every_parameter_is_expected_here` fails.
"""

from dataclasses import dataclass

import pytest

from service.generation import CATALOGUE, validate_input

NOT_STRINGS: tuple[object, ...] = (0, 1, 1.5, True, [], {}, ["a"], {"a": 1})
NOT_NUMBERS = ("1024", "x", True, False, [1], {"a": 1}, float("nan"), float("inf"), -float("inf"))


@dataclass(frozen=True)
class Expected:
    """What one parameter takes and what it must refuse."""

    accepted: tuple[object, ...]
    refused: tuple[object, ...]
    nullable: bool = True


def integers(low: int, high: int, step: int = 1, *, nullable: bool = True) -> Expected:
    """Whole numbers from `low` to `high`."""
    misfits = () if step == 1 else (low + 1, high - 1, low + step // 2)
    outside = (low - 1, low - step, high + 1, high + step, 10**5000, -(10**5000))
    near = (low, low + step, high - step, high)
    return Expected(near, (*outside, *misfits, 320.5, *NOT_NUMBERS), nullable)


def numbers(low: float, high: float) -> Expected:
    """Numbers from `low` to `high`."""
    outside = (low - 0.01, high + 0.01, 10**400, -(10**400), 1e308)
    return Expected((low, low + 0.01, high - 0.01, high, int(high)), (*outside, *NOT_NUMBERS))


def booleans(*, nullable: bool = False) -> Expected:
    """True and false."""
    return Expected((True, False), (0, 1, "true", "", [], {}), nullable)


def text(longest: int, *, required: bool = False) -> Expected:
    """A text of at most `longest` characters."""
    fit = ("a", "\n\t", "猫 🐈", "é" * longest) if not required else ("a", "猫 🐈", "é" * longest)
    blank = ("", " ", "\n") if required else ()
    unsound = ("a\x00b", "\ud800", "a\udc00", "a" * (longest + 1))
    return Expected(fit, (*blank, *unsound, *NOT_STRINGS), nullable=not required)


def image(*, url: bool) -> Expected:
    """An image as base64, and as a URL if `url`."""
    links = (
        "https://example.com/a.png?x=1",
        "HTTP://example.com:8080/a",
        "https://[2001:db8::1]/a",
    )
    broken_links = (
        "http://", "https:///a", "https://a b.example/", "https://exämple.com/", "http://[::1/",
        "http://a:99999/", "ftp://example.com/a", "file:///etc/passwd", "https://a.example/\n",
        "https://a.example/" + "a" * 8192,
    )  # fmt: skip
    broken_base64 = (
        "abc", "ab=c", "====", "a-_=", "data:image/png;base64,", "data:text/html;base64,aGk=", " ",
        "photo.png", "aGk=aGk=", "\ud800aaa", "aaa\x00",
    )  # fmt: skip
    accepted = ("aGk=", "iVBORw0KGgo=", *(links if url else ()))
    return Expected(
        accepted, (*broken_links, *broken_base64, *NOT_STRINGS, *(() if url else links))
    )


OUTPUT_FORMAT = Expected(("jpeg", "png", "webp"), ("jpg", "JPEG", "gif", " png", *NOT_STRINGS))
SEED = integers(-(2**63), 2**63 - 1)

FLUX_2: dict[str, Expected] = {
    "prompt": text(32_000, required=True),
    "input_image": image(url=True),
    **{f"input_image_{n}": image(url=True) for n in range(2, 9)},
    "seed": SEED,
    "width": integers(64, 65_536),
    "height": integers(64, 65_536),
    "safety_tolerance": integers(0, 5, nullable=False),
    "output_format": OUTPUT_FORMAT,
    "user": text(256),
}

EXPECTED: dict[str, dict[str, Expected]] = {
    "flux-2-pro": {**FLUX_2, "disable_pup": booleans()},
    "flux-2-max": {**FLUX_2, "disable_pup": booleans()},
    "flux-2-flex": {
        **FLUX_2,
        "prompt_upsampling": booleans(nullable=True),
        "guidance": numbers(1.5, 10.0),
        "steps": integers(1, 50),
    },
    "flux-pro-1.1": {
        "prompt": text(32_000),
        "image_prompt": image(url=False),
        "width": integers(256, 1440, 32, nullable=False),
        "height": integers(256, 1440, 32, nullable=False),
        "prompt_upsampling": booleans(),
        "seed": SEED,
        "safety_tolerance": integers(0, 6, nullable=False),
        "output_format": OUTPUT_FORMAT,
    },
}

#: 0 stands for "not given" there, so it is neither accepted nor refused as a value.
ZERO_IS_UNSET = {"width", "height"}

PARAMETERS = [
    pytest.param(model, name, expected, id=f"{model}-{name}")
    for model, parameters in EXPECTED.items()
    for name, expected in parameters.items()
]


def checked(model: str, name: str, value: object) -> tuple[dict[str, object], list[str]]:
    cleaned, errors = validate_input(CATALOGUE[model], {"prompt": "a cat", name: value})
    return cleaned, [error.pointer for error in errors]


def test_every_parameter_is_expected_here() -> None:
    catalogue = {name: set(CATALOGUE[name].parameters) for name in CATALOGUE.names()}
    assert catalogue == {model: set(parameters) for model, parameters in EXPECTED.items()}


@pytest.mark.parametrize(("model", "name", "expected"), PARAMETERS)
def test_values_within_the_limits_are_kept_as_they_are(
    model: str, name: str, expected: Expected
) -> None:
    for value in expected.accepted:
        cleaned, pointers = checked(model, name, value)
        assert (cleaned[name], type(cleaned[name]), pointers) == (value, type(value), [])


@pytest.mark.parametrize(("model", "name", "expected"), PARAMETERS)
def test_values_beyond_the_limits_are_refused_by_name(
    model: str, name: str, expected: Expected
) -> None:
    for position, value in enumerate(expected.refused):
        cleaned, pointers = checked(model, name, value)
        assert set(pointers) == {f"/input/{name}"}, f"refused value number {position}"
        assert name not in cleaned


@pytest.mark.parametrize(("model", "name", "expected"), PARAMETERS)
def test_null_is_dropped_where_upstream_allows_it_and_refused_elsewhere(
    model: str, name: str, expected: Expected
) -> None:
    cleaned, pointers = checked(model, name, None)
    assert name not in cleaned
    assert pointers == ([] if expected.nullable else [f"/input/{name}"])


@pytest.mark.parametrize("model", EXPECTED)
@pytest.mark.parametrize("name", sorted(ZERO_IS_UNSET))
@pytest.mark.parametrize("zero", [0, 0.0, -0.0])
def test_a_size_of_zero_is_dropped(model: str, name: str, zero: float) -> None:
    assert checked(model, name, zero) == ({"prompt": "a cat"}, [])


def test_an_image_may_have_twenty_eight_million_characters_and_no_more() -> None:
    longest = "A" * 28_000_000
    assert checked("flux-2-pro", "input_image", longest)[1] == []
    assert checked("flux-2-pro", "input_image", longest + "AAAA")[1] == ["/input/input_image"]
