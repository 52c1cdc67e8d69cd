"""Changes of a job's status: compare, set, note, and owe the callback."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import Row, bindparam, func, select

from service.constants import constant
from service.database import Transaction
from service.documents import Document, Documents, FluxDocuments, ImageRow
from service.ids import new_id
from service.messages import Message
from service.metrics import JOBS_ENDED, MAYBE_CHARGED_ENDS
from service.models import CallbackForm, Delivery, DeliveryStatus, jobs
from service.moves.statements import Kind, add_one, move_many, move_one
from service.moves.values import DoubtsBut, kinds_of, parameters
from service.recordsets import insert_all, records
from service.states import FAILED_FROM, MAYBE_CHARGED, TERMINAL, ErrorCode, Status
from service.timeline import event_type, told


@dataclass(frozen=True, slots=True)
class Change:
    """What a move says of its job."""

    job_id: UUID
    message: str
    #: The columns' own types, or what computes them.
    columns: Mapping[str, Any]
    attempt_number: int | None = None
    detail: Document = field(default_factory=dict)
    #: What the callback shows besides, by the job's row.
    images: Callable[[Row[Any]], Sequence[ImageRow]] = lambda _: ()

    @property
    def said(self) -> dict[str, Any]:
        """Return the parameters, but those of its line in the timeline."""
        attempt = {} if self.attempt_number is None else {"of_attempt": self.attempt_number}
        return {**parameters(self.columns), "of_job": self.job_id, **attempt}


@dataclass(frozen=True)
class Changes:
    """Moves jobs; needs to know how a callback reads, in our words and in Flux's."""

    documents: Documents
    flux_documents: FluxDocuments

    def move(
        self,
        tx: Transaction,
        job_id: UUID,
        to: Status,
        message: str,
        *,
        sources: frozenset[Status] | None = None,
        attempt_number: int | None = None,
        takes_over: bool = False,
        detail: Document | None = None,
        images: Sequence[ImageRow] = (),
        **columns: Any,  # noqa: ANN401 - the columns' own types
    ) -> Row[Any] | None:
        """Move a job, note it in the timeline, owe the callback; None if the job was elsewhere.

        `sources` are the states it may be in, if they are fewer than those `to` allows. Who
        `takes_over` has a result of another attempt than the current one, for which no failure of
        that one matters.
        """
        change = Change(job_id, message, columns, attempt_number, detail or {}, lambda _: images)
        kind = _kind(to, change, sources, takes_over=takes_over)
        row: Row[Any] | None = tx.first(
            move_one(kind), {**change.said, **told(message, change.detail)}
        )
        if row is not None:
            self._tell(tx, [(row, change)])
        return row

    def move_all(
        self, tx: Transaction, to: Status, changes: Sequence[Change]
    ) -> Mapping[UUID, Row[Any]]:
        """Move jobs as `move` does, each once, in one statement; return the rows of those that did.

        All changes are alike but for what they say. The others are locked from now on as well.
        """
        said = [{**one.said, **told(one.message, one.detail)} for one in changes]
        (kind,) = {_kind(to, one) for one in changes}
        rows = tx.rows(move_many(kind), {"said": records(said)})
        change_of = {one.job_id: one for one in changes}
        self._tell(tx, [(row, change_of[row.id]) for row in rows])
        return {row.id: row for row in rows}

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
        doubt = {"maybe_charged": True} if code in MAYBE_CHARGED else {}
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
            **{**doubt, **columns},
        )

    def _tell(self, tx: Transaction, moved: Sequence[tuple[Row[Any], Change]]) -> None:
        """Owe the callbacks of moved jobs, and count those that have ended."""
        owed = [
            self._owed(tx, row, change)
            for row, change in moved
            if row.callback_url is not None and event_type(row.status) in row.callback_events
        ]
        if owed:
            tx.execute(_OWE, {"said": records(owed)})
            tx.ring_after_commit(Message.DELIVER)
        for row, _ in moved:
            if row.status in TERMINAL:
                tx.count_after_commit(JOBS_ENDED.labels(status=row.status.value).inc)
                if row.maybe_charged:
                    tx.count_after_commit(MAYBE_CHARGED_ENDS.inc)

    def _owed(self, tx: Transaction, moved: Row[Any], change: Change) -> dict[str, Any]:
        row = moved
        if row.status not in TERMINAL:
            # few callers hear of these, so a move does not read the whole row for them
            row = tx.first(_WHOLE, {"of_job": moved.id})
        event = event_type(row.status)
        if row.callback_form is CallbackForm.FLUX:
            body = self.flux_documents.callback(row, change.images(row), change.detail)
        else:
            body = self.documents.callback(row, change.images(row), event, row.event_seq)
        return {
            "id": new_id(),
            "project_id": row.project_id,
            "job_id": row.id,
            "batch_id": row.batch_id,
            "seq": row.event_seq,
            "type": event,
            "url": row.callback_url,
            "origin": origin_of(row.callback_url),
            "body": body,
        }


def _kind(
    to: Status,
    change: Change,
    sources: frozenset[Status] | None = None,
    *,
    takes_over: bool = False,
) -> Kind:
    of_attempt = change.attempt_number is not None
    return Kind(to, sources, takes_over, of_attempt, kinds_of(change.columns))


def origin_of(url: str) -> str:
    """Return scheme, name and port of a URL that the address guard has read."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.lower()}"


def known(number: int) -> dict[str, Any]:
    """Return what changes with a move by which an attempt's fate is known.

    A job that was sent once more stays in doubt only for what its other attempts may have cost.
    """
    return {"resubmitted": DoubtsBut(number)}


def add_job(tx: Transaction, message: str, columns: Document) -> Row[Any] | None:
    """Insert a queued job with its first event; None if its idempotency key is taken.

    The row has `created_at`, and what limits its project.
    """
    row: Row[Any] | None = tx.first(
        add_one(kinds_of(columns)), {**parameters(columns), **told(message, {})}
    )
    return row


_WHOLE = select(*jobs.c).where(jobs.c.id == bindparam("of_job"))
_OWE = insert_all(
    Delivery,
    ["id", "project_id", "job_id", "batch_id", "seq", "type", "url", "origin", "body"],
    status=constant(DeliveryStatus.PENDING),
    due_at=func.now(),
)
