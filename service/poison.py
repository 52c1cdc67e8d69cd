"""Poison: what ends every worker that takes it is set aside after three of them.

A claim counts a death in advance, and whoever writes down what came of the claim takes all deaths
back. Only claims in a row of which nobody ever said anything add up.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from service.database import Transaction
from service.logs import get_log
from service.models import jobs
from service.moves import Moves
from service.states import ErrorCode

log = get_log(__name__)

MAX_DEATHS = 3

#: What a claim of jobs writes besides its lease, and what a record that does not move them writes.
CLAIMED = {"deaths": jobs.c.deaths + 1}
SURVIVED = {"deaths": 0}


def is_poison(deaths: int) -> bool:
    """Say whether so many deaths, the present claim counted in advance, are too many."""
    return deaths > MAX_DEATHS


def spare(tx: Transaction, moves: Moves, rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Return the rows of a claim that may be worked on; the others fail as `internal`.

    To be called in the claim's transaction; `rows` have `id`, `attempt_count` and `deaths`. All of
    them are paid for.
    """
    for row in rows:
        if is_poison(row.deaths):
            log.error("poison_set_aside", job_id=str(row.id))
            moves.fail(
                tx,
                row.id,
                ErrorCode.INTERNAL,
                f"Set aside: {MAX_DEATHS} workers in a row ended over it",
                attempt_number=row.attempt_count,
                maybe_charged=True,
            )
    return [row for row in rows if not is_poison(row.deaths)]
