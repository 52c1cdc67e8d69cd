"""The one send of an intent: its words, its fence, and what became of it."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from service.errors import FenceClosed, InputGone, TransientError
from service.faults import fault_point
from service.generation import Catalogue, Model
from service.logs import get_log
from service.steps.submit.lease import Lease
from service.steps.submit.slips import Slips
from service.upstream import Accepted, NotSent, SubmitOutcome, Unknown, Unusable

log = get_log(__name__)

#: Jobs of one process that hold whole pictures at a time: two of 20 MiB each cost some 170 MB.
PLACES = 4
_places = threading.BoundedSemaphore(PLACES)


class Flux(Protocol):
    """The paid call."""

    def submit(
        self,
        provider: str,
        path: str,
        body: Mapping[str, Any],
        before_send: Callable[[], None],
        *,
        server: str | None,
    ) -> SubmitOutcome:
        """Send once and say what became of it."""
        ...


class Inputs(Protocol):
    """Puts a job's input into upstream's words."""

    def reads_bytes(self, model: str, given: Mapping[str, Any]) -> bool:
        """Say whether the body will hold pictures of ours and not only their addresses."""
        ...

    def body(
        self, project_id: UUID, model: str, given: Mapping[str, Any], read_by: float
    ) -> dict[str, Any]:
        """Return the body, with addresses or bytes of the pictures that the input names.

        Raises:
            TransientError: the bucket or the database is away.
            InputGone: a picture is no longer there.
        """
        ...


#: Returns `webhook_url` and `webhook_secret` of an attempt, or nothing where Flux cannot call us.
WebhookAddress = Callable[[UUID], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Intent:
    """A job whose one POST is ours to send, until `send_by` on the monotonic clock."""

    job_id: UUID
    project_id: UUID
    attempt_id: UUID
    attempt_number: int
    provider: str
    pool: str
    model: str
    input: Mapping[str, Any]
    tries: int
    send_by: float


@dataclass(frozen=True)
class Send:
    """Sends the paid POST of an intent, once, if it is not too late for it."""

    catalogue: Catalogue
    flux: Flux
    inputs: Inputs
    lease: Lease
    slips: Slips
    webhook_address: WebhookAddress

    def __call__(self, intent: Intent) -> SubmitOutcome:
        """Say what became of it; never raises."""
        began = time.monotonic()
        outcome = self._send(intent)
        self.slips.say(intent.attempt_id, outcome)
        fault_point("submit.after_send")
        log.info(
            "submit_attempt",
            job_id=str(intent.job_id),
            attempt=intent.attempt_number,
            provider=intent.provider,
            outcome=type(outcome).__name__.lower(),
            duration_ms=round((time.monotonic() - began) * 1000),
            task_id=outcome.task_id if isinstance(outcome, Accepted) else None,
            reason=None if isinstance(outcome, Accepted) else outcome.reason,
        )
        return outcome

    def _send(self, intent: Intent) -> SubmitOutcome:
        sending = False
        send_by = intent.send_by

        def fence() -> None:
            nonlocal sending
            self.slips.begin(intent.attempt_id)
            fault_point("submit.before_fence")
            if time.monotonic() > send_by:
                raise FenceClosed("too late after the intent; nothing was sent")
            sending = True
            fault_point("submit.before_send")

        try:
            model = self.catalogue.get(intent.model)
            if model is None:
                return Unusable(f"this release does not offer {intent.model}")
            with self._place(intent):
                body, send_by = self._body(intent, model)
                server = model.server(intent.provider)
                return self.flux.submit(intent.provider, model.name, body, fence, server=server)
        except InputGone as error:
            return Unusable(str(error))
        except (FenceClosed, _NotReady) as error:
            return NotSent(str(error))
        except Exception as error:
            # a bug of ours; once the first byte may have left, it could mean a paid job
            log.exception("submit_crashed", job_id=str(intent.job_id))
            reason = f"internal error ({type(error).__name__})"
            return Unknown(reason) if sending else NotSent(reason)

    @contextlib.contextmanager
    def _place(self, intent: Intent) -> Iterator[None]:
        """Let few jobs at a time hold whole pictures in memory; the others hold only URLs."""
        if not self.inputs.reads_bytes(intent.model, intent.input):
            yield
            return
        if not _places.acquire(timeout=max(0.0, self._read_by(intent) - time.monotonic())):
            raise _NotReady("too many jobs with large pictures at a time")
        try:
            yield
        finally:
            _places.release()

    def _body(self, intent: Intent, model: Model) -> tuple[dict[str, Any], float]:
        """Return upstream's body, and when it must have been sent: pictures take time to read."""
        send_by: float | None = intent.send_by
        try:
            body = self.inputs.body(
                intent.project_id, intent.model, intent.input, self._read_by(intent)
            )
            if time.monotonic() > intent.send_by - self.lease.send_deadline_seconds / 2:
                send_by = self.lease.renew(intent.job_id, intent.attempt_number)
        except TransientError as error:
            raise _NotReady(str(error)) from error
        if send_by is None:
            raise _NotReady("the job was given up while its pictures were read")
        webhook = self.webhook_address(intent.attempt_id) if model.accepts_webhook else {}
        return {**body, **webhook}, send_by

    def _read_by(self, intent: Intent) -> float:
        return intent.send_by + self.lease.reading_seconds


class _NotReady(Exception):
    """There is no body to send this time."""
