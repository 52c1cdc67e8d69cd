"""Poison: what ends every worker that works on it is set aside after three of them.

A file says which jobs a process is about to work on and which it has come through. Those whose
process ended over them have one more death each, until somebody says what came of them: only
deaths in a row add up. A worker that ends between its acts, killed by chance, accuses nobody.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Row, case, func, select, update

from service.database import Database, Transaction
from service.legacy import Left, Legacy
from service.logs import get_log
from service.models import jobs
from service.moves import Moves
from service.states import ErrorCode, Status

log = get_log(__name__)

MAX_DEATHS = 3

#: What a record writes that does not move its job: a worker has come through.
SURVIVED = {"deaths": 0}


@dataclass(frozen=True)
class Deaths:
    """The deaths over jobs of one status, on this host."""

    database: Database
    legacy: Legacy
    status: Status

    #: Jobs that somebody died over and that are under way here: one at a time, for what a process
    #: has under way shares its fate.
    suspects: set[UUID] = field(default_factory=set)

    @contextmanager
    def risked(self, job_id: UUID) -> Iterator[None]:
        """Work on a job in the block: if the process ends in it, that is a death."""
        try:
            self.legacy.make(job_id.hex)
        except OSError as error:
            log.warning("death_would_not_count", job_id=str(job_id), reason=str(error))
        try:
            yield
        finally:
            self.forgive([job_id])
            self.suspects.discard(job_id)

    def forgive(self, job_ids: Iterable[UUID]) -> None:
        """Have it count as no death if this process ends now: that is not their doing."""
        for job_id in job_ids:
            self.legacy.forget(job_id.hex)

    def count(self) -> None:
        """Count the deaths of this host's processes; what they worked on is due at once.

        Raises:
            DatabaseUnavailable: they are counted another time.
        """
        with self.legacy.left() as files:
            if not files:
                return
            held = list(_jobs_of(files))
            # a power cut is nobody's doing, and may bring back what was forgotten
            accused = list(_jobs_of(file for file in files if file.is_certain))
            ours = (
                select(jobs.c.id)
                .where(jobs.c.id.in_(held), jobs.c.status == self.status)
                # in the order of all, and past who is moving one right now
                .order_by(jobs.c.id)
                .with_for_update(skip_locked=True)
                .cte()
            )
            died = case((jobs.c.id.in_(accused), 1), else_=0)
            with self.database.transaction() as tx:
                tx.execute(
                    update(jobs)
                    .where(jobs.c.id.in_(select(ours.c.id)))
                    .values(deaths=jobs.c.deaths + died, due_at=func.now())
                )


def _jobs_of(files: Iterable[Left]) -> Iterator[UUID]:
    for file in files:
        try:
            yield UUID(hex=file.name)
        except ValueError:
            log.warning("act_unreadable", name=file.name)


def spare(tx: Transaction, moves: Moves, rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Return the rows of a claim that may be worked on; the others fail as `internal`.

    To be called in the claim's transaction; `rows` have `id`, `attempt_count` and `deaths`. All of
    them are paid for.
    """
    spared = []
    for row in rows:
        if row.deaths < MAX_DEATHS:
            spared.append(row)
            continue
        log.error("poison_set_aside", job_id=str(row.id))
        moves.fail(
            tx,
            row.id,
            ErrorCode.INTERNAL,
            f"Set aside: {MAX_DEATHS} workers in a row ended over it",
            attempt_number=row.attempt_count,
            maybe_charged=True,
        )
    return spared
