"""Doorbells: many rings are few messages, and none is forgotten."""

from collections.abc import Mapping
from typing import Any

import pytest
from celery import Celery
from fakes.waiting import wait_until

from service import queue
from service.messages import Message
from service.queue import IO_QUEUE, CelerySender, make_celery


@pytest.fixture
def broker_url(servers: Mapping[str, str]) -> str:
    """A broker's database of its own."""
    return f"{servers['CELERY_BROKER_URL'].rpartition('/')[0]}/9"


def waiting(celery: Celery) -> int:
    with celery.connection_for_read() as connection:
        channel: Any = connection.default_channel
        return int(channel.queue_declare(queue=IO_QUEUE).message_count)


def test_rings_without_end_are_a_few_messages_and_the_last_is_heard(
    broker_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    celery = make_celery(broker_url, socket_timeout_seconds=2)
    monkeypatch.setattr(queue, "RINGS_AT_ONCE", 3)
    monkeypatch.setattr(queue, "RINGS_PER_SECOND", 0.25)
    ring, before = CelerySender(broker_url), waiting(celery)
    for _ in range(3):
        ring(Message.SUBMIT)
        wait_until(lambda: ring._pending, lambda pending: not pending)  # noqa: SLF001 - it tells nobody
    for _ in range(1000):
        ring(Message.SUBMIT)
    # another lane does not wait for this one's turn
    ring(Message.STORE)
    wait_until(lambda: waiting(celery) - before, (4).__eq__)
    assert list(ring._pending) == [Message.SUBMIT]  # noqa: SLF001 - likewise
    wait_until(lambda: waiting(celery) - before, (5).__eq__)
    assert not ring._pending  # noqa: SLF001 - likewise
