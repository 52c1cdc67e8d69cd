"""Payments of which a person should know: made twice, made for nothing, or perhaps made."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import and_, case, exists, func, literal, not_, or_, select
from sqlalchemy.orm import aliased

from service.database import Database
from service.ids import first_id
from service.models import Attempt, FluxWebhook, jobs
from service.states import AttemptOutcome, ErrorCode, Status
from service.steps.reconcile.accounts import CLOCKS_APART, COST, is_paid

#: Rows that are held at a time.
PAGE_ROWS = 500


class Kind(StrEnum):
    """What is doubtful about a payment."""

    #: Paid, and so is the attempt of the same job that won.
    DUPLICATE_CHARGE = "duplicate_charge"
    #: Nobody ever said whether it is paid; the job has ended.
    MAYBE_CHARGED = "maybe_charged"
    #: Nobody ever said whether it is paid; the job was sent again.
    WRITTEN_OFF = "written_off"
    #: Paid, and the picture never came or could not be kept.
    NO_PICTURE = "no_picture"
    #: Flux's webhook for an attempt that is not in the database, as after a restore.
    UNMATCHED_WEBHOOK = "unmatched_webhook"


_IS_PAID = is_paid(Attempt)
#: Failures of jobs that upstream did not end.
_WITHOUT_PICTURE = (
    ErrorCode.UPSTREAM_TIMEOUT,
    ErrorCode.RESULT_EXPIRED,
    ErrorCode.RESULT_INVALID,
    ErrorCode.INTERNAL,
)


@dataclass(frozen=True, slots=True)
class Doubt:
    """One such payment."""

    kind: Kind
    at: datetime
    attempt_id: UUID
    provider: str | None = None
    job_id: UUID | None = None
    attempt_number: int | None = None
    task_id: str | None = None
    #: What it cost or would have, as far as known.
    credits: Decimal | None = None
    reason: str | None = None


def doubts(database: Database, since: datetime) -> Iterator[Doubt]:
    """Yield every doubtful payment since a moment: attempts by age, then webhooks.

    Raises:
        DatabaseUnavailable: the rest is not known.
    """
    for query in (_attempts, _webhooks):
        after = first_id(since - CLOCKS_APART)
        while True:
            with database.transaction() as tx:
                rows = tx.rows(query(after, since).limit(PAGE_ROWS))
            for row in rows:
                yield Doubt(Kind(row.kind), *row[1:])
            if not rows:
                break
            after = rows[-1].attempt_id


def _attempts(after: UUID, since: datetime) -> Any:  # noqa: ANN401 - a Select
    other = aliased(Attempt)
    is_current = jobs.c.attempt_count == Attempt.number
    another_is_paid = exists().where(
        other.job_id == Attempt.job_id, other.number != Attempt.number, is_paid(other)
    )
    may_be_paid = or_(
        Attempt.outcome.is_(None),
        Attempt.outcome.in_([AttemptOutcome.UNKNOWN, AttemptOutcome.WRITTEN_OFF]),
    )
    has_failed = and_(is_current, jobs.c.status == Status.FAILED)
    kind = case(
        (and_(_IS_PAID, not_(is_current), another_is_paid), Kind.DUPLICATE_CHARGE),
        (and_(_IS_PAID, has_failed, jobs.c.error_code.in_(_WITHOUT_PICTURE)), Kind.NO_PICTURE),
        (and_(has_failed, may_be_paid), Kind.MAYBE_CHARGED),
        (Attempt.outcome == AttemptOutcome.WRITTEN_OFF, Kind.WRITTEN_OFF),
    )
    found = (
        select(
            kind.label("kind"),
            Attempt.intent_at.label("at"),
            Attempt.id.label("attempt_id"),
            Attempt.provider,
            Attempt.job_id,
            Attempt.number.label("attempt_number"),
            Attempt.task_id,
            COST.label("credits"),
            func.coalesce(jobs.c.error_message, Attempt.error).label("reason"),
        )
        .join(jobs, jobs.c.id == Attempt.job_id)
        .where(Attempt.id > after, Attempt.intent_at >= since)
        .subquery()
    )
    return select(found).where(found.c.kind.is_not(None)).order_by(found.c.attempt_id)


def _webhooks(after: UUID, since: datetime) -> Any:  # noqa: ANN401 - a Select
    kind = literal(Kind.UNMATCHED_WEBHOOK).label("kind")
    at = func.min(FluxWebhook.received_at).label("at")
    return (
        select(kind, at, FluxWebhook.attempt_id)
        .where(FluxWebhook.attempt_id > after, FluxWebhook.effect == "unmatched")
        .where(FluxWebhook.received_at >= since)
        .group_by(FluxWebhook.attempt_id)
        .order_by(FluxWebhook.attempt_id)
    )
