"""The catalogue's data: what it holds, and what loading it refuses."""

import copy
import json
from collections.abc import Callable
from importlib import resources
from typing import Any

import pytest
from pydantic import ValidationError

from service.generation import CATALOGUE, Catalogue, Provider, input_schema, load_catalogue

DOCUMENT: dict[str, Any] = json.loads(
    resources.files("service.generation").joinpath("catalogue.json").read_text("utf-8")
)


#: As its page for `POST /flux/v1/{model}` lists them.
COMETAPI = {
    "flux-pro-1.1-ultra", "flux-pro-1.1", "flux-pro", "flux-dev", "flux-pro-1.0-fill",
    "flux-pro-1.0-canny", "flux-pro-1.0-depth", "flux-kontext-pro", "flux-kontext-max",
    "flux-2-pro", "flux-2-flex", "flux-2-max",
}  # fmt: skip


def served_by(provider: Provider) -> set[str]:
    return {name for name, model in CATALOGUE.models.items() if provider in model.providers}


def test_a_model_is_found_by_its_name() -> None:
    assert CATALOGUE.get("flux-9") is None
    assert CATALOGUE.get("flux-2-pro") is CATALOGUE["flux-2-pro"]
    with pytest.raises(KeyError):
        CATALOGUE["flux-9"]


def test_cometapi_serves_the_twelve_of_its_page() -> None:
    assert served_by("cometapi") == COMETAPI


def test_bfl_serves_all_but_what_it_has_withdrawn() -> None:
    withdrawn = {"flux-pro", "flux-pro-1.0-canny", "flux-pro-1.0-depth"}
    assert served_by("bfl") == set(CATALOGUE.names()) - withdrawn
    assert all(CATALOGUE[name].deprecated for name in withdrawn)


def test_the_simulator_serves_everything() -> None:
    assert served_by("simulator") == set(CATALOGUE.names())


def test_only_a_model_with_fewer_slots_has_a_pool_of_its_own() -> None:
    pools = {model.name: model.pool for model in CATALOGUE.models.values()}
    assert pools.pop("flux-kontext-max") == "flux-kontext-max"
    assert set(pools.values()) == {""}


def test_finetunes_of_flux_1_are_served_in_one_region() -> None:
    elsewhere = {model.name: model.servers for model in CATALOGUE.models.values() if model.servers}
    server = {"bfl": "https://api.us1.bfl.ai/v1"}
    assert elsewhere == {
        "flux-pro-1.1-ultra-finetuned": server,
        "flux-pro-1.0-fill-finetuned": server,
    }


def test_a_url_is_taken_where_upstream_takes_one() -> None:
    assert CATALOGUE["flux-2-pro"].takes_url("input_image_8")
    assert not CATALOGUE["flux-pro-1.1"].takes_url("image_prompt")
    outpainting = CATALOGUE["flux-tools/outpainting-v1"]
    assert outpainting.takes_url("input_image")
    assert outpainting.takes_url("input_image", {"mode": "high"})
    assert not outpainting.takes_url("input_image", {"mode": "fast"})
    assert not outpainting.takes_url("prompt")


def test_loading_twice_gives_the_same() -> None:
    assert load_catalogue() == CATALOGUE


def test_it_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        CATALOGUE["flux-2-pro"].max_active = 25  # type: ignore[misc]


def rename(document: dict[str, Any], name: str) -> None:
    document["models"][name] = document["models"].pop("flux-dev")


SPOILERS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a source that is not named": lambda d: d["sources"].pop("sdk"),
    "a source that nothing uses": lambda d: d["sources"].update(other="elsewhere"),
    "a fact without a source": lambda d: d["models"]["flux-2-pro"]["sources"].pop("providers"),
    "a source without a fact": lambda d: d["models"]["flux-pro-1.1"]["sources"].update(
        servers="sdk"
    ),
    "a fact we do not know": lambda d: d["models"]["flux-2-pro"].update(colour="red"),
    "a limit we do not know": lambda d: d["definitions"]["seed"].update(colour="red"),
    "a kind we do not know": lambda d: d["definitions"]["seed"].update(type="list"),
    "a provider we do not know": lambda d: d["models"]["flux-2-pro"]["providers"].append("acme"),
    "limits the wrong way round": lambda d: d["definitions"]["flux1_width"].update(minimum=1472),
    "a limit between the steps": lambda d: d["definitions"]["flux1_width"].update(maximum=1441),
    "a default beyond the limits": lambda d: d["definitions"]["flux1_width"].update(default=1472),
    "a default of another type": lambda d: d["definitions"]["flux1_width"].update(default="1024"),
    "a default not in the list": lambda d: d["definitions"]["output_format"].update(default="gif"),
    "a name with dot segments": lambda d: rename(d, "../credits"),
    "a name with a query": lambda d: rename(d, "flux-2-pro?x=1"),
    "a negative price": lambda d: d["models"]["flux-pro-1.1"]["price"].update(image_credits="-4"),
    "a rule about what is no parameter": lambda d: d["models"]["flux-2-pro"]["rules"].append(
        {"type": "one_of", "parameters": ["prompt", "mask"], "source": "sdk"}
    ),
    "a rule we do not know": lambda d: d["models"]["flux-2-pro"]["rules"].append(
        {"type": "odd", "source": "sdk"}
    ),
    "a hint about a parameter that it has": lambda d: d["models"]["flux-2-pro"]["hints"].update(
        seed="not needed"
    ),
}


@pytest.mark.parametrize("spoil", SPOILERS.values(), ids=SPOILERS.keys())
def test_loading_refuses(spoil: Callable[[dict[str, Any]], object]) -> None:
    document = copy.deepcopy(DOCUMENT)
    Catalogue.model_validate(document)
    spoil(document)
    with pytest.raises(ValidationError):
        Catalogue.model_validate(document)


@pytest.mark.parametrize("name", CATALOGUE.names())
def test_a_schema_describes_every_parameter_and_nothing_else(name: str) -> None:
    schema: Any = json.loads(json.dumps(input_schema(CATALOGUE[name])))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert list(schema["properties"]) == list(CATALOGUE[name].parameters)
    assert set(schema["required"]) <= set(schema["properties"])


def test_a_schema_says_the_limits() -> None:
    schema: Any = input_schema(CATALOGUE["flux-pro-1.1"])
    width = dict(schema["properties"]["width"])
    assert width.pop("description")
    assert width == {
        "type": "integer", "minimum": 256, "maximum": 1440, "multipleOf": 32, "default": 1024,
    }  # fmt: skip
    assert schema["properties"]["output_format"]["enum"] == ["jpeg", "png", "webp", None]
    assert schema["properties"]["image_prompt"]["anyOf"][1]["contentEncoding"] == "base64"
    assert schema["required"] == []


def test_a_schema_of_flux_2_requires_the_prompt_and_states_the_pixels() -> None:
    schema: Any = input_schema(CATALOGUE["flux-2-flex"])
    assert schema["required"] == ["prompt"]
    assert schema["properties"]["guidance"]["type"] == ["number", "null"]
    assert schema["properties"]["prompt_upsampling"]["default"] is True
    assert "4,194,304 pixels" in schema["description"]
