"""The world of one job: what the database holds, who works on it, what upstream has taken.

A worker is where it stands with one attempt. It may stay there for as long as it likes, which is a
stopped process that wakes up late, or vanish, which is a killed one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from service import states
from service.states import AttemptOutcome, ErrorCode, Status


class At(StrEnum):
    """Where a worker stands with its attempt; from `accepted` on it holds what came of it."""

    #: The intent is committed, nothing was sent.
    INTENT = "intent"
    #: The same, and the send deadline has passed.
    TOO_LATE = "too_late"
    #: It has checked the deadline and not sent yet: one instant, but a process can stop in it.
    CLEARED = "cleared"
    #: Upstream has accepted it; the answer is on its way.
    SENT = "sent"

    ACCEPTED = "accepted"
    #: It is proved that nothing was sent.
    NOT_SENT = "not_sent"
    #: 429, or a word about the account: not now.
    REFUSED = "refused"
    #: 422 and the like: not this job.
    REJECTED = "rejected"
    #: The job cannot be put into words; nothing was sent.
    UNUSABLE = "unusable"
    #: Time-out, reset, or an answer without an id.
    LOST = "lost"
    #: 5xx, whether or not upstream took the job.
    SERVER_ERROR = "server_error"


class Heard(StrEnum):
    """How a task stands, and what a poll hears of it."""

    RUNNING = "running"
    READY = "ready"
    #: Ended without an image.
    ENDED = "ended"
    #: The deadline has passed, and upstream says that it has no result.
    OVERDUE = "overdue"
    #: The deadline has passed, and upstream does not answer.
    UNANSWERED = "unanswered"
    #: The same, for longer than anybody waits.
    HOPELESS = "hopeless"


class Kept(StrEnum):
    """What came of a try to store a result."""

    STORED = "stored"
    GONE = "gone"


class Sweeping(StrEnum):
    """What a sweep ends."""

    SILENCE = "silence"
    GRACE = "grace"
    EXPIRY = "expiry"


class Worker(NamedTuple):
    attempt: int
    at: At


class Asked(NamedTuple):
    attempt: int
    heard: Heard


class Brought(NamedTuple):
    attempt: int
    kept: Kept


class Decided(NamedTuple):
    """A sweep that has seen a job due, but not moved it yet."""

    attempt: int
    what: Sweeping


class Task(NamedTuple):
    """An accepted, hence paid, POST."""

    attempt: int
    stands: Heard
    #: Webhooks with its result that are still to come.
    calls: int


class Job(NamedTuple):
    """What the database holds."""

    status: Status = Status.QUEUED
    code: ErrorCode | None = None
    maybe_charged: bool = False
    #: One per attempt; None is open.
    outcomes: tuple[AttemptOutcome | None, ...] = ()
    #: Whether a move led to where the job was: a line of the timeline that tells nothing.
    moved_nowhere: bool = False
    #: Callbacks that tell of an end.
    callbacks: int = 0
    #: Whether it went back to the queue although nobody knew what had become of it.
    resubmitted: bool = False
    #: The earlier attempt that counts again, if that is not the newest.
    back_to: int = 0

    @property
    def attempt(self) -> int:
        """The number of the current attempt."""
        return self.back_to or len(self.outcomes)


class World(NamedTuple):
    job: Job = Job()
    workers: tuple[Worker, ...] = ()
    pollers: tuple[Asked, ...] = ()
    storers: tuple[Brought, ...] = ()
    sweeps: tuple[Decided, ...] = ()
    tasks: tuple[Task, ...] = ()
    #: How often upstream has said no for now, or could not be reached.
    refusals: int = 0
    #: Whether a result was taken in, by webhook or poll.
    is_heard: bool = False
    #: Whether upstream's yes to the current attempt was written down, or a webhook named its task.
    is_proved: bool = False
    #: How often the job came to an end.
    ends: int = 0


@dataclass(frozen=True)
class Tables:
    """The product's own tables; a test may hand in others."""

    entered_from: Mapping[Status, frozenset[Status]] = field(
        default_factory=lambda: states.ENTERED_FROM
    )
    failed_from: Mapping[ErrorCode, frozenset[Status]] = field(
        default_factory=lambda: states.FAILED_FROM
    )
    promotable: Mapping[Status, frozenset[ErrorCode]] = field(
        default_factory=lambda: states.PROMOTABLE
    )
    maybe_charged: frozenset[ErrorCode] = states.MAYBE_CHARGED
    terminal: frozenset[Status] = states.TERMINAL
    holds_slot: frozenset[Status] = states.HOLDS_SLOT

    def allow(
        self, job: Job, to: Status, code: ErrorCode | None, *, takes_over: bool = False
    ) -> bool:
        """Say whether a job may move; `code` is why it fails, if it does."""
        if job.status not in self.entered_from[to]:
            return False
        if takes_over:
            return True
        if job.status is Status.FAILED and job.code not in self.promotable.get(to, ()):
            return False
        return code is None or job.status in self.failed_from[code]


@dataclass(frozen=True)
class Rules:
    """How the steps go about it; the defaults are the product's."""

    tables: Tables = field(default_factory=Tables)

    commits_intent_first: bool = True
    fences_the_send: bool = True
    #: A worker that is late may begin its time anew, if the job is still its own; or blindly.
    renews: bool = True
    renews_blindly: bool = False
    #: A process may stop between its look at the send deadline and the first byte.
    stops_before_the_first_byte: bool = False
    library_sends_again: bool = False
    resends_lost: bool = False
    resends_server_errors: bool = False
    compares_attempt: bool = True
    sweeps: bool = True
    #: A sweep holds the row from its look to its move; without, the tables are the only guard.
    sweep_holds_the_row: bool = True
    sweep_resends_silent: bool = False
    #: `on_unconfirmed: resubmit`: once, or every time.
    resubmits: bool = False
    resubmits_for_ever: bool = False
    #: A caller may withdraw what waits to be sent once more.
    cancels_resubmitted: bool = False
    #: A result counts whichever attempt it comes from.
    hears_every_attempt: bool = True
    #: A webhook that tells of a task proves that upstream has it.
    hears_progress: bool = True
    gives_up_unanswered: bool = False

    #: As what upstream ends a task without an image, and as what a result is lost.
    ended_as: ErrorCode = ErrorCode.CONTENT_MODERATED
    gone_as: ErrorCode = ErrorCode.RESULT_EXPIRED

    #: No webhook is lost, and the grace outlasts them all.
    is_patient: bool = False
    #: Upstream may say no for now, and take the task all the same.
    refusals_may_be_false: bool = False

    #: Bounds of the exploration.
    max_attempts: int = 2
    max_refusals: int = 1
    max_calls: int = 2
    #: Processes that poll, or store, the job at the same time: one stopped, one that took over.
    max_at_once: int = 2
