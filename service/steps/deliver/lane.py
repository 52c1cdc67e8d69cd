"""Calls, and notes what came of it."""

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy import Float, Integer, bindparam, case, func, insert, select, update

from service.clock import seconds
from service.database import Database, Transaction
from service.errors import AddressForbidden, DatabaseUnavailable, TransientError
from service.faults import fault_point
from service.ids import Kind, public_id
from service.logs import get_log
from service.messages import Message
from service.metrics import CALLBACK_TRIES
from service.models import CallbackForm, Delivery, DeliveryAttempt, DeliveryStatus
from service.signing.callback import callback_headers
from service.signing.flux_callback import flux_callback_headers
from service.steps.deliver import hosts
from service.steps.deliver.due import CLAIM, Host, asked
from service.steps.deliver.told import Told
from service.steps.deliver.tries import KEPT_ANSWER_BYTES, Owed, Try

log = get_log(__name__)

MAX_RETRY_AFTER_SECONDS = 3600.0
JITTER = 0.1
#: Calls at a time of one process to one host.
PLACES_PER_HOST = 4
MAX_LOCATION_CHARS = 2083
#: What waits for its host longer than this past its schedule's end is given up.
LATE_SECONDS = 86_400.0
EXPIRED_AT_A_TIME = 1000

GONE = 410
THROTTLED = frozenset({429, 503})
_REDIRECTS = range(300, 400)


class Answer(Protocol):
    """What a caller's address said."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, whatever their case."""
        ...

    @property
    def body(self) -> bytes:
        """What was read of the body."""
        ...

    def retry_after_seconds(
        self, *, base_seconds: float, cap_seconds: float, now: datetime
    ) -> float:
        """Return the delay that the caller's address asks for, within bounds."""
        ...


#: Posts (url, body, headers) within TRY_TIMEOUT_SECONDS through the address guard; raises
#: AddressForbidden or a TransientError.
Post = Callable[[str, bytes, Mapping[str, str]], Answer]


@dataclass(frozen=True)
class Deliver:
    """The step of the deliver lane."""

    database: Database
    post: Post
    lease_seconds: float
    #: Seconds before each try, after the one before.
    schedule_seconds: Sequence[float]
    told: Told
    #: Where the calls of this process go that are under way.
    busy: dict[UUID, Host] = field(default_factory=dict)

    def claim(self, limit: int) -> list[Owed]:
        """Take the callbacks that have waited longest, as far as their hosts have places."""
        self._inherit()
        wanted = asked(limit, self.lease_seconds, PLACES_PER_HOST, Counter(self.busy.values()))
        with self.database.transaction() as tx:
            claimed = [Owed(*row) for row in tx.rows(CLAIM, wanted)]
            for host in sorted({one.host for one in claimed}):
                hosts.probed(tx, host)
            if claimed:
                fault_point("deliver.before_claim_commit")
        self.busy.update((one.id, one.host) for one in claimed)
        if claimed:
            fault_point("deliver.after_claim")
        return claimed

    def act(self, claim: Owed) -> Try:
        """Sign it for this moment and send it once."""
        began = time.monotonic()
        try:
            one = self._call(claim)
        except (AddressForbidden, TransientError) as problem:
            one = Try(error=str(problem))
        except Exception as problem:
            # a bug of ours counts as a try, or it would come back for ever
            log.exception("deliver_crashed", delivery_id=public_id(Kind.DELIVERY, claim.id))
            one = Try(error=f"internal error ({type(problem).__name__})")
        one = replace(one, duration_ms=round((time.monotonic() - began) * 1000))
        fault_point("deliver.after_send")
        if one.succeeded:
            self.told.keep(claim, one)
        log.info(
            "deliver_attempt",
            delivery_id=public_id(Kind.DELIVERY, claim.id),
            job_id=str(claim.job_id),
            number=claim.tries + 1,
            http_status=one.http_status,
            error=one.error,
            duration_ms=one.duration_ms,
        )
        return one

    def _call(self, claim: Owed) -> Try:
        now = datetime.now(UTC)
        headers = {"Content-Type": "application/json", **_proofs(claim, now)}
        said = self.post(claim.url, claim.body.encode(), headers)
        wait = said.retry_after_seconds(
            base_seconds=0.0, cap_seconds=MAX_RETRY_AFTER_SECONDS, now=now
        )
        location = said.headers.get("Location") if said.status in _REDIRECTS else None
        return Try(
            http_status=said.status,
            answer=_text(said.body[:KEPT_ANSWER_BYTES].decode("utf-8", "replace")),
            retry_after_seconds=wait if said.status in THROTTLED else 0.0,
            location=None if location is None else _text(location[:MAX_LOCATION_CHARS]),
        )

    def record(self, ended: list[tuple[Owed, Try]]) -> None:
        """Note every try; end the delivery or plan the next."""
        taken = Counter(self.busy.values())
        for owed, _ in ended:
            self.busy.pop(owed.id, None)
        with self.database.transaction() as tx:
            for owed, one in sorted(ended, key=lambda pair: pair[0].id):
                number = owed.tries + 1
                self._note(tx, owed.id, number, one, in_schedule=number - owed.tries_before)
            for owed, one in sorted(ended, key=lambda pair: pair[0].host):
                if one.succeeded or one.http_status == GONE:
                    hosts.answered(tx, owed.host)
                else:
                    hosts.failed(tx, owed.host, one)
            if any(taken[owed.host] >= PLACES_PER_HOST for owed, _ in ended):
                # more may wait for the places that are free again
                tx.ring_after_commit(Message.DELIVER)
            fault_point("deliver.before_record_commit")
        fault_point("deliver.after_record")
        for owed, one in ended:
            if one.succeeded:
                self.told.forget(owed)

    def expire(self) -> None:
        """Give up what an unwell host has kept waiting for longer than its schedule."""
        longest = sum(self.schedule_seconds) * (1 + JITTER) + LATE_SECONDS
        with self.database.transaction() as tx:
            count = tx.execute(_EXPIRE, {"longest_seconds": longest})
        if count:
            log.warning("deliveries_expired", deliveries=count)

    def _inherit(self) -> None:
        """Note what killed workers of this host have delivered."""
        with self.told.left() as known:
            if not known:
                return
            try:
                with self.database.transaction() as tx:
                    for delivery_id, number, one in known:
                        self._note(tx, delivery_id, number, one, in_schedule=number)
                log.info("deliver_inherited", deliveries=len(known))
            except DatabaseUnavailable:
                raise
            except Exception:
                # a damaged file must not keep the lane from all others: they are told again
                log.exception("deliver_inherit_crashed", deliveries=len(known))

    def _note(
        self, tx: Transaction, delivery_id: UUID, number: int, one: Try, *, in_schedule: int
    ) -> None:
        """Note a try, by its number in all and in the schedule that it is part of."""
        status, wait_seconds = DeliveryStatus.PENDING, None
        if one.succeeded:
            status = DeliveryStatus.DELIVERED
        elif one.http_status == GONE or in_schedule >= len(self.schedule_seconds):
            status = DeliveryStatus.EXHAUSTED
        else:
            wait_seconds = self._wait_seconds(in_schedule, one)
        said = {"said_status": status, "wait_seconds": wait_seconds}
        mine = tx.execute(_TRIED, {"of_delivery": delivery_id, "of_try": number, **said})
        if not mine:
            return
        outcome = "delivered" if one.succeeded else "failed"
        tx.count_after_commit(CALLBACK_TRIES.labels(outcome=outcome).inc)
        tx.execute(
            insert(DeliveryAttempt),
            {
                "delivery_id": delivery_id,
                "number": number,
                "duration_ms": one.duration_ms,
                "http_status": one.http_status,
                "error": one.error,
                "answer": one.answer,
                "location": one.location,
            },
        )

    def _wait_seconds(self, number: int, one: Try) -> float:
        planned = self.schedule_seconds[number]
        jitter = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load
        return max(planned * jitter, one.retry_after_seconds)


_LATE = (
    select(Delivery.id)
    .where(
        Delivery.status == DeliveryStatus.PENDING,
        Delivery.due_at <= func.now(),
        Delivery.began_at <= func.now() - seconds(bindparam("longest_seconds", type_=Float)),
    )
    .limit(EXPIRED_AT_A_TIME)
    .with_for_update(skip_locked=True)
    .cte()
)
_EXPIRE = (
    update(Delivery)
    .where(Delivery.id.in_(select(_LATE.c.id)))
    .values(status=DeliveryStatus.EXHAUSTED, due_at=None, completed_at=func.now())
)

_WAIT = bindparam("wait_seconds", type_=Float)
_TRIED = (
    update(Delivery)
    .where(
        Delivery.id == bindparam("of_delivery"),
        Delivery.status == DeliveryStatus.PENDING,
        Delivery.tries == bindparam("of_try", type_=Integer) - 1,
    )
    .values(
        status=bindparam("said_status", type_=Delivery.status.type),
        tries=bindparam("of_try", type_=Integer),
        # without a wait there is no next try
        due_at=func.now() + seconds(_WAIT),
        completed_at=case((_WAIT.is_(None), func.now())),
    )
)


def _text(said: str) -> str:
    """Leave out what PostgreSQL cannot hold."""
    return said.replace("\x00", "")


def _proofs(claim: Owed, now: datetime) -> Mapping[str, str]:
    """Return the headers that prove a callback to its caller."""
    if claim.form is CallbackForm.FLUX:
        return flux_callback_headers(claim.body.encode(), claim.flux_secret)
    delivery_id = public_id(Kind.DELIVERY, claim.id)
    return callback_headers(delivery_id, claim.body, claim.secrets, now)
