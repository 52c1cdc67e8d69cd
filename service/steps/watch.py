"""Watch: how the service is doing, for /readyz and /metrics; cheap however many jobs there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, extract, func, literal, select, union_all

from service.database import Database
from service.messages import Message
from service.models import Delivery, DeliveryStatus, Gate, Pulse, images, jobs
from service.states import HOLDS_SLOT, TERMINAL, Status


@dataclass(frozen=True, slots=True)
class Health:
    """A reading of the tables; ages in seconds by the database's clock."""

    live_jobs: dict[str, int]
    oldest_due_seconds: dict[str, float]
    slots_in_use: dict[str, int]
    closed_gates: dict[str, str]
    next_url_dies_in_seconds: float | None
    sweep_age_seconds: float | None


@dataclass(frozen=True)
class Watch:
    """Reads partial indexes only: what has ended is never counted."""

    database: Database
    #: Whom we pay; a gate in front of anybody else is nobody's trouble.
    providers: Sequence[str]

    def health(self) -> Health:
        """Read everything once.

        Raises:
            DatabaseUnavailable: which is an answer in itself.
        """
        live = [status for status in Status if status not in TERMINAL]
        with self.database.transaction() as tx:
            counts = tx.rows(union_all(*(_count(states) for states in _LIVE)))
            due = tx.rows(union_all(*(_oldest(lane) for lane in _LANES)))
            gates = tx.rows(
                select(Gate.provider, Gate.closed_reason).where(
                    Gate.closed_reason.is_not(None), Gate.provider.in_(self.providers)
                )
            )
            margin = tx.scalar(
                select(_until(func.min(jobs.c.result_expires_at))).where(
                    jobs.c.status == Status.STORING
                )
            )
            sweep_age = tx.scalar(select(_age(Pulse.at)).where(Pulse.name == "sweep"))
        held = {row.provider: 0 for row in counts}
        per_status = dict.fromkeys((status.value for status in live), 0)
        for row in counts:
            per_status[row.status.value] += row.count
            held[row.provider] += row.count if row.status in HOLDS_SLOT else 0
        return Health(
            live_jobs=per_status,
            oldest_due_seconds={row.lane: max(0.0, float(row.age or 0)) for row in due},
            slots_in_use=held,
            closed_gates={row.provider: row.closed_reason for row in gates},
            next_url_dies_in_seconds=None if margin is None else float(margin),
            sweep_age_seconds=None if sweep_age is None else float(sweep_age),
        )


_LANES: dict[Message, tuple[Any, ColumnElement[bool]]] = {
    Message.SUBMIT: (jobs.c.due_at, jobs.c.status == Status.QUEUED),
    Message.POLL: (jobs.c.due_at, jobs.c.status == Status.GENERATING),
    Message.STORE: (jobs.c.due_at, jobs.c.status == Status.STORING),
    Message.DELIVER: (Delivery.due_at, Delivery.status == DeliveryStatus.PENDING),
    Message.DERIVE: (images.c.due_at, images.c.due_at.is_not(None)),
}


#: The live states, grouped as the partial indexes are.
_LIVE = ([Status.QUEUED], sorted(HOLDS_SLOT), [Status.STORING])


def _count(states: list[Status]) -> Any:  # noqa: ANN401 - a Select
    return (
        select(jobs.c.provider, jobs.c.status, func.count().label("count"))
        .where(jobs.c.status.in_(states))
        .group_by(jobs.c.provider, jobs.c.status)
    )


def _oldest(lane: Message) -> Any:  # noqa: ANN401 - a Select
    due_at, waiting = _LANES[lane]
    age = _age(func.min(due_at))
    return select(literal(lane.stage).label("lane"), age.label("age")).where(waiting)


def _age(moment: Any) -> Any:  # noqa: ANN401 - a SQL expression
    return extract("epoch", func.now() - moment)


def _until(moment: Any) -> Any:  # noqa: ANN401 - a SQL expression
    return extract("epoch", moment - func.now())
