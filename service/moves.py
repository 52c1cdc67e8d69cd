"""Changes of a job's status; only submit's claim and reindex write one besides.

A move is a compare-and-set: it happens from the states that `states.ENTERED_FROM` allows and, where
one speaks for an attempt, for that attempt only. No row back means that somebody was faster, and
that is no error. A failure that is left again leaves nothing of itself in the row. With the move,
in the same statement or transaction: the line of the timeline, and the callback owed to whoever
asked for this event.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, func, insert, literal, or_, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from service.clock import seconds
from service.database import Transaction
from service.documents import Document, Documents, FluxDocuments, ImageRow
from service.ids import new_id
from service.messages import Message
from service.metrics import JOBS_ENDED, RESULTS
from service.models import Attempt, CallbackForm, Delivery, DeliveryStatus, JobEvent, jobs
from service.states import (
    ENTERED_FROM,
    FAILED_FROM,
    MAYBE_CHARGED,
    PROMOTABLE,
    TERMINAL,
    AttemptOutcome,
    ErrorCode,
    Status,
)
from service.upstream import Ended, InProgress, Ready, Result

#: A URL that says it lives longer is not believed: its job would be tried for ever, seconds.
MAX_RESULT_LIFETIME_SECONDS = 86_400.0


@dataclass(frozen=True)
class Moves:
    """Moves jobs; needs to know how a callback reads, in our words and in Flux's."""

    documents: Documents
    flux_documents: FluxDocuments
    #: How long a result URL lives when it does not say so itself.
    result_lifetime_seconds: float

    def move(
        self,
        tx: Transaction,
        job_id: UUID,
        to: Status,
        message: str,
        *,
        sources: frozenset[Status] | None = None,
        attempt_number: int | None = None,
        detail: Document | None = None,
        images: Sequence[ImageRow] = (),
        **columns: Any,  # noqa: ANN401 - the columns' own types
    ) -> Row[Any] | None:
        """Move a job, note it in the timeline, owe the callback; None if the job was elsewhere.

        `sources` are the states it may be in, if they are fewer than those `to` allows.
        """
        conditions = [jobs.c.id == job_id, _enterable(to)]
        if sources is not None:
            conditions.append(jobs.c.status.in_(sorted(sources)))
        if attempt_number is not None:
            conditions.append(jobs.c.attempt_count == attempt_number)
        values: dict[str, Any] = {
            "status": to,
            "tries": 0,
            "due_at": None,
            "event_seq": jobs.c.event_seq + 1,
            "completed_at": func.now() if to in TERMINAL else None,
            "error_code": None,
            "error_message": None,
            "error_upstream_status": None,
            "maybe_charged": False,
            **columns,
        }
        moved = update(jobs).where(*conditions).values(values).returning(*jobs.c).cte("moved")
        row: Row[Any] | None = tx.first(
            select(moved).add_cte(_noted(moved, to, message, detail or {}))
        )
        if row is not None:
            self._owe(tx, row, images, detail or {})
            if to in TERMINAL:
                tx.count_after_commit(JOBS_ENDED.labels(status=to.value).inc)
        return row

    def fail(
        self,
        tx: Transaction,
        job_id: UUID,
        code: ErrorCode,
        message: str,
        *,
        attempt_number: int | None = None,
        upstream_status: int | None = None,
        detail: Document | None = None,
        **columns: Any,  # noqa: ANN401 - the columns' own types
    ) -> Row[Any] | None:
        """End a job without an image, unless it has left the states that this failure is of."""
        return self.move(
            tx,
            job_id,
            Status.FAILED,
            message,
            sources=FAILED_FROM[code],
            attempt_number=attempt_number,
            detail={"code": code.value, **(detail or {})},
            error_code=code,
            error_message=message,
            error_upstream_status=upstream_status,
            maybe_charged=code in MAYBE_CHARGED,
            **columns,
        )

    def take_result(
        self,
        tx: Transaction,
        job_id: UUID,
        attempt_number: int,
        result: Result,
        heard_by: str,
    ) -> bool:
        """Act on what upstream said of a job, by webhook or poll; True if the job moved."""
        if isinstance(result, InProgress):
            row = self._expect(tx, job_id, attempt_number, result, heard_by)
        elif isinstance(result, Ended):
            row = self.fail(
                tx,
                job_id,
                result.code,
                result.message,
                attempt_number=attempt_number,
                detail={"heard_by": heard_by, **result.details, **_besides(result)},
                task_id=func.coalesce(jobs.c.task_id, result.task_id),
            )
        else:
            row = self._store(tx, job_id, attempt_number, result, heard_by)
        if row is None:
            return False
        accept = update(Attempt).where(Attempt.job_id == job_id, Attempt.number == attempt_number)
        tx.execute(
            accept.values(
                outcome=AttemptOutcome.ACCEPTED,
                task_id=func.coalesce(Attempt.task_id, result.task_id),
                ended_at=func.coalesce(Attempt.ended_at, func.now()),
            )
        )
        if not isinstance(result, InProgress):
            tx.count_after_commit(RESULTS.labels(heard_by=heard_by).inc)
            # a slot is free again
            tx.ring_after_commit(Message.SUBMIT)
        return True

    def _expect(
        self, tx: Transaction, job_id: UUID, attempt_number: int, result: InProgress, heard_by: str
    ) -> Row[Any] | None:
        """Take a word on the task, whatever it means, for upstream's yes: it knows the task."""
        if result.task_id is None:
            # nobody could ask about it
            return None
        row = self.move(
            tx,
            job_id,
            Status.GENERATING,
            f"Flux has accepted it, heard by {heard_by}",
            attempt_number=attempt_number,
            detail={"heard_by": heard_by, "task_id": result.task_id},
            due_at=func.now(),
            submitted_at=func.now(),
            task_id=result.task_id,
        )
        if row is not None:
            tx.ring_after_commit(Message.POLL)
        return row

    def _store(
        self, tx: Transaction, job_id: UUID, attempt_number: int, result: Ready, heard_by: str
    ) -> Row[Any] | None:
        row = self.move(
            tx,
            job_id,
            Status.STORING,
            f"Flux has the image ready, heard by {heard_by}",
            attempt_number=attempt_number,
            detail={"heard_by": heard_by, **_besides(result)},
            due_at=func.now(),
            generated_at=func.now(),
            task_id=func.coalesce(jobs.c.task_id, result.task_id),
            cost_actual=func.coalesce(jobs.c.cost_actual, result.cost),
            result_url=result.url,
            result_expires_at=func.least(
                result.expires_at or func.now() + seconds(self.result_lifetime_seconds),
                func.now() + seconds(MAX_RESULT_LIFETIME_SECONDS),
            ),
            result=result.facts,
        )
        if row is not None:
            tx.ring_after_commit(Message.STORE)
        return row

    def _owe(
        self, tx: Transaction, row: Row[Any], images: Sequence[ImageRow], detail: Document
    ) -> None:
        event = event_type(row.status)
        if row.callback_url is None or event not in row.callback_events:
            return
        if row.callback_form is CallbackForm.FLUX:
            body = self.flux_documents.callback(row, images, detail)
        else:
            body = self.documents.callback(row, images, event, row.event_seq)
        tx.execute(
            insert(Delivery).values(
                id=new_id(),
                project_id=row.project_id,
                job_id=row.id,
                seq=row.event_seq,
                type=event,
                url=row.callback_url,
                body=body,
                status=DeliveryStatus.PENDING,
                due_at=func.now(),
            )
        )
        tx.ring_after_commit(Message.DELIVER)


def _besides(result: Ready | Ended) -> Document:
    return {"upstream": result.other} if result.other else {}


def add_job(tx: Transaction, message: str, columns: Document) -> Row[Any] | None:
    """Insert a queued job with its first event; None if its idempotency key is taken."""
    added = (
        upsert(jobs)
        .values(status=Status.QUEUED, event_seq=1, **columns)
        .on_conflict_do_nothing(index_elements=["project_id", "idempotency_key"])
        .returning(*jobs.c)
        .cte("added")
    )
    row: Row[Any] | None = tx.first(
        select(added).add_cte(_noted(added, Status.QUEUED, message, {}))
    )
    return row


def note(tx: Transaction, rows: Sequence[Row[Any]], to: Status, message: str) -> None:
    """Write the timeline's lines of rows that a lane's claim has moved, all at once."""
    tx.execute(
        insert(JobEvent).values(
            [
                {
                    "job_id": row.id,
                    "seq": row.event_seq,
                    "type": event_type(to),
                    "message": message,
                    "detail": {"attempt": row.attempt_count},
                }
                for row in rows
            ]
        )
    )


def event_type(status: Status) -> str:
    """Return the event that tells of a state: `job.succeeded`."""
    return f"job.{status.value}"


def _noted(source: Any, to: Status, message: str, detail: Document) -> Any:  # noqa: ANN401 - a CTE
    """Return the timeline's insert, fed by the rows that the change returned."""
    line = select(
        source.c.id,
        source.c.event_seq,
        literal(event_type(to)),
        literal(message),
        literal(detail, JSONB),
    )
    columns = ["job_id", "seq", "type", "message", "detail"]
    return insert(JobEvent).from_select(columns, line).returning(JobEvent.seq).cte("noted")


def _enterable(to: Status) -> ColumnElement[bool]:
    sources = ENTERED_FROM[to]
    plain = jobs.c.status.in_(sorted(sources - {Status.FAILED}))
    if Status.FAILED not in sources:
        return plain
    codes = sorted(PROMOTABLE[to])
    return or_(plain, and_(jobs.c.status == Status.FAILED, jobs.c.error_code.in_(codes)))
