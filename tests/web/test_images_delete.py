"""`DELETE /v1/images/{id}`: gone for its project, unknown to all others."""

from uuid import UUID

import pytest
from conftest import Api
from factories import enqueue, events, job, run
from fakes.simulator import Simulator
from flask.testing import FlaskClient
from web.browser import AS_BROWSER, image_page, job_page, words
from web.stored_image import succeeded

from service.ids import Kind, new_id, public_id, read_id
from service.keys import NewKey
from service.models import Scope
from service.states import Status
from service.wiring import Wiring


@pytest.fixture
def job_id(wiring: Wiring, key: NewKey, simulator: Simulator) -> UUID:
    """A job whose image is whole: thumbnail and sidecar included."""
    made = succeeded(wiring, key, simulator)
    run(wiring.derive)
    return made


@pytest.fixture
def path(api: Api, job_id: UUID) -> str:
    image = api.get(f"/v1/jobs/{public_id(Kind.JOB, job_id)}").json["images"][0]
    return f"/v1/images/{image['id']}"


def delete(api: Api, path: str) -> int:
    status: int = api.client.delete(path, headers=api.headers()).status_code
    return status


def test_a_deleted_image_is_gone_wherever_it_was(
    api: Api, wiring: Wiring, job_id: UUID, path: str
) -> None:
    bucket = api.get(path).json
    stem = bucket["key"].rpartition(".")[0]
    kept = [bucket["key"], f"{stem}.thumb.webp", f"{stem}.json"]
    assert all(wiring.object_store.get(bucket["bucket"], one) for one in kept)

    assert delete(api, path) == 204
    for one in kept:
        with pytest.raises(FileNotFoundError):
            wiring.object_store.get(bucket["bucket"], one)
    for asked in (path, f"{path}/content", f"{path}/content?proxy=1", f"{path}/thumbnail"):
        answer = api.get(asked)
        assert (answer.status_code, answer.json["code"]) == (410, "gone"), asked
    assert delete(api, path) == 410
    for shared in (api.get(f"{path}/shares"), api.post(f"{path}/share")):
        assert shared.status_code == 410
    assert api.get("/v1/images").json["data"] == []


def test_its_job_goes_on_to_say_what_became_of_it(
    api: Api, wiring: Wiring, job_id: UUID, path: str
) -> None:
    delete(api, path)
    name = public_id(Kind.JOB, job_id)
    document = api.get(f"/v1/jobs/{name}").json
    assert (document["status"], document["images"]) == ("succeeded", [])
    line = api.get(f"/v1/jobs/{name}/events").json["data"][-1]
    assert line["type"] == "image.deleted"
    assert line["detail"] == {"image_id": path.rpartition("/")[2]}
    assert line["seq"] == job(wiring, job_id).event_seq
    assert events(wiring, job_id)[-2:] == ["job.succeeded", "image.deleted"]


def test_another_projects_image_is_as_unknown_as_none_deleted_or_not(
    api: Api, other_key: NewKey, client: FlaskClient, path: str
) -> None:
    stranger = Api(client, other_key.api_key)
    made_up = f"/v1/images/{public_id(Kind.IMAGE, new_id())}"
    for _ in range(2):
        for asked in (path, f"{path}/content", f"{path}/thumbnail", f"{path}/shares"):
            theirs = stranger.get(asked)
            unknown = stranger.get(asked.replace(path, made_up))
            assert theirs.status_code == 404
            assert theirs.data == unknown.data
        assert delete(stranger, path) == 404
        delete(api, path)


def test_only_a_key_that_manages_deletes(
    api: Api, client: FlaskClient, wiring: Wiring, path: str
) -> None:
    reader = wiring.keys.create("default", scopes=[Scope.SUBMIT, Scope.READ])
    assert delete(Api(client, reader.api_key), path) == 403
    assert api.get(path).status_code == 200


def test_flux_clients_hear_that_it_is_gone(
    api: Api, client: FlaskClient, job_id: UUID, path: str
) -> None:
    asked = f"/v1/get_result?id={public_id(Kind.JOB, job_id)}"
    sample = api.get(asked).json["result"]["sample"].partition("/flux/")[2]
    assert client.get(f"/flux/{sample}").status_code == 200
    delete(api, path)
    assert client.get(f"/flux/{sample}").status_code == 410
    result = api.get(asked).json
    assert (result["status"], result["result"]) == ("Error", None)
    assert result["details"]["code"] == "gone"


def test_its_pages_say_so(
    browser: FlaskClient, api: Api, wiring: Wiring, job_id: UUID, path: str
) -> None:
    delete(api, path)
    image_id = read_id(Kind.IMAGE, path.rpartition("/")[2])
    assert image_id is not None
    for asked in (image_page(image_id), f"{image_page(image_id)}/content"):
        page = browser.get(asked, headers=AS_BROWSER)
        assert page.status_code == 410
        assert "was deleted" in words(page)
    shown = browser.get(job_page(job_id), headers=AS_BROWSER)
    assert shown.status_code == 200
    assert "was deleted" in words(shown)


def test_a_queued_job_that_names_it_fails_and_pays_nothing(
    api: Api, wiring: Wiring, key: NewKey, simulator: Simulator, path: str
) -> None:
    given = {"prompt": "at night", "input_image": path.rpartition("/")[2]}
    waiting = enqueue(wiring, key, model="flux-kontext-pro", input=given)
    before = len(simulator.ledger())
    delete(api, path)
    run(wiring.submit)
    row = job(wiring, waiting)
    assert row.status is Status.FAILED
    assert "no longer there" in row.error_message
    assert (row.maybe_charged, row.cost_actual) == (False, None)
    assert len(simulator.ledger()) == before
    refused = api.post("/v1/jobs", {"model": "flux-kontext-pro", "input": given})
    assert [error["pointer"] for error in refused.json["errors"]] == ["/input/input_image"]
