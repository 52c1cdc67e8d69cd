"""`/openapi.json`, and `/docs`, which shows it without a network."""

import hashlib
from importlib import resources

from flask import Blueprint, Response, current_app, json, render_template, request, send_file

from service.web.openapi.answers_beside import OpenApi
from service.web.openapi.document import openapi
from service.web.operation import Answer, described

#: Swagger UI, of which nothing else is served.
_FILES = ("swagger-ui.css", "swagger-ui-bundle.js")
#: It draws its icons from `data:`, sends what is tried out, and needs nothing from elsewhere.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
#: Asked again each time, and hardly ever sent again.
_CACHED = "public, no-cache"


def openapi_blueprint() -> Blueprint:
    """Return the routes that describe all others."""
    routes = Blueprint("openapi", __name__)
    made: list[bytes] = []

    @routes.get("/openapi.json")
    @described(
        "Read this document",
        headers=("If-None-Match",),
        answers={
            200: Answer("OpenAPI 3.1.", OpenApi, headers=("ETag", "Cache-Control")),
            304: Answer("Not changed.", headers=("ETag", "Cache-Control"), media_types=()),
        },
    )
    def document() -> Response:
        # the routes are all there once the first request is
        if not made:
            made.append(json.dumps(openapi(current_app)).encode())
        answer = Response(made[0], content_type="application/json")
        answer.set_etag(hashlib.sha256(made[0]).hexdigest()[:32])
        answer.headers["Cache-Control"] = _CACHED
        answer.make_conditional(request)
        return answer

    @routes.get("/docs")
    def docs() -> Response:
        answer = Response(render_template("docs.html"), content_type="text/html; charset=utf-8")
        answer.headers["Content-Security-Policy"] = _POLICY
        return answer

    @routes.get(f"/docs/<any({', '.join(map(repr, _FILES))}):file_name>")
    def file(file_name: str) -> Response:
        folder = resources.files("flask_swagger_ui") / "dist"
        with resources.as_file(folder / file_name) as path:
            answer = send_file(path)
        answer.headers["Cache-Control"] = _CACHED
        return answer

    return routes
