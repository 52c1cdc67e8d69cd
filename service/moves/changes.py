"""Changes of a job's status: compare, set, note, and owe the callback."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Executable,
    Row,
    and_,
    bindparam,
    func,
    insert,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from service.database import Transaction
from service.documents import Document, Documents, FluxDocuments, ImageRow
from service.ids import new_id
from service.messages import Message
from service.metrics import JOBS_ENDED, MAYBE_CHARGED_ENDS
from service.models import CallbackForm, Delivery, DeliveryStatus, jobs
from service.moves.values import DoubtsBut, Kinds, expressions, kinds_of, parameters
from service.states import (
    ENTERED_FROM,
    FAILED_FROM,
    MAYBE_CHARGED,
    PROMOTABLE,
    TERMINAL,
    ErrorCode,
    Status,
)
from service.timeline import ended, event_type, noted, told


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
        kind = _Kind(to, sources, takes_over, attempt_number is not None, kinds_of(columns))
        row: Row[Any] | None = tx.first(
            _moved(kind),
            {
                **parameters(columns),
                "of_job": job_id,
                **({} if attempt_number is None else {"of_attempt": attempt_number}),
                **told(message, detail or {}),
            },
        )
        if row is not None:
            self._owe(tx, row, images, detail or {})
            if to in TERMINAL:
                tx.count_after_commit(JOBS_ENDED.labels(status=to.value).inc)
                if row.maybe_charged:
                    tx.count_after_commit(MAYBE_CHARGED_ENDS.inc)
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
        owed = {
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
        tx.execute(_OWE, owed)
        tx.ring_after_commit(Message.DELIVER)


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
    """Insert a queued job with its first event; None if its idempotency key is taken."""
    row: Row[Any] | None = tx.first(
        _added(kinds_of(columns)), {**parameters(columns), **told(message, {})}
    )
    return row


_OWE = insert(Delivery).values(status=DeliveryStatus.PENDING, due_at=func.now())


@dataclass(frozen=True, slots=True)
class _Kind:
    """What two moves must have in common to be one statement, built once."""

    to: Status
    sources: frozenset[Status] | None
    takes_over: bool
    is_of_attempt: bool
    columns: Kinds


@cache
def _moved(kind: _Kind) -> Executable:
    conditions = [
        jobs.c.id == bindparam("of_job"),
        _enterable(kind.to, takes_over=kind.takes_over),
    ]
    if kind.sources is not None:
        conditions.append(jobs.c.status.in_(sorted(kind.sources)))
    if kind.is_of_attempt:
        conditions.append(jobs.c.attempt_count == bindparam("of_attempt"))
    columns = expressions(kind.columns)
    values: dict[str, Any] = {
        "status": kind.to,
        "tries": 0,
        "deaths": 0,
        "refusals": 0,
        "due_at": None,
        "event_seq": jobs.c.event_seq + 1,
        "completed_at": func.now() if kind.to in TERMINAL else None,
        "error_code": None,
        "error_message": None,
        "error_upstream_status": None,
        # an attempt that was written off may be paid besides, whatever becomes of the next
        "maybe_charged": columns.get("resubmitted", jobs.c.resubmitted),
        **({"is_unsettled": jobs.c.reserved_on.is_not(None)} if kind.to in TERMINAL else {}),
        **columns,
    }
    moved = update(jobs).where(*conditions).values(values).returning(*jobs.c).cte("moved")
    lines = [noted(moved, kind.to), *([ended(moved, kind.to)] if kind.to in TERMINAL else [])]
    return select(moved).add_cte(*lines)


@cache
def _added(columns: Kinds) -> Executable:
    added = (
        upsert(jobs)
        .values(status=Status.QUEUED, event_seq=1, **expressions(columns))
        .on_conflict_do_nothing(index_elements=["project_id", "idempotency_key"])
        .returning(*jobs.c)
        .cte("added")
    )
    return select(added).add_cte(noted(added, Status.QUEUED))


def _enterable(to: Status, *, takes_over: bool) -> ColumnElement[bool]:
    sources = ENTERED_FROM[to]
    plain = jobs.c.status.in_(sorted(sources - {Status.FAILED}))
    if takes_over:
        return jobs.c.status.in_(sorted(sources))
    if to is Status.CANCELED:
        # what was sent once already may be paid
        return and_(plain, not_(jobs.c.resubmitted))
    if Status.FAILED not in sources:
        return plain
    codes = sorted(PROMOTABLE[to])
    return or_(plain, and_(jobs.c.status == Status.FAILED, jobs.c.error_code.in_(codes)))
