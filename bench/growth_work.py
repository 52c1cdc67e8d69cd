"""What the product does with a job from its order to its callback, and by time alone, once.

The world's answers are given to the steps directly: what Flux, S3 and callers would say.
"""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from growth_rows import Filled
from growth_watch import Watch
from sqlalchemy import Connection, text

from service.errors import FluxUnavailable
from service.ids import new_id
from service.pictures import Picture
from service.states import ErrorCode
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
        accepted = [Accepted(f"task-{one.job_id}", None, None) for one in intents[:_ACCEPTED]]
        with self.watch.capturing("submit.record"):
            said = zip(intents, [*accepted, *_OTHERWISE], strict=True)
            self.wiring.submit.record(list(said))
        return intents

    def _receive(self, intents: list[Intent]) -> None:
        ready = {"status": "Ready", "result": {"sample": f"{DOWN}/1.png", "seed": 7}}
        for intent, said in (
            (intents[0], ready),
            (intents[0], ready),
            (intents[1], ready),
            (intents[2], {"status": "Content Moderated"}),
            # nobody knew of this one
            (intents[5], {"id": f"task-{intents[5].job_id}", **ready}),
        ):
            with self.watch.capturing("receive"):
                self._hear(intent.attempt_id, {"id": f"task-{intent.job_id}", **said})
        with self.watch.capturing("receive, of no attempt"):
            self._hear(new_id(), {"id": "task", **ready})
        (place, *_) = self.filled.places
        attempt_id = self.plain.execute(_ATTEMPT, {"job": place.failed_id}).scalar_one()
        with self.watch.capturing("receive, late"):
            self._hear(attempt_id, {"id": "task", **ready})

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
                (question,) = self.wiring.poll.claim(8)
            with self.watch.capturing("poll.record"):
                self.wiring.poll.record([(question, answer)])

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
        for name, (period_seconds, step) in self.wiring.rounds().items():
            if name in ("sweep", "receiver"):
                continue
            with self.watch.capturing(f"every: {name}", period=f"{period_seconds:g} s"):
                step()
        for _ in range(2):
            with self.watch.capturing("every: sweep", period="1 s"):
                self.wiring.sweep(by_beat=True)

    def by_hand(self) -> None:
        """Run what an operator asks for on the command line."""
        wiring = self.wiring
        since = datetime.now(UTC) - timedelta(days=1)
        asked: dict[str, Callable[[], object]] = {
            "reconcile": lambda: wiring.reconcile.accounts(since),
            "reconcile, doubts": lambda: list(wiring.reconcile.doubts(since)),
            "recover, look": wiring.recover.look,
            "recover, doubts": lambda: list(wiring.doubts.find(since)),
            "recover, webhooks": wiring.doubts.unmatched_webhooks,
            "verify, sample": lambda: list(wiring.verify.run(5, 1)),
            "keys": wiring.keys.listing,
            "projects": wiring.projects.all,
            "project, change": lambda: wiring.projects.change("large", {"max_active": None}),
        }
        for name, ask in asked.items():
            with self.watch.capturing(f"by hand: {name}", period="by hand"):
                ask()

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
