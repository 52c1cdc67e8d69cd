"""Marks are left while all is well; a database that contradicts its own is held.

The number is raised and committed before a mark goes to the bucket, and the bucket is read before
the database: however many workers do it at once, however late a mark gets there, the bucket knows
nothing that the database does not. So only a database that lost something can be behind its mark.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from sqlalchemy import func, select, update

from service.database import Database, Ring, Transaction
from service.deployment import MARK_LIFETIME_SECONDS
from service.errors import StorageUnavailable
from service.faults import fault_point
from service.logs import get_log
from service.messages import Message
from service.models import Deployment
from service.steps.recover.mark import Mark, Marks
from service.steps.recover.standing import Standing, Standings, reading

log = get_log(__name__)

#: How often a worker looks whether a mark is due, or the server another one.
LOOK_AT_MARK_SECONDS = 1.0
NO_MARK = "its mark in the bucket is missing or cannot be read"
_HELD = "mark"


class Vitals(Protocol):
    """What keeps this process from buying."""

    def hold(self, what: str, trouble: str) -> None:
        """Have nothing bought."""

    def release(self, what: str) -> None:
        """Take that back."""


@dataclass(frozen=True, slots=True)
class Situation:
    """Whether a person has to decide, and about what."""

    #: Why nothing is submitted; None if nothing is in doubt.
    reason: str | None
    held_at: datetime | None
    #: A job that is older and queued may have been paid for.
    break_at: datetime


@dataclass(frozen=True)
class Recover:
    """Guards a restored database against paying again."""

    database: Database
    standings: Standings
    marks: Marks
    vitals: Vitals
    ring: Ring

    def mark(self) -> None:
        """Leave a mark if one is due, or hold the deployment; every worker's round.

        Raises:
            DatabaseUnavailable: nobody can claim anything either.
        """
        standing = self.standings.read()
        reason: str | None = standing.held_reason
        if reason is None and standing.is_due:
            try:
                reason = self._compare_and_mark(standing.id)
            except StorageUnavailable as error:
                # a mark that is not too old is good enough for now
                reason = str(error) if standing.is_unverified else None
        if reason is not None:
            self.vitals.hold(_HELD, f"the database is not verified: {reason}")
            return
        self.vitals.release(_HELD)
        if standing.is_unverified:
            self.ring(Message.SUBMIT)

    def look(self) -> Situation:
        """Compare at once, as a worker would, and say what there is to decide.

        Raises:
            StorageUnavailable: S3 did not say what the mark is.
        """
        standing = self.standings.read()
        left = self.marks.read(standing.id)
        reason = standing.held_reason or self._compare_and_mark(standing.id)
        standing = self.standings.read()
        break_at = standing.held_at or standing.now
        if left is not None:
            # nothing is claimed later than this after a mark
            break_at = min(break_at, left.at + timedelta(seconds=MARK_LIFETIME_SECONDS))
        return Situation(reason, standing.held_at, break_at)

    def release(self) -> None:
        """Begin a new life, with a mark above all others.

        Raises:
            StorageUnavailable: it is held as before.
        """
        standing = self.standings.read()
        left = self.marks.read(standing.id)
        number = max(standing.mark_number, left.number if left else 0) + 1
        # before the database knows: a worker that compares meanwhile finds it held as yet
        self.marks.write(standing.id, reading(standing, number))
        with self.database.transaction() as tx:
            well = {"mark_number": number, "held_at": None, "held_reason": None}
            tx.execute(update(Deployment).values(well | _verified(standing)))
        self.ring(Message.SUBMIT)
        log.warning("deployment_released", mark=number)

    def _compare_and_mark(self, deployment: UUID) -> str | None:
        """Hold the database against its mark; return why nothing may be bought."""
        left = self.marks.read(deployment)
        with self.database.transaction() as tx:
            standing = self.standings.lock(tx)
            reason = self._contradiction(tx, left, standing)
            if reason is not None:
                return reason
            number = standing.mark_number + 1
            tx.execute(update(Deployment).values(mark_number=number))
            # what the bucket is told must be on the database's disk, however it is set up
            tx.scalar(select(func.set_config("synchronous_commit", "on", True)))
            fault_point("recover.before_mark_commit")
        fault_point("recover.before_put")
        self.marks.write(deployment, reading(standing, number))
        fault_point("recover.after_put")
        with self.database.transaction() as tx:
            is_same = (Deployment.held_at.is_(None), Deployment.mark_number >= number)
            tx.execute(update(Deployment).where(*is_same).values(_verified(standing)))
        return None

    def _contradiction(self, tx: Transaction, left: Mark | None, standing: Standing) -> str | None:
        if standing.held_reason is not None:
            return str(standing.held_reason)
        if left is None:
            # a first mark may come late, and one that a database lost lately is made again
            is_strange = standing.is_unverified and standing.marked_at is not None
            return NO_MARK if is_strange else None
        reason = left.contradiction(reading(standing, standing.mark_number))
        if reason is not None:
            log.error("deployment_held", reason=reason)
            tx.execute(update(Deployment).values(held_at=func.now(), held_reason=reason))
        return reason


def _verified(standing: Standing) -> dict[str, object]:
    return {
        "marked_at": func.greatest(Deployment.marked_at, standing.now),
        "marked_in": standing.here,
    }
