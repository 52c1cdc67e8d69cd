"""`/v1/events`: what has ended, for callers who cannot be called."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, jsonify

from service.documents import Document, batch, when
from service.ids import Kind, public_id
from service.keys import Caller
from service.models import Scope
from service.steps.follow import Ended
from service.timeline import WHOLE_BATCH
from service.web.openapi.answers_many import EventPage
from service.web.operation import Answer, Api
from service.web.queries import EventQuery, read_query, wrong_query
from service.wiring import Wiring

#: Instead of a cursor: only what ends from now on.
NOW = "now"
_LISTING = "events"


def events_blueprint(wiring: Wiring) -> Blueprint:
    """Return the route of a project's events."""
    routes = Blueprint("events", __name__, url_prefix="/v1/events")
    api = Api(wiring)

    @routes.get("")
    @api.operation(
        Scope.READ,
        "Ask what has ended",
        description="For callers who cannot be called. What ends later comes later, whatever "
        "happens: remember `next` and go on from it.",
        query=EventQuery,
        answers={200: Answer("What has ended, in order.", EventPage)},
    )
    def listing(caller: Caller) -> Response:
        query = read_query(EventQuery)
        after, limit = query.after, query.limit
        if after == NOW:
            position, data, has_more = wiring.follow.now(caller.project_id), [], False
        else:
            known = 0 if after is None else read_position(after, caller.project_id)
            found = wiring.follow.after(caller.project_id, known, limit)
            position, data, has_more = found.position, documents(found), found.has_more
        cursor = wiring.cursors.write(_LISTING, [position, caller.project_id.hex])
        return jsonify({"data": data, "next": cursor, "has_more": has_more})

    def read_position(after: str, project_id: UUID) -> int:
        position, of_project = wiring.cursors.read(_LISTING, after, "after")
        if of_project != project_id.hex:
            raise wrong_query("after", "a `next` of this project")
        return int(position)

    def documents(found: Ended) -> list[Document]:
        return [_document(ending, found) for ending in found.endings]

    def _document(ending: Any, found: Ended) -> Document:  # noqa: ANN401 - a Row
        job = found.jobs[ending.job_id]
        if ending.seq == WHOLE_BATCH:
            return {
                "id": f"{public_id(Kind.BATCH, job.batch_id)}_1",
                "object": "event",
                "type": ending.type,
                "timestamp": when(ending.at),
                "sequence": 1,
                "data": batch(found.batches[job.batch_id], wiring.settings.base_url),
            }
        return {
            # no dot: it may become part of what is signed
            "id": f"{public_id(Kind.JOB, ending.job_id)}_{ending.seq}",
            "object": "event",
            "type": ending.type,
            "timestamp": when(ending.at),
            "sequence": ending.seq,
            "data": wiring.documents.job(job, found.images[ending.job_id]),
        }

    return routes
