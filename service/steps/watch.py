"""Watch: how the service is doing, for /readyz and /metrics; cheap however many jobs there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import exists, extract, func, literal, select, true, union_all

from service.clock import seconds
from service.constants import constant
from service.database import Database
from service.messages import Message
from service.models import (
    HELD_PULSE,
    SPOOL_PULSE,
    Delivery,
    DeliveryStatus,
    Deployment,
    Gate,
    Pulse,
    images,
    jobs,
)
from service.owed import owed_hosts
from service.pulses import SWEEP_PULSE
from service.states import HOLDS_SLOT, TERMINAL, Status
from service.vitals import RECEIVER_PULSE

#: Jobs that are counted of each kind, and queued ones that are looked at for the oldest due: who
#: hands in a million must not keep /readyz from answering. Beyond, a reading says "at least".
COUNTED_JOBS = 10_000
#: What a worker says every few seconds has ended when it has not been said for so long.
SAID_SECONDS = 15.0
#: A spool is looked after twice a minute.
SPOOL_SEEN_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Health:
    """A reading of the tables; ages in seconds by the database's clock."""

    #: At least, from COUNTED_JOBS on; so is the age of the submit lane's oldest.
    live_jobs: dict[str, int]
    oldest_due_seconds: dict[str, float]
    slots_in_use: dict[str, int]
    closed_gates: dict[str, str]
    #: Of results that are kept nowhere yet.
    next_url_dies_in_seconds: float | None
    sweep_age_seconds: float | None
    #: Since a worker last heard a web process at PUBLIC_URL; None if none ever did.
    receiver_age_seconds: float | None
    #: Why workers submit nothing, and why nobody may.
    held: list[str]
    deployment_held: str | None
    #: Results on disks that no worker looks after now.
    stranded_results: int


@dataclass(frozen=True)
class Watch:
    """Reads partial indexes only, and no more than some thousand rows of what callers hand in."""

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
                    jobs.c.status == Status.STORING, jobs.c.kept_by.is_(None)
                )
            )
            stranded = tx.scalar(select(func.count()).where(_STRANDED))
            deployment_held = tx.scalar(
                select(Deployment.held_reason).where(Deployment.held_at.is_not(None))
            )
            pulses = tx.rows(select(Pulse.name, _age(Pulse.at).label("age")))
        ages = {row.name: float(row.age) for row in pulses}
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
            sweep_age_seconds=ages.get(SWEEP_PULSE),
            receiver_age_seconds=ages.get(RECEIVER_PULSE),
            held=sorted(
                name.removeprefix(HELD_PULSE)
                for name, age in ages.items()
                if name.startswith(HELD_PULSE) and age < SAID_SECONDS
            ),
            deployment_held=deployment_held,
            stranded_results=stranded,
        )


def _first_of_each_host() -> Any:  # noqa: ANN401 - a Select
    """Select when a callback is due next to each host: of one that is away many may wait."""
    hosts = owed_hosts()
    first = (
        select(Delivery.due_at)
        .where(
            Delivery.status == constant(DeliveryStatus.PENDING),
            Delivery.project_id == hosts.c.project_id,
            Delivery.origin == hosts.c.origin,
        )
        .order_by(Delivery.due_at)
        .limit(1)
        .lateral()
    )
    return select(first.c.due_at).select_from(hosts).join(first, true())


def _in(status: Status) -> Any:  # noqa: ANN401 - a Select
    return select(jobs.c.due_at).where(jobs.c.status == status)


#: What each lane has before it, or the first of it.
_LANES: dict[Message, Any] = {
    # only these have neither a bound of their own nor an index that begins with their due time
    Message.SUBMIT: _in(Status.QUEUED).limit(COUNTED_JOBS),
    Message.POLL: _in(Status.GENERATING),
    Message.STORE: _in(Status.STORING),
    Message.DELIVER: _first_of_each_host(),
    Message.DERIVE: select(images.c.due_at).where(images.c.due_at.is_not(None)),
}


_STRANDED = (
    (jobs.c.status == Status.STORING)
    & jobs.c.kept_by.is_not(None)
    & ~exists().where(
        Pulse.name == SPOOL_PULSE + jobs.c.kept_by,
        Pulse.at > func.now() - seconds(SPOOL_SEEN_SECONDS),
    )
)

#: The live states, grouped as the partial indexes are.
_LIVE = ([Status.QUEUED], sorted(HOLDS_SLOT), [Status.STORING])


def _count(states: list[Status]) -> Any:  # noqa: ANN401 - a Select
    # one that is known need not be read: the queue's index knows the rest
    status = literal(states[0], jobs.c.status.type) if len(states) == 1 else jobs.c.status
    live = select(jobs.c.provider, status.label("status")).where(jobs.c.status.in_(states))
    few = live.limit(COUNTED_JOBS).subquery()
    return select(few.c.provider, few.c.status, func.count().label("count")).group_by(
        few.c.provider, few.c.status
    )


def _oldest(lane: Message) -> Any:  # noqa: ANN401 - a Select
    age = _age(func.min(_LANES[lane].subquery().c.due_at))
    return select(literal(lane.stage).label("lane"), age.label("age"))


def _age(moment: Any) -> Any:  # noqa: ANN401 - a SQL expression
    return extract("epoch", func.now() - moment)


def _until(moment: Any) -> Any:  # noqa: ANN401 - a SQL expression
    return extract("epoch", moment - func.now())
