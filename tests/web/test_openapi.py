"""`/openapi.json` says what there is: every route, and all that is true of it."""

import re
from typing import Any

import pytest
from conftest import Api
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator
from web.described import document, operations, problems, resolved

from service.errors import CallerError
from service.keys import NewKey
from service.models import Scope
from service.web.openapi.examples import EXAMPLES
from service.wiring import Wiring

#: For people, and what belongs to their pages; programs need none of them.
PAGES = {
    ("GET", "/"),
    ("GET", "/account"),
    ("GET", "/compare"),
    ("GET", "/docs"),
    ("GET", "/docs/<any('swagger-ui.css', 'swagger-ui-bundle.js'):file_name>"),
    ("GET", "/images.zip"),
    ("GET", "/images/<image_id>"),
    ("GET", "/images/<image_id>/content"),
    ("GET", "/images/<image_id>/delete"),
    ("GET", "/images/<image_id>/facts"),
    ("GET", "/images/<image_id>/thumbnail"),
    ("GET", "/jobs"),
    ("GET", "/jobs/<job_id>"),
    ("GET", "/jobs/<job_id>/retry"),
    ("GET", "/jobs/all/cancel"),
    ("GET", "/jobs/all/retry"),
    ("GET", "/login"),
    ("GET", "/login/<token>"),
    ("GET", "/new"),
    ("GET", "/new/check"),
    ("GET", "/new/form"),
    ("GET", "/news"),
    ("GET", "/overview"),
    ("GET", "/share/<token>"),
    ("GET", "/share/<token>/image.<extension>"),
    ("GET", "/static/<path:filename>"),
    ("POST", "/account/sessions/<session_id>/end"),
    ("POST", "/account/sessions/end"),
    ("POST", "/images.zip"),
    ("POST", "/images/<image_id>/delete"),
    ("POST", "/images/<image_id>/favourite"),
    ("POST", "/images/<image_id>/shares"),
    ("POST", "/images/<image_id>/shares/<share_id>/revoke"),
    ("POST", "/images/<image_id>/tags"),
    ("POST", "/jobs/<job_id>/callbacks/<delivery_id>/again"),
    ("POST", "/jobs/<job_id>/cancel"),
    ("POST", "/jobs/<job_id>/retry"),
    ("POST", "/jobs/all/cancel"),
    ("POST", "/jobs/all/retry"),
    ("POST", "/login"),
    ("POST", "/login/<token>"),
    ("POST", "/logout"),
    ("POST", "/new"),
    ("POST", "/new/check"),
    ("POST", "/new/form"),
    ("POST", "/new/price"),
    ("POST", "/selection"),
}
JSON, PROBLEM = "application/json", "application/problem+json"


@pytest.fixture
def described(api: Api) -> dict[str, Any]:
    return document(api)


def routes(app: Flask) -> set[tuple[str, str]]:
    return {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def templated(rule: str) -> str:
    return re.sub(r"<(?:[^>]*:)?_?(\w+)>", r"{\1}", rule)


def is_flux(path: str) -> bool:
    return path.startswith(("/flux/", "/v1/flux-", "/v1/get_result"))


def test_the_document_is_openapi_3_1(described: dict[str, Any]) -> None:
    assert described["openapi"] == "3.1.0"
    assert [str(error) for error in OpenAPIV31SpecValidator(described).iter_errors()] == []


def test_every_route_is_in_the_document_and_nothing_else(
    client: FlaskClient, described: dict[str, Any]
) -> None:
    programs = {(method, templated(rule)) for method, rule in routes(client.application) - PAGES}
    named = {(method.upper(), path) for path, method, _ in operations(described)}
    assert named == programs
    assert routes(client.application) >= PAGES


def test_what_a_query_takes_is_said(described: dict[str, Any]) -> None:
    (limit, *_) = described["paths"]["/v1/jobs"]["get"]["parameters"]
    assert limit == {
        "name": "limit",
        "in": "query",
        "required": False,
        "description": "How many at most.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
    }


def test_a_stream_is_described_as_lines_and_a_list_by_what_it_filters(
    described: dict[str, Any],
) -> None:
    told = described["paths"]["/v1/jobs/{job_id}/events"]["get"]["responses"]["200"]["content"]
    assert told["text/event-stream"]["schema"]["type"] == "string"
    assert told["text/event-stream"]["example"].startswith("retry: ")
    for listing in ("jobs", "images", "deliveries"):
        for one in described["paths"][f"/v1/{listing}"]["get"]["parameters"]:
            assert one.get("description") or "$ref" in one, (listing, one["name"])
    sample = described["paths"]["/flux/samples/{token}/sample.{extension}"]["get"]
    assert "410" in sample["responses"]


def test_nobody_needs_a_key_to_read_it_and_nobody_reads_it_twice(client: FlaskClient) -> None:
    first = client.get("/openapi.json")
    assert (first.status_code, first.mimetype) == (200, JSON)
    again = client.get("/openapi.json", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert "no-store" not in first.headers["Cache-Control"]


def test_every_operation_says_who_may_call_it_and_what_it_refuses(
    described: dict[str, Any],
) -> None:
    for path, _, operation in operations(described):
        statuses = set(operation["responses"])
        assert {"400", "500", "503"} <= statuses, path
        assert operation["summary"], path
        if operation["security"]:
            assert operation["x-scope"] in set(Scope), path
            assert f"`{operation['x-scope']}`" in operation["description"], path
            assert {"403", "429"} | (set() if is_flux(path) else {"401"}) <= statuses, path
        else:
            assert "429" not in statuses, path


def test_every_error_has_an_example_of_its_own_code(described: dict[str, Any]) -> None:
    problem = {"$ref": "#/components/schemas/Problem"}
    seen = set()
    for path, _, operation in operations(described):
        for status, response in operation["responses"].items():
            if int(status) < 400 or PROBLEM not in response["content"]:
                continue
            for name, reference in response["content"][PROBLEM]["examples"].items():
                example = resolved(described, reference)["value"]
                assert problems(described, problem, example) == [], (path, name)
                assert str(example["status"]) == status, (path, name)
                seen.add(example["code"])
    raised = {error.code for error in CallerError.__subclasses__()}
    assert seen - raised == {
        "bad_request", "internal", "unavailable", "requested_range_not_satisfiable",
    }  # fmt: skip


def test_every_body_and_every_document_has_examples_that_fit(described: dict[str, Any]) -> None:
    judged = 0
    for path, _, operation in operations(described):
        places = [operation.get("requestBody", {}), *operation["responses"].values()]
        for content in (place["content"] for place in places if "content" in place):
            for media_type in content.values():
                if "$ref" not in media_type.get("schema", {}):
                    continue
                is_own = media_type["schema"]["$ref"] != "#/components/schemas/FluxProblem"
                assert media_type.get("examples") or not is_own, path
                for example in media_type.get("examples", {}).values():
                    value = resolved(described, example)["value"]
                    assert problems(described, media_type["schema"], value) == [], path
                    judged += 1
    assert judged > 100


def test_no_example_is_of_a_document_that_nothing_shows(described: dict[str, Any]) -> None:
    assert {model.__name__ for model in EXAMPLES} <= set(described["components"]["schemas"])


def test_a_bodys_examples_are_accepted(described: dict[str, Any], api: Api) -> None:
    """But those that name things which are not there, or addresses that tests may not call."""
    bodies = described["paths"]["/v1/jobs"]["post"]["requestBody"]["content"][JSON]["examples"]
    assert api.post("/v1/jobs", bodies["smallest"]["value"]).status_code == 202
    everything = bodies["everything"]["value"] | {"callback_url": "http://127.0.0.1:9/hook"}
    assert api.post("/v1/jobs", everything).status_code == 202


def test_a_job_calls_back_as_described(described: dict[str, Any]) -> None:
    callbacks = described["paths"]["/v1/jobs"]["post"]["callbacks"]
    (called,) = callbacks["called"].values()
    names = [resolved(described, one)["name"] for one in called["post"]["parameters"]]
    assert names == ["webhook-id", "webhook-timestamp", "webhook-signature"]


def test_a_scope_that_is_named_is_needed(
    client: FlaskClient, described: dict[str, Any], wiring: Wiring
) -> None:
    keys: dict[str, NewKey] = {
        scope: wiring.keys.create("default", scopes=[one for one in Scope if one is not scope])
        for scope in Scope
    }
    refused = 0
    for path, method, operation in operations(described):
        if not operation["security"]:
            continue
        place = re.sub(r"{\w+}", "x", path).replace("/flux-x", "/flux-2-pro")
        key = keys[operation["x-scope"]].api_key
        answer: Any = client.open(
            place + "?id=x", method=method.upper(), headers={"Authorization": f"Bearer {key}"}
        )
        assert answer.status_code == 403, (method, path)
        assert is_flux(path) or answer.json["code"] == "out_of_scope", (method, path)
        refused += 1
    assert refused > 20
