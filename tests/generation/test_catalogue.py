"""The catalogue's data: what it holds, and what loading it refuses."""

import copy
import json
from collections.abc import Callable
from importlib import resources
from typing import Any

import pytest
from pydantic import ValidationError

from service.generation import CATALOGUE, Catalogue, input_schema, load_catalogue

DOCUMENT: dict[str, Any] = json.loads(
    resources.files("service.generation").joinpath("catalogue.json").read_text("utf-8")
)


def test_it_holds_the_models_of_today() -> None:
    assert CATALOGUE.names() == ("flux-2-pro", "flux-2-flex", "flux-2-max", "flux-pro-1.1")
    assert CATALOGUE.get("flux-9") is None
    assert CATALOGUE.get("flux-2-pro") is CATALOGUE["flux-2-pro"]
    with pytest.raises(KeyError):
        CATALOGUE["flux-9"]


def test_loading_twice_gives_the_same() -> None:
    assert load_catalogue() == CATALOGUE


@pytest.mark.parametrize("name", CATALOGUE.names())
def test_every_model_of_today_is_served_everywhere_with_a_webhook(name: str) -> None:
    model = CATALOGUE[name]
    assert (model.name, model.path) == (name, name)
    assert model.accepts_webhook
    assert not model.deprecated
    assert model.max_active == 24
    assert model.providers == ("cometapi", "bfl", "simulator")


def test_it_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        CATALOGUE["flux-2-pro"].max_active = 25  # type: ignore[misc]


SPOILERS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a source that is not named": lambda d: d["sources"].pop("sdk"),
    "a source that nothing uses": lambda d: d["sources"].update(other="elsewhere"),
    "a fact without a source": lambda d: d["models"]["flux-2-pro"]["sources"].pop("max_pixels"),
    "a source without a fact": lambda d: d["models"]["flux-pro-1.1"]["sources"].update(
        max_pixels="sdk"
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
    "a path with dot segments": lambda d: d["models"]["flux-2-pro"].update(path="../credits"),
    "a path with a query": lambda d: d["models"]["flux-2-pro"].update(path="flux-2-pro?x=1"),
    "a negative price": lambda d: d["models"]["flux-pro-1.1"]["price"].update(image_credits="-4"),
    "an alternative that is no parameter": lambda d: d["models"]["flux-2-pro"].update(
        required_one_of=["mask"],
        sources=d["models"]["flux-2-pro"]["sources"] | {"required_one_of": "sdk"},
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
    assert schema["properties"]["image_prompt"]["contentEncoding"] == "base64"
    assert schema["required"] == []


def test_a_schema_of_flux_2_requires_the_prompt_and_states_the_pixels() -> None:
    schema: Any = input_schema(CATALOGUE["flux-2-flex"])
    assert schema["required"] == ["prompt"]
    assert schema["properties"]["prompt"]["minLength"] == 1
    assert schema["properties"]["guidance"]["type"] == ["number", "null"]
    assert schema["properties"]["prompt_upsampling"]["default"] is True
    assert "4,194,304 pixels" in schema["description"]
