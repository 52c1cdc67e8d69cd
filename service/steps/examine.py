"""Examine: whether what we buy could be kept, asked before anybody needs it.

The bucket has to answer, and the receiver has to be reachable where Flux is told to call it: what
is bought while either is away may be paid for and lost.
"""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol

from sqlalchemy import delete, func, select

from service.clock import seconds
from service.database import Database
from service.errors import AddressForbidden, StorageUnavailable, TransientError
from service.logs import get_log
from service.models import HELD_PULSE, FluxWebhook, Pulse
from service.pulses import beat
from service.signing.presence import PresenceSigner
from service.vitals import RECEIVER_FORGOTTEN_SECONDS, RECEIVER_PULSE, Vitals

#: So often in a row the receiver may fail to answer, about half a minute.
FAILED_ANSWERS = 3
#: Another worker's proof that the receiver can be reached, or Flux's, holds for so long.
PROOF_SECONDS = 30.0
#: Newest webhooks that are looked at: attempts of about one minute under load.
NEWEST_WEBHOOKS = 20
#: What nobody has said for so long is written off, seconds.
FORGOTTEN_SECONDS = 3600.0

_RECEIVER = "receiver"

log = get_log(__name__)


class Bucket(Protocol):
    """Where images live."""

    def check(self) -> None:
        """Ask whether the bucket is there, or raise StorageUnavailable."""

    def probe(self, key: str) -> None:
        """Store a small object of no worth there, or raise StorageUnavailable."""


class Answer(Protocol):
    """What was said at PUBLIC_URL."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def body(self) -> bytes:
        """What was read of the body."""
        ...


@dataclass
class Examine:
    """Asks, and tells the vitals."""

    database: Database
    vitals: Vitals
    bucket: Bucket
    #: Where it is probed.
    probe_key: str
    #: Asks a web process by its public path; raises AddressForbidden or a TransientError.
    get: Callable[[str], Answer]
    presence: PresenceSigner
    _failed_answers: int = field(default=0, init=False)

    def look_at_bucket(self) -> None:
        """Ask it; one that does not answer soon must take bytes, or nothing is bought.

        A bucket that is only slow to answer takes them, and goes on counting as well.
        """
        if self.vitals.bucket_is_well and self._bucket_answers():
            return
        try:
            self.bucket.probe(self.probe_key)
        except StorageUnavailable as error:
            self.vitals.bucket_is_away(str(error))
        else:
            self.vitals.bucket_answered()

    def look_at_receiver(self) -> None:
        """Ask a web process where Flux is told to call.

        Raises:
            DatabaseUnavailable: what was known stays so.
        """
        reason = self._why_not_ours()
        if reason is None:
            self._failed_answers = 0
            self.vitals.release(_RECEIVER)
            with self.database.transaction() as tx:
                beat(tx, RECEIVER_PULSE)
            return
        self._failed_answers += 1
        log.warning("receiver_unreached", reason=reason, times=self._failed_answers)
        if self._failed_answers >= FAILED_ANSWERS and not self._may_be_reached():
            self.vitals.hold(_RECEIVER, "the receiver does not answer at PUBLIC_URL")
        else:
            self.vitals.release(_RECEIVER)

    def tell(self) -> None:
        """Write down what holds this process: who answers /readyz shares no memory with it.

        Raises:
            DatabaseUnavailable: which /readyz tells by itself.
        """
        trouble = self.vitals.trouble()
        told = Pulse.name.startswith(HELD_PULSE)
        with self.database.transaction() as tx:
            tx.execute(
                delete(Pulse).where(told, Pulse.at < func.now() - seconds(FORGOTTEN_SECONDS))
            )
            if trouble is not None:
                beat(tx, HELD_PULSE + trouble)

    def _bucket_answers(self) -> bool:
        try:
            self.bucket.check()
        except StorageUnavailable as error:
            log.info("bucket_check_failed", reason=str(error))
            return False
        return True

    def _why_not_ours(self) -> str | None:
        """Return why the answer is not one of our web processes'; None if it is."""
        challenge = secrets.token_hex(16)
        try:
            answer = self.get(f"/healthz?challenge={challenge}")
        except (AddressForbidden, TransientError) as error:
            return str(error)
        if answer.status != HTTPStatus.OK:
            return f"it answers {answer.status}"
        try:
            said: Any = json.loads(answer.body)
        except (ValueError, RecursionError):
            said = None
        proofs = said.get("proofs") if isinstance(said, dict) else None
        return None if self.presence.is_ours(challenge, proofs) else "somebody else answers"

    def _may_be_reached(self) -> bool:
        """Return whether Flux may reach it although this process does not.

        A network may not let us out to our own public address: then nobody of us ever was answered,
        or not for long, and that says nothing. Otherwise somebody must have been just now: another
        worker, or Flux itself.
        """
        newest = (
            select(FluxWebhook.received_at)
            .order_by(FluxWebhook.attempt_id.desc())
            .limit(NEWEST_WEBHOOKS)
            .subquery()
        )
        since = func.now() - func.max(newest.c.received_at)
        proved = Pulse.at > func.now() - seconds(PROOF_SECONDS)
        forgotten = Pulse.at < func.now() - seconds(RECEIVER_FORGOTTEN_SECONDS)
        with self.database.transaction() as tx:
            called = tx.scalar(select(since < seconds(PROOF_SECONDS)).select_from(newest))
            pulse = tx.first(
                select(proved.label("proved"), forgotten.label("forgotten")).where(
                    Pulse.name == RECEIVER_PULSE
                )
            )
        return bool(called) or pulse is None or pulse.proved or pulse.forgotten
