"""Upstream's yes to a paid POST: the job is generating, its attempt has become a task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, Row, Uuid, func, not_, update

from service.database import Transaction
from service.models import jobs
from service.moves.attempts import Named, Speaker, move_by, name
from service.moves.changes import Change, Changes, known
from service.moves.statements import enterable
from service.moves.values import After
from service.recordsets import records, recordset
from service.states import Status
from service.upstream import Accepted

_MESSAGE = "Flux accepted it"


@dataclass(frozen=True, slots=True)
class Yes:
    """The answer to an attempt's POST."""

    job_id: UUID
    attempt_number: int
    answer: Accepted
    #: When to ask about the task first.
    ask_after_seconds: float

    @property
    def facts(self) -> dict[str, Any]:
        """Return what only the answer knows, by the job's columns."""
        return {
            "task_id": self.answer.task_id,
            "polling_url": self.answer.polling_url,
            "cost_actual": self.answer.cost,
        }

    @property
    def plan(self) -> dict[str, Any]:
        """Return what comes next."""
        return {"due_at": After(self.ask_after_seconds), "submitted_at": After(0)}

    @property
    def detail(self) -> dict[str, Any]:
        """Return what the timeline shows."""
        return {"task_id": self.answer.task_id}

    def named(self, http_status: int | None = None) -> Named:
        """Return what its attempt has become."""
        said = self.answer
        return Named(self.job_id, self.attempt_number, said.task_id, said.cost, http_status)


@dataclass(frozen=True)
class Yeses(Changes):
    """Moves jobs by upstream's yes."""

    def take_yeses(self, tx: Transaction, yeses: Sequence[Yes]) -> Mapping[UUID, bool]:
        """Act on the answers to jobs' current attempts, all at once.

        Returns the jobs that were acted on, each with whether that is news. Of the others another
        attempt is the current one: each needs `take_yes`.
        """
        if not yeses:
            return {}
        changes = [
            Change(
                one.job_id,
                _MESSAGE,
                {**one.plan, **known(one.attempt_number), **one.facts},
                one.attempt_number,
                one.detail,
            )
            for one in yeses
        ]
        taken = set(self.move_all(tx, Status.GENERATING, changes))
        late = [one for one in yeses if one.job_id not in taken]
        if late:
            # a webhook overtook the answer: keep its state, add what only the answer knew
            said = [
                {"of_job": one.job_id, "of_attempt": one.attempt_number, **one.facts}
                for one in late
            ]
            taken |= {row.id for row in tx.rows(_KNOW, {"said": records(said)})}
        named = [one.named(one.answer.http_status) for one in yeses if one.job_id in taken]
        news = name(tx, named, counts=True) if named else set()
        return {job_id: job_id in news for job_id in taken}

    def take_yes(self, tx: Transaction, yes: Yes) -> None:
        """Act on the answer to an attempt's POST, whatever has become of its job meanwhile."""

        def act(speaker: Speaker) -> Row[Any] | None:
            return self.move(
                tx,
                yes.job_id,
                Status.GENERATING,
                _MESSAGE,
                detail=yes.detail,
                **{**yes.plan, **speaker.terms, **yes.facts},
            )

        row = move_by(tx, yes.job_id, yes.attempt_number, act)
        name(tx, [yes.named()], counts=row is not None)


_FACTS = ("task_id", "polling_url", "cost_actual")
_SAID = recordset(
    "said",
    {
        "of_job": Uuid(),
        "of_attempt": Integer(),
        **{fact: jobs.c[fact].type for fact in _FACTS},
    },
)
_KNOW = (
    update(jobs)
    .where(
        jobs.c.id == _SAID.c.of_job,
        jobs.c.attempt_count == _SAID.c.of_attempt,
        # whoever may still move, does
        not_(enterable(Status.GENERATING)),
    )
    .values(
        submitted_at=func.coalesce(jobs.c.submitted_at, func.now()),
        **{fact: func.coalesce(jobs.c[fact], _SAID.c[fact]) for fact in _FACTS},
    )
    .returning(jobs.c.id)
)
