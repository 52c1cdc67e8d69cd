"""`PATCH /v1/images/{id}`: favourite and tags, where the image is looked up and nowhere else."""

from typing import Any

import pytest
from conftest import Api
from factories import project_id
from flask.testing import FlaskClient
from web.browser import shown_image

from service.ids import Kind, public_id
from service.keys import NewKey
from service.models import MAX_TAGS_PER_IMAGE, Scope
from service.wiring import Wiring


@pytest.fixture
def path(wiring: Wiring, key: NewKey) -> str:
    return f"/v1/images/{public_id(Kind.IMAGE, shown_image(wiring, key))}"


def patch(api: Api, path: str, body: object) -> Any:  # noqa: ANN401 - werkzeug's
    return api.client.patch(path, json=body, headers=api.headers())


def test_what_is_said_is_kept_and_what_is_left_out_stays(api: Api, path: str) -> None:
    assert (api.get(path).json["favourite"], api.get(path).json["tags"]) == (False, [])
    said = patch(api, path, {"favourite": True, "tags": [" Fog ", "Cliff", "fog"]}).json
    assert (said["favourite"], said["tags"]) == (True, ["cliff", "fog"])
    assert patch(api, path, {"favourite": False}).json["tags"] == ["cliff", "fog"]
    said = patch(api, path, {"tags": ["night"]}).json
    assert (said["favourite"], said["tags"]) == (False, ["night"])
    assert patch(api, path, {}).json["tags"] == ["night"]
    assert patch(api, path, {"tags": [], "favourite": None}).json["tags"] == []
    (listed,) = api.get("/v1/images").json["data"]
    assert (listed["favourite"], listed["tags"]) == (False, [])


def test_a_jobs_own_document_of_its_image_has_no_labels(
    api: Api, wiring: Wiring, key: NewKey
) -> None:
    row = wiring.browse.image(project_id(wiring, key), shown_image(wiring, key))
    document = api.get(f"/v1/jobs/{public_id(Kind.JOB, row.job_id)}").json["images"][0]
    assert not {"favourite", "tags"} & set(document)


def test_a_wrong_body_changes_nothing_and_names_the_field(api: Api, path: str) -> None:
    patch(api, path, {"tags": ["kept"]})
    for body, pointer in (
        ({"favourite": "yes"}, "/favourite"),
        ({"favourite": 1}, "/favourite"),
        ({"favorite": True}, "/favorite"),
        ({"tags": "fog"}, "/tags"),
        ({"tags": [""]}, "/tags/0"),
        ({"tags": ["fog", "x" * 41]}, "/tags/1"),
        ({"tags": ["a\nb"]}, "/tags/0"),
        ({"tags": [f"{n}" for n in range(MAX_TAGS_PER_IMAGE + 1)]}, "/tags"),
    ):
        refused = patch(api, path, {"favourite": True} | body)
        assert refused.status_code == 422, body
        assert [error["pointer"] for error in refused.json["errors"]] == [pointer], body
    assert (api.get(path).json["favourite"], api.get(path).json["tags"]) == (False, ["kept"])


def test_only_a_key_that_manages_labels(
    api: Api, client: FlaskClient, wiring: Wiring, path: str
) -> None:
    reader = wiring.keys.create("default", scopes=[Scope.SUBMIT, Scope.READ])
    assert patch(Api(client, reader.api_key), path, {"favourite": True}).status_code == 403
    assert api.get(path).json["favourite"] is False
