"""`/v1/deliveries`: callbacks, what came of every try, and sending them again."""

from uuid import UUID

from flask import Blueprint, Response, jsonify, request
from pydantic import BaseModel, ConfigDict

from service.documents import delivery, delivery_with_tries
from service.errors import FieldError, InvalidRequest, NotFound
from service.ids import Kind, read_id
from service.keys import Caller
from service.models import Scope
from service.steps.browse import DeliveryFilter
from service.steps.enqueue import Moment
from service.web.batches import known_batch
from service.web.bodies import read_as
from service.web.openapi.answers_beside import DeliveryPage, DeliveryWithTries, Redelivered
from service.web.operation import Answer, Api
from service.web.paging import page_answer, read_cursor
from service.web.queries import DeliveryQuery, read_query
from service.wiring import Wiring


class RedeliverBody(BaseModel):
    """Body of `POST /v1/deliveries/redeliver`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    #: Those that were given up, of events since then.
    since: Moment | None = None
    #: All of a batch and its jobs, however they stand.
    batch_id: str | None = None


def deliveries_blueprint(wiring: Wiring) -> Blueprint:
    """Return the routes of callbacks."""
    routes = Blueprint("deliveries", __name__, url_prefix="/v1/deliveries")
    api = Api(wiring)
    base_url = wiring.settings.base_url

    def shown(project_id: UUID, delivery_id: UUID) -> Response:
        return jsonify(
            delivery_with_tries(*wiring.browse.delivery(project_id, delivery_id), base_url)
        )

    @routes.get("")
    @api.operation(
        Scope.READ,
        "List callbacks",
        query=DeliveryQuery,
        answers={200: Answer("A page, newest first.", DeliveryPage, headers=("Link",))},
    )
    def listing(caller: Caller) -> Response:
        query = read_query(DeliveryQuery)
        before_id = read_cursor(wiring.cursors, "deliveries", query.cursor)
        wanted = DeliveryFilter(
            query.status, query.job_id, query.created_after, query.created_before
        )
        page = wiring.browse.deliveries_page(caller.project_id, wanted, before_id, query.limit)
        documents = [delivery(row, base_url) for row in page.rows]
        return page_answer(wiring.cursors, "deliveries", documents, page.next_id)

    @routes.get("/<delivery_id>")
    @api.operation(
        Scope.READ,
        "Look up a callback and its tries",
        answers={200: Answer("What is sent, and what came of it.", DeliveryWithTries)},
        errors=(NotFound,),
    )
    def one(caller: Caller, delivery_id: str) -> Response:
        return shown(caller.project_id, _known(delivery_id))

    @routes.post("/<delivery_id>/redeliver")
    @api.operation(
        Scope.MANAGE,
        "Send a callback again",
        answers={202: Answer("It is owed again.", DeliveryWithTries)},
        errors=(NotFound,),
    )
    def again(caller: Caller, delivery_id: str) -> Response:
        wiring.redeliver.one(caller.project_id, _known(delivery_id))
        answer = shown(caller.project_id, _known(delivery_id))
        answer.status_code = 202
        return answer

    @routes.post("/redeliver")
    @api.operation(
        Scope.MANAGE,
        "Send all failed callbacks again",
        body=RedeliverBody,
        answers={202: Answer("They are owed again.", Redelivered)},
        errors=(NotFound,),
    )
    def all_again(caller: Caller) -> Response:
        wanted = read_as(request, RedeliverBody, "Nothing was sent again.")
        if (wanted.since is None) == (wanted.batch_id is None):
            either = FieldError("/since", "name either since or batch_id")
            raise InvalidRequest("Nothing was sent again.", [either])
        if wanted.since is not None:
            count = wiring.redeliver.failed_since(caller.project_id, wanted.since)
        else:
            count = wiring.redeliver.of_batch(caller.project_id, known_batch(wanted.batch_id or ""))
        answer = jsonify({"redelivered": count})
        answer.status_code = 202
        return answer

    return routes


def _known(delivery_id: str) -> UUID:
    found = read_id(Kind.DELIVERY, delivery_id)
    if found is None:
        raise NotFound("There is no such delivery.")
    return found
