"""Every error of ours, as one tree; the type says what the catcher has to do.

ServiceError
├─ CallerError            shown to the caller as a problem document (4xx, 503)
│  ├─ InvalidRequest      ├─ UnknownCaller  ├─ OutOfScope
│  ├─ NotFound            ├─ Gone
│  ├─ IdempotencyConflict ├─ NotCancelable  ├─ NotRetryable
│  ├─ RateLimited         ├─ QueueFull      ├─ CreditsSpent
│  └─ Busy
│     └─ ZipsBusy
├─ RejectedWebhook        one answer for every reason; the reason is only logged
├─ TransientError         try again later
│  ├─ FluxUnavailable     ├─ DownloadFailed  ├─ DatabaseUnavailable
│  ├─ StorageUnavailable
│  │  └─ ObjectRefused    about this object only
│  ├─ NotSent             proved: no byte of the request left this machine
│  │  └─ NameNotResolved
│  └─ OutcomeUnknown      bytes left, no whole answer came: it may have been acted upon
└─ PermanentError         no retry; becomes the job's failure code
   ├─ ResultExpired       ├─ ResultInvalid
   ├─ InputGone           └─ AddressForbidden
"""

from dataclasses import dataclass, field


class ServiceError(Exception):
    """Everything this service raises on purpose."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with a request: where (JSON pointer, RFC 6901) and what to do about it."""

    pointer: str
    detail: str


@dataclass
class CallerError(ServiceError):
    """The caller has to act. `detail` is written for the caller and never holds a secret."""

    detail: str
    errors: list[FieldError] = field(default_factory=list)
    #: When the same may be sent again with another outcome, where that is known.
    retry_after_seconds: int | None = None

    status = 400
    code = "bad_request"
    title = "The request cannot be answered"

    def __str__(self) -> str:
        """Say what is wrong, fields included."""
        places = "; ".join(f"{e.pointer}: {e.detail}" for e in self.errors)
        return f"{self.detail} ({places})" if places else self.detail


class MalformedRequest(CallerError):
    """The body cannot be read: syntax, size, depth, encoding, or cut short."""

    code = "malformed_request"
    title = "The body cannot be read"


class BodyTooLarge(CallerError):
    """The body is larger than the limit of this route."""

    status = 413
    code = "body_too_large"
    title = "The body is too large"


class UnsupportedMediaType(CallerError):
    """The body is declared as something that this route does not take."""

    status = 415
    code = "unsupported_media_type"
    title = "The body has the wrong media type"


class InvalidRequest(CallerError):
    """The JSON is sound, its content is not; `errors` names every field at once."""

    status = 422
    code = "invalid_request"
    title = "The request is not valid"


class UnknownCaller(CallerError):
    """No API key, or one that is unknown, expired or revoked."""

    status = 401
    code = "unauthorized"
    title = "A valid API key is needed"


class OutOfScope(CallerError):
    """The key is good, but not for this."""

    status = 403
    code = "out_of_scope"
    title = "The API key may not do this"


class RateLimited(CallerError):
    """The project has sent as many requests in this minute as it may."""

    status = 429
    code = "rate_limited"
    title = "Too many requests"


class QueueFull(CallerError):
    """The project has as many jobs in its queue as it may."""

    status = 429
    code = "queue_full"
    title = "Too many jobs in the queue"


class CreditsSpent(CallerError):
    """What the project may spend in a day would be exceeded; nothing was spent."""

    status = 429
    code = "credits_spent"
    title = "The day's credits are spent"


class NotFound(CallerError):
    """No such thing in this project; another project's id answers exactly the same."""

    status = 404
    code = "not_found"
    title = "Not found"


class Gone(CallerError):
    """It was there and has been deleted."""

    status = 410
    code = "gone"
    title = "Gone"


class IdempotencyConflict(CallerError):
    """The Idempotency-Key was used before with another body."""

    status = 422
    code = "idempotency_key_reused"
    title = "The idempotency key belongs to another request"


class NotCancelable(CallerError):
    """The job has left the queue; the money is spent."""

    status = 409
    code = "not_cancelable"
    title = "The job can no longer be canceled"


class NotRetryable(CallerError):
    """The job has not ended, so it may still bring an image."""

    status = 409
    code = "not_retryable"
    title = "The job cannot be tried again yet"


class Busy(CallerError):
    """There is no room for this request now; the same may be sent again in a second or two."""

    status = 503
    code = "busy"
    title = "Too much at a time"


class ZipsBusy(Busy):
    """As many downloads of many images are under way as are sent at a time."""

    title = "Other downloads are under way"


class RejectedWebhook(ServiceError):
    """A webhook that does not prove itself. Its sender learns nothing more than 401."""


class TransientError(ServiceError):
    """The same act may work later."""


class FluxUnavailable(TransientError):
    """Upstream gave no usable answer to a question that may be repeated (never the paid POST)."""


class DownloadFailed(TransientError):
    """The result could not be read to its end this time."""


class StorageUnavailable(TransientError):
    """S3 did not confirm."""


class ObjectRefused(StorageUnavailable):
    """S3 does not take this very object; it says nothing about others."""


class DatabaseUnavailable(TransientError):
    """No connection, or it broke; a commit that broke may have happened."""


class NotSent(TransientError):
    """Proved: no byte of the request left, so it may be repeated whatever it asks for."""


class NameNotResolved(NotSent):
    """The host's name has no address now; it may have one later."""


class OutcomeUnknown(TransientError):
    """The request left, at least in part, and no whole answer came: it may have been acted upon.

    `status` is the answer's status if at least its head was read.
    """

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


class PermanentError(ServiceError):
    """Trying again would end the same way."""


class ResultExpired(PermanentError):
    """The result's URL no longer serves the image."""


class ResultInvalid(PermanentError):
    """What was served is not an image that we keep: type, size, pixels, or cut short."""


class InputGone(PermanentError):
    """A picture that a job's input names is no longer there; the message says which."""


class AddressForbidden(PermanentError):
    """The address guard refuses this URL. The message names the rule, never an internal address."""


class FenceClosed(PermanentError):
    """The send deadline of a submission has passed; this worker must not send it any more."""
