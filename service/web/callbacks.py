"""`/v1/callbacks`: where a project is called by default, a test of it, the secrets that sign."""

import threading
from typing import Annotated, Any, TypeVar
from uuid import UUID

from flask import Blueprint, Response, jsonify, request
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from service.errors import Busy, FieldError, InvalidRequest
from service.keys import Caller
from service.steps.enqueue.request import DEFAULT_CALLBACK_EVENTS
from service.web.auth import bearer
from service.web.bodies import MAX_CALLBACK_URL_CHARS, field_errors, known_events
from service.web.parsing import read_json_object
from service.wiring import Wiring

#: Tests of one process at a time: each holds a thread for as long as the address takes, 15 s.
TEST_PLACES = 2

Body = TypeVar("Body", bound=BaseModel)
Url = Annotated[str, Field(min_length=1, max_length=MAX_CALLBACK_URL_CHARS)]


class Chosen(BaseModel):
    """Body of `PUT /v1/callbacks`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    url: Url | None
    events: Annotated[list[str], Field(min_length=1, max_length=20)] | None = None

    @field_validator("events")
    @classmethod
    def _known_events(cls, value: list[str] | None) -> list[str] | None:
        return known_events(value)


class Rehearsal(BaseModel):
    """Body of `POST /v1/callbacks/test`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    url: Url | None = None


def callbacks_blueprint(wiring: Wiring) -> Blueprint:
    """Return the routes of a project's callbacks."""
    routes = Blueprint("callbacks", __name__, url_prefix="/v1/callbacks")
    places = threading.BoundedSemaphore(TEST_PLACES)
    testing: set[UUID] = set()

    def shown(row: Any) -> dict[str, Any]:  # noqa: ANN401 - a Row
        return {
            "object": "callbacks",
            "url": row.callback_url,
            "events": row.callback_events or list(DEFAULT_CALLBACK_EVENTS),
            "live_secrets": len(row.callback_secrets),
        }

    @routes.get("")
    def look() -> Response:
        return jsonify(shown(wiring.callbacks.of(caller().project_id)))

    @routes.put("")
    def choose() -> Response:
        project_id = caller().project_id
        wanted = _read(Chosen)
        events = wanted.events or list(DEFAULT_CALLBACK_EVENTS)
        return jsonify(shown(wiring.callbacks.choose(project_id, wanted.url, events)))

    @routes.post("/rotate-secret")
    def rotate() -> Response:
        project_id = caller().project_id
        newest = wiring.keys.rotate_callback_secret(project_id)
        row = wiring.callbacks.of(project_id)
        return jsonify({**shown(row), "callback_secret": newest})

    @routes.post("/retire-secret")
    def retire() -> Response:
        project_id = caller().project_id
        wiring.keys.retire_callback_secret(project_id)
        return jsonify(shown(wiring.callbacks.of(project_id)))

    @routes.post("/test")
    def test() -> Response:
        project_id = caller().project_id
        row = wiring.callbacks.of(project_id)
        url = _read(Rehearsal).url or row.callback_url
        if url is None:
            where = [FieldError("/url", "name an address, or choose one for the project")]
            raise InvalidRequest("There is nothing to call.", where)
        # one project's tests leave a place to the others
        if project_id in testing or not places.acquire(blocking=False):
            raise Busy("Other tests are under way. Try again in a few seconds.")
        testing.add(project_id)
        try:
            outcome = wiring.rehearse(url, row.callback_secrets)
        finally:
            testing.discard(project_id)
            places.release()
        return jsonify(
            {
                "object": "callback_test",
                "url": url,
                "delivered": outcome.delivered,
                "said": outcome.said,
                "http_status": outcome.http_status,
                "answer": outcome.answer,
                "duration_ms": outcome.duration_ms,
            }
        )

    def caller() -> Caller:
        return bearer(request, wiring.keys)

    return routes


def _read(body: type[Body]) -> Body:
    try:
        return body.model_validate(read_json_object(request))
    except ValidationError as error:
        raise InvalidRequest("Nothing was changed.", field_errors(error, body)) from None
