"""Deliver: the caller hears of its job, signed, again and again until it answers 2xx.

The delivery's id and bytes stay the same on every try, the timestamp and so the signature are fresh
(Standard Webhooks 1.0). A job that came through Flux's API is proved as Flux proves its webhooks. A
redirect is a failure and never followed; 410 ends it.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import Float, Integer, bindparam, case, func, insert, select, update

from service.clock import seconds
from service.database import Database, Transaction
from service.errors import AddressForbidden, DatabaseUnavailable, TransientError
from service.faults import fault_point
from service.ids import Kind, public_id
from service.legacy import Left, Legacy
from service.logs import get_log
from service.metrics import CALLBACK_TRIES
from service.models import CallbackForm, Delivery, DeliveryAttempt, DeliveryStatus, Project, jobs
from service.signing.callback import callback_headers
from service.signing.flux_callback import flux_callback_headers

log = get_log(__name__)

#: One try in all: name, connection, TLS, request and answer.
TRY_TIMEOUT_SECONDS = 15.0
#: How much of the caller's answer is read, and how much of that is kept, bytes.
MAX_ANSWER_BYTES = 64 * 1024
KEPT_ANSWER_BYTES = 2 * 1024
MAX_RETRY_AFTER_SECONDS = 3600.0
JITTER = 0.1

GONE = 410
THROTTLED = frozenset({429, 503})


class Answer(Protocol):
    """What a caller's address said."""

    @property
    def status(self) -> int:
        """The HTTP status."""
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


@dataclass(frozen=True, slots=True)
class Owed:
    """A callback that is due."""

    id: UUID
    job_id: UUID
    url: str
    body: str
    tries: int
    form: CallbackForm
    #: The project's, newest first.
    secrets: list[str] = field(repr=False)
    #: The `webhook_secret` of a Flux client.
    flux_secret: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Try:
    """What came of one try; `error` is None when the caller's address answered at all."""

    http_status: int | None
    error: str | None
    answer: str | None
    duration_ms: int
    retry_after_seconds: float = 0.0

    @property
    def succeeded(self) -> bool:
        """2xx, and nothing else, is success."""
        return self.http_status is not None and 200 <= self.http_status < 300  # noqa: PLR2004


@dataclass(frozen=True)
class Deliver:
    """The step of the deliver lane."""

    database: Database
    post: Post
    lease_seconds: float
    #: Seconds before each try, after the one before.
    schedule_seconds: Sequence[float]
    #: Tries that succeeded, as long as they are not noted.
    told: Legacy

    def claim(self, limit: int) -> list[Owed]:
        """Take the callbacks that have waited longest."""
        self._inherit()
        with self.database.transaction() as tx:
            rows = tx.rows(_CLAIM, {"most": limit, "lease_seconds": self.lease_seconds})
            if rows:
                fault_point("deliver.before_claim_commit")
        if rows:
            fault_point("deliver.after_claim")
        return [Owed(*row) for row in rows]

    def act(self, claim: Owed) -> Try:
        """Sign it for this moment and send it once."""
        began = time.monotonic()
        now = datetime.now(UTC)
        delivery_id = public_id(Kind.DELIVERY, claim.id)
        status, error, answer, wait = None, None, None, 0.0
        try:
            headers = {"Content-Type": "application/json", **_proofs(claim, now)}
            said = self.post(claim.url, claim.body.encode(), headers)
        except (AddressForbidden, TransientError) as problem:
            error = str(problem)
        except Exception as problem:
            # a bug of ours counts as a try, or it would come back for ever
            log.exception("deliver_crashed", delivery_id=delivery_id)
            error = f"internal error ({type(problem).__name__})"
        else:
            status = said.status
            answer = said.body[:KEPT_ANSWER_BYTES].decode("utf-8", "replace").replace("\x00", "")
            if status in THROTTLED:
                wait = said.retry_after_seconds(
                    base_seconds=0.0, cap_seconds=MAX_RETRY_AFTER_SECONDS, now=now
                )
        ended = Try(status, error, answer, round((time.monotonic() - began) * 1000), wait)
        fault_point("deliver.after_send")
        if ended.succeeded:
            self._keep(claim, ended)
        log.info(
            "deliver_attempt",
            delivery_id=delivery_id,
            job_id=str(claim.job_id),
            number=claim.tries + 1,
            http_status=status,
            error=error,
            duration_ms=ended.duration_ms,
        )
        return ended

    def record(self, ended: list[tuple[Owed, Try]]) -> None:
        """Note every try; end the delivery or plan the next."""
        with self.database.transaction() as tx:
            for owed, one in sorted(ended, key=lambda pair: pair[0].id):
                self._note(tx, owed.id, owed.tries + 1, one)
            fault_point("deliver.before_record_commit")
        fault_point("deliver.after_record")
        for owed, one in ended:
            if one.succeeded:
                self.told.forget(_name(owed))

    def _keep(self, owed: Owed, one: Try) -> None:
        """Have others know that nobody needs to be called again, if this process is killed now."""
        try:
            self.told.put(_name(owed), _TRY.dump_json(one))
        except OSError as error:
            log.warning("try_not_kept", reason=str(error))

    def _inherit(self) -> None:
        """Note what killed workers of this host have delivered (F37)."""
        with self.told.left() as files:
            known = sorted(_read(files), key=lambda one: one[:2])
            if not known:
                return
            try:
                with self.database.transaction() as tx:
                    for delivery_id, number, one in known:
                        self._note(tx, delivery_id, number, one)
                log.info("deliver_inherited", deliveries=len(known))
            except DatabaseUnavailable:
                raise
            except Exception:
                # a damaged file must not keep the lane from all others: they are told again
                log.exception("deliver_inherit_crashed", deliveries=len(known))

    def _note(self, tx: Transaction, delivery_id: UUID, number: int, one: Try) -> None:
        status, wait_seconds = DeliveryStatus.PENDING, None
        if one.succeeded:
            status = DeliveryStatus.DELIVERED
        elif one.http_status == GONE or number >= len(self.schedule_seconds):
            status = DeliveryStatus.EXHAUSTED
        else:
            wait_seconds = self._wait_seconds(number, one)
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
            },
        )

    def _wait_seconds(self, number: int, one: Try) -> float:
        planned = self.schedule_seconds[number]
        jitter = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load
        return max(planned * jitter, one.retry_after_seconds)


_DUE = (
    select(Delivery.id)
    .where(Delivery.status == DeliveryStatus.PENDING, Delivery.due_at <= func.now())
    .order_by(Delivery.due_at)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True)
    .cte()
)
_CLAIM = (
    update(Delivery)
    .where(
        Delivery.id.in_(select(_DUE.c.id)),
        Delivery.project_id == Project.id,
        Delivery.job_id == jobs.c.id,
    )
    .values(due_at=func.now() + seconds(bindparam("lease_seconds", type_=Float)))
    .returning(
        Delivery.id,
        Delivery.job_id,
        Delivery.url,
        Delivery.body,
        Delivery.tries,
        jobs.c.callback_form,
        Project.callback_secrets,
        jobs.c.callback_secret,
    )
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


_TRY = TypeAdapter(Try)


def _name(owed: Owed) -> str:
    return f"{owed.id.hex}.{owed.tries + 1}"


def _read(files: Iterable[Left]) -> Iterator[tuple[UUID, int, Try]]:
    for file in files:
        delivery, _, number = file.name.partition(".")
        try:
            yield UUID(hex=delivery), int(number), _TRY.validate_json(file.content)
        except ValueError:
            # killed while it wrote: as if it had not come to it
            log.warning("try_unreadable", name=file.name)


def _proofs(claim: Owed, now: datetime) -> Mapping[str, str]:
    """Return the headers that prove a callback to its caller."""
    if claim.form is CallbackForm.FLUX:
        return flux_callback_headers(claim.body.encode(), claim.flux_secret)
    delivery_id = public_id(Kind.DELIVERY, claim.id)
    return callback_headers(delivery_id, claim.body, claim.secrets, now)
