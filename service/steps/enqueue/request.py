"""What a caller asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from service.models import CallbackForm
from service.settings import OnUnconfirmed
from service.states import TERMINAL
from service.timeline import event_type

#: Events a caller hears of unless the request names others.
DEFAULT_CALLBACK_EVENTS = sorted(event_type(status) for status in TERMINAL)


@dataclass(frozen=True)
class JobRequest:
    """A job of the right shape but not yet checked against the catalogue."""

    model: str
    input: Mapping[str, Any]
    #: SHA-256 of the request, to tell a repeat from a reuse of its key.
    sha256: bytes
    #: Who shall be paid; None leaves it to us.
    provider: str | None = None
    callback_url: str | None = None
    #: Whether the request says so itself: a project's own address was judged when it was chosen.
    callback_is_named: bool = True
    callback_events: list[str] = field(default_factory=lambda: list(DEFAULT_CALLBACK_EVENTS))
    callback_form: CallbackForm = CallbackForm.STANDARD
    #: Sent back in the headers of a callback of Flux's form.
    callback_secret: str | None = field(default=None, repr=False)
    metadata: Mapping[str, str] = field(default_factory=dict)
    priority: str = "normal"
    start_at: datetime | None = None
    expires_at: datetime | None = None
    #: None leaves it to the deployment.
    on_unconfirmed: OnUnconfirmed | None = None
    idempotency_key: str | None = None
    #: The job that this is another try of.
    retry_of: UUID | None = None


@dataclass(frozen=True)
class BatchRequest:
    """Jobs that are accepted all or none."""

    jobs: Sequence[JobRequest]
    sha256: bytes
    #: Called once, when the last of them has ended.
    callback_url: str | None = None
    callback_is_named: bool = True
    metadata: Mapping[str, str] = field(default_factory=dict)
    idempotency_key: str | None = None
