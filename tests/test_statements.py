"""Statements are built once and kept: to compile one costs many times what running it does."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from factories import ACCEPTED, enqueue, hear, run, webhook
from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import CacheStats

from service.keys import NewKey
from service.pictures import Picture
from service.steps.store.bring import Stored
from service.wiring import Wiring


@contextmanager
def compiled_anew() -> Iterator[list[str]]:
    """Collect the statements that are compiled in the block."""
    found: list[str] = []

    def look(*seen: Any) -> None:  # noqa: ANN401 - SQLAlchemy's: connection, cursor, text, ...
        _, _, text, _, context, _ = seen
        if context.cache_hit is not CacheStats.CACHE_HIT:
            found.append(text)

    event.listen(Engine, "after_cursor_execute", look)
    try:
        yield found
    finally:
        event.remove(Engine, "after_cursor_execute", look)


def bring_through(wiring: Wiring, key: NewKey) -> None:
    """Bring a job from its order to its callback, and have every lane look in vain besides."""
    job_id = enqueue(wiring, key, callback_url="http://127.0.0.1:9/hook")
    (intent,) = wiring.submit.claim(10)
    wiring.submit.record([(intent, ACCEPTED)])
    hear(wiring, webhook(wiring, job_id))
    (ripe,) = wiring.store.claim(10)
    picture = Picture("image/png", "png", 3, 3)
    wiring.store.record([(ripe, Stored(f"{job_id}.png", "a" * 64, 5, picture))])
    run(wiring.deliver)
    wiring.sweep()
    for lane in (wiring.submit, wiring.poll, wiring.store, wiring.deliver):
        lane.claim(10)


def test_a_job_after_others_compiles_nothing(wiring: Wiring, key: NewKey) -> None:
    with compiled_anew() as first:
        bring_through(wiring, key)
        # this one is for a host that is known to fail by now
        bring_through(wiring, key)
    with compiled_anew() as later:
        bring_through(wiring, key)
    assert first
    assert later == []


def test_every_statement_of_a_job_is_read_by_the_driver_once(wiring: Wiring, key: NewKey) -> None:
    """Psycopg keeps what it has read of a statement up to 4,096 characters and 50 parameters."""
    seen: dict[str, int] = {}

    def look(*said: Any) -> None:  # noqa: ANN401 - SQLAlchemy's: connection, cursor, text, ...
        _, _, text, parameters, _, is_many = said
        seen[text] = len(parameters[0] if is_many else parameters)

    event.listen(Engine, "before_cursor_execute", look)
    try:
        bring_through(wiring, key)
    finally:
        event.remove(Engine, "before_cursor_execute", look)
    # the job itself has more columns; it is added once
    often = {text: count for text, count in seen.items() if "INSERT INTO jobs" not in text}
    assert len(often) > 10
    assert [text for text, count in often.items() if len(text) > 4096 or count > 50] == []
