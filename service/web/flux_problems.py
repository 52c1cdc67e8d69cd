"""Errors below the paths of Flux's API, in its shape: `{"detail": …}`, lists as FastAPI makes them.

Facts: the words of a wrong key and of an unknown path are recorded from BFL (2025-12); the form of
the list is BFL's OpenAPI (2026-04).
"""

import re
from collections.abc import Container, Sequence
from http import HTTPStatus

from flask import Response, json

from service.errors import FieldError, MalformedRequest

_NOT_AUTHENTICATED = "Not authenticated - Invalid Authentication"
_PATHS = re.compile(r"/flux/|/v1/flux-|/v1/get_result\Z")
#: Our pointers, and where Flux's clients have what they point at.
_PLACES = {
    "/callback_url": ["body", "webhook_url"],
    "/headers/Idempotency-Key": ["header", "idempotency-key"],
    "/model": ["path", "model"],
}

Finding = dict[str, object]


def speaks_flux(path: str) -> bool:
    """Return whether a path belongs to Flux's API and not to ours."""
    return _PATHS.match(path) is not None


def flux_problem(
    status: int, code: str, detail: str, errors: Sequence[FieldError] | None
) -> Response:
    """Return an error of ours as upstream would answer it."""
    if status == HTTPStatus.UNAUTHORIZED:
        return _answer(HTTPStatus.FORBIDDEN, _NOT_AUTHENTICATED)
    if code == MalformedRequest.code:
        return unprocessable([finding("json_invalid", ["body"], detail)])
    if errors:
        return unprocessable([_field_finding(error) for error in errors])
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:
        return _answer(status, HTTPStatus(status).phrase)
    return _answer(status, detail)


def unacceptable(
    errors: Sequence[FieldError], takes: Container[str], given: Container[str]
) -> Response:
    """Return what is wrong with a body that may hold the parameters `takes` and holds `given`."""
    return unprocessable([_field_finding(error, _kind(error, takes, given)) for error in errors])


def unprocessable(findings: Sequence[Finding]) -> Response:
    """Return FastAPI's 422."""
    return _answer(HTTPStatus.UNPROCESSABLE_ENTITY, findings)


def finding(kind: str, place: Sequence[str], message: str) -> Finding:
    """Return one thing that is wrong; `place` is FastAPI's `loc`."""
    return {"type": kind, "loc": place, "msg": message}


def _field_finding(error: FieldError, kind: str = "value_error") -> Finding:
    place = _PLACES.get(error.pointer) or ["body", *_names(error)]
    return finding(kind, place, error.detail)


def _kind(error: FieldError, takes: Container[str], given: Container[str]) -> str:
    """Return FastAPI's name for an error where it has one of its own."""
    if not error.pointer.startswith("/input/"):
        return "value_error"
    name = _names(error)[0]
    if name not in takes:
        return "extra_forbidden"
    return "value_error" if name in given else "missing"


def _names(error: FieldError) -> list[str]:
    """Return what leads to a field from the body, on top of which Flux's parameters lie."""
    _, *names = error.pointer.removeprefix("/input").split("/")
    return [name.replace("~1", "/").replace("~0", "~") for name in names]


def _answer(status: int, detail: object) -> Response:
    return Response(json.dumps({"detail": detail}), status, content_type="application/json")
