"""`/v1/jobs`: hand in, look up, list, follow, withdraw."""

import re
from uuid import UUID

from flask import Blueprint, Response, jsonify, request

from service.errors import (
    CreditsSpent,
    IdempotencyConflict,
    NotCancelable,
    NotFound,
    NotRetryable,
    QueueFull,
)
from service.ids import Kind, public_id, read_id
from service.keys import Caller
from service.models import Scope
from service.states import TERMINAL
from service.steps.browse import JobFilter
from service.steps.enqueue import Enqueued, JobBody
from service.steps.enqueue.body import MAX_METADATA_CHARS
from service.web.auth import bearer
from service.web.big_bodies import give_place_back
from service.web.bodies import read_idempotency_key, read_job_request
from service.web.bulkhead import aside
from service.web.openapi.answers import Job, JobPage
from service.web.openapi.answers_beside import CallbackEvent
from service.web.operation import Answer, Api, Callback
from service.web.paging import page_answer, read_cursor
from service.web.queries import METADATA_PREFIX, JobQuery, only_one, read_query
from service.web.waiting import Waiting
from service.wiring import Wiring

MAX_WAIT_SECONDS = 60
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,9})\"?\s*(?:$|[,;])", re.ASCII | re.IGNORECASE)

_ENQUEUED = ("Location", "Preference-Applied", "Idempotent-Replayed")
_CALLBACK = Callback(
    "callback_url",
    "What happened to the job, signed (Standard Webhooks 1.0). 2xx takes it; anything else is "
    "tried again for days, with the same `webhook-id`.",
    CallbackEvent,
    ("webhook-id", "webhook-timestamp", "webhook-signature"),
)


def jobs_blueprint(wiring: Wiring, waiting: Waiting) -> Blueprint:
    """Return the routes of jobs."""
    routes = Blueprint("jobs", __name__, url_prefix="/v1/jobs")
    api = Api(wiring)

    def shown(project_id: UUID, job_id: UUID) -> tuple[Response, bool]:
        row, images = wiring.browse.job(project_id, job_id)
        return jsonify(wiring.documents.job(row, images)), row.status in TERMINAL

    def accepted_now(project_id: UUID, enqueued: Enqueued) -> Response:
        """Answer with what was committed just now, or with what has become of it since."""
        row, is_replayed = enqueued.row, enqueued.replayed
        answer = shown(project_id, row.id)[0] if is_replayed else jsonify(wiring.documents.job(row))
        return _accepted(answer, row.id, is_replayed=is_replayed)

    @routes.post("")
    @api.operation(
        Scope.SUBMIT,
        "Hand in a job",
        description="Sent again with the same `Idempotency-Key` and body, it answers with the job "
        "that was made then, and nothing is paid twice.",
        headers=("Idempotency-Key", "Prefer"),
        body=JobBody,
        answers={
            202: Answer("Accepted and committed.", Job, headers=_ENQUEUED),
            200: Answer("Waited for, and ended.", Job, headers=_ENQUEUED),
        },
        errors=(IdempotencyConflict, QueueFull, CreditsSpent),
        callback=_CALLBACK,
    )
    def enqueue(caller: Caller) -> Response:
        wanted = read_job_request(request, caller, wiring.enqueue)
        enqueued, seconds = wiring.enqueue.accept(caller.project_id, wanted), _wait_seconds()
        if not seconds:
            return accepted_now(caller.project_id, enqueued)
        job_id, is_replayed = enqueued.row.id, enqueued.replayed
        has_ended = enqueued.row.status in TERMINAL
        # nothing of the body is kept while the answer waits
        del enqueued, wanted
        if not has_ended:
            _wait(waiting, job_id, seconds)
            # the key may have been revoked meanwhile
            bearer(request, wiring.keys)
        answer, has_ended = shown(caller.project_id, job_id)
        _accepted(answer, job_id, is_replayed=is_replayed, seconds=seconds)
        answer.status_code = 200 if has_ended else 202
        return answer

    @routes.get("")
    @api.operation(
        Scope.READ,
        "List jobs",
        description="`metadata.NAME=VALUE` lists those whose metadata say so; several are joined "
        "by and.",
        query=JobQuery,
        answers={200: Answer("A page, newest first.", JobPage, headers=("Link",))},
    )
    def listing(caller: Caller) -> Response:
        query = read_query(JobQuery)
        before_id = read_cursor(wiring.cursors, "jobs", query.cursor)
        page, images = wiring.browse.jobs(caller.project_id, _filter(query), before_id, query.limit)
        documents = [
            wiring.documents.job(row, [image for image in images if image.job_id == row.id])
            for row in page.rows
        ]
        return page_answer(wiring.cursors, "jobs", documents, page.next_id)

    @routes.get("/<job_id>")
    @api.operation(
        Scope.READ,
        "Look up a job",
        answers={200: Answer("The job as it is now.", Job)},
        errors=(NotFound,),
    )
    def one(caller: Caller, job_id: str) -> Response:
        return shown(caller.project_id, known_job(job_id))[0]

    @routes.post("/<job_id>/cancel")
    @api.operation(
        Scope.SUBMIT,
        "Withdraw a queued job",
        answers={200: Answer("It is canceled.", Job)},
        errors=(NotFound, NotCancelable),
    )
    def cancel(caller: Caller, job_id: str) -> Response:
        row = wiring.enqueue.cancel(caller.project_id, known_job(job_id))
        return shown(caller.project_id, row.id)[0]

    @routes.post("/<job_id>/retry")
    @api.operation(
        Scope.SUBMIT,
        "Try an ended job again, as a new job that is paid for anew",
        headers=("Idempotency-Key",),
        answers={202: Answer("The new job.", Job, headers=_ENQUEUED)},
        errors=(NotFound, NotRetryable, IdempotencyConflict, QueueFull, CreditsSpent),
    )
    def retry(caller: Caller, job_id: str) -> Response:
        key = read_idempotency_key(request)
        again = wiring.enqueue.retry(caller.project_id, known_job(job_id), key)
        return accepted_now(caller.project_id, again)

    return routes


def known_job(job_id: str) -> UUID:
    """Return the id that a path names.

    Raises:
        NotFound: it is no id of a job.
    """
    found = read_id(Kind.JOB, job_id)
    if found is None:
        raise NotFound("There is no such job.")
    return found


def _wait(waiting: Waiting, job_id: UUID, seconds: int) -> None:
    give_place_back()
    waiting.wait(job_id, seconds, aside(request.environ), request.environ.get("gunicorn.socket"))


def _accepted(answer: Response, job_id: UUID, *, is_replayed: bool, seconds: int = 0) -> Response:
    answer.status_code = 202
    answer.headers["Location"] = f"/v1/jobs/{public_id(Kind.JOB, job_id)}"
    answer.headers.update(_applied(seconds, is_replayed=is_replayed))
    return answer


def _applied(seconds: int, *, is_replayed: bool) -> dict[str, str]:
    """Return the headers that say what became of the request's wishes."""
    wait = {"Preference-Applied": f"wait={seconds}"} if seconds else {}
    return wait | ({"Idempotent-Replayed": "true"} if is_replayed else {})


def _filter(query: JobQuery) -> JobFilter:
    return JobFilter(
        status=query.status,
        model=query.model,
        batch_id=query.batch,
        created_after=query.created_after,
        created_before=query.created_before,
        metadata={
            name.removeprefix(METADATA_PREFIX): only_one(name, MAX_METADATA_CHARS) or ""
            for name in request.args
            if name.startswith(METADATA_PREFIX)
        },
    )


def _wait_seconds() -> int:
    """Return the N of `Prefer: wait=N` (RFC 7240), at most 60, 0 when it is not there."""
    # sent twice it reaches us joined by a comma
    match = _WAIT.search(request.headers.get("Prefer", ""))
    return min(int(match[1]), MAX_WAIT_SECONDS) if match else 0
