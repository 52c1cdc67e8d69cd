"""Marks as a worker leaves them, without waiting for the next."""

from typing import Any

from factories import ACCEPTED, ago
from sqlalchemy import Row, select, text, update

from service.models import Deployment
from service.wiring import Wiring


def row(wiring: Wiring) -> Row[Any]:
    with wiring.database.transaction() as tx:
        found: list[Row[Any]] = tx.rows(select(*Deployment.__table__.c))
    assert len(found) == 1
    return found[0]


def administer(wiring: Wiring, *statements: str) -> None:
    with wiring.database.transaction() as tx:
        for statement in statements:
            tx.execute(text(statement))


def change(wiring: Wiring, **columns: object) -> None:
    with wiring.database.transaction() as tx:
        tx.execute(update(Deployment).values(columns))


def mark_again(wiring: Wiring) -> None:
    """Leave a mark although the last one is young."""
    change(wiring, marked_at=ago(10))
    wiring.recover.mark()


def claimed(wiring: Wiring) -> int:
    """Return how many jobs may be bought now, and send none of them."""
    intents = wiring.submit.claim(5)
    wiring.submit.record([(intent, ACCEPTED) for intent in intents])
    return len(intents)
