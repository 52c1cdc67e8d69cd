"""Letters: what no letter can be is dropped at once, and keeps nobody from the next."""

from typing import Any

import pytest
from sqlalchemy import func, select

from service.keys import NewKey
from service.models import jobs
from service.wiring import Wiring

JOB = {"model": "flux-2-pro", "input": {"prompt": "a fox", "width": 256, "height": 256}}
LETTER = {"project": "default", "job": JOB}


def count(wiring: Wiring) -> int:
    with wiring.database.transaction() as tx:
        found: int = tx.scalar(select(func.count()).select_from(jobs))
    return found


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize(
    "message_id",
    # the first would be too long for the index, and be taken again for ever
    ["".join(chr(33 + n * n % 94) for n in range(9000)), "a\0b", "\ud800", "", None, 7],
    ids=["long", "NUL", "surrogate", "empty", "none", "number"],
)
def test_a_message_whose_id_can_be_no_key_is_dropped(wiring: Wiring, message_id: object) -> None:
    assert wiring.letters.take(LETTER, message_id) is None
    assert count(wiring) == 0


def test_a_key_of_its_own_stands_for_a_letter_whatever_its_messages_id(
    wiring: Wiring, key: NewKey
) -> None:
    named = {**LETTER, "idempotency_key": "order-1"}
    assert key.project == LETTER["project"]
    found = {wiring.letters.take(named, message_id) for message_id in ("m1", "m2", None)}
    assert len(found) == 1
    assert None not in found
    assert wiring.letters.take({**LETTER, "idempotency_key": None}, "m1") not in found
    assert count(wiring) == 2


@pytest.mark.usefixtures("key")
def test_a_letter_deeper_than_python_can_write_is_dropped(wiring: Wiring) -> None:
    deep: list[Any] = []
    for _ in range(50_000):
        deep = [deep]
    assert wiring.letters.take({**LETTER, "more": deep}, "m1") is None
