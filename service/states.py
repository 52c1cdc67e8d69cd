"""A job's states, the moves between them, and why a job can fail.

This table alone knows which move is allowed; the README's table is tested against it.
"""

from enum import StrEnum


class Status(StrEnum):
    """Where a job is. The text beside each says what it means, who moves it on, who rescues it."""

    #: Accepted and committed; waits for its start time, an upstream slot or an open gate.
    #: Moved on by submit, or by a webhook that belies the no of its last attempt; found by sweep.
    QUEUED = "queued"
    #: The intent to pay is committed; the POST may be on the wire.
    #: Moved on by submit, or by a webhook that overtakes it; sweep parks it as unconfirmed.
    SUBMITTING = "submitting"
    #: The POST was sent and its outcome is not known; sent again only if its caller wants that.
    #: Moved on by a webhook with our token or a late answer; sweep ends it when the grace is over.
    UNCONFIRMED = "unconfirmed"
    #: Upstream accepted; the task id is known.
    #: Moved on by receive or poll; sweep has it polled.
    GENERATING = "generating"
    #: The result is ready; its bytes must be safe before the URL dies.
    #: Moved on by store; found by sweep, earliest deadline first.
    STORING = "storing"
    #: The bytes are in S3, checked there, and the image row is committed.
    SUCCEEDED = "succeeded"
    #: error.code says why. Upstream may still speak up about two of the codes, see PROMOTABLE.
    FAILED = "failed"
    #: The caller withdrew it while it was queued; later the money is spent.
    CANCELED = "canceled"


TERMINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELED})

#: Jobs that may hold a task upstream, hence a slot.
HOLDS_SLOT = frozenset({Status.SUBMITTING, Status.UNCONFIRMED, Status.GENERATING})

#: move: from which states each state may be entered.
ENTERED_FROM: dict[Status, frozenset[Status]] = {
    # back to queued only when the attempt's own worker knows that upstream did not take the job, or
    # when nobody knows by the end of the grace and the caller wants it sent once more
    Status.QUEUED: frozenset({Status.SUBMITTING, Status.UNCONFIRMED}),
    Status.SUBMITTING: frozenset({Status.QUEUED}),
    Status.UNCONFIRMED: frozenset({Status.SUBMITTING}),
    # what upstream says of the current attempt counts in queued as well: its no may have been none;
    # in failed it counts for the codes in PROMOTABLE
    Status.GENERATING: frozenset(
        {Status.QUEUED, Status.SUBMITTING, Status.UNCONFIRMED, Status.FAILED}
    ),
    Status.STORING: HOLDS_SLOT | {Status.QUEUED, Status.FAILED},
    Status.SUCCEEDED: frozenset({Status.STORING}),
    # from failed only as another failure
    Status.FAILED: HOLDS_SLOT | {Status.QUEUED, Status.STORING, Status.FAILED},
    Status.CANCELED: frozenset({Status.QUEUED}),
}


class ErrorCode(StrEnum):
    """Why a job failed, as the caller reads it in `error.code`."""

    CONTENT_MODERATED = "content_moderated"
    REQUEST_MODERATED = "request_moderated"
    UPSTREAM_REJECTED = "upstream_rejected"
    UPSTREAM_ERROR = "upstream_error"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    SUBMISSION_UNCONFIRMED = "submission_unconfirmed"
    RESULT_EXPIRED = "result_expired"
    RESULT_INVALID = "result_invalid"
    EXPIRED = "expired"
    INTERNAL = "internal"


#: Where a result of upstream's may find a job.
_HEARD_IN = ENTERED_FROM[Status.STORING]

#: From which states each failure may come. Whoever fails a job decided so some time ago: a result
#: that came meanwhile must win.
FAILED_FROM: dict[ErrorCode, frozenset[Status]] = {
    ErrorCode.CONTENT_MODERATED: _HEARD_IN,
    ErrorCode.REQUEST_MODERATED: _HEARD_IN,
    ErrorCode.UPSTREAM_REJECTED: frozenset({Status.SUBMITTING, Status.UNCONFIRMED}),
    ErrorCode.UPSTREAM_ERROR: _HEARD_IN,
    ErrorCode.UPSTREAM_TIMEOUT: frozenset({Status.GENERATING}),
    ErrorCode.SUBMISSION_UNCONFIRMED: frozenset({Status.UNCONFIRMED}),
    ErrorCode.RESULT_EXPIRED: frozenset({Status.STORING}),
    ErrorCode.RESULT_INVALID: frozenset({Status.STORING}),
    ErrorCode.EXPIRED: frozenset({Status.QUEUED}),
    ErrorCode.INTERNAL: ENTERED_FROM[Status.FAILED] - TERMINAL,
}

#: Failures without a word from upstream; a job that waited to be sent once more may expire.
_UNHEARD = frozenset({ErrorCode.SUBMISSION_UNCONFIRMED, ErrorCode.EXPIRED})

#: Failures of the current attempt that are left again when upstream speaks up late of it, with a
#: second event: by state that the job then enters. A yes counts only where none was known: written
#: down twice, it would otherwise bring a job back that has timed out since. What upstream ended,
#: ends here as it says. A result of another attempt is taken after every failure.
PROMOTABLE: dict[Status, frozenset[ErrorCode]] = {
    Status.GENERATING: _UNHEARD,
    Status.STORING: _UNHEARD | {ErrorCode.UPSTREAM_TIMEOUT},
    Status.FAILED: _UNHEARD | {ErrorCode.UPSTREAM_TIMEOUT},
}

#: Failures after which upstream may still have charged us.
MAYBE_CHARGED = frozenset({ErrorCode.SUBMISSION_UNCONFIRMED, ErrorCode.UPSTREAM_TIMEOUT})


class AttemptOutcome(StrEnum):
    """What became of one paid POST. Open (no outcome), accepted and unknown are live."""

    NOT_SENT = "not_sent"
    REFUSED = "refused"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    WRITTEN_OFF = "written_off"


#: Outcomes of attempts that are proved to have cost nothing.
UNPAID = frozenset({AttemptOutcome.NOT_SENT, AttemptOutcome.REFUSED})
#: Outcomes of attempts that may still bring something; a job has one such attempt, its current one.
LIVE = frozenset({AttemptOutcome.ACCEPTED, AttemptOutcome.UNKNOWN})
