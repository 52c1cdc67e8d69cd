"""What is promised about one job, in words that do not come from the product's tables."""

from collections.abc import Iterator
from dataclasses import dataclass

from model.protocol import Action
from model.world import At, Heard, Job, Kept, Rules, Sweeping, World

from service.states import AttemptOutcome, ErrorCode, Status

PAID_TWICE = "paid twice"
SENT_AGAIN = "sent again without a definite no"
TWO_LIVE_ATTEMPTS = "two live attempts"
SENT_AFTER_THE_END = "sent after the job had ended"
CANCELED_BUT_SENT = "canceled, but sent"
NOT_DELIVERED = "accepted and known to be, but failed"
GIVEN_UP_UNANSWERED = "failed because upstream did not answer in time"
SILENT_CHARGE = "charged, and the caller not told so"
FALSE_NO = "an accepted attempt is closed as a no"
REWRITTEN = "what is known of an attempt is written over"
WON_UNPAID = "succeeded without an acceptance"
END_LEFT = "left its end other than by a promotion"
WENT_BACK = "went back to an earlier state"
WRONG_CALLBACKS = "not one callback per end"
IGNORED = "said what the job waits for, and nothing came of it"
MOVED_NOWHERE = "a line of the timeline without a change"
FALSE_ALARM = "said to be charged perhaps, and is not in doubt"
SLOT_FOR_NOTHING = "holds a slot and has no task upstream"
NO_SLOT = "a task upstream without a slot"
UNTOLD = "paid twice, and the caller not told so"

_ENDS = {Status.SUCCEEDED, Status.FAILED, Status.CANCELED}
_IN_DOUBT = {ErrorCode.SUBMISSION_UNCONFIRMED, ErrorCode.UPSTREAM_TIMEOUT}
_UNHEARD = {ErrorCode.SUBMISSION_UNCONFIRMED, ErrorCode.EXPIRED}
_MAY_BE_PROMOTED = _IN_DOUBT | _UNHEARD
_ORDER = (
    Status.QUEUED,
    Status.SUBMITTING,
    Status.UNCONFIRMED,
    Status.GENERATING,
    Status.STORING,
)
_UPSTREAMS = {Status.SUBMITTING, Status.UNCONFIRMED, Status.GENERATING}
_UNPROVED = {Status.QUEUED, Status.SUBMITTING, Status.UNCONFIRMED}
#: In which states a job waits for what is said of its current attempt.
_WAITS_FOR = {
    ("cancel", ""): {Status.QUEUED},
    ("end", Sweeping.EXPIRY): {Status.QUEUED},
    ("end", Sweeping.SILENCE): {Status.SUBMITTING},
    ("end", Sweeping.GRACE): {Status.UNCONFIRMED},
    ("record", At.ACCEPTED): _UNPROVED,
    ("record", At.REJECTED): {Status.SUBMITTING, Status.UNCONFIRMED},
    ("record", At.UNUSABLE): _UNPROVED,
    ("record", At.NOT_SENT): {Status.SUBMITTING, Status.UNCONFIRMED},
    ("record", At.REFUSED): {Status.SUBMITTING, Status.UNCONFIRMED},
    ("record", At.LOST): {Status.SUBMITTING},
    ("record", At.SERVER_ERROR): {Status.SUBMITTING},
    ("progress", ""): _UNPROVED,
    ("webhook", Heard.READY): _UPSTREAMS | _UNPROVED,
    ("webhook", Heard.ENDED): _UPSTREAMS | _UNPROVED,
    ("record_poll", Heard.READY): _UPSTREAMS,
    ("record_poll", Heard.ENDED): _UPSTREAMS,
    ("record_poll", Heard.OVERDUE): {Status.GENERATING},
    ("record_store", Kept.STORED): {Status.STORING},
    ("record_store", Kept.GONE): {Status.STORING},
}
#: What counts of another attempt as well.
_OF_ANY = {
    ("record", At.ACCEPTED),
    ("progress", ""),
    ("webhook", Heard.READY),
    ("record_poll", Heard.READY),
}
#: After which failures what is said of the current attempt still counts.
_COUNTS_AFTER = {
    ("record", At.ACCEPTED): _UNHEARD,
    ("progress", ""): _UNHEARD,
    ("webhook", Heard.READY): _MAY_BE_PROMOTED,
    ("webhook", Heard.ENDED): _MAY_BE_PROMOTED,
    ("record_poll", Heard.READY): _MAY_BE_PROMOTED,
    ("record_poll", Heard.ENDED): _MAY_BE_PROMOTED,
}
_A_NO = {AttemptOutcome.NOT_SENT, AttemptOutcome.REFUSED}
_KNOWN = {*_A_NO, AttemptOutcome.ACCEPTED}
_LIVE = {None, AttemptOutcome.ACCEPTED, AttemptOutcome.UNKNOWN}
#: As what upstream ends a task without an image.
_ENDED = {
    ErrorCode.CONTENT_MODERATED,
    ErrorCode.REQUEST_MODERATED,
    ErrorCode.UPSTREAM_ERROR,
}
#: So it ended, or the image dies before it is stored.
_LOST_LATER = {*_ENDED, ErrorCode.RESULT_EXPIRED, ErrorCode.RESULT_INVALID}


@dataclass(frozen=True)
class Promises:
    """Names what a step breaks."""

    rules: Rules

    def broken_by(self, before: World, action: Action, after: World) -> Iterator[str]:
        """Yield the promises that a step breaks."""
        old, new = before.job, after.job
        if action.name == "claim" and not self._may_be_sent(old):
            yield SENT_AGAIN
        # what is on its way when an earlier attempt brings a result cannot be called back
        is_overtaken = 0 < old.back_to < action.attempt
        if action.name == "post" and old.status in _ENDS and not is_overtaken:
            yield SENT_AFTER_THE_END
        has_moved = (new.status, new.code) != (old.status, old.code)
        if old.status in _ENDS and has_moved and not _is_promotion(old, new):
            yield END_LEFT
        if _is_backwards(old, new) and not self._is_requeued(old, action, new):
            yield WENT_BACK
        has_changed_hands = old.attempt != new.attempt
        if any(
            _is_rewritten(action, *one, has_changed_hands=has_changed_hands)
            for one in zip(old.outcomes, new.outcomes, strict=False)
        ):
            yield REWRITTEN
        if _counts(old, action) and not has_moved:
            yield IGNORED
        if action.what == Heard.UNANSWERED and has_moved:
            yield GIVEN_UP_UNANSWERED

    def broken_in(self, world: World) -> Iterator[str]:
        """Yield the promises that do not hold in a state."""
        yield from self._of_money(world)
        yield from self._of_slots(world)
        job = world.job
        if sum(outcome in _LIVE for outcome in job.outcomes) > 1:
            yield TWO_LIVE_ATTEMPTS
        if job.callbacks != world.ends:
            yield WRONG_CALLBACKS
        if job.moved_nowhere:
            yield MOVED_NOWHERE
        in_doubt = AttemptOutcome.WRITTEN_OFF in job.outcomes or job.code in _IN_DOUBT
        if job.maybe_charged and not in_doubt:
            yield FALSE_ALARM
        if world.tasks and job.status is Status.FAILED and job.code not in _LOST_LATER:
            yield from self._of_a_paid_failure(world)

    def _of_slots(self, world: World) -> Iterator[str]:
        status = world.job.status
        holds_slot = self.rules.tables.holds_slot
        mine = [task for task in world.tasks if task.attempt == world.job.attempt]
        is_working = any(task.stands is Heard.RUNNING for task in mine)
        # whether a submission that was given up has a task, nobody knows
        is_given_up = status is Status.QUEUED and world.job.resubmitted
        if is_working and status not in _ENDS | holds_slot and not is_given_up:
            yield NO_SLOT
        if status in holds_slot - _UPSTREAMS:
            yield SLOT_FOR_NOTHING

    def _of_a_paid_failure(self, world: World) -> Iterator[str]:
        code = world.job.code
        if not world.job.maybe_charged:
            yield SILENT_CHARGE
        # what has no result at its deadline is not waited for, though upstream did accept it
        is_proved = world.is_proved and code is ErrorCode.SUBMISSION_UNCONFIRMED
        if world.is_heard or is_proved:
            yield NOT_DELIVERED

    def _of_money(self, world: World) -> Iterator[str]:
        job = world.job
        if len(world.tasks) > 1 + self.rules.resubmits:
            yield PAID_TWICE
        if len(world.tasks) > 1 and job.status in _ENDS and not job.maybe_charged:
            yield UNTOLD
        if world.tasks and job.status is Status.CANCELED:
            yield CANCELED_BUT_SENT
        if job.status is Status.SUCCEEDED and not world.tasks:
            yield WON_UNPAID
        if any(_outcome(job, task.attempt) in _A_NO for task in world.tasks):
            yield FALSE_NO

    def _may_be_sent(self, job: Job) -> bool:
        """Say whether every attempt is known to be unpaid, but for one that the caller gave up."""
        doubtful = [outcome for outcome in job.outcomes if outcome not in _A_NO]
        return not doubtful or (self.rules.resubmits and doubtful == [AttemptOutcome.WRITTEN_OFF])

    def _is_requeued(self, old: Job, action: Action, new: Job) -> bool:
        if new.status is not Status.QUEUED:
            return False
        if action.name in {"record", "record_unacknowledged"}:
            # the worker of the attempt itself knows that it is unpaid
            return action.what in {At.NOT_SENT, At.REFUSED} and action.attempt == old.attempt
        return self.rules.resubmits and action.what == Sweeping.GRACE


def _counts(job: Job, action: Action) -> bool:
    said = action.name, action.what
    if action.name == "cancel" and job.resubmitted:
        return False
    if action.attempt not in {0, job.attempt}:
        if said not in _OF_ANY:
            return False
        if Heard.READY in said and job.status is Status.FAILED:
            return True
    return job.status in _WAITS_FOR.get(said, ()) or job.code in _COUNTS_AFTER.get(said, ())


def _is_promotion(old: Job, new: Job) -> bool:
    if new.status is Status.GENERATING:
        return old.code in _UNHEARD
    if new.status is Status.STORING and new.attempt != old.attempt:
        return old.status is Status.FAILED
    return old.code in _MAY_BE_PROMOTED and (new.status is Status.STORING or new.code in _ENDED)


def _is_rewritten(
    action: Action,
    was: AttemptOutcome | None,
    now: AttemptOutcome | None,
    *,
    has_changed_hands: bool,
) -> bool:
    """Say whether what was known is lost; upstream's own word may belie its no.

    Of an attempt that does not count any more its task is kept, which the outcome does not tell.
    """
    if was is AttemptOutcome.ACCEPTED and now is AttemptOutcome.WRITTEN_OFF:
        return not has_changed_hands
    is_belied = action.name in {"webhook", "progress"} and now is AttemptOutcome.ACCEPTED
    return was in _KNOWN and was is not now and not (was in _A_NO and is_belied)


def _is_backwards(old: Job, new: Job) -> bool:
    is_on_its_way = old.status in _ORDER and new.status in _ORDER
    return is_on_its_way and _ORDER.index(new.status) < _ORDER.index(old.status)


def _outcome(job: Job, attempt: int) -> AttemptOutcome | None:
    return job.outcomes[attempt - 1] if attempt <= job.attempt else None
