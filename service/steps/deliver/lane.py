"""Calls, and notes what came of it."""

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy import Float, bindparam, func, select, update

from service.clock import seconds
from service.constants import constant
from service.database import Database
from service.errors import AddressForbidden, DatabaseUnavailable, TransientError
from service.faults import fault_point
from service.ids import Kind, public_id
from service.logs import get_log
from service.models import CallbackForm, Delivery, DeliveryStatus
from service.signing.callback import callback_headers
from service.signing.flux_callback import flux_callback_headers
from service.steps.deliver import hosts
from service.steps.deliver.busy import Busy
from service.steps.deliver.due import CLAIM, PLACES_PER_HOST, runs
from service.steps.deliver.noted import Noted, give_back, note
from service.steps.deliver.told import Page, Told
from service.steps.deliver.tries import GONE, KEPT_ANSWER_BYTES, Owed, Run, Try

log = get_log(__name__)

MAX_RETRY_AFTER_SECONDS = 3600.0
JITTER = 0.1
#: When the callbacks of a run that have not begun by then are left to others.
RUN_SECONDS = 1.0
MAX_LOCATION_CHARS = 2083
#: What waits for its host longer than this past its schedule's end is given up.
LATE_SECONDS = 86_400.0
EXPIRED_AT_A_TIME = 1000

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
    busy: Busy = field(default_factory=Busy)

    def claim(self, limit: int) -> list[Run]:
        """Take the callbacks that have waited longest, as far as their hosts have places."""
        self._inherit()
        limits = {"most_places": limit, "lease_seconds": self.lease_seconds}
        with self.database.transaction() as tx:
            claimed = runs(tx.rows(CLAIM, {**limits, **self.busy.known()}))
            for host in sorted({run.host for run in claimed if run.is_failing}):
                hosts.probed(tx, host)
            if claimed:
                fault_point("deliver.before_claim_commit")
        self.busy.begin(claimed)
        if claimed:
            fault_point("deliver.after_claim")
        return claimed

    def act(self, claim: Run) -> list[Try]:
        """Send one after the other; what a slow host leaves no time for is not tried."""
        stop_at = time.monotonic() + RUN_SECONDS
        tries: list[Try] = []
        try:
            told = self.told.page(claim)
            for owed in claim.owed:
                tries.append(self._try(owed, told))
                if time.monotonic() >= stop_at or tries[-1].http_status in THROTTLED:
                    break
        except Exception:
            # what is known must be noted, and the place be free again
            log.exception("deliver_run_crashed")
        return tries

    def _try(self, claim: Owed, told: Page) -> Try:
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
            told.keep(claim, one)
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

    def record(self, ended: list[tuple[Run, list[Try]]]) -> bool:
        """Note every try; end the delivery or plan the next."""
        self.busy.end(ended)
        tried = [pair for run, tries in ended for pair in zip(run.owed, tries, strict=False)]
        with self.database.transaction() as tx:
            note(tx, [self._noted(owed, one) for owed, one in tried])
            # what crashed at once waits for its lease, or it would crash for ever
            begun = [(run, tries) for run, tries in ended if tries]
            give_back(tx, (owed for run, tries in begun for owed in run.owed[len(tries) :]))
            for run, tries in sorted(ended, key=lambda pair: pair[0].host):
                hosts.heard(tx, run, tries)
            fault_point("deliver.before_record_commit")
        fault_point("deliver.after_record")
        for run, _ in ended:
            self.told.forget(run)
        return self._may_have_more(ended)

    def _may_have_more(self, ended: list[tuple[Run, list[Try]]]) -> bool:
        """Tell whether something may have waited for the places that are free now."""
        places = self.busy.places() + Counter(run.host for run, _ in ended)
        return any(
            places[run.host] >= PLACES_PER_HOST
            or len(run.owed) > 1
            or run.is_failing
            or not all(one.succeeded for one in tries)
            for run, tries in ended
        )

    def expire(self) -> None:
        """Give up what an unwell host has kept waiting for longer than its schedule."""
        longest = sum(self.schedule_seconds) * (1 + JITTER) + LATE_SECONDS
        count = EXPIRED_AT_A_TIME
        while count == EXPIRED_AT_A_TIME:
            with self.database.transaction() as tx:
                count = tx.execute(_EXPIRE, {"longest_seconds": longest})
            if count:
                log.warning("deliveries_expired", deliveries=count)

    def _inherit(self) -> None:
        """Note what killed workers of this host have delivered."""
        with self.told.left() as known:
            if not known:
                return
            tries = [
                Noted(delivery_id, number, None, one, DeliveryStatus.DELIVERED, None)
                for delivery_id, number, one in known
            ]
            try:
                with self.database.transaction() as tx:
                    note(tx, tries)
                log.info("deliver_inherited", deliveries=len(known))
            except DatabaseUnavailable:
                raise
            except Exception:
                # a damaged file must not keep the lane from all others: they are told again
                log.exception("deliver_inherit_crashed", deliveries=len(known))

    def _noted(self, owed: Owed, one: Try) -> Noted:
        """Say what a try means for its delivery."""
        number = owed.tries + 1
        in_schedule = number - owed.tries_before
        if one.succeeded:
            return Noted(owed.id, number, owed.began_at, one, DeliveryStatus.DELIVERED, None)
        if one.http_status == GONE or in_schedule >= len(self.schedule_seconds):
            return Noted(owed.id, number, owed.began_at, one, DeliveryStatus.EXHAUSTED, None)
        wait_seconds = self._wait_seconds(in_schedule, one)
        return Noted(owed.id, number, owed.began_at, one, DeliveryStatus.PENDING, wait_seconds)

    def _wait_seconds(self, number: int, one: Try) -> float:
        planned = self.schedule_seconds[number]
        jitter = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load
        return max(planned * jitter, one.retry_after_seconds)


_LATE = (
    select(Delivery.id)
    .where(
        Delivery.status == constant(DeliveryStatus.PENDING),
        Delivery.due_at <= func.now(),
        Delivery.began_at <= func.now() - seconds(bindparam("longest_seconds", type_=Float)),
    )
    .limit(constant(EXPIRED_AT_A_TIME))
    .with_for_update(skip_locked=True)
    .cte()
)
_EXPIRE = (
    update(Delivery)
    .where(Delivery.id.in_(select(_LATE.c.id)))
    .values(status=DeliveryStatus.EXHAUSTED, due_at=None, completed_at=func.now())
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
