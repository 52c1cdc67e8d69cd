"""What the product does with a job from its order to its callback, and by time alone, once.

The world's answers are given to the steps directly: what Flux, S3 and callers would say.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from growth_rows import Filled
from growth_watch import Watch
from sqlalchemy import Connection, text

from service.errors import FluxUnavailable
from service.ids import new_id
from service.leases import HandBack
from service.pictures import Picture
from service.states import ErrorCode, Status
from service.steps.deliver import Try
from service.steps.derive import Derived
from service.steps.store.bring import Again, Kept, Lost, Outcome, Refused, Stored
from service.steps.submit import Intent
from service.upstream import (
    Accepted,
    Ended,
    InProgress,
    NotSent,
    Ready,
    SubmitOutcome,
    Unknown,
)
from service.upstream import Refused as Declined
from service.wiring import Wiring

DOWN = "http://127.0.0.1:9"
#: To the last of the jobs that are sent; the others are accepted.
_OTHERWISE: list[SubmitOutcome] = [
    Unknown("silence"), Unknown("silence"), NotSent("no route"), Declined(429, "too many"),
    Declined(422, "no"),
]  # fmt: skip
_ACCEPTED = 5
_READY = {"status": "Ready", "result": {"sample": f"{DOWN}/1.png", "seed": 7}}
_DUE = text("UPDATE jobs SET due_at = now() - interval '1 hour' WHERE id = ANY(:ids)")
#: Some of each state that have waited in vain; what is queued expires.
_OVERDUE = text("""
    UPDATE jobs SET due_at = now() - interval '1 hour',
        expires_at = CASE status WHEN 'queued' THEN now() - interval '1 minute' END
    WHERE id IN (SELECT id FROM jobs WHERE status = :status ORDER BY id DESC LIMIT 3)
""")
_OWED_NOW = text("""
    UPDATE deliveries SET due_at = now() - interval '1 hour'
    WHERE status = 'pending' AND due_at > now() AND origin = 'http://127.0.0.1:9'
""")
#: Whoever looks after a spool may forget those of others.
_STEADY = text("UPDATE pulses SET at = at - interval '2 hours' WHERE name LIKE 'steady:%'")
_PROBE = text("UPDATE gates SET probe_at = now() - interval '1 hour'")
_ATTEMPT = text("SELECT id FROM attempts WHERE job_id = :job")


class Work:
    """The steps of one process over a full database."""

    def __init__(self, wiring: Wiring, watch: Watch, filled: Filled, plain: Connection) -> None:
        """`plain` lets waiting times pass; it commits by itself and is not watched."""
        self.wiring, self.watch, self.filled, self.plain = wiring, watch, filled, plain

    def lanes(self) -> None:
        """Bring jobs through every lane, to each kind of end."""
        intents = self._submit()
        self._receive(intents)
        self._poll(intents)
        self._store()
        self._derive()
        self._deliver()

    def _submit(self) -> list[Intent]:
        self.wiring.recover.mark()
        with self.watch.capturing("submit.claim"):
            intents = self.wiring.submit.claim(_ACCEPTED + len(_OTHERWISE))
        with self.watch.capturing("submit.renew"):
            self.wiring.submit.lease.renew(intents[0].job_id, intents[0].attempt_number)
        with self.watch.capturing("receive, before the answer"):
            self._hear(intents[2].attempt_id, {"id": f"task-{intents[2].job_id}", **_READY})
        accepted = [Accepted(f"task-{one.job_id}", None, None) for one in intents[:_ACCEPTED]]
        with self.watch.capturing("submit.record"):
            said = zip(intents, [*accepted, *_OTHERWISE], strict=True)
            self.wiring.submit.record(list(said))
        return intents

    def _receive(self, intents: list[Intent]) -> None:
        for intent, said in (
            (intents[0], _READY),
            # once more
            (intents[0], _READY),
            (intents[1], {"status": "Content Moderated"}),
            # nobody knew of this one
            (intents[5], _READY),
        ):
            with self.watch.capturing("receive"):
                self._hear(intent.attempt_id, {"id": f"task-{intent.job_id}", **said})
        with self.watch.capturing("receive, of no attempt"):
            self._hear(new_id(), {"id": "task", **_READY})
        (place, *_) = self.filled.places
        attempt_id = self.plain.execute(_ATTEMPT, {"job": place.failed_id}).scalar_one()
        with self.watch.capturing("receive, late"):
            self._hear(attempt_id, {"id": "task", **_READY})

    def _hear(self, attempt_id: UUID, body: dict[str, Any]) -> None:
        signer = self.wiring.webhook_signer
        said = json.dumps(body).encode()
        self.wiring.receive.hear(signer.token(attempt_id), said, [signer.secret(attempt_id)], [])

    def _poll(self, intents: list[Intent]) -> None:
        ready = Ready(f"{DOWN}/2.png", datetime.now(UTC) + timedelta(minutes=10), {"seed": 7})
        for intent, answer in (
            (intents[3], ready),
            (intents[4], InProgress("Pending")),
            (intents[4], FluxUnavailable("away")),
            (intents[4], Ended(ErrorCode.CONTENT_MODERATED, "no")),
        ):
            self._make_due([intent.job_id])
            with self.watch.capturing("poll.claim"):
                questions = self.wiring.poll.claim(8)
            with self.watch.capturing("poll.record"):
                # others may have become due in the meantime
                self.wiring.poll.record([(one, answer) for one in questions])

    def _store(self) -> None:
        stored = Stored("key.png", "a" * 64, 5, Picture("image/png", "png", 640, 640))
        outcomes: list[Outcome] = [
            stored, Kept("S3 is away"), Refused("BadDigest"), Again("broken"), Lost("gone"),
        ]  # fmt: skip
        for outcome in outcomes:
            with self.watch.capturing("store.claim"):
                ripe = self.wiring.store.claim(8)
            with self.watch.capturing("store.record"):
                self.wiring.store.record([(ripe[0], outcome)])
            with self.watch.capturing("store.hand_back"):
                HandBack(self.wiring.database, Status.STORING)(ripe[1:])
            self._make_due(one.job_id for one in ripe)

    def _derive(self) -> None:
        with self.watch.capturing("derive.claim"):
            bare = self.wiring.derive.claim(4)
        made = [Derived("thumb", "side", again=False), Derived(None, None, again=True)] * 2
        with self.watch.capturing("derive.record"):
            self.wiring.derive.record(list(zip(bare, made, strict=False)))

    def _deliver(self) -> None:
        for one in (Try(http_status=503), Try(http_status=200), Try(http_status=410)):
            self.plain.execute(_OWED_NOW)
            with self.watch.capturing("deliver.claim"):
                claimed = self.wiring.deliver.claim(64)
            with self.watch.capturing("deliver.record"):
                self.wiring.deliver.record([(run, [one] * len(run.owed)) for run in claimed])

    def by_time(self) -> None:
        """Let pass what only time ends, and do what is done again and again."""
        for status in ("submitting", "unconfirmed", "queued"):
            self.plain.execute(_OVERDUE, {"status": status})
        self.plain.execute(_STEADY)
        for name, (period_seconds, step) in self.wiring.rounds().items():
            if name == "sweep":
                continue
            with self.watch.capturing(f"every: {name}", period=f"{period_seconds:g} s"):
                step()
        for _ in range(2):
            with self.watch.capturing("every: sweep", period="1 s"):
                self.wiring.sweep(by_beat=True)

    def refused(self) -> None:
        """Have Flux refuse the account, and take it back."""
        said: tuple[SubmitOutcome, ...] = (Declined(402, "empty"), Accepted("task-9", None, None))
        for outcome in said:
            self.plain.execute(_PROBE)
            with self.watch.capturing("submit.claim, closed"):
                (intent, *_) = self.wiring.submit.claim(1)
            with self.watch.capturing("submit.record, closed"):
                self.wiring.submit.record([(intent, outcome)])

    def letters(self) -> None:
        """Take jobs over the broker."""
        job = {"model": "flux-2-pro", "input": {"prompt": "a letter"}}
        for said in (job, {**job, "model": "none"}):
            with self.watch.capturing("enqueue.letter"):
                self.wiring.letters.take(
                    {"project": "large", "job": {**said, "callback_url": DOWN}}, str(new_id())
                )

    def tail(self) -> None:
        """Read the timelines that browsers wait for."""
        for place in self.filled.places:
            with self.watch.capturing("tail"):
                self.wiring.tail.at(self.filled.project_ids[0], place.job_id)
                self.wiring.tail.news({place.job_id: 2, place.failed_id: 5})

    def _make_due(self, job_ids: Iterable[UUID]) -> None:
        self.plain.execute(_DUE, {"ids": list(job_ids)})
