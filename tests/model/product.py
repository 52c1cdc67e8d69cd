"""The product under the model's actions: its real steps on a real database, one job at a time."""

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property

from factories import ago, due_now, enqueue, events, put
from model.answers import ANSWERS, IN_VAIN, KEPT, RESULTS, WORDS, Upstream
from model.protocol import Action
from model.tours import OUTSIDE
from model.world import At, Heard, Job, Rules, Sweeping
from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.dialects.postgresql import aggregate_order_by

from service.errors import NotCancelable
from service.keys import NewKey
from service.models import Attempt, Delivery, Gate, jobs
from service.settings import OnUnconfirmed
from service.states import TERMINAL, AttemptOutcome, Status
from service.steps.poll import GIVE_UP_AFTER_DEADLINES, Question
from service.steps.store.bring import Ripe
from service.steps.submit import Intent
from service.upstream import NotSent, SubmitOutcome
from service.wiring import Wiring

#: How long ago upstream has accepted what it is asked about, in its deadlines.
_DEADLINES_AGO: Mapping[str, int] = {
    Heard.OVERDUE: 1,
    Heard.UNANSWERED: 1,
    Heard.HOPELESS: GIVE_UP_AFTER_DEADLINES,
}


class Product:
    """One job, moved by the product's own steps."""

    def __init__(self, wiring: Wiring, key: NewKey, rules: Rules) -> None:
        self._wiring = wiring
        self._upstream = Upstream()
        self._submit = replace(wiring.submit, send=replace(wiring.submit.send, flux=self._upstream))
        self._poll = replace(wiring.poll, flux=self._upstream)
        policy = OnUnconfirmed.RESUBMIT if rules.resubmits else OnUnconfirmed.FAIL
        self._job_id = enqueue(
            wiring, key, callback_url="http://127.0.0.1:9/hook", on_unconfirmed=policy
        )
        with wiring.database.transaction() as tx:
            self._project_id = tx.scalar(select(jobs.c.project_id).where(self._mine))
            # what other jobs went through must not hold this one up
            tx.execute(update(Gate).values(closed_reason=None, failures=0, recent=0, slots=24))
        self._intents: dict[int, Intent] = {}
        self._answers: dict[int, SubmitOutcome] = {}
        self._heard: dict[str, Question] = {}
        self._brought: dict[str, Ripe] = {}
        self._calls = 0

    def do(self, action: Action) -> None:
        """Make happen what the model says happens; what is not ours moves nothing here."""
        if action.name not in OUTSIDE:
            self._steps[action.name](action.attempt, action.what)

    @cached_property
    def _steps(self) -> Mapping[str, Callable[[int, str], None]]:
        return {
            "cancel": self._cancel,
            "claim": self._claim,
            "deadline": self._let_the_deadline_pass,
            "fence": self._be_fenced,
            "renew": self._renew,
            "post": self._post,
            "post_belied": self._post,
            "answer": self._answer,
            "record": self._record,
            "record_unacknowledged": self._record,
            "progress": self._hear,
            "webhook": self._hear,
            "ask": self._ask,
            "ask_in_vain": self._ask_in_vain,
            "record_poll": self._record_poll,
            "store": self._store,
            "record_store": self._record_store,
            "end": self._sweep,
        }

    def seen(self) -> Job:
        """Return the job as the model would write it."""
        tried = select(func.array_agg(aggregate_order_by(Attempt.outcome, Attempt.number)))
        owed = select(func.count()).where(Delivery.job_id == jobs.c.id)
        seen = select(
            *jobs.c,
            tried.where(Attempt.job_id == jobs.c.id).scalar_subquery().label("outcomes"),
            owed.scalar_subquery().label("owed"),
        )
        with self._wiring.database.transaction() as tx:
            row = tx.first(seen.where(self._mine))
        outcomes = row.outcomes or []
        is_newest = row.attempt_count == len(outcomes)
        assert (row.completed_at is not None) == (row.status in TERMINAL)
        return Job(
            status=row.status,
            code=row.error_code,
            maybe_charged=row.maybe_charged,
            outcomes=tuple(one and AttemptOutcome(one) for one in outcomes),
            callbacks=row.owed,
            resubmitted=row.resubmitted,
            back_to=0 if is_newest else row.attempt_count,
        )

    def timeline(self) -> list[str]:
        """Return the states that the job went through, as its timeline tells."""
        return [name.removeprefix("job.") for name in events(self._wiring, self._job_id)]

    @property
    def posts(self) -> int:
        """How many POSTs reached upstream."""
        return self._upstream.posts

    def put_aside(self) -> None:
        """See that nobody claims it and that it holds no slot any more."""
        put(self._wiring, self._job_id, status=Status.CANCELED, due_at=None)

    @property
    def _mine(self) -> ColumnElement[bool]:
        return jobs.c.id == self._job_id

    def _cancel(self, _number: int, _what: str) -> None:
        with contextlib.suppress(NotCancelable):
            self._wiring.enqueue.cancel(self._project_id, self._job_id)

    def _claim(self, number: int, _what: str) -> None:
        due_now(self._wiring, self._job_id)
        (intent,) = self._submit.claim(1)
        assert (intent.job_id, intent.attempt_number) == (self._job_id, number)
        self._intents[number] = intent

    def _let_the_deadline_pass(self, number: int, _what: str) -> None:
        self._intents[number] = replace(self._intents[number], send_by=0.0)

    def _be_fenced(self, number: int, _what: str) -> None:
        # even where the job is still its own, and its time begins anew while it makes the body
        at_once = replace(self._submit.lease, send_deadline_seconds=0.0)
        self._upstream.answer = ANSWERS[At.ACCEPTED]
        send = replace(self._submit.send, lease=at_once)
        self._answers[number] = send(self._intents[number])
        assert isinstance(self._answers[number], NotSent)

    def _renew(self, number: int, _what: str) -> None:
        send_by = self._submit.lease.renew(self._job_id, number)
        assert send_by is not None
        self._intents[number] = replace(self._intents[number], send_by=send_by)

    def _post(self, number: int, what: str) -> None:
        intent = self._intents[number]
        if what == At.UNUSABLE:
            intent = replace(intent, model="withdrawn")
        else:
            self._upstream.answer = ANSWERS[At.ACCEPTED if what == At.SENT else what]
        self._answers[number] = self._submit.act(intent)

    def _answer(self, number: int, what: str) -> None:
        self._answers[number] = ANSWERS[what]

    def _record(self, number: int, _what: str) -> None:
        self._submit.record([(self._intents[number], self._answers[number])])

    def _hear(self, number: int, what: str) -> None:
        self._calls += 1
        # repeats come with other bytes, so that it is not the inbox alone that bears them
        body = json.dumps({"id": "task-1", "call": self._calls, **WORDS[what]}).encode()
        attempt_id, signer = self._intents[number].attempt_id, self._wiring.webhook_signer
        secrets = [signer.secret(attempt_id)]
        self._wiring.receive.hear(signer.token(attempt_id), body, secrets, [])

    def _ask(self, _number: int, what: str) -> None:
        self._heard[what] = self._question(what)

    def _ask_in_vain(self, _number: int, what: str) -> None:
        question = self._question(what)
        self._upstream.heard = IN_VAIN[what]
        self._poll.record([(question, self._poll.act(question))])

    def _question(self, what: str) -> Question:
        deadlines = _DEADLINES_AGO.get(what, 0)
        accepted = ago(deadlines * self._poll.deadline_seconds + bool(deadlines))
        put(self._wiring, self._job_id, submitted_at=accepted)
        due_now(self._wiring, self._job_id)
        (question,) = self._poll.claim(1)
        assert (question.overdue, question.hopeless) == (deadlines > 0, deadlines > 1)
        return question

    def _record_poll(self, _number: int, what: str) -> None:
        self._upstream.heard = RESULTS[what]
        question = self._heard[what]
        self._poll.record([(question, self._poll.act(question))])

    def _store(self, _number: int, what: str) -> None:
        due_now(self._wiring, self._job_id)
        (self._brought[what],) = self._wiring.store.claim(1)

    def _record_store(self, _number: int, what: str) -> None:
        self._wiring.store.record([(self._brought[what], KEPT[what])])

    def _sweep(self, _number: int, what: str) -> None:
        if what == Sweeping.EXPIRY:
            put(self._wiring, self._job_id, expires_at=ago(1))
        else:
            due_now(self._wiring, self._job_id)
        self._wiring.sweep()
