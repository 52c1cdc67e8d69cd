"""Rows that a worker holds when it has to go: others take them at once, not when the lease ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from sqlalchemy import func, select, tuple_, update

from service import poison
from service.database import Database
from service.models import jobs
from service.states import Status


class Held(Protocol):
    """A claim, as far as it names its job."""

    @property
    def job_id(self) -> UUID:
        """The job."""
        ...

    @property
    def attempt_number(self) -> int:
        """The attempt that the claim speaks for."""
        ...


@dataclass(frozen=True)
class HandBack:
    """Hands back the jobs of one lane, whose act may be begun again before it has ended here."""

    database: Database
    status: Status

    def __call__(self, claims: Sequence[Held]) -> None:
        """Make them due; one that has moved on meanwhile is left alone.

        Raises:
            DatabaseUnavailable: their leases run out all the same.
        """
        named = [(claim.job_id, claim.attempt_number) for claim in claims]
        held = (
            select(jobs.c.id)
            .where(tuple_(jobs.c.id, jobs.c.attempt_count).in_(named), jobs.c.status == self.status)
            # in the order of all, and past who is moving one right now
            .order_by(jobs.c.id)
            .with_for_update(skip_locked=True)
            .cte()
        )
        with self.database.transaction() as tx:
            tx.execute(
                update(jobs)
                .where(jobs.c.id.in_(select(held.c.id)))
                .values(due_at=func.now(), **poison.SURVIVED)
            )
