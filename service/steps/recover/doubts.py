"""What a restored database does not know: which of its jobs were paid for after the backup."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

from sqlalchemy import func, select

from service.database import Database, Transaction
from service.models import FluxWebhook, jobs
from service.moves import Moves
from service.states import ErrorCode, Status

Item = TypeVar("Item")

#: Jobs that are looked up, or ended, at a time.
CHUNK = 200
_MESSAGE = (
    "It may have been paid for before the database was restored; it was not sent again, "
    "because it may have been charged"
)


class Kept(Protocol):
    """A job's objects in the bucket."""

    @property
    def job_id(self) -> UUID:
        """Whose they are."""
        ...

    @property
    def stem(self) -> str:
        """Their keys without what follows the first dot of the name."""
        ...


@dataclass(frozen=True, slots=True)
class Doubt:
    """A job that was, or may have been, paid for without this database's knowing."""

    job_id: UUID
    #: None: the database does not have it.
    status: Status | None
    #: What its objects' keys begin with; None: it has none in the bucket.
    stem: str | None


@dataclass(frozen=True)
class Doubts:
    """Finds them, and ends those that are queued."""

    database: Database
    moves: Moves
    #: Goes through the bucket.
    kept: Callable[[], Iterator[Kept]]

    def find(self, break_at: datetime) -> Iterator[Doubt]:
        """Yield every job in doubt, those with an image in the bucket first.

        Raises:
            StorageUnavailable: S3 does not answer.
            DatabaseUnavailable: nor does the database.
        """
        shown = set()
        for doubt in self._in_bucket():
            shown.add(doubt.job_id)
            yield doubt
        for job_id in self._queued(break_at):
            if job_id not in shown:
                yield Doubt(job_id, Status.QUEUED, None)

    def settle(self, break_at: datetime, *, all_queued: bool) -> int:
        """End queued jobs as perhaps charged, with their callbacks; return how many.

        Those whose image is in the bucket, or all that `find` names. Raises as `find` does.
        """
        ended = 0
        doubtful = (
            doubt.job_id
            for doubt in self.find(break_at)
            if doubt.status is Status.QUEUED and (all_queued or doubt.stem is not None)
        )
        for chunk in _chunks(doubtful):
            with self.database.transaction() as tx:
                ended += sum(self._fail(tx, job_id) for job_id in sorted(chunk))
        return ended

    def unmatched_webhooks(self) -> int:
        """Count what Flux told us of attempts that this database does not have."""
        unmatched = select(func.count()).where(FluxWebhook.effect == "unmatched")
        with self.database.transaction() as tx:
            return int(tx.scalar(unmatched))

    def _fail(self, tx: Transaction, job_id: UUID) -> bool:
        moved = self.moves.move(
            tx,
            job_id,
            Status.FAILED,
            _MESSAGE,
            sources=frozenset({Status.QUEUED}),
            detail={"code": ErrorCode.SUBMISSION_UNCONFIRMED.value},
            error_code=ErrorCode.SUBMISSION_UNCONFIRMED,
            error_message=_MESSAGE,
            maybe_charged=True,
        )
        return moved is not None

    def _in_bucket(self) -> Iterator[Doubt]:
        for chunk in _chunks(self.kept()):
            known = select(jobs.c.id, jobs.c.status).where(
                jobs.c.id.in_([one.job_id for one in chunk])
            )
            with self.database.transaction() as tx:
                status = {row.id: row.status for row in tx.rows(known)}
            for one in chunk:
                if status.get(one.job_id) is not Status.SUCCEEDED:
                    yield Doubt(one.job_id, status.get(one.job_id), one.stem)

    def _queued(self, break_at: datetime) -> Iterator[UUID]:
        after = UUID(int=0)
        while True:
            page = (
                select(jobs.c.id)
                .where(
                    jobs.c.status == Status.QUEUED,
                    jobs.c.created_at <= break_at,
                    jobs.c.id > after,
                )
                .order_by(jobs.c.id)
                .limit(CHUNK)
            )
            with self.database.transaction() as tx:
                rows = tx.rows(page)
            if not rows:
                return
            yield from (row.id for row in rows)
            after = rows[-1].id


def _chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    source = iter(items)
    while chunk := list(itertools.islice(source, CHUNK)):
        yield chunk
