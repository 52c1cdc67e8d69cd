"""The judge: from what is known outside to what was promised and not kept.

Nothing here is imported from the service, so that it cannot share its mistakes.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from chaos.evidence import Document, Evidence
from chaos.plan import NEVER, UNKNOWABLE, Order
from chaos.sink import Event, Heard

ENDED = {"succeeded", "failed", "canceled"}
MAX_UNCONFIRMED_SHARE = 0.01
MAX_REPEATED_SHARE = 0.02

#: From where each state may be entered; None is the beginning.
_ENTERED_FROM: Mapping[str, set[str | None]] = {
    "queued": {None, "submitting", "unconfirmed", "queued"},
    "submitting": {"queued"},
    "unconfirmed": {"submitting"},
    "generating": {"queued", "submitting", "unconfirmed", "failed"},
    "storing": {"queued", "submitting", "unconfirmed", "generating", "failed"},
    "succeeded": {"storing"},
    "failed": {"queued", "submitting", "unconfirmed", "generating", "storing", "failed"},
    "canceled": {"queued"},
}


class Broken(StrEnum):
    """A promise that was not kept."""

    UNANSWERED = "a caller never got its 202"
    LOST = "a job that was answered 202 does not exist"
    DOUBLED = "a key has several jobs"
    STUCK = "a job has not ended"
    PAID_TWICE = "a job was accepted upstream more than once"
    NOT_STORED = "an accepted generation did not end as it did upstream"
    WRONG_BYTES = "the stored object is not what upstream made"
    INVENTED = "a job ended as nothing upstream explains"
    UNCONFIRMED = "more jobs ended unconfirmed than may"
    STAGED = "something still waits on the disk after all has ended"
    OVERFULL = "more tasks upstream than slots"
    BACKWARDS = "a timeline that no job may have"
    COST = "the cost shown is not what was charged"
    MISSED = "a callback that was owed was not heard"
    FOLLOWED = "a callback went where a redirect led"
    FORGED = "a callback whose signature does not hold"
    TWO_IDS = "one event under several ids, or one id with several bodies"
    UNKNOWN_EVENT = "a callback about something that did not happen"
    REPEATED = "more callbacks heard again than may"


@dataclass(frozen=True)
class Finding:
    """One broken promise: about which order or job, and what was seen."""

    broken: Broken
    about: str
    seen: str


@dataclass(frozen=True)
class Verdict:
    """What the checker says of a run; `counts` are facts, `findings` are faults."""

    findings: Sequence[Finding]
    counts: Mapping[str, int]


class Upstream:
    """The simulator's ledger by task, and its accepted tasks by the order they were for."""

    def __init__(self, evidence: Evidence) -> None:
        self.accepted: dict[str, list[Document]] = defaultdict(list)
        self.end: dict[str, Document] = {}
        self.heard: set[str] = set()
        for line in evidence.ledger:
            match line["kind"]:
                case "accepted":
                    marker = line["request"]["prompt"].split()[2]
                    self.accepted[marker].append(line)
                case "webhook":
                    if line["outcome"] == "delivered":
                        self.heard.add(line["task_id"])
                case _:
                    self.end[line["task_id"]] = line


def judge(evidence: Evidence) -> Verdict:
    """Hold everything that is known against everything that was promised."""
    upstream = Upstream(evidence)
    counts: Counter[str] = Counter(jobs=len(evidence.jobs))
    findings = [
        finding
        for order in evidence.orders
        for finding in _judge_order(evidence, upstream, order, counts)
    ]
    known = {job_id for answers in evidence.answers.values() for job_id in answers.job_ids}
    findings += [
        Finding(Broken.DOUBLED, job_id, "no caller was ever told of it")
        for job_id in evidence.jobs.keys() - known
    ]
    findings += [Finding(Broken.STAGED, name, "in the spool") for name in evidence.staged]
    if evidence.max_active_seen > evidence.slots:
        seen = f"{evidence.max_active_seen} of {evidence.slots}"
        findings.append(Finding(Broken.OVERFULL, "upstream", seen))
    planned = evidence.refused_unclearly + sum(
        bool(UNKNOWABLE.keys() & set(order.faults)) for order in evidence.orders
    )
    most = max(2, math.floor(MAX_UNCONFIRMED_SHARE * len(evidence.orders))) + planned
    if counts["unconfirmed"] > most:
        seen = (
            f"{counts['unconfirmed']} of {len(evidence.orders)}, {planned} of them planned, "
            f"{counts['unconfirmed_paid']} accepted upstream without a webhook that was taken"
        )
        findings.append(Finding(Broken.UNCONFIRMED, "all", seen))
    findings += _judge_callbacks(evidence, counts)
    return Verdict(findings, counts)


def _judge_order(
    evidence: Evidence, upstream: Upstream, order: Order, counts: Counter[str]
) -> Iterator[Finding]:
    answers = evidence.answers[order.marker]
    paid = upstream.accepted[order.marker]
    counts["accepted"] += len(paid)
    if len(paid) > 1:
        yield Finding(Broken.PAID_TWICE, order.marker, str([line["task_id"] for line in paid]))
    if len(answers.job_ids) != 1:
        broken = Broken.DOUBLED if answers.job_ids else Broken.UNANSWERED
        yield Finding(broken, order.marker, f"{answers.job_ids} {answers.said[-5:]}")
        return
    (job_id,) = answers.job_ids
    job = evidence.jobs.get(job_id)
    if job is None:
        yield Finding(Broken.LOST, order.marker, job_id)
        return
    counts[job["status"]] += 1
    counts["unconfirmed"] += _code(job) == "submission_unconfirmed"
    counts["unconfirmed_paid"] += _code(job) == "submission_unconfirmed" and bool(paid)
    yield from _judge_timeline(job_id, job, evidence.events.get(job_id, ()))
    if job["status"] not in ENDED:
        yield Finding(Broken.STUCK, order.marker, _story(job, evidence))
    elif paid:
        counts["cost_unknown"] += job["cost"]["actual"] is None
        yield from _judge_paid(evidence, upstream, order, job)
    elif not _explained_unpaid(order, job):
        yield Finding(Broken.INVENTED, order.marker, _story(job, evidence))


def _explained_unpaid(order: Order, job: Document) -> bool:
    """Whether a job may have ended as it did without upstream ever accepting it."""
    if _code(job) == "upstream_rejected":
        return bool(NEVER.keys() & set(order.faults))
    return _code(job) == "submission_unconfirmed"


def _judge_paid(
    evidence: Evidence, upstream: Upstream, order: Order, job: Document
) -> Iterator[Finding]:
    """Upstream accepted it: it must have ended here as it did there."""
    paid = upstream.accepted[order.marker][0]
    end = upstream.end.get(paid["task_id"], {"kind": "nothing"})
    actual = job["cost"]["actual"]
    if actual is not None and Decimal(actual) != Decimal(str(paid["cost"])):
        yield Finding(Broken.COST, order.marker, f"{actual}, charged {paid['cost']}")
    wanted = {
        "ready": ("succeeded", None),
        "moderated": ("failed", "content_moderated"),
        "error": ("failed", "upstream_error"),
    }.get(end["kind"])
    if (job["status"], _code(job)) == wanted:
        if end["kind"] == "ready":
            yield from _judge_bytes(evidence, order, job, end["sha256"])
    elif not _nobody_could_know(upstream, job, paid):
        yield Finding(Broken.NOT_STORED, order.marker, f"{end['kind']}; {_story(job, evidence)}")
    elif not job["cost"]["maybe_charged"]:
        yield Finding(Broken.COST, order.marker, "charged, and the job does not say so")


def _nobody_could_know(upstream: Upstream, job: Document, paid: Document) -> bool:
    """Whether this is the one case that cannot be saved: the answer and every webhook lost."""
    return _code(job) == "submission_unconfirmed" and paid["task_id"] not in upstream.heard


def _judge_bytes(evidence: Evidence, order: Order, job: Document, sha256: str) -> Iterator[Finding]:
    shown = [(image["sha256"], evidence.objects.get(image["key"])) for image in job["images"]]
    if shown != [(sha256, sha256)]:
        yield Finding(Broken.WRONG_BYTES, order.marker, f"{shown}, made {sha256}")


def _judge_timeline(job_id: str, job: Document, events: Sequence[Document]) -> Iterator[Finding]:
    states = [line["type"].removeprefix("job.") for line in events]
    sound = (
        [line["seq"] for line in events] == list(range(1, len(events) + 1))
        and states[-1:] == [job["status"]]
        and all(
            before in _ENTERED_FROM.get(state, set())
            for before, state in zip([None, *states], states, strict=False)
        )
    )
    if not sound:
        yield Finding(Broken.BACKWARDS, job_id, f"{job['status']}: {states}")


def _judge_callbacks(evidence: Evidence, counts: Counter[str]) -> Iterator[Finding]:
    bodies: dict[str, set[str]] = defaultdict(set)
    by_event: dict[Event, list[Heard]] = defaultdict(list)
    for heard in evidence.heard:
        if heard.redirected:
            yield Finding(Broken.FOLLOWED, heard.webhook_id, "a redirect was followed")
        elif heard.verified:
            bodies[heard.webhook_id].add(heard.body_sha256)
            by_event[heard.event].append(heard)
        else:
            yield Finding(Broken.FORGED, heard.webhook_id, f"answered {heard.answered}")
    for webhook_id, seen in bodies.items():
        if len(seen) > 1:
            yield Finding(Broken.TWO_IDS, webhook_id, f"{len(seen)} bodies")
    for event, calls in by_event.items():
        yield from _judge_event(evidence, event, calls)
    for event in owed(evidence):
        if not any(call.taken for call in by_event[event]):
            job_id, kind, _ = event
            story = _story(evidence.jobs[job_id], evidence)
            yield Finding(Broken.MISSED, job_id, f"{kind}; {story}")
    counts["callbacks"] = len(by_event)
    again = sum(max(0, sum(call.taken for call in calls) - 1) for calls in by_event.values())
    counts["callbacks_repeated"] = again
    # a worker that is killed may have had as many in hand as its lane takes, 16, all answered; in
    # a small run two of them are more than the share
    if again > max(32, MAX_REPEATED_SHARE * len(by_event)):
        yield Finding(Broken.REPEATED, "all", f"{again} of {len(by_event)}")


def _judge_event(evidence: Evidence, event: Event, calls: Sequence[Heard]) -> Iterator[Finding]:
    job_id, kind, sequence = event
    ids = {call.webhook_id for call in calls}
    if len(ids) > 1:
        yield Finding(Broken.TWO_IDS, job_id, f"{kind}: {sorted(ids)}")
    timeline = {(line["type"], line["seq"]) for line in evidence.events.get(job_id, ())}
    if (kind, sequence) not in timeline:
        yield Finding(Broken.UNKNOWN_EVENT, job_id, f"{kind}, sequence {sequence}")


def owed(evidence: Evidence) -> Iterator[Event]:
    """Yield the event of each callback that must have been heard by the end."""
    for order in evidence.orders:
        if order.callback is None:
            continue
        for job_id in evidence.answers[order.marker].job_ids & evidence.jobs.keys():
            for line in evidence.events.get(job_id, ()):
                if line["type"].removeprefix("job.") in ENDED:
                    yield job_id, line["type"], line["seq"]


def _code(job: Document) -> str | None:
    error: Any = job["error"]
    return None if error is None else str(error["code"])


def _story(job: Document, evidence: Evidence) -> str:
    lines = [
        f"{line['type'].removeprefix('job.')}@{line['at'][17:23]}"
        for line in evidence.events.get(job["id"], ())
    ]
    callback = (job["callback"] or {}).get("status")
    reason = (job["error"] or {}).get("message")
    return f"{job['id']} {' '.join(lines)}; callback {callback}; {_code(job)}: {reason}"
