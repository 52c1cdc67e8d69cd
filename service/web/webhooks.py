"""The receiver: `POST /webhooks/flux/{token}`. Verifies, makes durable, says nothing else."""

from http import HTTPStatus

from flask import Blueprint, Response, request

from service.errors import CallerError, RejectedWebhook, UnknownCaller
from service.logs import get_log
from service.signing.flux_webhook import MAX_BODY_BYTES
from service.steps.receive import Receive
from service.web.openapi.answers_beside import FluxReport
from service.web.operation import Answer, described
from service.web.parsing import read_body
from service.web.problems import RETRY_AFTER_SECONDS, problem

log = get_log(__name__)


def webhooks_blueprint(receive: Receive) -> Blueprint:
    """Return the receiver's one route."""
    routes = Blueprint("webhooks", __name__)

    @routes.post("/webhooks/flux/<token>")
    @described(
        "Tell us what became of a task",
        description="For Flux alone: the address and its proof are made for one paid request.",
        body=FluxReport,
        headers=("X-Webhook-Secret", "X-BFL-Signature"),
        answers={200: Answer("Kept.", media_types=())},
        errors=(UnknownCaller,),
    )
    def hear(token: str) -> Response:
        try:
            receive.hear(
                token,
                read_body(request, MAX_BODY_BYTES),
                _said("X-Webhook-Secret"),
                _said("X-BFL-Signature"),
            )
        except (RejectedWebhook, CallerError) as error:
            return _refused(str(error))
        except OSError as error:
            # neither the database nor the disk took it: Flux has to send it again
            log.error("webhook_not_kept", reason=type(error).__name__)  # noqa: TRY400
            return _not_kept()
        return Response(status=HTTPStatus.OK)

    return routes


def _said(header: str) -> list[str]:
    """Return what a header says; sent twice it reaches us as one, joined by a comma."""
    value = request.headers.get(header)
    return [] if value is None else [value]


def _not_kept() -> Response:
    """Ask Flux to send it again."""
    answer = problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "unavailable",
        "Temporarily unavailable",
        "The webhook was not kept. Send it again.",
    )
    answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return answer


def _refused(reason: str) -> Response:
    """Answer every fault alike; only the log knows which it was."""
    log.warning("webhook_rejected", reason=reason)
    return problem(401, "unauthorized", "Not accepted", "The webhook was not accepted.")
