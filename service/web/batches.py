"""`/v1/batches`: hand in many jobs at once, see how they stand, withdraw what still waits."""

from uuid import UUID

from flask import Blueprint, Response, jsonify, request

from service.documents import batch
from service.errors import CreditsSpent, IdempotencyConflict, NotFound, QueueFull
from service.ids import Kind, public_id, read_id
from service.keys import Caller
from service.models import Scope
from service.steps.enqueue import BatchBody
from service.web.bodies import asking, read_idempotency_key
from service.web.openapi.answers_many import Batch, BatchCallbackEvent, BatchPage, NewBatch
from service.web.operation import Answer, Api, Callback
from service.web.paging import page_answer, read_cursor
from service.web.parsing import read_image_object
from service.web.queries import PageQuery, read_query
from service.wiring import Wiring

_ENQUEUED = ("Location", "Idempotent-Replayed")
_CALLBACK = Callback(
    "callback_url",
    "The last job of the batch has ended. Answer 2xx within 15 seconds.",
    BatchCallbackEvent,
    ("webhook-id", "webhook-timestamp", "webhook-signature"),
)


def batches_blueprint(wiring: Wiring) -> Blueprint:
    """Return the routes of batches."""
    routes = Blueprint("batches", __name__, url_prefix="/v1/batches")
    api = Api(wiring)
    base_url = wiring.settings.base_url

    @routes.post("")
    @api.operation(
        Scope.SUBMIT,
        "Hand in a batch of jobs, all or none",
        description="One `Idempotency-Key` stands for all of it. A job of a batch calls back by "
        "itself only if its own body names a `callback_url` or `callback_events`.",
        headers=("Idempotency-Key",),
        body=BatchBody,
        answers={202: Answer("Accepted and committed.", NewBatch, headers=_ENQUEUED)},
        errors=(IdempotencyConflict, QueueFull, CreditsSpent),
        callback=_CALLBACK,
    )
    def enqueue(caller: Caller) -> Response:
        raw = read_image_object(request)
        wanted = wiring.batches.read(asking(caller), raw, read_idempotency_key(request))
        enqueued = wiring.batches.accept(caller.project_id, wanted)
        batch_id = enqueued.row.id
        answer = jsonify(
            {
                **batch(wiring.tally.one(caller.project_id, batch_id), base_url),
                "job_ids": [public_id(Kind.JOB, one) for one in enqueued.job_ids],
            }
        )
        answer.status_code = 202
        answer.headers["Location"] = f"/v1/batches/{public_id(Kind.BATCH, batch_id)}"
        if enqueued.replayed:
            answer.headers["Idempotent-Replayed"] = "true"
        return answer

    @routes.get("")
    @api.operation(
        Scope.READ,
        "List batches",
        query=PageQuery,
        answers={200: Answer("A page, newest first.", BatchPage, headers=("Link",))},
    )
    def listing(caller: Caller) -> Response:
        query = read_query(PageQuery)
        before_id = read_cursor(wiring.cursors, "batches", query.cursor)
        found, next_id = wiring.tally.page(caller.project_id, before_id, query.limit)
        return page_answer(
            wiring.cursors, "batches", [batch(one, base_url) for one in found], next_id
        )

    @routes.get("/<batch_id>")
    @api.operation(
        Scope.READ,
        "Look up a batch",
        answers={200: Answer("The batch as it is now.", Batch)},
        errors=(NotFound,),
    )
    def one(caller: Caller, batch_id: str) -> Response:
        return jsonify(batch(wiring.tally.one(caller.project_id, known_batch(batch_id)), base_url))

    @routes.post("/<batch_id>/cancel")
    @api.operation(
        Scope.SUBMIT,
        "Withdraw the jobs of a batch that are still queued",
        answers={200: Answer("The batch as it is now.", Batch)},
        errors=(NotFound,),
    )
    def cancel(caller: Caller, batch_id: str) -> Response:
        known = known_batch(batch_id)
        wiring.batches.cancel(caller.project_id, known)
        return jsonify(batch(wiring.tally.one(caller.project_id, known), base_url))

    return routes


def known_batch(batch_id: str) -> UUID:
    """Return the UUID of a batch's id.

    Raises:
        NotFound: it is no such id.
    """
    found = read_id(Kind.BATCH, batch_id)
    if found is None:
        raise NotFound("There is no such batch.")
    return found
