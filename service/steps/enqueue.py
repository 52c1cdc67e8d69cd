"""Enqueue: a caller's request becomes a committed job, or a clear answer why not.

The 202 is given only after the commit. A repeat with the same Idempotency-Key finds the same job.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Row, func, select

from service.database import Database
from service.documents import PRIORITIES
from service.errors import (
    AddressForbidden,
    DatabaseUnavailable,
    FieldError,
    IdempotencyConflict,
    InvalidRequest,
    NotCancelable,
    NotFound,
)
from service.faults import fault_point
from service.generation import Catalogue, estimate_cost, unknown_model, validate_input
from service.ids import new_id
from service.logs import get_log
from service.messages import Message
from service.models import jobs
from service.moves import Moves, add_job, event_type
from service.states import TERMINAL, Status

log = get_log(__name__)

#: Events a caller hears of unless the request names others.
DEFAULT_CALLBACK_EVENTS = sorted(event_type(status) for status in TERMINAL)


class AddressCheck(Protocol):
    """Says whether a caller's address may be called at all."""

    def check(self, url: str) -> None:
        """Raise AddressForbidden if it may not."""


@dataclass(frozen=True)
class JobRequest:
    """What a caller asks for, of the right shape but not yet checked against the catalogue."""

    model: str
    input: Mapping[str, Any]
    #: SHA-256 of the request, to tell a repeat from a reuse of its key.
    sha256: bytes
    callback_url: str | None = None
    callback_events: list[str] = field(default_factory=lambda: list(DEFAULT_CALLBACK_EVENTS))
    metadata: Mapping[str, str] = field(default_factory=dict)
    priority: str = "normal"
    start_at: datetime | None = None
    expires_at: datetime | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True)
class Enqueued:
    """The job, and whether it was there before."""

    row: Row[Any]
    replayed: bool


@dataclass(frozen=True)
class Enqueue:
    """Accepts jobs into the queue, and lets callers withdraw them while they are in it."""

    database: Database
    moves: Moves
    catalogue: Catalogue
    addresses: AddressCheck
    provider: str

    def accept(self, project_id: UUID, request: JobRequest) -> Enqueued:
        """Check everything, then commit the job.

        Raises:
            InvalidRequest: with every field that is wrong.
            IdempotencyConflict: the key belongs to another request.
            DatabaseUnavailable: nothing was accepted, or a repeat with the same key will find it.
        """
        columns = self._check(request)
        job_id = new_id()
        columns |= {"id": job_id, "project_id": project_id}
        try:
            return self._insert(project_id, request, columns)
        except DatabaseUnavailable:
            # the commit may have happened all the same (F3): look by our own id, once
            with self.database.transaction() as tx:
                row = tx.first(select(*jobs.c).where(jobs.c.id == job_id))
            if row is None:
                raise
            return Enqueued(row, replayed=False)

    def cancel(self, project_id: UUID, job_id: UUID) -> Row[Any]:
        """Withdraw a queued job; canceling a canceled one changes nothing.

        Raises:
            NotFound: no such job in this project.
            NotCancelable: it has left the queue; the money is spent.
        """
        mine = select(*jobs.c).where(jobs.c.id == job_id, jobs.c.project_id == project_id)
        with self.database.transaction() as tx:
            row: Row[Any] | None = tx.first(mine)
            if row is None:
                raise NotFound("There is no such job.")
            moved = self.moves.move(tx, job_id, Status.CANCELED, "Withdrawn by the caller")
            if moved is not None:
                log.info("job_canceled", job_id=str(job_id))
                return moved
            row = tx.first(mine)
        if row is None or row.status is not Status.CANCELED:
            status = row.status.value if row is not None else "gone"
            raise NotCancelable(f"The job is {status}; only a queued job can be canceled.")
        return row

    def examine(
        self, model_name: str | None, given: Mapping[str, Any] | None, callback_url: str | None
    ) -> tuple[dict[str, Any], list[FieldError]]:
        """Return the cleaned input and every error; None for a part that could not be read."""
        cleaned: dict[str, Any] = {}
        errors: list[FieldError] = []
        model = None if model_name is None else self.catalogue.get(model_name)
        if model is not None and given is not None:
            cleaned, errors = validate_input(model, given)
        elif model is None and model_name is not None:
            errors.append(unknown_model(model_name))
        if callback_url is not None:
            try:
                self.addresses.check(callback_url)
            except AddressForbidden as error:
                errors.append(FieldError("/callback_url", str(error)))
        return cleaned, errors

    def _check(self, request: JobRequest) -> dict[str, Any]:
        cleaned, errors = self.examine(request.model, request.input, request.callback_url)
        if errors:
            raise InvalidRequest("The job was not accepted; nothing was spent.", errors)
        model = self.catalogue[request.model]
        return {
            "model": model.name,
            "input": cleaned,
            "metadata": dict(request.metadata),
            "priority": PRIORITIES[request.priority],
            "idempotency_key": request.idempotency_key,
            "request_sha256": request.sha256,
            "callback_url": request.callback_url,
            "callback_events": request.callback_events,
            "start_at": request.start_at,
            "expires_at": request.expires_at,
            "due_at": request.start_at or func.now(),
            "provider": self.provider,
            "cost_estimated": estimate_cost(model, cleaned),
        }

    def _insert(self, project_id: UUID, request: JobRequest, columns: dict[str, Any]) -> Enqueued:
        with self.database.transaction() as tx:
            row = add_job(tx, "Accepted into the queue", columns)
            if row is None:
                return self._replay(
                    tx.first(
                        select(*jobs.c).where(
                            jobs.c.project_id == project_id,
                            jobs.c.idempotency_key == request.idempotency_key,
                        )
                    ),
                    request,
                )
            tx.ring_after_commit(Message.SUBMIT)
            fault_point("enqueue.before_commit")
        fault_point("enqueue.after_commit")
        log.info("job_enqueued", job_id=str(row.id), model=row.model, project_id=str(project_id))
        return Enqueued(row, replayed=False)

    def _replay(self, row: Row[Any] | None, request: JobRequest) -> Enqueued:
        if row is None or row.request_sha256 != request.sha256:
            raise IdempotencyConflict(
                "This Idempotency-Key was used with another body.",
                [FieldError("/headers/Idempotency-Key", "use a new key for a new request")],
            )
        return Enqueued(row, replayed=True)
