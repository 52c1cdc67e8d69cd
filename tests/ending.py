"""Jobs that have ended, one way or another, by the product's own moves."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from factories import ago, enqueue, project_id, put
from fakes.waiting import wait_until
from sqlalchemy import select, update

from service.keys import NewKey
from service.models import Ending, Fold, HeardBy
from service.states import ErrorCode, Status
from service.steps.fold import FoldHours
from service.wiring import Wiring


def succeeded(
    wiring: Wiring,
    key: NewKey,
    *,
    margin_seconds: float = 500,
    heard_by: HeardBy = HeardBy.WEBHOOK,
    cost: str | None = "4.5",
) -> UUID:
    """Return a job whose bytes were safe so long before their URL died."""
    job_id = enqueue(wiring, key)
    actual = None if cost is None else Decimal(cost)
    put(wiring, job_id, status=Status.STORING, heard_by=heard_by, cost_actual=actual)
    with wiring.database.transaction() as tx:
        row = wiring.moves.move(tx, job_id, Status.SUCCEEDED, "The image is in the bucket")
    assert row is not None
    dies_at = row.completed_at + timedelta(seconds=margin_seconds)
    put(wiring, job_id, result_expires_at=dies_at)
    return job_id


def failed(
    wiring: Wiring,
    key: NewKey,
    code: ErrorCode = ErrorCode.UPSTREAM_ERROR,
    **columns: Any,  # noqa: ANN401 - the columns' own types
) -> UUID:
    """Return a job that upstream ended without a picture, or nobody knows whether it did."""
    job_id = enqueue(wiring, key)
    is_unheard = code is ErrorCode.SUBMISSION_UNCONFIRMED
    state = Status.UNCONFIRMED if is_unheard else Status.GENERATING
    put(wiring, job_id, status=state, **columns)
    with wiring.database.transaction() as tx:
        assert wiring.moves.fail(tx, job_id, code, "Flux had its reasons")
    return job_id


def canceled(wiring: Wiring, key: NewKey) -> UUID:
    """Return a job that its caller withdrew."""
    job_id = enqueue(wiring, key)
    wiring.enqueue.cancel(project_id(wiring, key), job_id)
    return job_id


def was_hours_ago(wiring: Wiring, job_id: UUID, hours: float) -> None:
    """Let a job's end have been told of at another time."""
    with wiring.database.transaction() as tx:
        mine = update(Ending).where(Ending.job_id == job_id)
        assert tx.execute(mine.values(at=ago(3600 * hours)))


def fold_all(step: FoldHours) -> None:
    """Count all ends up to now; whoever writes to another database of the server puts it off."""
    now = ago(0)

    def folded() -> bool:
        step()
        with step.database.transaction() as tx:
            return bool(tx.scalar(select(Fold.through >= now)))

    wait_until(folded, bool)
