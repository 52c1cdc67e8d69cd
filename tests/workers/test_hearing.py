"""A consumer that takes nothing although messages wait ends its process, and no other does."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery

from service.queue import make_celery
from workers.hearing import DEAF_LOOKS, Hearing


@pytest.fixture
def celery(servers: Mapping[str, str]) -> Celery:
    return make_celery(servers["CELERY_BROKER_URL"], socket_timeout_seconds=2)


class Ended:
    """Counts how often the process was ended."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


def left_waiting(celery: Celery) -> str:
    """Return a queue in which a message waits for ever."""
    queue = f"test-{uuid4().hex}"
    celery.send_task("darkroom.test", queue=queue)
    return queue


def idle() -> bool:
    return False


def looked(hearing: Hearing, times: int) -> None:
    for _ in range(times):
        hearing.look()


def test_messages_that_wait_and_are_not_taken_end_the_process(celery: Celery) -> None:
    ended = Ended()
    hearing = Hearing(celery, [left_waiting(celery)], idle, ended)
    looked(hearing, DEAF_LOOKS - 1)
    assert ended.times == 0
    looked(hearing, 1)
    assert ended.times == 1


def test_whoever_takes_a_message_now_and_then_is_not_deaf(celery: Celery) -> None:
    ended = Ended()
    hearing = Hearing(celery, [left_waiting(celery)], idle, ended)
    for _ in range(3):
        looked(hearing, DEAF_LOOKS - 1)
        hearing.hear()
    looked(hearing, DEAF_LOOKS - 1)
    assert ended.times == 0


def test_whose_children_are_busy_for_long_is_not_deaf_before_they_are_free(celery: Celery) -> None:
    ended, tasks = Ended(), {"slow"}
    hearing = Hearing(celery, [left_waiting(celery)], lambda: bool(tasks), ended)
    looked(hearing, 2 * DEAF_LOOKS)
    assert ended.times == 0
    tasks.clear()
    looked(hearing, DEAF_LOOKS)
    assert ended.times == 1


def test_nothing_to_hear_is_no_deafness(celery: Celery) -> None:
    ended, queue = Ended(), left_waiting(celery)
    with celery.connection_for_write() as connection:
        channel: Any = connection.default_channel
        channel.queue_purge(queue)
    looked(Hearing(celery, [queue, f"never-{uuid4().hex}"], idle, ended), 2 * DEAF_LOOKS)
    assert ended.times == 0


def test_a_broker_that_is_away_makes_nobody_deaf() -> None:
    ended = Ended()
    away = make_celery("redis://127.0.0.1:9/0", socket_timeout_seconds=0.2)
    # kombu sleeps for seconds otherwise before it says so
    away.conf.broker_transport_options |= {"max_retries": 0, "interval_start": 0}
    looked(Hearing(away, ["io"], idle, ended), 2 * DEAF_LOOKS)
    assert ended.times == 0
