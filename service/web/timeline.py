"""The list of jobs and a page per job: its timeline, its images, its callbacks."""

from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import pairwise
from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Redirect

from service.documents import Document, event, when
from service.errors import NotFound
from service.ids import Kind, public_id, read_id
from service.keys import Caller
from service.states import TERMINAL
from service.steps.browse import JobFilter
from service.timeline import IMAGE_DELETED
from service.web.login import guard_pages, page_for
from service.web.paging import read_cursor
from service.web.tiles import input_pictures
from service.wiring import Wiring

JOBS_PER_PAGE = 50


def timeline_blueprint(wiring: Wiring) -> Blueprint:
    """Return the pages of jobs."""
    routes = Blueprint("timeline", __name__)
    guard_pages(routes, wiring.object_store.origin)
    page = page_for(wiring.keys)

    @routes.get("/jobs")
    @page
    def jobs(caller: Caller) -> str:
        cursor = read_cursor(wiring.cursors, "job-pages", request.args.get("cursor"))
        found, pictures = wiring.browse.jobs(caller.project_id, JobFilter(), cursor, JOBS_PER_PAGE)
        images = {picture.job_id: [picture] for picture in pictures}
        return render_template(
            "jobs.html",
            caller=caller,
            jobs=[wiring.documents.job(row, images.get(row.id, [])) for row in found.rows],
            next=None
            if found.next_id is None
            else wiring.cursors.write("job-pages", [found.next_id.hex]),
            first_page=cursor is None,
            terminal=TERMINAL,
            base_url=wiring.settings.base_url,
        )

    @routes.get("/jobs/<job_id>")
    @page
    def job(caller: Caller, job_id: str) -> str:
        found = read_id(Kind.JOB, job_id)
        if found is None:
            raise NotFound("There is no such job.")
        row, pictures = wiring.browse.job(caller.project_id, found)
        lines = wiring.browse.events(caller.project_id, found)
        moves = [line for line in lines if line.type != IMAGE_DELETED]
        return render_template(
            "job.html",
            caller=caller,
            job=wiring.documents.job(row, pictures),
            inputs=input_pictures(wiring, row),
            ended=row.status in TERMINAL,
            events=_timeline(lines),
            moved_at=when(moves[-1].at),
            since_seconds=(datetime.now(UTC) - moves[-1].at).total_seconds(),
            took_seconds=(moves[-1].at - moves[0].at).total_seconds(),
            deliveries=_deliveries(*wiring.browse.deliveries(caller.project_id, found)),
        )

    @routes.post("/jobs/<job_id>/callbacks/<delivery_id>/again")
    @page
    def again(caller: Caller, job_id: str, delivery_id: str) -> Redirect:
        found, of_job = read_id(Kind.DELIVERY, delivery_id), read_id(Kind.JOB, job_id)
        if found is None or of_job is None:
            raise NotFound("There is no such delivery.")
        wiring.redeliver.one(caller.project_id, found, job_id=of_job)
        place = url_for("timeline.job", job_id=job_id, _anchor="callbacks")
        return redirect(place, HTTPStatus.SEE_OTHER)

    return routes


def _timeline(lines: Sequence[Any]) -> list[Document]:
    """Return a job's events, each with the seconds until the next one; None for the last."""
    gaps = [(later.at - sooner.at).total_seconds() for sooner, later in pairwise(lines)]
    return [
        {**event(line), "seconds_to_next": gap}
        for line, gap in zip(lines, [*gaps, None], strict=True)
    ]


def _deliveries(owed: Sequence[Any], tries: Sequence[Any]) -> list[Document]:
    """Return a job's callbacks, each with its tries."""
    made: dict[UUID, list[Document]] = {one.id: [] for one in owed}
    for one in tries:
        made[one.delivery_id].append(
            {
                "number": one.number,
                "at": when(one.at),
                "seconds": one.duration_ms / 1000,
                "http_status": one.http_status,
                "error": one.error,
                "answer": one.answer,
                "location": one.location,
            }
        )
    return [
        {
            "id": public_id(Kind.DELIVERY, one.id),
            "type": one.type,
            "url": one.url,
            "status": one.status.value,
            "due_at": when(one.due_at),
            "tries": made[one.id],
        }
        for one in owed
    ]
