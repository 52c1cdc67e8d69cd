"""Flux's own API, so that its clients need only a new base URL: submit, get_result, the image.

The bodies are upstream's, in both forms: BFL's below `/v1`, CometAPI's below `/flux/v1`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, jsonify, request
from sqlalchemy import Row
from werkzeug.exceptions import Forbidden

from service.documents import Document, task_not_found
from service.errors import DatabaseUnavailable, Gone, IdempotencyConflict, InvalidRequest, NotFound
from service.generation import CATALOGUE, Model, PictureSize
from service.ids import Kind, read_id
from service.models import Scope
from service.web.auth import flux_key
from service.web.flux_bodies import FluxWebhook, read_flux_request
from service.web.flux_problems import finding, unacceptable, unprocessable
from service.web.images import BYTES_ASKED, STORED_BYTES, stored_bytes
from service.web.openapi.answers_beside import FluxAccepted, FluxProblem, FluxResult
from service.web.operation import BEARER, Answer, Api, Callback, described
from service.web.parsing import read_image_object
from service.web.queries import ResultQuery
from service.wiring import Wiring

#: Flux's clients send their key in either, on every path.
_KEYS = ("x-key", BEARER)
_CALLBACK = Callback(
    "webhook_url",
    "What `get_result` says when the job has ended, with Flux's own proofs if there is a "
    "`webhook_secret`.",
    FluxResult,
    ("X-Webhook-Secret", "X-BFL-Signature"),
)


class Form(StrEnum):
    """Whose form of the API a path has, by what stands before `/v1`."""

    BFL = ""
    COMETAPI = "/flux"


def flux_blueprint(wiring: Wiring, form: Form) -> Blueprint:
    """Return the API in one of its forms."""
    routes = Blueprint(f"flux-{form.name.lower()}", __name__, url_prefix=f"{form}/v1")
    api = Api(wiring)

    def admitted(scope: Scope) -> UUID:
        caller = flux_key(request, wiring.keys)
        api.count(caller)
        caller.require(scope)
        return caller.project_id

    @routes.post("/flux-<path:rest>")
    @described(
        "Hand in a job as to Flux itself",
        scope=Scope.SUBMIT,
        schemes=_KEYS,
        headers=("Idempotency-Key",),
        body=FluxWebhook,
        answers={200: Answer("Accepted.", FluxAccepted, headers=("Idempotent-Replayed",))},
        errors=(NotFound, IdempotencyConflict),
        callback=_CALLBACK,
    )
    def submit(rest: str) -> Response:
        model = CATALOGUE.get(f"flux-{rest}")
        if model is None:
            raise NotFound("There is no such model.")
        project_id = admitted(Scope.SUBMIT)
        body = read_image_object(request)
        try:
            wanted = read_flux_request(request, body, project_id, model, wiring)
            enqueued = wiring.enqueue.accept(project_id, wanted)
        except InvalidRequest as error:
            return unacceptable(error.errors, model.parameters, body)
        sizes = _sizes(wiring, model, enqueued.row)
        answer = jsonify(wiring.flux_documents.accepted(enqueued.row, model, sizes, form))
        if enqueued.replayed:
            answer.headers["Idempotent-Replayed"] = "true"
        return answer

    @routes.get("/get_result")
    @described(
        "Ask for a result as Flux itself is asked",
        description="The `polling_url` of a submission needs no key.",
        scope=Scope.READ,
        schemes=(*_KEYS, "token"),
        query=ResultQuery,
        answers={200: Answer("How far the job is, in Flux's words.", FluxResult)},
    )
    def result() -> Response:
        said = request.args.get("id")
        if said is None:
            return unprocessable([finding("missing", ["query", "id"], "Field required")])
        job_id = read_id(Kind.JOB, said)
        token = request.args.get("token", "")
        project_id = None if job_id is None else wiring.links.project_of_result(token, job_id)
        if project_id is None:
            project_id = admitted(Scope.READ)
        document = None if job_id is None else _result(wiring, project_id, job_id)
        return jsonify(document or task_not_found(said))

    return routes


def samples_blueprint(wiring: Wiring) -> Blueprint:
    """Return the route of `result.sample`: the stored bytes for whoever has the link."""
    routes = Blueprint("flux-samples", __name__, url_prefix="/flux/samples")

    @routes.get("/<token>/sample.<any(jpeg, png, webp):_extension>")
    @described(
        "Fetch a result's bytes",
        headers=BYTES_ASKED,
        answers={
            **STORED_BYTES,
            403: Answer("This link has ended or was never valid.", FluxProblem),
            416: Answer("There is no such part.", FluxProblem, ("Content-Range",)),
        },
        errors=(NotFound, Gone),
    )
    def sample(token: str, _extension: str) -> Response:
        opened = wiring.links.sample(token, datetime.now(UTC))
        if opened is None:
            raise Forbidden("This link has ended or was never valid; get_result has a fresh one.")
        row = wiring.browse.image(*opened)
        answer = stored_bytes(wiring, row.bucket, row.key, row.content_type, row.sha256)
        # whoever has the link may see the image, so pages of other sites may show it
        answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return answer

    return routes


def _result(wiring: Wiring, project_id: UUID, job_id: UUID) -> Document | None:
    try:
        row, images = wiring.browse.job(project_id, job_id)
    except NotFound:
        return None
    ended = None
    if row.error_code is not None:
        ended = wiring.browse.events(project_id, job_id)[-1].detail
    return wiring.flux_documents.result(row, images, ended)


def _sizes(wiring: Wiring, model: Model, row: Row[Any]) -> Mapping[str, PictureSize]:
    try:
        return wiring.inputs.examine(row.project_id, model, row.input).sizes
    except DatabaseUnavailable:
        # the job is committed, and a Flux client would hand it in again
        return {}
