"""Receive: Flux's webhook becomes durable, then moves its job.

The answer is 2xx only when the event is committed, or, with the database away, fsynced to this
host's spool, from where it is replayed. Nothing else happens inline. Repeats, overtaking, late and
unknown words all end here without harm.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Row, bindparam, literal_column, outerjoin, select, update
from sqlalchemy.dialects.postgresql import insert

from service.database import Database, Transaction
from service.errors import DatabaseUnavailable
from service.faults import fault_point
from service.logs import get_log
from service.models import Attempt, FluxWebhook, HeardBy
from service.moves import Moves
from service.signing.flux_webhook import FluxWebhookSigner
from service.upstream import InProgress, read_result

#: A spooled webhook that crashed this process is tried by it again after so long, seconds.
CRASHED_AGAIN_SECONDS = 60.0

log = get_log(__name__)


class Spool(Protocol):
    """Keeps what the database does not take now."""

    def add(self, attempt_id: UUID, body: bytes) -> None:
        """Make it durable, or raise OSError."""

    def waiting(self) -> Iterator[tuple[UUID, bytes, Path]]:
        """Yield what waits, oldest first."""
        ...


@dataclass(frozen=True)
class Receive:
    """Verifies, keeps, and acts on webhooks."""

    database: Database
    moves: Moves
    signer: FluxWebhookSigner
    spool: Spool
    #: Spooled webhooks that crashed us, and when to try each again on the monotonic clock.
    _crashed: dict[Path, float] = field(default_factory=dict, init=False)

    def hear(
        self, token: str, body: bytes, secrets: Sequence[str], signatures: Sequence[str]
    ) -> None:
        """Take one webhook; when this returns, it is durable.

        Raises:
            RejectedWebhook: it does not prove itself; nothing was read or written.
            OSError: neither the database nor the disk took it.
        """
        attempt_id = self.signer.attempt_of(token)
        self.signer.verify(attempt_id, body, secrets, signatures)
        try:
            self._commit(attempt_id, body)
        except DatabaseUnavailable as error:
            self.spool.add(attempt_id, body)
            fault_point("receive.after_spool")
            log.warning("webhook_spooled", attempt_id=str(attempt_id), reason=str(error))
        except Exception:
            # a bug of ours: Flux would give up after half a minute, the spool does not
            self.spool.add(attempt_id, body)
            log.exception("webhook_crashed", attempt_id=str(attempt_id))

    def replay(self) -> int:
        """Commit what waits in the spool; return how many. Twice is harmless.

        Raises:
            DatabaseUnavailable: the rest goes on waiting.
        """
        count = 0
        for attempt_id, body, path in self.spool.waiting():
            if time.monotonic() < self._crashed.get(path, 0.0):
                continue
            fault_point("receive.before_replay")
            try:
                self._commit(attempt_id, body)
            except DatabaseUnavailable:
                raise
            except Exception:
                # it stays for a version of us that can read it, and holds up no other
                self._crashed[path] = time.monotonic() + CRASHED_AGAIN_SECONDS
                log.exception("webhook_crashed", attempt_id=str(attempt_id))
                continue
            fault_point("receive.after_replay")
            path.unlink(missing_ok=True)
            count += 1
        if count:
            log.info("webhooks_replayed", count=count)
        return count

    def _commit(self, attempt_id: UUID, body: bytes) -> None:
        digest = hashlib.sha256(body).digest()
        which = {"of_attempt": attempt_id, "of_body": digest}
        with self.database.transaction() as tx:
            # of two at once the second waits here for the first
            known = tx.first(_KEEP, {**which, "body": body})
            if known is None:
                log.info("webhook_repeated", attempt_id=str(attempt_id))
                return
            effect = self._apply(tx, attempt_id, known, body)
            if effect != _MOVED:
                tx.execute(_SAY_EFFECT, {**which, "said_effect": effect})
            fault_point("receive.before_commit")
        fault_point("receive.after_commit")
        log.info(
            "webhook_received",
            attempt_id=str(attempt_id),
            job_id=None if known.job_id is None else str(known.job_id),
            effect=effect,
        )

    def _apply(self, tx: Transaction, attempt_id: UUID, known: Row[Any], body: bytes) -> str:
        if known.job_id is None:
            # a restored database may have lost the attempt: the inbox keeps what we were told
            log.error("webhook_unmatched", attempt_id=str(attempt_id))
            return "unmatched"
        said = _object(body)
        if said is None:
            return "unreadable"
        result = read_result(said)
        has_moved = self.moves.take_result(
            tx, known.job_id, known.number, result, HeardBy.WEBHOOK, attempt=known
        )
        if has_moved:
            return _MOVED
        return "progress" if isinstance(result, InProgress) else "unchanged"


#: What comes of most, so that it is kept as such before it is known.
_MOVED = "moved"
_INBOX = FluxWebhook.__table__.c
_ATTEMPT = bindparam("of_attempt", type_=_INBOX.attempt_id.type)
_BODY = bindparam("of_body", type_=_INBOX.body_sha256.type)
_KEPT = (
    insert(FluxWebhook)
    .values(
        attempt_id=_ATTEMPT,
        body_sha256=_BODY,
        job_id=select(Attempt.job_id).where(Attempt.id == _ATTEMPT).scalar_subquery(),
        body=bindparam("body"),
        effect=literal_column(f"'{_MOVED}'"),
    )
    .on_conflict_do_nothing()
    .returning(FluxWebhook.attempt_id)
    .cte("kept")
)
#: No row of a repeat; one of any other, whether or not there is such an attempt.
_KEEP = select(
    Attempt.job_id, Attempt.number, Attempt.outcome, Attempt.task_id, Attempt.cost
).select_from(outerjoin(_KEPT, Attempt, Attempt.id == _KEPT.c.attempt_id))
_SAY_EFFECT = (
    update(FluxWebhook)
    .where(FluxWebhook.attempt_id == _ATTEMPT, FluxWebhook.body_sha256 == _BODY)
    .values(effect=bindparam("said_effect"))
)


def _object(body: bytes) -> Mapping[str, Any] | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
