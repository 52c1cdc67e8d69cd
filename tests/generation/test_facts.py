"""The catalogue against the facts about Flux, written down independently of it in `facts.json`.

There, as upstream: `default: ""` for a prompt and 0 for a size mean that nothing is given.
"""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from service.generation import CATALOGUE, FlatPrice, Model
from service.generation.image_parameter import Image
from service.generation.parameters import Integer, Number
from service.generation.rules import OneOf
from service.generation.string_parameters import Choice, Text

FACTS: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("facts.json").read_text("utf-8")
)
#: Documented, but in no schema that we know.
FINETUNED_KLEIN = {f"flux-2-klein-{base}-finetuned" for base in ("4b", "9b", "9b-kv", "9b-kv-bf16")}
#: In the schema, but internal to BFL.
INTERNAL = {"input_image_blob_path"}
#: Ours where upstream names no limit: 64-bit integers, and sides that 4 MP allow beside 64.
OWN_LIMITS = {
    "seed": (-(2**63), 2**63 - 1),
    "reference_offset_x": (-(2**63), 2**63 - 1),
    "reference_offset_y": (-(2**63), 2**63 - 1),
    "width": (None, 65_536),
    "height": (None, 65_536),
}

PARAMETERS = [
    pytest.param(CATALOGUE[model], name, fact, id=f"{model}-{name}")
    for model, facts in FACTS.items()
    for name, fact in facts["parameters"].items()
    if name not in INTERNAL
]


def test_every_model_is_there() -> None:
    assert set(CATALOGUE.names()) == set(FACTS) | FINETUNED_KLEIN


@pytest.mark.parametrize("model", FACTS)
def test_a_model_has_the_parameters_of_the_facts(model: str) -> None:
    assert set(CATALOGUE[model].parameters) == set(FACTS[model]["parameters"]) - INTERNAL


@pytest.mark.parametrize(("model", "name", "fact"), PARAMETERS)
def test_a_parameter_is_of_the_kind_of_the_facts(
    model: Model, name: str, fact: dict[str, Any]
) -> None:
    parameter = model.parameters[name]
    assert parameter.json_type == fact["type"]
    assert parameter.nullable is fact["nullable"]
    assert parameter.required is fact["required"]
    assert parameter.default == (None if unset(fact) else fact["default"])
    assert (isinstance(parameter, Image) and parameter.accepts) == fact.get("image_input", False)


@pytest.mark.parametrize(("model", "name", "fact"), PARAMETERS)
def test_a_parameter_has_the_limits_of_the_facts(
    model: Model, name: str, fact: dict[str, Any]
) -> None:
    parameter = model.parameters[name]
    if isinstance(parameter, Integer | Number):
        own_minimum, own_maximum = OWN_LIMITS.get(name, (None, None))
        assert parameter.minimum == fact.get("min", own_minimum)
        assert parameter.maximum == fact.get("max", own_maximum)
    step = parameter.multiple_of if isinstance(parameter, Integer) else None
    assert step == fact.get("multiple_of")
    words = list(parameter.choices) if isinstance(parameter, Choice) else None
    assert words == fact.get("enum")
    if "max_length" in fact:
        assert isinstance(parameter, Text)
        assert parameter.max_length == fact["max_length"]


@pytest.mark.parametrize("name", FACTS)
def test_a_model_costs_what_the_facts_say(name: str) -> None:
    price, fact = CATALOGUE[name].price, FACTS[name]["price"]
    if price is None or isinstance(price, FlatPrice):
        assert (price and price.image_credits) == (fact and Decimal(str(fact["credits"])))
        return
    assert {
        "first_output_mp": price.first_output_credits,
        "each_further_output_mp": price.further_output_credits,
        "each_input_mp": price.input_credits,
    } == {name: Decimal(str(amount)) for name, amount in fact.items()}


@pytest.mark.parametrize("name", FACTS)
def test_a_model_is_called_as_the_facts_say(name: str) -> None:
    model, fact = CATALOGUE[name], FACTS[name]
    assert model.accepts_webhook is fact["accepts_webhook"]
    # the tool that takes no webhook is named in no list of limits either
    assert model.max_active == (fact["max_active"] or 24)
    if fact["one_of"]:
        assert fact["one_of"] in [list(r.parameters) for r in model.rules if isinstance(r, OneOf)]


@pytest.mark.parametrize("name", sorted(FINETUNED_KLEIN))
def test_a_finetuned_klein_takes_the_same_and_the_finetune(name: str) -> None:
    base = CATALOGUE["flux-2-klein-4b"].parameters
    own = {n: parameter.json_schema() for n, parameter in CATALOGUE[name].parameters.items()}
    assert CATALOGUE[name].parameters["finetune_id"].required
    del own["finetune_id"]
    strength = own.pop("finetune_strength")
    assert (strength["minimum"], strength["maximum"]) == (0, 2)
    assert own == {n: parameter.json_schema() for n, parameter in base.items()}


def unset(fact: dict[str, Any]) -> bool:
    """Tell whether the default stands for "not given"."""
    return bool(fact["default"] == "" or (fact["default"] == 0 and fact.get("min", 0) > 0))
