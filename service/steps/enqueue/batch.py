"""Batches: up to a thousand jobs become a committed batch, all or none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, bindparam, func, insert, literal, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from service.database import Transaction
from service.errors import (
    DatabaseUnavailable,
    FieldError,
    IdempotencyConflict,
    NotFound,
)
from service.ids import new_id
from service.logs import get_log
from service.messages import Message
from service.models import JobEvent, batches, jobs
from service.states import Status
from service.steps.enqueue.accept import ACCEPTED, columns_of
from service.steps.enqueue.batch_check import BatchCheck
from service.steps.enqueue.check import Checked
from service.steps.enqueue.request import BatchRequest, JobRequest
from service.steps.enqueue.reserve import limits_of, reserve
from service.timeline import event_type

log = get_log(__name__)

#: Jobs that are withdrawn in one transaction.
CANCELED_AT_A_TIME = 100


@dataclass(frozen=True)
class EnqueuedBatch:
    """The batch, its jobs in the order of the request, and whether it was there before."""

    row: Row[Any]
    job_ids: Sequence[UUID]
    replayed: bool


@dataclass(frozen=True)
class Batches(BatchCheck):
    """Accepts batches, and lets callers withdraw what of them is still queued."""

    def accept(self, project_id: UUID, request: BatchRequest) -> EnqueuedBatch:
        """Check everything, store the pictures given as base64, then commit the batch.

        Raises:
            InvalidRequest: with every field that is wrong.
            IdempotencyConflict: the key belongs to another request.
            QueueFull, CreditsSpent: the project's limit leaves no room for all of it.
            StorageUnavailable: a picture could not be stored; nothing was accepted.
            DatabaseUnavailable: nothing was accepted, or a repeat with the same key will find it.
        """
        if request.idempotency_key is not None:
            with self.enqueue.database.transaction() as tx:
                row = tx.first(_UNDER_KEY, _key_of(project_id, request))
                if row is not None:
                    return _replay(tx, row, request)
        checked = self.check(project_id, request)
        batch_id = new_id()
        rows = [
            self._row(project_id, batch_id, one, found)
            for one, found in zip(request.jobs, checked, strict=True)
        ]
        try:
            return self._insert(project_id, batch_id, request, checked, rows)
        except DatabaseUnavailable:
            # the commit may have happened all the same: look by our own id, once
            with self.enqueue.database.transaction() as tx:
                row = tx.first(select(*batches.c).where(batches.c.id == batch_id))
            if row is None:
                raise
            return EnqueuedBatch(row, [one["id"] for one in rows], replayed=False)

    def cancel(self, project_id: UUID, batch_id: UUID) -> int:
        """Withdraw the queued jobs of a batch; return how many.

        Raises:
            NotFound: no such batch in this project.
        """
        mine = and_(batches.c.id == batch_id, batches.c.project_id == project_id)
        queued = (
            select(jobs.c.id)
            .where(jobs.c.batch_id == batch_id, jobs.c.status == Status.QUEUED)
            .where(jobs.c.id > bindparam("after"), ~jobs.c.resubmitted)
            .order_by(jobs.c.id)
            .limit(CANCELED_AT_A_TIME)
            .with_for_update()
        )
        count, after = 0, UUID(int=0)
        while True:
            with self.enqueue.database.transaction() as tx:
                if tx.scalar(select(batches.c.id).where(mine)) is None:
                    raise NotFound("There is no such batch.")
                found = tx.rows(queued, {"after": after})
                for row in found:
                    count += self.enqueue.withdraw(tx, row.id) is not None
            if len(found) < CANCELED_AT_A_TIME:
                log.info("batch_canceled", batch_id=str(batch_id), jobs=count)
                return count
            after = found[-1].id

    def _row(
        self, project_id: UUID, batch_id: UUID, request: JobRequest, checked: Checked
    ) -> dict[str, Any]:
        columns = columns_of(request, checked)
        del columns["due_at"]
        return {
            **columns,
            "id": new_id(),
            "project_id": project_id,
            "batch_id": batch_id,
            "status": Status.QUEUED,
            "input": self.enqueue.inputs.keep(project_id, checked.cleaned, checked.examined),
            "on_unconfirmed": request.on_unconfirmed or self.enqueue.on_unconfirmed,
        }

    def _insert(
        self,
        project_id: UUID,
        batch_id: UUID,
        request: BatchRequest,
        checked: Sequence[Checked],
        rows: Sequence[dict[str, Any]],
    ) -> EnqueuedBatch:
        job_ids = [row["id"] for row in rows]
        with self.enqueue.database.transaction() as tx:
            batch = tx.first(_ADD, {"id": batch_id, **_columns(project_id, request)})
            if batch is None:
                found = tx.first(_UNDER_KEY, _key_of(project_id, request))
                return _replay(tx, found, request)
            tx.execute(_ADD_JOBS, [_named(row) for row in rows])
            tx.execute(_NOTE, {"of_batch": batch_id})
            inputs = {
                f"/jobs/{index}/input": (one.model, row["input"])
                for index, (row, one) in enumerate(zip(rows, checked, strict=True))
            }
            self.enqueue.inputs.refer(tx, project_id, inputs)
            limits = limits_of(tx, project_id)
            reserve(tx, project_id, limits, job_ids, [row["cost_estimated"] for row in rows])
            tx.ring_after_commit(Message.SUBMIT)
        log.info("batch_enqueued", batch_id=str(batch_id), jobs=len(rows))
        return EnqueuedBatch(batch, job_ids, replayed=False)


def _columns(project_id: UUID, request: BatchRequest) -> dict[str, Any]:
    return {
        "project_id": project_id,
        "size": len(request.jobs),
        "metadata": dict(request.metadata),
        "idempotency_key": request.idempotency_key,
        "request_sha256": request.sha256,
        "callback_url": request.callback_url,
    }


def _named(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of _ADD_JOBS."""
    return {"said_due_at": row["start_at"], **row}


_ADD = upsert(batches).on_conflict_do_nothing().returning(*batches.c)
_ADD_JOBS = insert(jobs).values(
    due_at=func.coalesce(bindparam("said_due_at", type_=jobs.c.due_at.type), func.now())
)
_LINE = select(
    jobs.c.id,
    jobs.c.event_seq,
    literal(event_type(Status.QUEUED)),
    literal(ACCEPTED),
    literal({}, JSONB),
).where(jobs.c.batch_id == bindparam("of_batch"))
_NOTE = insert(JobEvent).from_select(["job_id", "seq", "type", "message", "detail"], _LINE)
_UNDER_KEY = select(*batches.c).where(
    batches.c.project_id == bindparam("of_project"), batches.c.idempotency_key == bindparam("key")
)


def _key_of(project_id: UUID, request: BatchRequest) -> dict[str, Any]:
    return {"of_project": project_id, "key": request.idempotency_key}


def _replay(tx: Transaction, row: Row[Any] | None, request: BatchRequest) -> EnqueuedBatch:
    if row is None or row.request_sha256 != request.sha256:
        raise IdempotencyConflict(
            "This Idempotency-Key was used with another body.",
            [FieldError("/headers/Idempotency-Key", "use a new key for a new request")],
        )
    # ids grow in the order of the request
    mine = select(jobs.c.id).where(jobs.c.batch_id == row.id).order_by(jobs.c.id)
    return EnqueuedBatch(row, [one.id for one in tx.rows(mine)], replayed=True)
