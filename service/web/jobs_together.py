"""All jobs that a list's filters find, withdrawn or tried again together.

The page that asks shows how many and what they cost, and its form carries which of them it has
shown: what it does is what was confirmed, also when it is sent twice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, render_template, request

from service.documents import credits_text
from service.errors import InvalidRequest
from service.keys import Caller
from service.models import Scope
from service.states import Status
from service.steps.browse import MAX_LOOKED_AT, JobFilter, Span
from service.web.job_filters import Filters, read_filters
from service.web.login import Page, View
from service.web.problem_pages import lead_back
from service.web.wording import price
from service.wiring import Wiring

#: The field with what was shown.
SPAN_FIELD = "shown"


@dataclass(frozen=True, slots=True)
class Action:
    """What can be done to all."""

    name: str
    #: On the button and the link.
    words: str
    #: Of which jobs.
    states: frozenset[Status]
    #: Jobs at a time; the rest is said.
    most: int

    @property
    def endpoint(self) -> str:
        """The pages that ask and act."""
        return f"timeline.{self.name}_all"

    def is_of(self, only: JobFilter) -> bool:
        """Return whether such a list can hold any."""
        if only.error_code is not None and Status.FAILED not in self.states:
            return False
        return only.status is None or only.status in self.states


CANCEL = Action("cancel", "Cancel all that match", frozenset({Status.QUEUED}), 1_000)
RETRY = Action(
    "retry", "Try all that match again", frozenset({Status.FAILED, Status.CANCELED}), 500
)


def add_jobs_together(routes: Blueprint, page: Callable[[View], Page], wiring: Wiring) -> None:
    """Add the pages that ask, and the routes that act."""

    def begin(caller: Caller) -> Filters:
        filters = read_filters()
        lead_back(filters.place("timeline.jobs"), "Back to the jobs")
        caller.require(Scope.SUBMIT)
        return filters

    def ask(caller: Caller, action: Action) -> str:
        filters = begin(caller)
        found = wiring.matching.find(caller.project_id, filters.only, action.states, action.most)
        return render_template(
            "jobs_together.html",
            caller=caller,
            action=action,
            filters=filters,
            found=found,
            looked_at=MAX_LOOKED_AT,
            price=price(credits_text(found.credits)),
            shown=None if found.span is None else _written(wiring, action, found.span),
        )

    def act(
        caller: Caller, action: Action, do: Callable[[UUID, list[UUID]], dict[str, Any]]
    ) -> str:
        filters = begin(caller)
        span = _read(wiring, action, request.form.get(SPAN_FIELD, ""))
        find = wiring.matching.find
        mine = (caller.project_id, filters.only, action.states, action.most)
        done = do(caller.project_id, find(*mine, span).ids)
        return render_template(
            "jobs_together_done.html",
            caller=caller,
            action=action,
            filters=filters,
            rest=find(*mine),
            **done,
        )

    def cancel(project_id: UUID, ids: list[UUID]) -> dict[str, Any]:
        count, left = wiring.together.cancel(project_id, ids)
        return {"count": count, "missed": len(ids) - left - count}

    def retry(project_id: UUID, ids: list[UUID]) -> dict[str, Any]:
        done = wiring.together.retry(project_id, ids)
        return {
            "count": done.count,
            "refused": done.refused,
            "refusal": done.refusal,
            "stopped": done.stopped,
        }

    @routes.get("/jobs/all/cancel")
    @page
    def ask_cancel_all(caller: Caller) -> str:
        return ask(caller, CANCEL)

    @routes.post("/jobs/all/cancel")
    @page
    def cancel_all(caller: Caller) -> str:
        return act(caller, CANCEL, cancel)

    @routes.get("/jobs/all/retry")
    @page
    def ask_retry_all(caller: Caller) -> str:
        return ask(caller, RETRY)

    @routes.post("/jobs/all/retry")
    @page
    def retry_all(caller: Caller) -> str:
        return act(caller, RETRY, retry)


def _written(wiring: Wiring, action: Action, span: Span) -> str:
    where = [span.oldest.hex, span.newest.hex, span.seen_at.isoformat()]
    return wiring.cursors.write(f"all-{action.name}", where)


def _read(wiring: Wiring, action: Action, said: str) -> Span:
    """Return what the form says was shown.

    Raises:
        InvalidRequest: it is not what we wrote into it.
    """
    try:
        oldest, newest, seen_at = wiring.cursors.read(f"all-{action.name}", said, SPAN_FIELD)
    except InvalidRequest as error:
        error.detail = "This form is not whole. Load its page again."
        raise
    return Span(UUID(hex=oldest), UUID(hex=newest), datetime.fromisoformat(seen_at))
