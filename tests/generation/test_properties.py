"""What holds for every input, whatever is in it."""

import json
from typing import cast

from generation.json_schema import satisfies
from generation.minimal import minimal_input
from hypothesis import given, settings
from hypothesis import strategies as st

from service.generation import CATALOGUE, Model, input_schema, suggest, validate_input

any_text = st.text(st.characters(exclude_categories=()))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=10,
)
#: Values that some parameter takes, and the ones that mean "not given".
plausible_values = st.one_of(
    st.sampled_from([None, "", 0, "jpeg", "webp", "a cat", "aGk=", "https://a.example/a.png"]),
    st.sampled_from(["data:image/png;base64,aGk=", "aG\nk=", "custom", True, False]),
    st.integers(0, 2048).map(float),
    st.integers(0, 2048),
    st.floats(1, 10),
)
awkward_values = st.sampled_from(
    [
        "a\x00b",
        " ",
        "16:9",
        "img_" + "0" * 32,
        "upl_1",
        "fast",
        "abc",
        "====",
        "data:,aGk=",
        -1,
        0.5,
    ]
)
names = st.sampled_from(
    sorted({name for m in CATALOGUE.names() for name in CATALOGUE[m].parameters})
)
models = st.sampled_from(CATALOGUE.names()).map(CATALOGUE.__getitem__)


@st.composite
def acceptable_inputs(draw: st.DrawFn) -> tuple[Model, dict[str, object]]:
    """A model and an input that it takes, before normalisation."""
    model = draw(models)
    raw = minimal_input(model)
    for name, value in draw(st.dictionaries(names, plausible_values)).items():
        if not validate_input(model, raw | {name: value})[1]:
            raw[name] = value
    return model, raw


@settings(deadline=None, max_examples=300)
@given(models, st.dictionaries(names | any_text, json_values | plausible_values))
def test_no_json_value_makes_the_validator_raise(model: Model, raw: dict[str, object]) -> None:
    cleaned, errors = validate_input(model, raw)
    assert set(cleaned) <= set(model.parameters)
    assert json.dumps(cleaned, ensure_ascii=False, allow_nan=False).encode()
    assert not any("\x00" in value for value in cleaned.values() if isinstance(value, str))
    for error in errors:
        assert error.pointer.startswith("/input")
        assert error.pointer.isprintable()
        assert error.detail.isprintable()


@settings(deadline=None, max_examples=300)
@given(acceptable_inputs())
def test_an_accepted_input_validates_to_itself(case: tuple[Model, dict[str, object]]) -> None:
    model, raw = case
    cleaned, errors = validate_input(model, raw)
    assert errors == []
    again, errors = validate_input(model, cleaned)
    assert errors == []
    assert json.dumps(again) == json.dumps(cleaned)  # 1024 and 1024.0 are equal, but not here


@settings(deadline=None, max_examples=300)
@given(acceptable_inputs())
def test_an_accepted_input_satisfies_the_schema_we_publish(
    case: tuple[Model, dict[str, object]],
) -> None:
    model, raw = case
    cleaned, _ = validate_input(model, raw)
    assert satisfies(cleaned, input_schema(model))


@settings(deadline=None, max_examples=300)
@given(models, st.dictionaries(names | st.just("colour"), plausible_values | awkward_values))
def test_what_the_schema_refuses_is_refused_and_what_it_takes_is_taken(
    model: Model, changes: dict[str, object]
) -> None:
    raw = {**minimal_input(model), **changes}
    cleaned, errors = validate_input(model, raw)
    if satisfies(raw, input_schema(model)):
        # what JSON Schema has no words for, and says in its description
        assert all("pixels" in error.detail for error in errors)
    elif not errors:
        # what says nothing was dropped, or brought into the form that is sent
        assert cleaned != raw


@given(any_text, st.lists(any_text, min_size=1, max_size=5))
def test_a_suggestion_is_always_a_known_name(name: str, known: list[str]) -> None:
    assert suggest(name, known) in [*cast("list[str | None]", known), None]
