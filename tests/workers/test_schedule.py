"""Beat and consumers when the broker is silent or gone."""

import time

import pytest
from fakes.silent_peer import silent_peer
from kombu.exceptions import OperationalError

from service import queue
from service.embedded.state import free_ports
from service.queue import make_celery
from workers.schedule import Clock, beat_schedule


def test_beat_never_waits_for_a_broker_that_says_nothing() -> None:
    with silent_peer() as port:
        app = make_celery(f"redis://127.0.0.1:{port}/0", socket_timeout_seconds=60)
        app.conf.beat_schedule = beat_schedule(1)
        clock = Clock(app)
        began = time.monotonic()
        for entry in clock.schedule.values():
            clock.apply_entry(entry, producer=clock.producer)
        assert time.monotonic() - began < 10


def test_a_consumer_looks_for_a_lost_broker_at_an_even_pace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queue, "RECONNECT_SECONDS", 0.01)
    (nobody,) = free_ports()
    app = make_celery(f"redis://127.0.0.1:{nobody}/0", socket_timeout_seconds=1)
    pauses: list[float] = []
    with app.connection_for_read() as connection, pytest.raises(OperationalError):
        connection.ensure_connection(lambda _error, pause: pauses.append(pause), max_retries=4)
    assert pauses == [0.01] * 4
