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

from service.states import LIVE, UNPAID, AttemptOutcome, ErrorCode, Status

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
    *,
    takes_over: bool = False,
    resubmitted: bool | None = None,
) -> Job | None:
    """Compare and set; None if the job was elsewhere."""
    if rules.compares_attempt and attempt not in {None, job.attempt}:
        return None
    if not rules.tables.allow(job, to, code, takes_over=takes_over):
        return None
    if to is Status.CANCELED and job.resubmitted and not rules.cancels_resubmitted:
        return None
    resubmitted = job.resubmitted if resubmitted is None else resubmitted
    return job._replace(
        status=to,
        code=code,
        resubmitted=resubmitted,
        maybe_charged=resubmitted or code in rules.tables.maybe_charged,
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


def heard(
    rules: Rules, job: Job, attempt: int, to: Status, code: ErrorCode | None = None
) -> Job | None:
    """Act on what upstream says of an attempt, which counts from then on."""
    resubmitted = _is_doubtful(job, attempt)
    moved = move(rules, job, to, attempt, code, resubmitted=resubmitted)
    if moved is None and attempt != job.attempt and code is None and rules.hears_every_attempt:
        is_result = to is Status.STORING
        moved = move(rules, job, to, takes_over=is_result, resubmitted=resubmitted)
        if moved is not None:
            written_off = (
                AttemptOutcome.WRITTEN_OFF if outcome in LIVE or outcome is None else outcome
                for outcome in moved.outcomes
            )
            is_newest = attempt == len(moved.outcomes)
            moved = moved._replace(outcomes=tuple(written_off), back_to=0 if is_newest else attempt)
    return close(moved, attempt, AttemptOutcome.ACCEPTED) if moved else None


def _is_doubtful(job: Job, attempt: int) -> bool:
    """Say whether another attempt than the one that is known now may have been paid."""
    others = job.outcomes[: attempt - 1] + job.outcomes[attempt:]
    return job.resubmitted and not UNPAID.issuperset(others)


def begin(rules: Rules, job: Job) -> Job | None:
    """Commit the intent to pay."""
    moved = move(rules, job, Status.SUBMITTING)
    return moved and moved._replace(outcomes=(*job.outcomes, None), back_to=0)


def answer(rules: Rules, job: Job, worker: Worker) -> Job:
    """Write down what came of a POST."""
    attempt, at = worker
    requeues = at in _NO
    requeues |= at is At.LOST and rules.resends_lost
    requeues |= at is At.SERVER_ERROR and rules.resends_server_errors
    if at is At.ACCEPTED:
        moved = heard(rules, job, attempt, Status.GENERATING)
        if moved is None and attempt == job.attempt:
            moved = close(job, attempt, AttemptOutcome.ACCEPTED)
        return moved or job
    if requeues:
        moved = move(rules, job, Status.QUEUED, attempt)
        outcome = _NO.get(at, AttemptOutcome.WRITTEN_OFF)
    elif at is At.REJECTED:
        moved = fail(rules, job, ErrorCode.UPSTREAM_REJECTED, attempt)
        outcome = AttemptOutcome.REFUSED
    elif at is At.UNUSABLE:
        moved = move(
            rules,
            job,
            Status.FAILED,
            attempt,
            ErrorCode.INTERNAL,
            resubmitted=_is_doubtful(job, attempt),
        )
        outcome = AttemptOutcome.NOT_SENT
    else:
        moved = move(rules, job, Status.UNCONFIRMED, attempt)
        outcome = AttemptOutcome.UNKNOWN
    return close(moved, attempt, outcome) if moved else job


def told(rules: Rules, job: Job, attempt: int) -> Job:
    """Act on a webhook that tells of a task and of no end."""
    moved = heard(rules, job, attempt, Status.GENERATING) if rules.hears_progress else None
    return moved or job


def take_result(rules: Rules, job: Job, attempt: int, result: Heard) -> Job:
    """Act on a result, heard by webhook or poll."""
    if result is Heard.READY:
        return heard(rules, job, attempt, Status.STORING) or job
    return heard(rules, job, attempt, Status.FAILED, rules.ended_as) or job


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
    elif rules.resubmits_for_ever or (rules.resubmits and not job.resubmitted):
        moved = move(rules, job, Status.QUEUED, attempt, resubmitted=True)
        outcome = AttemptOutcome.WRITTEN_OFF
    else:
        moved = fail(rules, job, ErrorCode.SUBMISSION_UNCONFIRMED, attempt)
        outcome = AttemptOutcome.WRITTEN_OFF
    return close(moved, attempt, outcome) if moved else job
