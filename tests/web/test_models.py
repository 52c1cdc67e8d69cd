"""`/v1/models` and `/v1/price` as the contract has them."""

import io
import json
from typing import Any
from urllib.parse import quote as escaped

import pytest
from conftest import Api
from factories import Rewire
from flask.testing import FlaskClient
from generation.json_schema import satisfies
from generation.minimal import minimal_input
from PIL import Image

from service.generation import CATALOGUE
from service.keys import NewKey
from service.settings import Provider
from service.web.app import create_app

SUMMARY_KEYS = [
    "name", "object", "family", "available", "providers", "deprecated", "accepts_webhook",
    "max_active", "price", "images",
]  # fmt: skip
PRICE_KEYS = [
    "object", "model", "credits", "usd", "input_megapixels", "output_megapixels", "exact",
]  # fmt: skip


def uploaded(api: Api, width: int, height: int) -> str:
    """Hand in a picture; return its id."""
    file = io.BytesIO()
    Image.new("L", (width, height)).save(file, "PNG")
    headers = api.headers(Content_Type="image/png")
    answer: Any = api.client.post("/v1/uploads", data=file.getvalue(), headers=headers)
    return str(answer.json["id"])


def test_every_model_is_listed_with_what_it_costs_and_who_serves_it(api: Api) -> None:
    page = api.get("/v1/models").json
    assert page["next"] is None
    assert [model["name"] for model in page["data"]] == list(CATALOGUE.names())
    assert all(list(model) == SUMMARY_KEYS for model in page["data"])
    pro = next(model for model in page["data"] if model["name"] == "flux-2-pro")
    assert pro["price"] == {
        "type": "per_megapixel",
        "first_output_credits": "3",
        "further_output_credits": "1.5",
        "input_credits": "1.5",
    }
    assert pro["providers"] == ["cometapi", "bfl", "simulator"]


def test_a_model_is_shown_with_a_schema_that_its_inputs_satisfy(api: Api) -> None:
    for name, model in CATALOGUE.models.items():
        document = api.get(f"/v1/models/{name}").json
        assert list(document) == [*SUMMARY_KEYS, "input_schema", "notes", "sources"]
        assert document["name"] == name
        assert satisfies(minimal_input(model), document["input_schema"])
        assert not satisfies({}, document["input_schema"])


def test_a_model_is_shown_with_the_source_of_each_fact(api: Api) -> None:
    sources = api.get("/v1/models/flux-2-pro").json["sources"]
    assert {"max_active", "accepts_webhook", "providers", "price"} <= set(sources)
    assert set(sources["parameters"]) == set(CATALOGUE["flux-2-pro"].parameters)
    assert set(sources["images"]) == set(CATALOGUE["flux-2-pro"].images)
    assert sources["parameters"]["disable_pup"] == CATALOGUE.sources["docs"]
    assert list(sources["rules"].values()) == [CATALOGUE.sources["sdk"], CATALOGUE.sources["docs"]]


def test_a_name_with_a_slash_can_be_escaped_or_not(api: Api) -> None:
    name = "flux-tools/erase-v1"
    plain = api.get(f"/v1/models/{name}")
    assert plain.json["name"] == name
    assert api.get(f"/v1/models/{escaped(name, safe='')}").json == plain.json


def test_an_image_parameter_is_shown_with_its_limits_and_what_it_takes(api: Api) -> None:
    erase = api.get("/v1/models/flux-tools/erase-v1").json["images"]
    assert [image["parameter"] for image in erase] == ["image", "mask"]
    canny = api.get("/v1/models/flux-pro-1.0-canny").json["images"]
    assert canny[0] == {
        "parameter": "control_image",
        "required": False,
        "accepts": ["base64", "image", "upload"],
        "max_bytes": 20 * 2**20,
        "max_pixels": 20 * 2**20,
        "min_side_pixels": 256,
    }
    assert erase[0]["accepts"] == ["url", "base64", "image", "upload"]


def test_no_model_takes_an_input_image_beyond_what_upstreams_client_sends(api: Api) -> None:
    images = [image for model in api.get("/v1/models").json["data"] for image in model["images"]]
    assert {image["max_bytes"] for image in images} == {20 * 2**20}
    sources = api.get("/v1/models/flux-2-pro").json["sources"]["images"]
    assert "Python client of November 2025" in sources["input_image"]


def test_a_model_is_available_if_a_configured_provider_serves_it(
    rewire: Rewire, key: NewKey
) -> None:
    app = create_app(rewire(flux_provider=(Provider.COMETAPI,)))
    api = Api(app.test_client(), key.api_key)
    available = {m["name"]: m["available"] for m in api.get("/v1/models").json["data"]}
    assert available["flux-pro"]
    assert not available["flux-2-klein-4b"]
    assert sum(available.values()) == 12


@pytest.mark.parametrize(
    "name", ["flux-9", "flux-2-pro/", "../credits", "flux-2-pro%00", "x" * 999]
)
def test_an_unknown_model_is_not_found(api: Api, name: str) -> None:
    answer = api.get(f"/v1/models/{name}")
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_an_unknown_model_is_answered_with_the_nearest(api: Api) -> None:
    assert "flux-2-pro" in api.get("/v1/models/flux-2-por").json["detail"]


def test_a_price_says_what_it_follows_from(api: Api) -> None:
    body = {"model": "flux-2-pro", "input": {"prompt": "a cat", "width": 1920, "height": 1080}}
    answer = api.post("/v1/price", body)
    assert answer.status_code == 200
    assert list(answer.json) == PRICE_KEYS
    assert answer.json == {
        "object": "price", "model": "flux-2-pro", "credits": "4.5", "usd": "0.045",
        "input_megapixels": 0, "output_megapixels": 2, "exact": True,
    }  # fmt: skip


def test_a_price_counts_the_megapixels_of_an_upload(api: Api) -> None:
    given = {"prompt": "a cat", "input_image": uploaded(api, 1100, 1000)}
    price = api.post("/v1/price", {"model": "flux-2-max", "input": given}).json
    # 1.05 MP in, and out, as the picture takes its size
    assert (price["credits"], price["exact"]) == ("16", True)
    given["input_image"] = "https://a.example/a.png"
    price = api.post("/v1/price", {"model": "flux-2-max", "input": given}).json
    assert (price["credits"], price["exact"]) == ("10", False)


def test_a_price_tells_no_size_where_the_model_decides_on_it(api: Api) -> None:
    body = {"model": "flux-kontext-pro", "input": {"prompt": "a cat"}}
    price = api.post("/v1/price", body).json
    assert (price["credits"], price["output_megapixels"], price["exact"]) == ("4", None, True)


def test_a_model_without_a_known_price_has_null(api: Api) -> None:
    given = {"image": uploaded(api, 64, 64)}
    price = api.post("/v1/price", {"model": "flux-tools/deblur-v1", "input": given}).json
    assert (price["credits"], price["usd"], price["exact"]) == (None, None, False)


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/model", "/input"]),
        ({"model": "flux-9", "input": {}}, ["/model"]),
        ({"model": 1, "input": []}, ["/model", "/input"]),
        ({"model": "flux-2-pro", "input": {"width": 1}, "inptu": 1},
         ["/inptu", "/input/prompt", "/input/width"]),
        ({"model": "flux-2-pro", "input": {"prompt": "a"}, "provider": "acme"}, ["/provider"]),
        ({"model": "flux-2-pro", "input": {"prompt": "a", "input_image": "upl_" + "0" * 32}},
         ["/input/input_image"]),
        ({"model": "flux-pro-1.1", "input": {"image_prompt": "bm8gaW1hZ2U="}},
         ["/input/image_prompt"]),
    ],
)  # fmt: skip
def test_a_price_of_what_would_not_be_accepted_is_refused_with_every_error(
    api: Api, body: dict[str, Any], pointers: list[str]
) -> None:
    answer = api.post("/v1/price", body)
    assert answer.status_code == 422
    assert sorted(error["pointer"] for error in answer.json["errors"]) == sorted(pointers)


def test_asking_for_a_price_stores_and_sends_nothing(api: Api) -> None:
    body = {"model": "flux-2-pro", "input": {"prompt": "a cat"}}
    assert api.post("/v1/price", body).status_code == 200
    assert api.get("/v1/jobs").json["data"] == []


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/flux-2-pro", "/v1/models/flux-9"])
def test_models_are_shown_only_to_who_has_a_key(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 401


def test_a_price_is_told_only_to_who_has_a_key(client: FlaskClient) -> None:
    body = json.dumps({"model": "flux-2-pro", "input": {}})
    answer = client.post("/v1/price", data=body, content_type="application/json")
    assert answer.status_code == 401
