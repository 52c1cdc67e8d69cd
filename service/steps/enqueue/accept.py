"""Enqueue: a caller's request becomes a committed job, or a clear answer why not.

The 202 is given only after the commit. A repeat with the same Idempotency-Key finds the same job,
before its pictures are stored again, and whatever would be said against it today.
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from sqlalchemy import Row, bindparam, select

from service.database import Database, Transaction
from service.documents import PRIORITIES, PRIORITY_NAMES
from service.errors import (
    DatabaseUnavailable,
    FieldError,
    IdempotencyConflict,
    NotCancelable,
    NotFound,
    NotRetryable,
)
from service.faults import fault_point
from service.generation import Model
from service.ids import new_id
from service.logs import get_log
from service.messages import Message
from service.models import jobs
from service.moves import After, Moves, add_job
from service.settings import OnUnconfirmed
from service.states import TERMINAL, Status
from service.steps.enqueue.body import sha256_of
from service.steps.enqueue.check import REFUSED, Check, Checked
from service.steps.enqueue.request import JobRequest
from service.steps.enqueue.reserve import reserve

#: The first line of every timeline.
ACCEPTED = "Accepted into the queue"

log = get_log(__name__)


@dataclass(frozen=True)
class Enqueued:
    """The job, and whether it was there before."""

    #: As documents show it; of a new one what was inserted, which is not read again.
    row: Any
    replayed: bool


@dataclass(frozen=True)
class Enqueue(Check):
    """Accepts jobs into the queue, and lets callers withdraw them while they are in it."""

    database: Database
    moves: Moves
    #: What becomes of unconfirmed jobs that do not say so themselves.
    on_unconfirmed: OnUnconfirmed

    def accept(self, project_id: UUID, request: JobRequest) -> Enqueued:
        """Check everything, store the pictures given as base64, then commit the job.

        Raises:
            InvalidRequest: with every field that is wrong.
            IdempotencyConflict: the key belongs to another request.
            QueueFull, CreditsSpent: the project's limit leaves no room.
            StorageUnavailable: a picture could not be stored; nothing was accepted.
            DatabaseUnavailable: nothing was accepted, or a repeat with the same key will find it.
        """
        found = self.examine(
            project_id,
            request.model,
            request.input,
            provider=request.provider,
            callback_url=request.callback_url if request.callback_is_named else None,
        )
        # of all others the insert itself finds out whether they are repeats
        if found.errors or (found.examined is not None and found.examined.handed):
            before = self._before(project_id, request)
            if before is not None:
                return before
        checked = found.whole(REFUSED)
        kept = self.inputs.keep(project_id, checked.cleaned, checked.examined)
        job_id = new_id()
        try:
            return self._insert(
                project_id,
                request,
                checked.model,
                {
                    **columns_of(request, checked),
                    "id": job_id,
                    "project_id": project_id,
                    "input": kept,
                    "on_unconfirmed": request.on_unconfirmed or self.on_unconfirmed,
                },
            )
        except DatabaseUnavailable:
            # the commit may have happened all the same (F3): look by our own id, once
            with self.database.transaction() as tx:
                row = tx.first(select(*jobs.c).where(jobs.c.id == job_id))
            if row is None:
                raise
            return Enqueued(row, replayed=False)

    def retry(self, project_id: UUID, job_id: UUID, idempotency_key: str | None) -> Enqueued:
        """Hand in the same once more, as a new job that says so; it is paid for anew.

        Raises:
            NotFound: no such job in this project.
            NotRetryable: it has not ended.
            InvalidRequest: it would not be accepted any more, such as for a picture that is gone.
        """
        with self.database.transaction() as tx:
            mine = (jobs.c.id == job_id, jobs.c.project_id == project_id)
            row = tx.first(select(*jobs.c).where(*mine))
        if row is None:
            raise NotFound("There is no such job.")
        again = JobRequest(
            model=row.model,
            input=row.input,
            sha256=sha256_of(["retry", job_id.hex]),
            provider=row.provider if row.provider in self.providers else None,
            callback_url=row.callback_url,
            callback_events=row.callback_events,
            callback_form=row.callback_form,
            callback_secret=row.callback_secret,
            metadata=row.metadata,
            priority=PRIORITY_NAMES[row.priority],
            on_unconfirmed=row.on_unconfirmed,
            idempotency_key=idempotency_key,
            retry_of=job_id,
        )
        if row.status not in TERMINAL:
            # a failed one may have come back since it was tried again
            before = self._before(project_id, again)
            if before is None:
                raise NotRetryable(f"The job is {row.status.value}; it may still bring an image.")
            return before
        return self.accept(project_id, again)

    def cancel(self, project_id: UUID, job_id: UUID) -> Row[Any]:
        """Withdraw a queued job; canceling a canceled one changes nothing.

        Raises:
            NotFound: no such job in this project.
            NotCancelable: it has left the queue; the money is spent, or may be.
        """
        mine = select(*jobs.c).where(jobs.c.id == job_id, jobs.c.project_id == project_id)
        with self.database.transaction() as tx:
            row: Row[Any] | None = tx.first(mine)
            if row is None:
                raise NotFound("There is no such job.")
            moved = self.withdraw(tx, job_id)
            if moved is not None:
                log.info("job_canceled", job_id=str(job_id))
                return moved
            row = tx.first(mine)
        if row is None or row.status is not Status.CANCELED:
            if row is not None and row.resubmitted:
                raise NotCancelable("The job was sent once already and may have been charged.")
            status = row.status.value if row is not None else "gone"
            raise NotCancelable(f"The job is {status}; only a queued job can be canceled.")
        return row

    def withdraw(self, tx: Transaction, job_id: UUID) -> Row[Any] | None:
        """Withdraw a job if it is queued."""
        return self.moves.move(tx, job_id, Status.CANCELED, "Withdrawn by the caller")

    def _before(self, project_id: UUID, request: JobRequest) -> Enqueued | None:
        """Return the job that the request's key has become before."""
        if request.idempotency_key is None:
            return None
        with self.database.transaction() as tx:
            row = tx.first(_UNDER_KEY, _key_of(project_id, request))
        return None if row is None else _replay(row, request)

    def _insert(
        self, project_id: UUID, request: JobRequest, model: Model, columns: dict[str, Any]
    ) -> Enqueued:
        with self.database.transaction() as tx:
            added = add_job(tx, ACCEPTED, columns)
            if added is None:
                return _replay(tx.first(_UNDER_KEY, _key_of(project_id, request)), request)
            self.inputs.refer(tx, project_id, {"/input": (model, columns["input"])})
            reserve(tx, project_id, added, [columns["id"]], [columns["cost_estimated"]])
            tx.ring_after_commit(Message.SUBMIT)
            fault_point("enqueue.before_commit")
        fault_point("enqueue.after_commit")
        log.info(
            "job_enqueued",
            job_id=str(columns["id"]),
            model=model.name,
            project_id=str(project_id),
        )
        row = SimpleNamespace(**{**_NEW, **columns, "created_at": added.created_at})
        return Enqueued(row, replayed=False)


def columns_of(request: JobRequest, checked: Checked) -> dict[str, Any]:
    """Return the columns of a job that its request decides."""
    return {
        "model": checked.model.name,
        "metadata": dict(request.metadata),
        "priority": PRIORITIES[request.priority],
        "idempotency_key": request.idempotency_key,
        "request_sha256": request.sha256,
        "callback_url": request.callback_url,
        "callback_events": request.callback_events,
        "callback_form": request.callback_form,
        "callback_secret": request.callback_secret,
        "parent_image_ids": checked.examined.parent_image_ids,
        "start_at": request.start_at,
        "expires_at": request.expires_at,
        "due_at": request.start_at or After(0),
        "retry_of": request.retry_of,
        "provider": checked.provider,
        "pool": checked.model.pool,
        "cost_estimated": checked.quote.credits,
    }


#: What no request decides of a job.
_NEW = {
    **dict.fromkeys(jobs.c.keys()),
    "status": Status.QUEUED,
    "attempt_count": 0,
    "maybe_charged": False,
}
_UNDER_KEY = select(*jobs.c).where(
    jobs.c.project_id == bindparam("of_project"), jobs.c.idempotency_key == bindparam("key")
)


def _key_of(project_id: UUID, request: JobRequest) -> dict[str, Any]:
    return {"of_project": project_id, "key": request.idempotency_key}


def _replay(row: Row[Any] | None, request: JobRequest) -> Enqueued:
    if row is None or row.request_sha256 != request.sha256:
        raise IdempotencyConflict(
            "This Idempotency-Key was used with another body.",
            [FieldError("/headers/Idempotency-Key", "use a new key for a new request")],
        )
    return Enqueued(row, replayed=True)
