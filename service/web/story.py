"""A job's story in words: why it is where it is, what happened to it, and what comes next.

Pure functions of facts and of `now`; the words are for people who ask "why?".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from service.models import DeliveryStatus, HeardBy
from service.settings import OnUnconfirmed
from service.states import AttemptOutcome, Status
from service.steps.explain import MAX_COUNTED, Line, Slots
from service.timeline import event_type
from service.web.wording import span

#: The clock of all work ticks every second or two; silent for so long, nobody works.
ASLEEP_SECONDS = 30.0

_ATTEMPTS: dict[AttemptOutcome | None, str] = {
    None: "being sent",
    AttemptOutcome.NOT_SENT: "not sent, nothing was charged",
    AttemptOutcome.REFUSED: "refused, nothing was charged",
    AttemptOutcome.ACCEPTED: "accepted",
    AttemptOutcome.UNKNOWN: "sent, but the answer was lost",
    AttemptOutcome.WRITTEN_OFF: "given up; it may have been charged",
}
_NOT_SENT_AGAIN = (
    "It was sent, but Flux's answer was lost. It is not sent again by itself, as it may have been "
    "charged: Flux's webhook, if one comes, says how it stands."
)


@dataclass(frozen=True, slots=True)
class Terms:
    """What this deployment has agreed with upstream about a job."""

    #: Whether Flux calls us about it.
    is_called_back: bool
    #: When a job is given up that Flux has accepted, seconds after that.
    deadline_seconds: float


def why(job: Any, line: Line | None, terms: Terms, now: datetime) -> list[str]:  # noqa: ANN401 - a Row
    """Return what a job waits for, a sentence each; nothing once it has ended."""
    match job.status:
        case Status.QUEUED if line is not None:
            return _queued(job, line, now)
        case Status.SUBMITTING:
            late = f"If its worker falls silent, the job is unconfirmed from {at(job.due_at, now)}."
            return ["Being sent to Flux.", *([late] if job.due_at else [])]
        case Status.UNCONFIRMED:
            return _unconfirmed(job, now)
        case Status.GENERATING:
            return _generating(job, terms, now)
        case Status.STORING:
            return _storing(job, now)
        case _:
            return []


def happened(line: Any, before: Sequence[Any], terms: Terms) -> str:  # noqa: ANN401 - a Row
    """Return what a line of the timeline says; `before` are the lines before it."""
    if line.type != event_type(Status.STORING):
        return str(line.message)
    sent = event_type(Status.SUBMITTING)
    since = next((one.at for one in reversed(before) if one.type == sent), None)
    after = "" if since is None else f" after {span((line.at - since).total_seconds())}"
    if line.detail.get("heard_by") == HeardBy.WEBHOOK:
        return f"Flux's webhook came{after}: the image is ready"
    if terms.is_called_back:
        return f"Flux's webhook did not come, found by polling{after}: the image is ready"
    return f"Found by polling{after}, as no webhook is asked for: the image is ready"


def attempt(one: Any) -> str:  # noqa: ANN401 - a Row
    """Return what became of a paid POST."""
    if one.outcome is AttemptOutcome.WRITTEN_OFF and one.task_id is not None:
        return "accepted all the same, and charged for nothing"
    return _ATTEMPTS[one.outcome]


def callback(owed: Any, tries: Sequence[Any], now: datetime) -> str:  # noqa: ANN401 - a Row
    """Return how a callback stands, such as `Tried 2 times: 503. Next at 14:05:00 UTC`."""
    said = "Not tried yet."
    if tries:
        answers = (str(one.http_status) if one.http_status else "no answer" for one in tries)
        counted = [(answer, len(list(same))) for answer, same in groupby(answers)]
        told = ", ".join(
            f"{answer} ({_times(count)})" if count > 1 else answer for answer, count in counted
        )
        said = f"Tried {_times(owed.tries)}: {told}."
    if owed.status is DeliveryStatus.DELIVERED:
        return f"{said} Taken."
    if owed.status is DeliveryStatus.EXHAUSTED:
        return f"{said} Given up."
    if owed.probe_at is not None and owed.failing_since is not None:
        probed = max(owed.probe_at, owed.due_at or owed.probe_at)
        return (
            f"{said} Its address has been failing since {at(owed.failing_since, now)}, so it is "
            f"tried one call at a time; next {_then(probed, now)}."
        )
    return said if owed.due_at is None else f"{said} Next {_then(owed.due_at, now)}."


def at(moment: datetime, now: datetime) -> str:
    """Return `14:05:03 UTC`, with the date if that is another day's."""
    there = moment.astimezone(UTC)
    date = "" if there.date() == now.astimezone(UTC).date() else f"{there:%-d %b %Y}, "
    return f"{date}{there:%H:%M:%S} UTC"


def _queued(job: Any, line: Line, now: datetime) -> list[str]:  # noqa: ANN401 - a Row
    turn, blocks = _turn(job, line, now), _blocks(line, now)
    # what blocks everybody is no reason before the job's own time has come
    said = [turn, *blocks] if line.before is None else [*blocks, turn]
    if job.resubmitted:
        said.append(
            "It was sent once already and may have been charged, so it can no longer be canceled."
        )
    if job.expires_at is not None:
        said.append(f"If it is not sent by {at(job.expires_at, now)}, it fails as expired.")
    return said


def _blocks(line: Line, now: datetime) -> list[str]:
    said = []
    if line.sweep_age_seconds is not None and line.sweep_age_seconds > ASLEEP_SECONDS:
        said.append(f"No worker has been heard of for {span(int(line.sweep_age_seconds))}.")
    if line.held:
        said.append(f"Nothing is sent now: {'; '.join(line.held)}.")
    if line.closed_reason is not None:
        following = f", next {_then(line.probe_at, now)}" if line.probe_at else ""
        said.append(
            f"The gate is closed: {line.closed_reason}. Every {line.probe_every_seconds:g} s one "
            f"job tries whether it is open again{following}."
        )
    return said


def _turn(job: Any, line: Line, now: datetime) -> str:  # noqa: ANN401 - a Row
    if line.before is None:
        # a wait of its own, between two tries, is short
        again = "It may be sent again" if job.tries else "It may start"
        return f"{again} {_then(job.due_at, now)}."
    waits = [
        *_full(line.project, "of this project's own slots"),
        *_full(line.pool, f"slots of {job.pool}"),
        *_full(line.account, "slots"),
    ]
    if line.before:
        many = f"more than {MAX_COUNTED:,}" if line.before > MAX_COUNTED else f"{line.before:,}"
        waits.append(f"{many} before it")
    if waits:
        return f"Waiting: {', '.join(waits)}."
    busy = f"{line.account.busy} of {line.account.count} slots busy"
    return f"Its turn is next: {busy}, nobody before it."


def _full(slots: Slots | None, name: str) -> list[str]:
    if slots is None or slots.busy < slots.count:
        return []
    return [f"{slots.busy} of {slots.count} {name} busy"]


def _unconfirmed(job: Any, now: datetime) -> list[str]:  # noqa: ANN401 - a Row
    said = [_NOT_SENT_AGAIN]
    if job.due_at is not None:
        once_more = job.on_unconfirmed is OnUnconfirmed.RESUBMIT and not job.resubmitted
        end = (
            "is sent once more, as its caller asked, though it may then be paid twice"
            if once_more
            else "fails as submission_unconfirmed; a later webhook still brings its image"
        )
        said.append(f"It is waited for until {at(job.due_at, now)}; then the job {end}.")
    return said


def _generating(job: Any, terms: Terms, now: datetime) -> list[str]:  # noqa: ANN401 - a Row
    said = ["Flux is making the picture."]
    if job.due_at is not None:
        asked = f", having asked {_times(job.tries)}" if job.tries else ""
        unless = "If its webhook does not come, we ask" if terms.is_called_back else "We ask"
        said.append(f"{unless} Flux {_then(job.due_at, now)}{asked}.")
    if job.submitted_at is not None:
        end = job.submitted_at + timedelta(seconds=terms.deadline_seconds)
        said.append(f"It is given up if Flux has nothing by {at(end, now)}.")
    return said


def _storing(job: Any, now: datetime) -> list[str]:  # noqa: ANN401 - a Row
    said = ["The picture is ready and on its way into the bucket."]
    if job.kept_by is not None:
        said.append("Its bytes are safe on a worker's disk until the bucket takes them.")
    elif job.result_expires_at is not None:
        left = (job.result_expires_at - now).total_seconds()
        said.append(
            f"Flux's URL of it dies in {span(int(left))}."
            if left >= 1
            else f"Flux's URL of it died at {at(job.result_expires_at, now)}."
        )
    if job.tries:
        following = f"; next {_then(job.due_at, now)}" if job.due_at else ""
        said.append(f"Tried {_times(job.tries)} without success{following}.")
    return said


def _then(moment: datetime, now: datetime) -> str:
    """Return when something planned happens; what is overdue comes to its turn any moment."""
    return f"at {at(moment, now)}" if moment > now else "any moment now"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"
