"""Every error as RFC 9457 `application/problem+json`, or as a page where a person looks.

Below the paths of Flux's own API it is said as upstream says it.
"""

from http import HTTPStatus

from flask import Flask, Response, json, request
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped] # no types there
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from service.errors import (
    BodyTooLarge,
    CallerError,
    DatabaseUnavailable,
    FieldError,
    MalformedRequest,
    StorageUnavailable,
)
from service.logs import get_log
from service.web.flux_problems import flux_problem, speaks_flux
from service.web.problem_pages import problem_page

RETRY_AFTER_SECONDS = 2

log = get_log(__name__)


def problem(
    status: int,
    code: str,
    title: str,
    detail: str,
    errors: list[FieldError] | None = None,
) -> Response:
    """Return a problem document."""
    document: dict[str, object] = {
        "type": f"urn:darkroom:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
    }
    if errors:
        document["errors"] = [
            {"pointer": error.pointer, "detail": error.detail} for error in errors
        ]
    return Response(json.dumps(document), status, content_type="application/problem+json")


def register_errors(app: Flask) -> None:
    """Answer every exception in words, with nothing of our inside."""

    @app.errorhandler(CallerError)
    def caller_error(error: CallerError) -> Response:
        answer = _shown(error.status, error.code, error.title, error.detail, error.errors)
        answer.headers.update(_advice(error, answer.status_code))
        return answer

    @app.errorhandler(DatabaseUnavailable)
    @app.errorhandler(StorageUnavailable)
    def unavailable(error: Exception) -> Response:
        log.error("request_unavailable", route=_route(), reason=str(error))
        return _shown(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "unavailable",
            "Temporarily unavailable",
            "Nothing was lost. Repeat the request with the same Idempotency-Key.",
        )

    @app.errorhandler(ParseException)
    def broken_framing(_error: Exception) -> Response:
        # gunicorn reads the body while we do: a broken chunk is found in the middle of a route
        return caller_error(MalformedRequest("The body's transfer coding is broken."))

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        if isinstance(error, RequestEntityTooLarge):
            # its phrase, and so our code, would differ between Pythons
            return caller_error(BodyTooLarge("The body is larger than any route takes."))
        status = HTTPStatus(error.code or 500)
        code = status.phrase.lower().replace(" ", "_").replace("-", "_")
        answer = _shown(status, code, status.phrase, error.description or status.phrase)
        for name, value in error.get_headers():
            if name.lower() not in {"content-type", "content-length"}:
                answer.headers[name] = value
        return answer

    @app.errorhandler(Exception)
    def crashed(error: Exception) -> Response:
        log.error("request_crashed", route=_route(), exc_info=error)
        return _shown(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "internal",
            "Something broke on our side",
            "The fault is logged. Repeating the request with the same Idempotency-Key is safe.",
        )


def _advice(error: CallerError, status: int) -> dict[str, str]:
    """Return the headers that say what to do about an error; Flux's API has a status of its own."""
    if status == HTTPStatus.UNAUTHORIZED:
        return {"WWW-Authenticate": 'Bearer realm="darkroom"'}
    if error.retry_after_seconds is not None:
        return {"Retry-After": str(error.retry_after_seconds)}
    return {}


def _shown(
    status: int, code: str, title: str, detail: str, errors: list[FieldError] | None = None
) -> Response:
    answer = _worded(status, code, title, detail, errors)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return answer


def _worded(
    status: int, code: str, title: str, detail: str, errors: list[FieldError] | None
) -> Response:
    if speaks_flux(request.path):
        return flux_problem(status, code, detail, errors)
    if _wants_page():
        return problem_page(status, title, detail, errors)
    return problem(int(status), code, title, detail, errors)


def _wants_page() -> bool:
    """Pages live outside of /v1; a program that asks there for JSON gets JSON."""
    if request.path.startswith(("/v1/", "/webhooks/")):
        return False
    return request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"


def _route() -> str:
    return request.url_rule.rule if request.url_rule else "unknown"
