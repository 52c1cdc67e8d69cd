"""The Flask app: API, receiver and gallery in one."""

import re
import time
from datetime import timedelta

from flask import Flask, Request, Response, g, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from structlog.contextvars import bind_contextvars, clear_contextvars
from werkzeug.exceptions import BadRequest

from service.ids import new_id
from service.keys import SESSION_SECONDS
from service.logs import get_log
from service.web import waiting
from service.web.account import account_blueprint
from service.web.batches import batches_blueprint
from service.web.big_bodies import register_places
from service.web.callbacks import callbacks_blueprint
from service.web.compare import compare_blueprint
from service.web.deliveries import deliveries_blueprint
from service.web.downloads import downloads_blueprint
from service.web.events import events_blueprint
from service.web.facts import facts_blueprint
from service.web.flux import Form, flux_blueprint, samples_blueprint
from service.web.forms import form_token, is_logged_in
from service.web.gallery import gallery_blueprint
from service.web.health import health_blueprint
from service.web.images import images_blueprint
from service.web.jobs import jobs_blueprint
from service.web.login import login_blueprint
from service.web.models import models_blueprint
from service.web.new import new_blueprint
from service.web.openapi.routes import openapi_blueprint
from service.web.operation import add_rate_headers
from service.web.overview import overview_blueprint
from service.web.parsing import MAX_BODY_BYTES
from service.web.problems import register_errors
from service.web.projects import projects_blueprint
from service.web.selection import selection_blueprint
from service.web.shares import shared_blueprint, shares_blueprint
from service.web.streams import streams_blueprint
from service.web.timeline import timeline_blueprint
from service.web.uploads import uploads_blueprint
from service.web.webhooks import webhooks_blueprint
from service.wiring import Wiring

#: Probes come every few seconds; a line for each would bury the others.
_QUIET_ROUTES = frozenset({"/healthz", "/readyz", "/metrics"})
#: A caller's own X-Request-Id is used if it is safe wherever ids are written.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)

log = get_log(__name__)


class _Cookies(SecureCookieSessionInterface):
    """Flask's own, which makes a signer for each request; a program's have no cookie to read."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Read the browser's session."""
        if self.get_cookie_name(app) in request.cookies:
            return super().open_session(app, request)
        return self.session_class()


def create_app(wiring: Wiring) -> Flask:
    """Return the app over a wiring; nothing connects before the first request."""
    app = Flask(__name__)
    app.session_interface = _Cookies()
    # its redirect would be a page, and a POST would lose its key on the way
    app.url_map.merge_slashes = False
    keys = wiring.settings.signing_keys
    app.config.update(
        SECRET_KEY=keys[0],
        SECRET_KEY_FALLBACKS=keys[1:],
        SESSION_COOKIE_NAME="darkroom",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=wiring.settings.base_url.startswith("https://"),
        PERMANENT_SESSION_LIFETIME=timedelta(seconds=SESSION_SECONDS),
        # it says the same as long as it lives, and an answer that comes late must not bring it back
        SESSION_REFRESH_EACH_REQUEST=False,
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        BASE_URL=wiring.settings.base_url,
    )
    app.jinja_env.globals.update(form_token=form_token, is_logged_in=is_logged_in)
    app.json.sort_keys = False  # type: ignore[attr-defined] # of the default provider
    app.json.ensure_ascii = False  # type: ignore[attr-defined] # likewise
    watchers = waiting.Waiting(
        wiring.tail.news, wiring.keys.living, waiting.PLACES, waiting.HEARTBEAT_SECONDS
    )
    app.register_blueprint(jobs_blueprint(wiring, watchers))
    app.register_blueprint(streams_blueprint(wiring, watchers))
    app.register_blueprint(batches_blueprint(wiring))
    app.register_blueprint(projects_blueprint(wiring))
    app.register_blueprint(callbacks_blueprint(wiring))
    app.register_blueprint(deliveries_blueprint(wiring))
    app.register_blueprint(events_blueprint(wiring))
    app.register_blueprint(images_blueprint(wiring))
    app.register_blueprint(shares_blueprint(wiring))
    app.register_blueprint(shared_blueprint(wiring))
    app.register_blueprint(models_blueprint(wiring))
    for form in Form:
        app.register_blueprint(flux_blueprint(wiring, form))
    app.register_blueprint(samples_blueprint(wiring))
    app.register_blueprint(uploads_blueprint(wiring))
    app.register_blueprint(webhooks_blueprint(wiring.receive))
    app.register_blueprint(health_blueprint(wiring))
    app.register_blueprint(gallery_blueprint(wiring))
    app.register_blueprint(facts_blueprint(wiring))
    app.register_blueprint(compare_blueprint(wiring))
    app.register_blueprint(downloads_blueprint(wiring))
    app.register_blueprint(selection_blueprint(wiring))
    app.register_blueprint(timeline_blueprint(wiring))
    app.register_blueprint(new_blueprint(wiring))
    app.register_blueprint(overview_blueprint(wiring))
    app.register_blueprint(openapi_blueprint())
    app.register_blueprint(login_blueprint(wiring.keys))
    app.register_blueprint(account_blueprint(wiring))
    register_errors(app)
    register_places(app)
    app.before_request(_begin)
    app.after_request(_note)
    return app


def _begin() -> None:
    g.began = time.monotonic()
    said = request.headers.get("X-Request-Id", "")
    g.request_id = said if _REQUEST_ID.fullmatch(said) else new_id().hex
    clear_contextvars()
    bind_contextvars(request_id=g.request_id)
    if b"%00" in request.query_string:
        # no column keeps NUL, so nothing can match it
        raise BadRequest("The query holds a NUL character.")


def _note(answer: Response) -> Response:
    """Log one line per request: the route, never the path, which may hold a token."""
    route = request.url_rule.rule if request.url_rule else "unknown"
    if route not in _QUIET_ROUTES:
        log.info(
            "request",
            method=request.method,
            route=route,
            status=answer.status_code,
            duration_ms=round((time.monotonic() - g.began) * 1000, 1),
        )
    answer.headers["X-Request-Id"] = g.request_id
    add_rate_headers(answer)
    # answers hold presigned URLs and belong to whoever holds the key
    answer.headers.setdefault("Cache-Control", "no-store")
    answer.headers.setdefault("X-Content-Type-Options", "nosniff")
    answer.headers.setdefault("Referrer-Policy", "no-referrer")
    return answer
