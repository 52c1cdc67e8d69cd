"""Tasks: a database that is away is one line each time, and no task keeps a worker for long."""

import io

import pytest
from celery import Celery
from factories import Rewire
from fakes.ringing import Ringing
from pydantic import SecretStr

from service.messages import Message
from service.queue import make_celery
from service.wiring import Wiring
from workers import tasks
from workers.tasks import DERIVE_BATCH, register


@pytest.fixture
def away(rewire: Rewire) -> Wiring:
    """A wiring whose database refuses connections."""
    return rewire(database_url=SecretStr("postgresql+psycopg://app@127.0.0.1:9/none"))


def with_tasks(wiring: Wiring) -> Celery:
    celery = make_celery("memory://", socket_timeout_seconds=1)
    register(celery, wiring, {})
    return celery


@pytest.mark.parametrize("message", [Message.SWEEP, Message.DERIVE, Message.DISCARD])
def test_a_database_that_is_away_is_one_line_without_a_traceback(
    away: Wiring, lines: io.StringIO, message: Message
) -> None:
    with_tasks(away).tasks[message.value]()
    assert lines.getvalue().count("task_waits_for_database") == 1
    assert "Traceback" not in lines.getvalue()


def test_only_beats_sweep_says_that_beat_is_alive(wiring: Wiring) -> None:
    wiring.rounds()["sweep"][1]()
    assert wiring.watch.health().sweep_age_seconds is None
    with_tasks(wiring).tasks[Message.SWEEP.value]()
    assert wiring.watch.health().sweep_age_seconds is not None


class Endless:
    """A step that never runs out of images."""

    def __init__(self) -> None:
        self.taken = 0

    def claim(self, limit: int) -> list[int]:
        self.taken += limit
        return [0] * limit

    def act(self, image: int) -> int:
        return image

    def record(self, ended: list[tuple[int, int]]) -> None:
        assert ended


def test_a_task_leaves_off_although_there_is_more_and_rings_for_another(
    wiring: Wiring, ringing: Ringing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "DERIVE_SECONDS", 0.2)
    step = Endless()
    wiring.__dict__["derive"] = step
    with_tasks(wiring).tasks[Message.DERIVE.value]()
    assert step.taken >= DERIVE_BATCH
    assert Message.DERIVE in ringing.rung
