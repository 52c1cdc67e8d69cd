"""`/v1/callbacks`: where a project is called by default, a test of it, the secrets that sign."""

import threading
from typing import Annotated, Any
from uuid import UUID

from flask import Blueprint, Response, jsonify, request
from pydantic import BaseModel, ConfigDict, Field, field_validator

from service.errors import Busy, FieldError, InvalidRequest
from service.keys import Caller
from service.models import Scope
from service.steps.enqueue import CallbackEventName, CallbackUrl, known_events
from service.steps.enqueue.request import DEFAULT_CALLBACK_EVENTS
from service.web.bodies import read_as
from service.web.openapi.answers_beside import Callbacks, CallbackTest, RotatedCallbacks
from service.web.operation import Answer, Api
from service.wiring import Wiring

#: Tests of one process at a time: each holds a thread for as long as the address takes, 15 s.
TEST_PLACES = 2


class CallbacksBody(BaseModel):
    """Body of `PUT /v1/callbacks`. Without `events`, of every end."""

    model_config = ConfigDict(extra="forbid", strict=True)

    url: CallbackUrl | None
    events: Annotated[list[CallbackEventName], Field(min_length=1, max_length=20)] | None = None

    @field_validator("events")
    @classmethod
    def _known_events(cls, value: list[str] | None) -> list[str] | None:
        return known_events(value)


class CallbackTestBody(BaseModel):
    """Body of `POST /v1/callbacks/test`. Without `url`, the project's own is called."""

    model_config = ConfigDict(extra="forbid", strict=True)

    url: CallbackUrl | None = None


def callbacks_blueprint(wiring: Wiring) -> Blueprint:
    """Return the routes of a project's callbacks."""
    routes = Blueprint("callbacks", __name__, url_prefix="/v1/callbacks")
    api = Api(wiring)
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
    @api.operation(
        Scope.READ,
        "Look up where the project is called",
        answers={200: Answer("What the project has chosen.", Callbacks)},
    )
    def look(caller: Caller) -> Response:
        return jsonify(shown(wiring.callbacks.of(caller.project_id)))

    @routes.put("")
    @api.operation(
        Scope.MANAGE,
        "Choose where the project is called",
        body=CallbacksBody,
        answers={200: Answer("What the project has chosen.", Callbacks)},
    )
    def choose(caller: Caller) -> Response:
        project_id = caller.project_id
        wanted = read_as(request, CallbacksBody)
        events = wanted.events or list(DEFAULT_CALLBACK_EVENTS)
        return jsonify(shown(wiring.callbacks.choose(project_id, wanted.url, events)))

    @routes.post("/rotate-secret")
    @api.operation(
        Scope.MANAGE,
        "Make a new callback secret",
        description="The one before it signs as well, until it is retired or another is made.",
        answers={200: Answer("The new secret, shown this once.", RotatedCallbacks)},
    )
    def rotate(caller: Caller) -> Response:
        project_id = caller.project_id
        newest = wiring.keys.rotate_callback_secret(project_id)
        row = wiring.callbacks.of(project_id)
        return jsonify({**shown(row), "callback_secret": newest})

    @routes.post("/retire-secret")
    @api.operation(
        Scope.MANAGE,
        "Let only the newest callback secret sign",
        answers={200: Answer("One secret is left.", Callbacks)},
    )
    def retire(caller: Caller) -> Response:
        project_id = caller.project_id
        wiring.keys.retire_callback_secret(project_id)
        return jsonify(shown(wiring.callbacks.of(project_id)))

    @routes.post("/test")
    @api.operation(
        Scope.MANAGE,
        "Send a test callback",
        description="Called once, within 15 seconds; nothing is stored.",
        body=CallbackTestBody,
        answers={200: Answer("What came of it.", CallbackTest)},
        errors=(Busy,),
    )
    def test(caller: Caller) -> Response:
        project_id = caller.project_id
        row = wiring.callbacks.of(project_id)
        url = read_as(request, CallbackTestBody).url or row.callback_url
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

    return routes
