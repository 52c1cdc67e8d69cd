"""`/v1/project` and `/v1/keys`: what a key may do, and how often."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from conftest import Api
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from service.keys import NewKey
from service.models import ApiKey, Scope
from service.wiring import Wiring

JOB = {"model": "flux-2-pro", "input": {"prompt": "a fox", "width": 256, "height": 256}}


def new_key(api: Api, *scopes: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    answer = api.post("/v1/keys", {"scopes": list(scopes), **more})
    assert answer.status_code == 201, answer.json
    found: dict[str, Any] = answer.json
    return found


@pytest.mark.parametrize(
    ("scope", "may", "may_not"),
    [
        ("submit", ["POST /v1/jobs"], ["GET /v1/jobs", "GET /v1/keys", "PATCH /v1/project"]),
        ("read", ["GET /v1/jobs", "GET /v1/project"], ["POST /v1/jobs", "GET /v1/keys"]),
        ("manage", ["GET /v1/keys"], ["GET /v1/jobs", "POST /v1/jobs"]),
    ],
)
def test_a_key_does_what_its_scopes_say_and_nothing_else(
    api: Api, client: FlaskClient, scope: str, may: list[str], may_not: list[str]
) -> None:
    holder = Api(client, new_key(api, scope)["api_key"])
    for asked, refused in [(one, False) for one in may] + [(one, True) for one in may_not]:
        method, path = asked.split()
        body = JOB if method == "POST" else None
        answer = client.open(path, method=method, json=body, headers=holder.headers())
        assert (answer.status_code == 403) is refused, asked
        if refused:
            assert b'"out_of_scope"' in answer.data


def test_nobody_gives_more_than_they_have(api: Api, client: FlaskClient) -> None:
    manager = Api(client, new_key(api, "manage", "read")["api_key"])
    assert manager.post("/v1/keys", {"scopes": ["read"]}).status_code == 201
    assert manager.post("/v1/keys", {"scopes": ["read", "submit"]}).status_code == 403


def test_a_key_is_shown_once_and_listed_without_its_secret(api: Api) -> None:
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    made = new_key(api, "read", expires_at=ends.isoformat())
    listed = api.get("/v1/keys").json["data"]
    assert made["api_key"] not in str(listed)
    found = next(one for one in listed if one["id"] == made["id"])
    assert found == {name: value for name, value in made.items() if name != "api_key"}
    assert (found["scopes"], found["status"]) == (["read"], "active")


def test_an_expired_key_is_no_key(api: Api, client: FlaskClient, wiring: Wiring) -> None:
    made = new_key(api, "read", expires_at=(datetime.now(UTC) + timedelta(days=1)).isoformat())
    holder = Api(client, made["api_key"])
    assert holder.get("/v1/jobs").status_code == 200
    with wiring.database.transaction() as tx:
        past = update(ApiKey).where(ApiKey.expires_at.is_not(None))
        tx.execute(past.values(expires_at=func.now()))
    assert holder.get("/v1/jobs").status_code == 401
    listed = api.get("/v1/keys").json["data"]
    assert [one["status"] for one in listed if one["id"] == made["id"]] == ["expired"]


def test_a_revoked_key_is_no_key_at_once(api: Api, client: FlaskClient) -> None:
    made = new_key(api, "read")
    holder = Api(client, made["api_key"])
    assert holder.get("/v1/jobs").status_code == 200
    place = f"/v1/keys/{made['id']}"
    assert client.delete(place, headers=api.headers()).status_code == 204
    assert holder.get("/v1/jobs").status_code == 401
    assert client.delete(place, headers=api.headers()).status_code == 404


def test_another_projects_key_is_unknown(api: Api, client: FlaskClient, other_key: NewKey) -> None:
    stranger = Api(client, other_key.api_key)
    made = new_key(api, "read")
    answer = client.delete(f"/v1/keys/{made['id']}", headers=stranger.headers())
    assert answer.status_code == 404
    assert made["id"] not in str(stranger.get("/v1/keys").json)


def test_last_use_is_kept_to_the_minute(api: Api, wiring: Wiring) -> None:
    def used() -> datetime | None:
        with wiring.database.transaction() as tx:
            found: datetime | None = tx.scalar(select(ApiKey.last_used_at))
        return found

    assert used() is None
    api.get("/v1/project")
    first = used()
    assert first is not None
    api.get("/v1/project")
    assert used() == first


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/scopes"),
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["all"]}, "/scopes"),
        ({"scopes": ["read"], "expires_at": "tomorrow"}, "/expires_at"),
        ({"scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"scopes": ["read"], "name": "x"}, "/name"),
    ],
)
def test_a_key_that_means_nothing_is_not_made(api: Api, body: dict[str, Any], pointer: str) -> None:
    answer = api.post("/v1/keys", body)
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == pointer


def test_retention_is_the_projects_own_choice_and_limits_are_not(api: Api) -> None:
    wanted = {"retention_days": 30}
    assert api.client.patch("/v1/project", json=wanted, headers=api.headers()).status_code == 200
    whole = {"retention_days": 31.0}
    assert api.client.patch("/v1/project", json=whole, headers=api.headers()).status_code == 200
    assert api.get("/v1/project").json["retention_days"] == 31
    for wrong in ({"retention_days": 0}, {"retention_days": 1.5}, {"credits_per_day": "9"}, {}):
        answer = api.client.patch("/v1/project", json=wrong, headers=api.headers())
        assert answer.status_code == 422, wrong
    assert api.get("/v1/project").json["retention_days"] == 31


def test_a_minutes_requests_are_counted_down_and_then_refused(api: Api, wiring: Wiring) -> None:
    wiring.projects.change("default", {"requests_per_minute": 3})
    answers = [api.get("/v1/jobs") for _ in range(8)]
    refused = [answer for answer in answers if answer.status_code == 429]
    # a minute may end in between
    assert len(refused) >= 2
    assert answers[0].headers["RateLimit-Policy"] == '"requests";q=3;w=60'
    assert answers[0].headers["RateLimit"].startswith('"requests";r=2;t=')
    for answer in refused:
        assert answer.json["code"] == "rate_limited"
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
        assert answer.headers["RateLimit"].startswith('"requests";r=0;t=')


def test_limits_of_jobs_answer_429_with_a_wait(api: Api, wiring: Wiring) -> None:
    wiring.projects.change("default", {"max_queued": 1})
    assert api.post("/v1/jobs", JOB).status_code == 202
    full = api.post("/v1/jobs", JOB)
    assert (full.status_code, full.json["code"]) == (429, "queue_full")
    assert int(full.headers["Retry-After"]) > 0
    wiring.projects.change("default", {"max_queued": None, "credits_per_day": 1})
    dear = api.post("/v1/jobs", JOB)
    assert (dear.status_code, dear.json["code"]) == (429, "credits_spent")
    assert 0 < int(dear.headers["Retry-After"]) <= 86_401


def test_scopes_are_three() -> None:
    assert list(Scope) == ["submit", "read", "manage"]
