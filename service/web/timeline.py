"""The list of jobs and a page per job: its timeline, its images, its callbacks."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from itertools import pairwise
from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, render_template, url_for
from werkzeug.wrappers import Response as Redirect

from service.documents import Document, credits_text, event, when
from service.errors import NotFound
from service.generation import CATALOGUE
from service.ids import Kind, public_id, read_id
from service.keys import Caller
from service.models import DeliveryStatus, Scope
from service.states import TERMINAL, ErrorCode, Status
from service.timeline import IMAGE_DELETED
from service.web import story
from service.web.job_actions import add_job_actions
from service.web.job_filters import read_filters
from service.web.jobs import known_job
from service.web.jobs_together import CANCEL, RETRY, add_jobs_together
from service.web.login import guard_pages, page_for
from service.web.paging import read_cursor
from service.web.problem_pages import lead_back
from service.web.tiles import input_pictures
from service.wiring import Wiring

JOBS_PER_PAGE = 50
#: A callback that is tried sooner is worth waiting for.
_SOON = timedelta(minutes=1)


def timeline_blueprint(wiring: Wiring) -> Blueprint:
    """Return the pages of jobs."""
    routes = Blueprint("timeline", __name__)
    guard_pages(routes, wiring.object_store.origin)
    page = page_for(wiring.keys)
    add_job_actions(routes, page, wiring)
    add_jobs_together(routes, page, wiring)

    @routes.get("/jobs")
    @page
    def jobs(caller: Caller) -> str:
        lead_back(url_for("timeline.jobs"), "All jobs")
        filters = read_filters()
        cursor = read_cursor(wiring.cursors, "job-pages", filters.cursor)
        found, pictures = wiring.browse.jobs(caller.project_id, filters.only, cursor, JOBS_PER_PAGE)
        images = {picture.job_id: [picture] for picture in pictures}
        together = [one for one in (CANCEL, RETRY) if one.is_of(filters.only)]
        return render_template(
            "jobs.html",
            caller=caller,
            jobs=[wiring.documents.job(row, images.get(row.id, [])) for row in found.rows],
            next=None
            if found.next_id is None
            else wiring.cursors.write("job-pages", [found.next_id.hex]),
            first_page=cursor is None,
            filters=filters,
            together=together if filters.said and Scope.SUBMIT in caller.scopes else [],
            statuses=[*Status],
            models=sorted({*CATALOGUE.models, *filter(None, [filters.only.model])}),
            codes=[*ErrorCode],
            terminal=TERMINAL,
            base_url=wiring.settings.base_url,
        )

    @routes.get("/jobs/<job_id>")
    @page
    def job(caller: Caller, job_id: str) -> str:
        found = known_job(job_id)
        row, pictures = wiring.browse.job(caller.project_id, found)
        lines = wiring.browse.events(caller.project_id, found)
        moves = [line for line in lines if line.type != IMAGE_DELETED]
        told, now = wiring.explain.read(row), datetime.now(UTC)
        terms = story.Terms(
            wiring.rhythm.is_called_back(row.model), wiring.settings.upstream_deadline_seconds
        )
        owed = wiring.browse.deliveries(caller.project_id, found)
        return render_template(
            "job.html",
            caller=caller,
            job=wiring.documents.job(row, pictures),
            inputs=input_pictures(wiring, row),
            ended=row.status in TERMINAL,
            why=story.why(row, told.line, terms, now),
            events=_timeline(lines, terms),
            moved_at=when(moves[-1].at),
            since_seconds=(now - moves[-1].at).total_seconds(),
            took_seconds=(moves[-1].at - moves[0].at).total_seconds(),
            attempts=[_attempt(one) for one in told.attempts],
            retried_as=[public_id(Kind.JOB, one) for one in told.retried_as],
            deliveries=_deliveries(*owed, now),
            may_submit=Scope.SUBMIT in caller.scopes,
            may_manage=Scope.MANAGE in caller.scopes,
            can_be_canceled=row.status is Status.QUEUED and not row.resubmitted,
            can_be_retried=row.status in {Status.FAILED, Status.CANCELED},
        )

    @routes.post("/jobs/<job_id>/callbacks/<delivery_id>/again")
    @page
    def again(caller: Caller, job_id: str, delivery_id: str) -> Redirect:
        caller.require(Scope.MANAGE)
        found = read_id(Kind.DELIVERY, delivery_id)
        if found is None:
            raise NotFound("There is no such delivery.")
        wiring.redeliver.one(caller.project_id, found, job_id=known_job(job_id))
        place = url_for("timeline.job", job_id=job_id, _anchor="callbacks")
        return redirect(place, HTTPStatus.SEE_OTHER)

    return routes


def _timeline(lines: Sequence[Any], terms: story.Terms) -> list[Document]:
    """Return a job's events, each with the seconds until the next one; None for the last."""
    gaps = [(later.at - sooner.at).total_seconds() for sooner, later in pairwise(lines)]
    return [
        {
            **event(line),
            "message": story.happened(line, lines[:index], terms),
            "seconds_to_next": gap,
        }
        for index, (line, gap) in enumerate(zip(lines, [*gaps, None], strict=True))
    ]


def _attempt(one: Any) -> Document:  # noqa: ANN401 - a Row
    return {
        "number": one.number,
        "provider": one.provider,
        "at": when(one.intent_at),
        "words": story.attempt(one),
        "is_accepted": one.outcome == "accepted",
        "task_id": one.task_id,
        "http_status": one.http_status,
        "error": one.error,
        "cost": credits_text(one.cost),
    }


def _deliveries(owed: Sequence[Any], tries: Sequence[Any], now: datetime) -> list[Document]:
    """Return a job's callbacks, each with its tries."""
    made: dict[UUID, list[Any]] = {one.id: [] for one in owed}
    for one in tries:
        made[one.delivery_id].append(one)
    return [
        {
            "id": public_id(Kind.DELIVERY, one.id),
            "type": one.type,
            "url": one.url,
            "status": one.status.value,
            "words": story.callback(one, made[one.id], now),
            "is_soon": one.status is DeliveryStatus.PENDING
            and (one.due_at is None or one.due_at - now < _SOON),
            "tries": [_try(each) for each in made[one.id]],
        }
        for one in owed
    ]


def _try(one: Any) -> Document:  # noqa: ANN401 - a Row
    return {
        "number": one.number,
        "at": when(one.at),
        "seconds": one.duration_ms / 1000,
        "http_status": one.http_status,
        "error": one.error,
        "answer": one.answer,
        "location": one.location,
    }
