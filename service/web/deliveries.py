"""`/v1/deliveries`: callbacks, what came of every try, and sending them again."""

from uuid import UUID

from flask import Blueprint, Response, jsonify, request
from pydantic import BaseModel, ConfigDict, ValidationError

from service.documents import delivery, delivery_with_tries
from service.errors import InvalidRequest, NotFound
from service.ids import Kind, read_id
from service.models import DeliveryStatus
from service.steps.browse import DeliveryFilter
from service.web.auth import bearer
from service.web.bodies import Moment, field_errors
from service.web.paging import page_answer, read_cursor, read_limit, read_time, wrong_query
from service.web.parsing import read_json_object
from service.wiring import Wiring


class Again(BaseModel):
    """Body of `POST /v1/deliveries/redeliver`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    #: Those that were given up, of events since then.
    since: Moment


def deliveries_blueprint(wiring: Wiring) -> Blueprint:
    """Return the routes of callbacks."""
    routes = Blueprint("deliveries", __name__, url_prefix="/v1/deliveries")
    base_url = wiring.settings.base_url

    def shown(project_id: UUID, delivery_id: UUID) -> Response:
        return jsonify(
            delivery_with_tries(*wiring.browse.delivery(project_id, delivery_id), base_url)
        )

    @routes.get("")
    def listing() -> Response:
        caller = bearer(request, wiring.keys)
        before_id = read_cursor(wiring.cursors, "deliveries")
        page = wiring.browse.deliveries_page(caller.project_id, _filter(), before_id, read_limit())
        documents = [delivery(row, base_url) for row in page.rows]
        return page_answer(wiring.cursors, "deliveries", documents, page.next_id)

    @routes.get("/<delivery_id>")
    def one(delivery_id: str) -> Response:
        return shown(bearer(request, wiring.keys).project_id, _known(delivery_id))

    @routes.post("/<delivery_id>/redeliver")
    def again(delivery_id: str) -> Response:
        caller = bearer(request, wiring.keys)
        wiring.redeliver.one(caller.project_id, _known(delivery_id))
        answer = shown(caller.project_id, _known(delivery_id))
        answer.status_code = 202
        return answer

    @routes.post("/redeliver")
    def all_again() -> Response:
        caller = bearer(request, wiring.keys)
        try:
            wanted = Again.model_validate(read_json_object(request))
        except ValidationError as error:
            raise InvalidRequest("Nothing was sent again.", field_errors(error, Again)) from None
        answer = jsonify(
            {"redelivered": wiring.redeliver.failed_since(caller.project_id, wanted.since)}
        )
        answer.status_code = 202
        return answer

    return routes


def _known(delivery_id: str) -> UUID:
    found = read_id(Kind.DELIVERY, delivery_id)
    if found is None:
        raise NotFound("There is no such delivery.")
    return found


def _filter() -> DeliveryFilter:
    status, job_id = request.args.get("status"), request.args.get("job_id")
    if status is not None and status not in set(DeliveryStatus):
        raise wrong_query("status", f"one of {', '.join(DeliveryStatus)}")
    job = None if job_id is None else read_id(Kind.JOB, job_id)
    if job_id is not None and job is None:
        raise wrong_query("job_id", "the id of a job: job_…")
    return DeliveryFilter(
        status=None if status is None else DeliveryStatus(status),
        job_id=job,
        created_after=read_time("created_after"),
        created_before=read_time("created_before"),
    )
