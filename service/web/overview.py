"""The overview: how a project does, in figures, charts and what is wrong."""

from typing import Annotated, Any, Literal

from flask import Blueprint, render_template
from pydantic import BaseModel, Field

from service.documents import when
from service.keys import Caller
from service.steps.survey import (
    COUNTED_CALLBACKS,
    COUNTED_JOBS,
    WINDOWS,
    History,
    Present,
)
from service.steps.watch import Health
from service.web.alarms import alarms
from service.web.figures import charts, counted, money
from service.web.login import guard_pages, page_for
from service.web.queries import read_query
from service.web.wording import span
from service.wiring import Wiring

#: By the names of the windows.
_WINDOW_WORDS = {"24h": "24 hours", "7d": "7 days", "30d": "30 days"}


class OverviewQuery(BaseModel):
    """How far back one looks."""

    window: Annotated[Literal["24h", "7d", "30d"], Field(description="How far back.")] = "24h"


def overview_blueprint(wiring: Wiring) -> Blueprint:
    """Return the page for operators."""
    routes = Blueprint("overview", __name__)
    guard_pages(routes, wiring.object_store.origin)
    page = page_for(wiring.keys)

    @routes.get("/overview")
    @page
    def overview(caller: Caller) -> str:
        name = read_query(OverviewQuery).window
        history = wiring.survey.history(caller.project_id, WINDOWS[name])
        present = wiring.survey.present(caller.project_id)
        health = wiring.watch.health()
        lifetime_seconds = wiring.settings.result_lifetime_seconds
        return render_template(
            "overview.html",
            caller=caller,
            windows=_WINDOW_WORDS,
            window=name,
            alarms=alarms(wiring.settings, health),
            now=_now(history, present),
            gates=_gates(wiring, present, health),
            hosts=[
                {"host": host, "since": when(host.since), "probe_at": when(host.probe_at)}
                for host in present.hosts
            ],
            has_more_hosts=present.has_more_hosts,
            most_waiting=COUNTED_CALLBACKS,
            charts=charts(history, name, lifetime_seconds),
            is_new=not (present.queued or any(day.ended for day in history.days)),
            through=None if history.through is None else when(history.through),
            base_url=wiring.settings.base_url,
        )

    return routes


def _now(history: History, present: Present) -> list[tuple[str, str]]:
    """Return the figures of this moment, in words."""
    at_least = "at least " if present.queued >= COUNTED_JOBS else ""
    due = present.oldest_due_seconds
    today = history.days[-1]
    return [
        ("Queue length", f"{at_least}{counted(present.queued, 'job')}"),
        ("Queue age", "nothing is due" if due is None else f"{span(due)}, the oldest due job"),
        ("At Flux", f"{counted(present.holding_slots, 'job')} in a slot"),
        ("Being saved", counted(present.storing, "picture")),
        ("Spent today, UTC", money(today.credits)),
    ]


def _gates(wiring: Wiring, present: Present, health: Health) -> list[dict[str, Any]]:
    """Return what stands between the queue and each provider; everybody's projects share it."""
    configured = wiring.settings.flux_max_active
    shown = []
    for provider in wiring.survey.providers:
        gate = present.gates.get(provider)
        shown.append(
            {
                "provider": provider,
                "in_use": health.slots_in_use.get(provider, 0),
                "allowed": configured if gate is None else min(gate.allowed, configured),
                "configured": configured,
                "closed_reason": None if gate is None else gate.closed_reason,
                "probe_at": None if gate is None else when(gate.probe_at),
            }
        )
    return shown
