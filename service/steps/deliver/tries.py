"""What is owed to a caller, and what came of one try."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from service.models import CallbackForm

#: A project, and an origin of its callers.
Host = tuple[UUID, str]

#: One try in all: name, connection, TLS, request and answer.
TRY_TIMEOUT_SECONDS = 15.0
#: Read of an answer, and kept of it.
MAX_ANSWER_BYTES = 64 * 1024
KEPT_ANSWER_BYTES = 2048
#: The status by which a caller's address says: never again.
GONE = 410


@dataclass(frozen=True, slots=True)
class Owed:
    """A callback that is due."""

    id: UUID
    #: None where it tells of no job.
    job_id: UUID | None
    project_id: UUID
    #: Scheme, host and port of the URL.
    origin: str
    url: str
    body: str
    tries: int
    #: Of an earlier schedule.
    tries_before: int
    #: When its schedule began.
    began_at: datetime
    #: Until then it is nobody else's.
    leased_until: datetime
    form: CallbackForm
    #: The project's, newest first.
    secrets: list[str] = field(repr=False)
    #: The `webhook_secret` of a Flux client.
    flux_secret: str | None = field(repr=False)

    @property
    def host(self) -> Host:
        """Whose well-being its delivery says something of."""
        return self.project_id, self.origin


@dataclass(frozen=True, slots=True)
class Run:
    """Callbacks to one host that are sent one after the other."""

    owed: Sequence[Owed]
    #: Whether the host's last answer was a failure.
    is_failing: bool = False

    @property
    def host(self) -> Host:
        """Where all of them go."""
        return self.owed[0].host


@dataclass(frozen=True, slots=True)
class Try:
    """What came of one try; `error` is None when the caller's address answered at all."""

    http_status: int | None = None
    error: str | None = None
    answer: str | None = None
    duration_ms: int = 0
    retry_after_seconds: float = 0.0
    #: Where a redirect would have led.
    location: str | None = None

    @property
    def succeeded(self) -> bool:
        """2xx, and nothing else, is success."""
        return self.http_status is not None and 200 <= self.http_status < 300  # noqa: PLR2004
