"""The one send of an intent: its words, its fence, and what became of it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from service.errors import FenceClosed, InputGone, TransientError
from service.faults import fault_point
from service.generation import Catalogue, Model
from service.logs import get_log
from service.upstream import Accepted, NotSent, SubmitOutcome, Unknown, Unusable

log = get_log(__name__)


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

    def body(self, project_id: UUID, model: str, given: Mapping[str, Any]) -> dict[str, Any]:
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
    webhook_address: WebhookAddress

    def __call__(self, intent: Intent) -> SubmitOutcome:
        """Say what became of it; never raises."""
        began = time.monotonic()
        outcome = self._send(intent)
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

        def fence() -> None:
            nonlocal sending
            if time.monotonic() > intent.send_by:
                raise FenceClosed("too late after the intent; nothing was sent")
            sending = True

        try:
            model = self.catalogue.get(intent.model)
            if model is None:
                return Unusable(f"this release does not offer {intent.model}")
            body = self._body(intent, model)
            if isinstance(body, NotSent | Unusable):
                return body
            server = model.server(intent.provider)
            return self.flux.submit(intent.provider, model.name, body, fence, server=server)
        except FenceClosed as error:
            return NotSent(str(error))
        except Exception as error:
            # a bug of ours; once the first byte may have left, it could mean a paid job
            log.exception("submit_crashed", job_id=str(intent.job_id))
            reason = f"internal error ({type(error).__name__})"
            return Unknown(reason) if sending else NotSent(reason)

    def _body(self, intent: Intent, model: Model) -> dict[str, Any] | NotSent | Unusable:
        try:
            body = self.inputs.body(intent.project_id, intent.model, intent.input)
        except InputGone as error:
            return Unusable(str(error))
        except TransientError as error:
            return NotSent(str(error))
        webhook = self.webhook_address(intent.attempt_id) if model.accepts_webhook else {}
        return {**body, **webhook}
