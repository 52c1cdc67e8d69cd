"""Errors as the document shows them: by status, with an example per code."""

import inspect
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from service.errors import (
    BodyTooLarge,
    Busy,
    CallerError,
    InvalidRequest,
    MalformedRequest,
    OutOfScope,
    RateLimited,
    UnknownCaller,
    UnsupportedMediaType,
)
from service.web.openapi.headers import RATE
from service.web.openapi.types import PROBLEM_TYPE
from service.web.operation import Operation

#: Errors that are no CallerError: status → code, title and detail.
_BESIDE = {
    400: ("bad_request", "Bad Request", "The query holds a NUL character."),
    500: ("internal", "Something broke on our side", "The fault is logged."),
    503: ("unavailable", "Temporarily unavailable", "Nothing was lost. Repeat the request."),
}
#: What the reader of JSON bodies refuses.
_OF_BODIES = (MalformedRequest, BodyTooLarge, UnsupportedMediaType, InvalidRequest)
#: What everybody with a key may be told.
_OF_CALLERS = (UnknownCaller, OutOfScope, RateLimited)
_RETRY = {429, 503}


def errors_of(operation: Operation) -> list[type[CallerError]]:
    """Return all that an operation may refuse, each once."""
    found: list[type[CallerError]] = [Busy, *operation.errors]
    if operation.scope is not None:
        found += _OF_CALLERS
        found += _OF_BODIES if operation.body else ()
        found += (InvalidRequest,) if operation.query else ()
    return list(dict.fromkeys(found))


def error_answers(operation: Operation, *, is_flux: bool) -> dict[int, dict[str, Any]]:
    """Return the answers of an operation that are errors, by status."""
    by_status: dict[int, dict[str, Any]] = defaultdict(dict)
    for status, (code, _, _) in _BESIDE.items():
        by_status[status][code] = None
    for error in errors_of(operation):
        status = 403 if is_flux and error is UnknownCaller else error.status
        status = 422 if is_flux and error is MalformedRequest else status
        by_status[status][error.code] = error
    return {
        status: _answer(status, codes, operation, is_flux=is_flux)
        for status, codes in sorted(by_status.items())
    }


def problem_examples(errors: Iterable[type[CallerError]]) -> dict[str, Any]:
    """Return an example of every problem, by code."""
    found = {
        code: {"value": _problem(status, code, title, detail)}
        for status, (code, title, detail) in _BESIDE.items()
    }
    for error in errors:
        document = _problem(error.status, error.code, error.title, _says(error))
        if error is InvalidRequest:
            document["errors"] = [{"pointer": "/model", "detail": "is required"}]
        found[error.code] = {"value": document}
    return dict(sorted(found.items()))


def _answer(
    status: int, codes: Mapping[str, Any], operation: Operation, *, is_flux: bool
) -> dict[str, Any]:
    names = ["X-Request-Id"]
    names += ["Retry-After"] if status in _RETRY else []
    names += ["WWW-Authenticate"] if status == UnknownCaller.status and operation.scope else []
    names += RATE if operation.scope and status != 404 else []  # noqa: PLR2004 - as answered
    if is_flux:
        content: dict[str, Any] = {
            "application/json": {"schema": {"$ref": "#/components/schemas/FluxProblem"}}
        }
    else:
        examples = {code: {"$ref": f"#/components/examples/{code}"} for code in codes}
        schema = {"$ref": "#/components/schemas/Problem"}
        content = {PROBLEM_TYPE: {"schema": schema, "examples": examples}}
    return {
        "description": " ".join(
            f"`{code}`: {_BESIDE[status][2] if error is None else _says(error)}"
            for code, error in codes.items()
        ),
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
        "content": content,
    }


def _problem(status: int, code: str, title: str, detail: str) -> dict[str, Any]:
    return {
        "type": f"urn:darkroom:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
    }


def _says(error: type[CallerError]) -> str:
    return inspect.getdoc(error) or error.title
