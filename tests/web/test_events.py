"""`/v1/events`: a caller behind a firewall asks, and misses nothing."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from conftest import Api
from factories import enqueue, events, job, known_job
from fakes.simulator import Simulator
from sqlalchemy import delete, select
from web.stored_image import succeeded

from service.ids import Kind, public_id
from service.keys import NewKey
from service.models import Ending
from service.states import Status
from service.wiring import Wiring


def canceled(wiring: Wiring, key: NewKey) -> str:
    """Return the id of a job that has ended."""
    job_id = enqueue(wiring, key)
    wiring.enqueue.cancel(job(wiring, job_id).project_id, job_id)
    return public_id(Kind.JOB, job_id)


def asked(api: Api, **query: object) -> dict[str, Any]:
    words = "&".join(f"{name}={value}" for name, value in query.items())
    found: dict[str, Any] = api.get(f"/v1/events?{words}").json
    return found


def told(page: dict[str, Any]) -> list[str]:
    return [one["data"]["id"] for one in page["data"]]


def test_every_end_is_told_in_order_and_once(api: Api, wiring: Wiring, key: NewKey) -> None:
    ended = [canceled(wiring, key) for _ in range(5)]
    first = asked(api, limit=2)
    assert (told(first), first["has_more"]) == (ended[:2], True)
    second = asked(api, limit=200, after=first["next"])
    assert (told(second), second["has_more"]) == (ended[2:], False)
    later = canceled(wiring, key)
    assert told(asked(api, after=second["next"])) == [later]


def test_without_news_the_place_stays(api: Api, wiring: Wiring, key: NewKey) -> None:
    canceled(wiring, key)
    page = asked(api)
    assert asked(api, after=page["next"]) == {
        "data": [], "next": page["next"], "has_more": False,
    }  # fmt: skip


def test_an_event_shows_the_job_as_the_api_does(
    api: Api, wiring: Wiring, key: NewKey, simulator: Simulator
) -> None:
    job_id = succeeded(wiring, key, simulator)
    (event,) = asked(api)["data"]
    assert list(event) == ["id", "object", "type", "timestamp", "sequence", "data"]
    assert (event["type"], event["sequence"]) == ("job.succeeded", len(events(wiring, job_id)))
    shown = api.get(f"/v1/jobs/{public_id(Kind.JOB, job_id)}").json
    for document in (event["data"], shown):
        for image in document["images"]:
            assert image.pop("url")
            assert image.pop("url_expires_at")
    assert event["data"] == shown


def test_from_now_on_only_what_ends_then(api: Api, wiring: Wiring, key: NewKey) -> None:
    canceled(wiring, key)
    page = asked(api, after="now")
    assert page["data"] == []
    later = canceled(wiring, key)
    assert told(asked(api, after=page["next"])) == [later]


def test_another_projects_ends_are_not_told(api: Api, wiring: Wiring, other_key: NewKey) -> None:
    canceled(wiring, other_key)
    assert asked(api)["data"] == []


def test_what_commits_late_comes_late_and_is_not_missed(
    api: Api, wiring: Wiring, key: NewKey
) -> None:
    slow, quick = (enqueue(wiring, key) for _ in range(2))
    project_id = job(wiring, slow).project_id
    with wiring.database.transaction() as tx:
        wiring.moves.move(tx, slow, Status.CANCELED, "slowly")
        wiring.enqueue.cancel(project_id, quick)
        before = asked(api)
        assert told(before) == [public_id(Kind.JOB, quick)]
    assert told(asked(api, after=before["next"])) == [public_id(Kind.JOB, slow)]


def test_many_who_ask_at_once_see_one_order(api: Api, wiring: Wiring, key: NewKey) -> None:
    ended = {canceled(wiring, key) for _ in range(20)}
    project_id = wiring.keys.project("default")
    assert project_id is not None
    with ThreadPoolExecutor(4) as pool:
        pages = list(pool.map(lambda _: wiring.follow.after(project_id, 0, 100), range(8)))
    orders = {tuple(row.job_id for row in page.endings) for page in pages}
    assert len(orders) == 1
    assert {public_id(Kind.JOB, one) for one in orders.pop()} == ended
    with wiring.database.transaction() as tx:
        places = sorted(row.position for row in tx.rows(select(Ending.position)))
    assert places == list(range(1, 21))


@pytest.mark.parametrize("after", ["7", "tomorrow", ""])
def test_a_made_up_cursor_is_refused(api: Api, after: str) -> None:
    answer = api.get(f"/v1/events?after={after}")
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == "/after"


def test_a_cursor_of_another_list_is_refused(api: Api, wiring: Wiring, key: NewKey) -> None:
    known_job(api.post("/v1/jobs", {"model": "flux-2-pro", "input": {"prompt": "x"}}).json)
    enqueue(wiring, key)
    cursor = api.get("/v1/jobs?limit=1").json["next"]
    assert api.get(f"/v1/events?after={cursor}").status_code == 422


def test_a_cursor_of_another_project_is_refused(
    api: Api, other: Api, wiring: Wiring, key: NewKey, other_key: NewKey
) -> None:
    canceled(wiring, key)
    canceled(wiring, other_key)
    asked(other)
    cursor = asked(api)["next"]
    answer = other.get(f"/v1/events?after={cursor}")
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == "/after"


def test_a_place_that_an_older_database_does_not_have_is_refused(
    api: Api, wiring: Wiring, key: NewKey
) -> None:
    canceled(wiring, key)
    cursor = asked(api)["next"]
    assert asked(api, after=cursor)["data"] == []
    with wiring.database.transaction() as tx:
        tx.execute(delete(Ending))
    assert api.get(f"/v1/events?after={cursor}").status_code == 422
