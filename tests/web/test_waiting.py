"""`Prefer: wait` holds an answer, and nothing else."""

import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import Any
from uuid import UUID

import pytest
from conftest import Api
from fakes.waiting import wait_until

import service.web.waiting
from service.errors import DatabaseUnavailable
from service.ids import new_id
from service.keys import NewKey
from service.settings import Settings
from service.steps.tail import News
from service.web.app import create_app
from service.web.waiting import Waiting
from service.wiring import Wiring

BODY = {"model": "flux-2-pro", "input": {"prompt": "x"}}
PLACES = 8


class Table:
    """What there is to say of jobs, and a fault to raise once when somebody looks."""

    def __init__(self, *faults: Exception) -> None:
        self.over: set[UUID] = set()
        self.faults = list(faults)
        self.looks = 0

    def __call__(self, asked: Mapping[UUID, int]) -> Mapping[UUID, News]:
        self.looks += 1
        if self.faults:
            raise self.faults.pop()
        return {job_id: News(is_over=True) for job_id in asked if job_id in self.over}


def waiting_on(table: Table, places: int = 4) -> Waiting:
    return Waiting(table, set, places, heartbeat_seconds=15)


def wait(waiting: Waiting, job_id: UUID, seconds: float) -> bool:
    return waiting.wait(job_id, seconds, nullcontext())


def test_whoever_waits_is_woken_by_the_end() -> None:
    table, job_id = Table(), new_id()
    waiting = waiting_on(table)
    with ThreadPoolExecutor() as pool:
        both = [pool.submit(wait, waiting, job_id, 5) for _ in range(2)]
        wait_until(lambda: table.looks, lambda looks: looks > 1)
        table.over.add(job_id)
        assert [one.result() for one in both] == [True, True]


def test_time_runs_out_and_nobody_looks_on() -> None:
    waiting = waiting_on(Table())
    assert wait(waiting, new_id(), 0.1) is False
    wait_until(
        lambda: [thread for thread in threading.enumerate() if thread.name == "waiting"],
        lambda found: not found,
    )


def test_a_place_that_is_taken_is_not_waited_for() -> None:
    table = Table()
    waiting = waiting_on(table, places=1)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(wait, waiting, new_id(), 1)
        wait_until(lambda: table.looks, bool)
        began = time.monotonic()
        assert wait(waiting, new_id(), 5) is False
        assert time.monotonic() - began < 0.5
        assert first.result() is False
    # and it is free again
    job_id = new_id()
    table.over.add(job_id)
    assert wait(waiting, job_id, 5) is True


def test_only_who_really_waits_steps_aside() -> None:
    waiting, steps = waiting_on(Table(), places=1), list[str]()

    @contextmanager
    def aside(name: str) -> Iterator[None]:
        steps.append(f"{name} leaves")
        yield
        # it comes back before another has its place among those who wait
        assert waiting.follow(new_id(), 0, new_id()) is None
        steps.append(f"{name} is back")

    with ThreadPoolExecutor() as pool:
        one = pool.submit(waiting.wait, new_id(), 0.5, aside("one"))
        wait_until(lambda: steps, bool)
        assert waiting.wait(new_id(), 5, aside("two")) is False
        assert one.result() is False
    assert steps == ["one leaves", "one is back"]


@pytest.mark.parametrize("fault", [DatabaseUnavailable("away"), ValueError("a bug")])
def test_a_failed_look_wakes_nobody_and_stops_nobody(fault: Exception) -> None:
    table, job_id = Table(fault, fault), new_id()
    table.over.add(job_id)
    assert wait(waiting_on(table), job_id, 5) is True
    assert table.looks == 3


def test_without_the_wish_nobody_waits(api: Api) -> None:
    for wish in ("wait=0", "wait", "wait=x", "respond-async", "waiting=5", "wait=-5"):
        answer = api.post("/v1/jobs", BODY, Prefer=wish)
        assert answer.status_code == 202, wish
        assert "Preference-Applied" not in answer.headers, wish


def test_an_answer_is_held_until_the_time_is_up(api: Api) -> None:
    began = time.monotonic()
    answer = api.post("/v1/jobs", BODY, Prefer="respond-async, wait=1")
    assert 1 <= time.monotonic() - began < 3
    assert (answer.status_code, answer.json["status"]) == (202, "queued")
    assert answer.headers["Preference-Applied"] == "wait=1"


def _while_held(wiring: Wiring, key: NewKey, wish: str, act: Any) -> Any:  # noqa: ANN401
    """Hold a request, do something about its job, and return the answer."""
    api = Api(create_app(wiring).test_client(), key.api_key)
    with ThreadPoolExecutor() as pool:
        held = pool.submit(api.post, "/v1/jobs", BODY, Prefer=wish)
        beside = Api(api.client.application.test_client(), key.api_key)
        listed = wait_until(lambda: beside.get("/v1/jobs").json["data"], bool)
        act(beside, listed[0]["id"])
        return held.result()


def test_an_answer_comes_when_the_job_has_ended(wiring: Wiring, key: NewKey) -> None:
    began = time.monotonic()
    answer = _while_held(
        wiring, key, "wait=30", lambda api, job_id: api.post(f"/v1/jobs/{job_id}/cancel")
    )
    assert time.monotonic() - began < 10
    assert (answer.status_code, answer.json["status"]) == (200, "canceled")
    assert answer.headers["Preference-Applied"] == "wait=30"
    assert answer.headers["Location"].endswith(answer.json["id"])


def test_a_repeat_of_an_ended_job_is_not_held(api: Api) -> None:
    first = api.post("/v1/jobs", BODY, Idempotency_Key="k").json
    api.post(f"/v1/jobs/{first['id']}/cancel")
    again = api.post("/v1/jobs", BODY, Idempotency_Key="k", Prefer="wait=30")
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")
    assert api.post("/v1/jobs", BODY, Idempotency_Key="k").status_code == 202


def test_no_wish_is_longer_than_a_minute(wiring: Wiring, key: NewKey) -> None:
    answer = _while_held(
        wiring, key, "wait=999999", lambda api, job_id: api.post(f"/v1/jobs/{job_id}/cancel")
    )
    assert answer.headers["Preference-Applied"] == "wait=60"


def test_who_waits_holds_no_connection_and_who_finds_no_place_goes_at_once(
    settings: Settings, key: NewKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.web.waiting, "PLACES", PLACES)
    # few connections: held ones would starve everybody else
    small = Wiring(settings, pool_size=3, ring=lambda _message: None)
    app = create_app(small)

    def ask(number: int) -> tuple[int, float]:
        began = time.monotonic()
        api = Api(app.test_client(), key.api_key)
        answer = api.post("/v1/jobs", BODY, Prefer="wait=2", Idempotency_Key=f"n{number}")
        return answer.status_code, time.monotonic() - began

    began = time.monotonic()
    with ThreadPoolExecutor(PLACES + 6) as pool:
        asked = [pool.submit(ask, number) for number in range(PLACES + 6)]
        beside = Api(app.test_client(), key.api_key)
        while time.monotonic() - began < 1.5:
            assert beside.get("/v1/jobs?limit=1").status_code == 200
        answers = [one.result() for one in asked]
    small.close()
    assert {status for status, _ in answers} == {202}
    assert sum(taken >= 2 for _, taken in answers) == PLACES
