"""The two forms of the API: BFL's own, and CometAPI's with its own path, key header and errors."""

import hmac
import json
import uuid
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from service.simulator.catalogue import COMETAPI_MODELS, MODELS
from service.simulator.wire import Reply, Request, detail


class Form(StrEnum):
    """Whose form of the API a request speaks, by the prefix of its path."""

    BFL = ""
    COMETAPI = "/flux"


def serves(form: Form, model: str) -> bool:
    """Tell whether a model is offered in this form; CometAPI lists twelve."""
    return model in (MODELS if form is Form.BFL else COMETAPI_MODELS)


def unknown_model(form: Form, model: str) -> Reply:
    """Answer for a model that is not offered; both answers are recorded ones."""
    if form is Form.BFL:
        return detail(404, "Not Found")
    problem = f"no available channel for group default and model {model} (distributor)"
    return detail(503, problem)


def not_authenticated(form: Form) -> Reply:
    """Answer for a missing or wrong key; CometAPI's own list of errors has 401, BFL's has 403."""
    status = 403 if form is Form.BFL else 401
    return detail(status, "Not authenticated - Invalid Authentication")


def carries_key(request: Request) -> bool:
    """Tell whether a request shows any key at all, right or wrong."""
    return "x-key" in request.headers or "Authorization" in request.headers


def has_key(request: Request, form: Form, key: str) -> bool:
    """Tell whether a request shows this key in the header of its form."""
    header, prefix = ("x-key", "") if form is Form.BFL else ("Authorization", "Bearer ")
    given = request.headers.get(header, "")
    return hmac.compare_digest(given.encode(), f"{prefix}{key}".encode())


def in_cometapis_words(reply: Reply) -> Reply:
    """Say an error of BFL's, `{"detail": …}`, in CometAPI's shape; other replies stay."""
    if reply.status < HTTPStatus.BAD_REQUEST:
        return reply
    problem = json.loads(reply.body)["detail"]
    message, param = _first(problem[0]) if isinstance(problem, list) else (str(problem), "")
    content = {
        "message": f"{message} (request id: {uuid.uuid4().hex})",
        "type": "comet_api_error",
        "param": param,
        "code": _CODES.get(reply.status, "upstream_error"),
    }
    return replace(reply, body=json.dumps({"error": content}).encode())


# Recorded are model_not_found and invalid_request; the others are of the same making.
_CODES = {
    400: "invalid_request",
    402: "insufficient_quota",
    401: "invalid_api_key",
    422: "invalid_request",
    429: "rate_limit_exceeded",
    503: "model_not_found",
}


def _first(problem: Mapping[str, Any]) -> tuple[str, str]:
    place = ".".join(str(part) for part in problem["loc"][1:])
    return ": ".join(filter(None, (place, str(problem["msg"])))), place
