"""What each step writes: the product's moves, guarded by the product's tables."""

from typing import Final

from model.world import (
    Asked,
    At,
    Brought,
    Decided,
    Heard,
    Job,
    Kept,
    Rules,
    Sweeping,
    Worker,
)

from service.states import AttemptOutcome, ErrorCode, Status

_NO: Final = {
    At.NOT_SENT: AttemptOutcome.NOT_SENT,
    At.REFUSED: AttemptOutcome.REFUSED,
}


def move(
    rules: Rules,
    job: Job,
    to: Status,
    attempt: int | None = None,
    code: ErrorCode | None = None,
) -> Job | None:
    """Compare and set; None if the job was elsewhere."""
    if rules.compares_attempt and attempt not in {None, job.attempt}:
        return None
    if not rules.tables.allow(job, to, code):
        return None
    return job._replace(
        status=to,
        code=code,
        maybe_charged=code in rules.tables.maybe_charged,
        moved_nowhere=(to, code) == (job.status, job.code),
        callbacks=job.callbacks + (to in rules.tables.terminal),
    )


def fail(rules: Rules, job: Job, code: ErrorCode, attempt: int | None = None) -> Job | None:
    """Move to failed."""
    return move(rules, job, Status.FAILED, attempt, code)


def close(job: Job, attempt: int, outcome: AttemptOutcome) -> Job:
    """Say what became of an attempt."""
    before, after = job.outcomes[: attempt - 1], job.outcomes[attempt:]
    return job._replace(outcomes=(*before, outcome, *after))


def begin(rules: Rules, job: Job) -> Job | None:
    """Commit the intent to pay."""
    moved = move(rules, job, Status.SUBMITTING)
    return moved and moved._replace(outcomes=(*job.outcomes, None))


def answer(rules: Rules, job: Job, worker: Worker) -> Job:
    """Write down what came of a POST."""
    attempt, at = worker
    requeues = at in _NO
    requeues |= at is At.LOST and rules.resends_lost
    requeues |= at is At.SERVER_ERROR and rules.resends_server_errors
    if at is At.ACCEPTED:
        moved = move(rules, job, Status.GENERATING, attempt)
        return close(moved or job, attempt, AttemptOutcome.ACCEPTED)
    if requeues:
        moved = move(rules, job, Status.QUEUED, attempt)
        outcome = _NO.get(at, AttemptOutcome.WRITTEN_OFF)
    elif at is At.REJECTED:
        moved = fail(rules, job, ErrorCode.UPSTREAM_REJECTED, attempt)
        outcome = AttemptOutcome.REFUSED
    elif at is At.UNUSABLE:
        moved = fail(rules, job, ErrorCode.INTERNAL, attempt)
        outcome = AttemptOutcome.NOT_SENT
    else:
        moved = move(rules, job, Status.UNCONFIRMED, attempt)
        outcome = AttemptOutcome.UNKNOWN
    return close(moved, attempt, outcome) if moved else job


def told(rules: Rules, job: Job, attempt: int) -> Job:
    """Act on a webhook that tells of a task and of no end."""
    moved = move(rules, job, Status.GENERATING, attempt) if rules.hears_progress else None
    return close(moved, attempt, AttemptOutcome.ACCEPTED) if moved else job


def take_result(rules: Rules, job: Job, attempt: int, heard: Heard) -> Job:
    """Act on a result, heard by webhook or poll."""
    if heard is Heard.READY:
        moved = move(rules, job, Status.STORING, attempt)
    else:
        moved = fail(rules, job, rules.ended_as, attempt)
    return close(moved, attempt, AttemptOutcome.ACCEPTED) if moved else job


def polled(rules: Rules, job: Job, asked: Asked) -> Job:
    """Write down what a poll has heard."""
    if asked.heard is Heard.UNANSWERED and not rules.gives_up_unanswered:
        return job
    if asked.heard in {Heard.OVERDUE, Heard.UNANSWERED, Heard.HOPELESS}:
        return fail(rules, job, ErrorCode.UPSTREAM_TIMEOUT, asked.attempt) or job
    return take_result(rules, job, asked.attempt, asked.heard)


def stored(rules: Rules, job: Job, brought: Brought) -> Job:
    """Commit what S3 has confirmed, or that it is lost."""
    if brought.kept is Kept.STORED:
        return move(rules, job, Status.SUCCEEDED, brought.attempt) or job
    return fail(rules, job, rules.gone_as, brought.attempt) or job


def swept(rules: Rules, job: Job, decided: Decided) -> Job:
    """End a wait that nobody else can end."""
    attempt, what = decided
    if what is Sweeping.EXPIRY:
        return fail(rules, job, ErrorCode.EXPIRED) or job
    if what is Sweeping.SILENCE:
        to = Status.QUEUED if rules.sweep_resends_silent else Status.UNCONFIRMED
        moved, outcome = move(rules, job, to, attempt), AttemptOutcome.UNKNOWN
    elif rules.grace_over_requeues:
        # where `on_unconfirmed: resubmit` will be told apart; the tables refuse the move today
        moved, outcome = move(rules, job, Status.QUEUED, attempt), AttemptOutcome.WRITTEN_OFF
    else:
        moved = fail(rules, job, ErrorCode.SUBMISSION_UNCONFIRMED, attempt)
        outcome = AttemptOutcome.WRITTEN_OFF
    return close(moved, attempt, outcome) if moved else job
