"""A job's timeline as server-sent events: each line as it is written, until the job has ended.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import json
import random
import re
import time
from collections.abc import Iterator
from http import HTTPStatus
from queue import Empty
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, jsonify, request
from sqlalchemy import Row
from werkzeug.wsgi import ClosingIterator

from service.documents import event
from service.errors import Busy, FieldError, InvalidRequest, NotFound
from service.keys import Caller
from service.models import Scope
from service.states import TERMINAL
from service.web.bulkhead import step_aside
from service.web.deadlines import taken_in_time
from service.web.jobs import known_job
from service.web.openapi.answers import Timeline
from service.web.operation import Answer, Api
from service.web.waiting import Waiting, Watch
from service.wiring import Wiring

MEDIA_TYPE = "text/event-stream"
#: Then the client comes back with Last-Event-ID, perhaps to another process.
LIFETIME_SECONDS = 600.0
#: Within this a client takes what is sent; what is longer not taken than that is gone.
TAKE_SECONDS = 10.0
#: After this a client comes back; not all at once, when a process was stopped under them.
RETRY_MS = range(1000, 4000)

_HEARTBEAT = b": still here\n\n"
_MAX_EVENT_ID = 2**31
_EVENT_ID = re.compile(r"\d{1,10}", re.ASCII)


def streams_blueprint(wiring: Wiring, waiting: Waiting) -> Blueprint:
    """Return the route of a job's timeline."""
    routes = Blueprint("streams", __name__, url_prefix="/v1/jobs")
    api = Api(wiring)

    @routes.get("/<job_id>/events")
    @api.operation(
        Scope.READ,
        "Read or follow a job's timeline",
        description="With `Accept: text/event-stream` each line is told as it is written, until "
        "the job has ended.",
        headers=("Last-Event-ID",),
        answers={
            200: Answer(
                "All its events so far, or those to come.",
                Timeline,
                media_types=("application/json", MEDIA_TYPE),
            ),
            204: Answer("The job has ended, and nothing is left to tell.", media_types=()),
        },
        errors=(NotFound, InvalidRequest),
    )
    def events(caller: Caller, job_id: str) -> Response:
        known_id, known = known_job(job_id), _last_event_id()
        if request.accept_mimetypes.best_match(["application/json", MEDIA_TYPE]) == MEDIA_TYPE:
            return stream(caller, known_id, known)
        rows = wiring.browse.events(caller.project_id, known_id)
        return jsonify({"data": [event(row) for row in rows], "next": None})

    def stream(caller: Caller, job_id: UUID, known: int) -> Response:
        status, latest = wiring.tail.at(caller.project_id, job_id)
        if status in TERMINAL and latest <= known:
            # who hears this does not come back
            return _without_content()
        connection = request.environ.get("gunicorn.socket")
        watch = waiting.follow(job_id, known, caller.key_id, connection)
        if watch is None:
            raise Busy("Too many streams are open; look the job up instead, or come back.")
        step_aside(request.environ)
        news = _pieces(watch, waiting.heartbeat_seconds)
        pieces = taken_in_time(news, connection, TAKE_SECONDS)
        answer = Response(ClosingIterator(pieces, lambda: waiting.leave(watch)))
        answer.headers["Content-Type"] = f"{MEDIA_TYPE}; charset=utf-8"
        # nginx would collect what comes, and tell it late
        answer.headers["X-Accel-Buffering"] = "no"
        return answer

    return routes


def _without_content() -> Response:
    answer = Response(status=HTTPStatus.NO_CONTENT)
    del answer.headers["Content-Type"]
    return answer


def _last_event_id() -> int:
    said = request.headers.get("Last-Event-ID", "0")
    if not _EVENT_ID.fullmatch(said) or int(said) > _MAX_EVENT_ID:
        where = FieldError("/headers/Last-Event-ID", "the `id` of an event of this stream")
        raise InvalidRequest("The Last-Event-ID is not usable.", [where])
    return int(said)


def _pieces(watch: Watch, heartbeat_seconds: float) -> Iterator[bytes]:
    give_up_at = time.monotonic() + LIFETIME_SECONDS
    yield f"retry: {random.choice(RETRY_MS)}\n\n".encode()  # noqa: S311 - no secret
    while (left := give_up_at - time.monotonic()) > 0:
        # what was opened at the same time does not wake up at the same time for ever
        silence = heartbeat_seconds * random.uniform(0.5, 1)  # noqa: S311 - likewise
        try:
            lines = watch.news.get(timeout=min(silence, left))
        except Empty:
            yield _HEARTBEAT
            continue
        if lines is None:
            return
        yield b"".join(map(_piece, lines))


def _piece(line: Row[Any]) -> bytes:
    # JSON has no line breaks of its own, which would end the field
    data = json.dumps(event(line), ensure_ascii=False, separators=(",", ":"))
    return f"id: {line.seq}\nevent: {line.type}\ndata: {data}\n\n".encode()
