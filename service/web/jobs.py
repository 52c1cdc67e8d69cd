"""`/v1/jobs`: hand in, look up, list, follow, withdraw."""

import re
from uuid import UUID

from flask import Blueprint, Response, jsonify, request

from service.documents import event
from service.errors import NotFound
from service.ids import Kind, public_id, read_id
from service.states import TERMINAL, Status
from service.steps.browse import JobFilter
from service.web.auth import bearer
from service.web.bodies import read_job_request
from service.web.paging import (
    page_answer,
    read_cursor,
    read_limit,
    read_time,
    wrong_query,
)
from service.web.waiting import Waiting
from service.wiring import Wiring

MAX_WAIT_SECONDS = 60
#: `metadata.order=17` lists the jobs whose metadata say so.
_METADATA = "metadata."
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,9})\"?\s*(?:$|[,;])", re.ASCII | re.IGNORECASE)


def jobs_blueprint(wiring: Wiring, waiting: Waiting) -> Blueprint:
    """Return the routes of jobs."""
    routes = Blueprint("jobs", __name__, url_prefix="/v1/jobs")

    def shown(project_id: UUID, job_id: UUID) -> tuple[Response, bool]:
        row, images = wiring.browse.job(project_id, job_id)
        return jsonify(wiring.documents.job(row, images)), row.status in TERMINAL

    @routes.post("")
    def enqueue() -> Response:
        caller = bearer(request, wiring.keys)
        wanted = read_job_request(request, caller, wiring.enqueue)
        enqueued = wiring.enqueue.accept(caller.project_id, wanted)
        job_id, seconds = enqueued.row.id, _wait_seconds()
        if seconds and enqueued.row.status not in TERMINAL:
            waiting.wait(job_id, seconds)
        answer, ended = shown(caller.project_id, job_id)
        answer.status_code = 200 if seconds and ended else 202
        answer.headers["Location"] = f"/v1/jobs/{public_id(Kind.JOB, job_id)}"
        if seconds:
            answer.headers["Preference-Applied"] = f"wait={seconds}"
        if enqueued.replayed:
            answer.headers["Idempotent-Replayed"] = "true"
        return answer

    @routes.get("")
    def listing() -> Response:
        caller = bearer(request, wiring.keys)
        before_id = read_cursor(wiring.cursors, "jobs")
        page, images = wiring.browse.jobs(caller.project_id, _filter(), before_id, read_limit())
        documents = [
            wiring.documents.job(row, [image for image in images if image.job_id == row.id])
            for row in page.rows
        ]
        return page_answer(wiring.cursors, "jobs", documents, page.next_id)

    @routes.get("/<job_id>")
    def one(job_id: str) -> Response:
        return shown(bearer(request, wiring.keys).project_id, _known(job_id))[0]

    @routes.get("/<job_id>/events")
    def events(job_id: str) -> Response:
        caller = bearer(request, wiring.keys)
        rows = wiring.browse.events(caller.project_id, _known(job_id))
        return jsonify({"data": [event(row) for row in rows], "next": None})

    @routes.post("/<job_id>/cancel")
    def cancel(job_id: str) -> Response:
        caller = bearer(request, wiring.keys)
        row = wiring.enqueue.cancel(caller.project_id, _known(job_id))
        return shown(caller.project_id, row.id)[0]

    return routes


def _known(job_id: str) -> UUID:
    found = read_id(Kind.JOB, job_id)
    if found is None:
        raise NotFound("There is no such job.")
    return found


def _filter() -> JobFilter:
    status = request.args.get("status")
    if status is not None and status not in set(Status):
        raise wrong_query("status", f"one of {', '.join(Status)}")
    return JobFilter(
        status=None if status is None else Status(status),
        model=request.args.get("model"),
        created_after=read_time("created_after"),
        created_before=read_time("created_before"),
        metadata={
            name.removeprefix(_METADATA): value
            for name, value in request.args.items()
            if name.startswith(_METADATA)
        },
    )


def _wait_seconds() -> int:
    """Return the N of `Prefer: wait=N` (RFC 7240), at most 60, 0 when it is not there."""
    match = _WAIT.search(",".join(request.headers.getlist("Prefer")))
    return min(int(match[1]), MAX_WAIT_SECONDS) if match else 0
