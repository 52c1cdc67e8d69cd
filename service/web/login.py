"""Logging in with an API key, and what all pages share."""

from collections.abc import Callable
from functools import wraps

from flask import (
    Blueprint,
    Response,
    current_app,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from werkzeug.wrappers import Response as BaseResponse

from service.errors import UnknownCaller
from service.keys import Caller, Keys
from service.web.auth import log_in, person
from service.web.forms import refuse_foreign_form
from service.web.wording import add_wording

View = Callable[..., str | BaseResponse]
Page = Callable[..., str | BaseResponse]


def login_blueprint(keys: Keys) -> Blueprint:
    """Return the routes of the log-in."""
    routes = Blueprint("login", __name__)
    guard_pages(routes)
    add_wording(routes)

    @routes.get("/login")
    def form() -> str:
        return render_template("login.html", wrong=False, next=_next())

    @routes.post("/login")
    def login() -> BaseResponse | tuple[str, int]:
        try:
            caller = keys.caller(request.form.get("api_key", "").strip())
        except UnknownCaller:
            return render_template("login.html", wrong=True, next=_next()), 401
        log_in(caller)
        return redirect(_next(), 303)

    @routes.post("/logout")
    def logout() -> BaseResponse:
        session.clear()
        return redirect(url_for("login.form"), 303)

    return routes


def page_for(keys: Keys) -> Callable[[View], Page]:
    """Return a decorator that gives a page its caller, and strangers the log-in."""

    def page(view: View) -> Page:
        @wraps(view)
        def shown(**place: str) -> str | BaseResponse:
            try:
                caller: Caller = person(keys)
            except UnknownCaller:
                return redirect(url_for("login.form", next=request.full_path.rstrip("?")), 303)
            return view(caller, **place)

        return shown

    return page


def guard_pages(routes: Blueprint, *image_origins: str) -> None:
    """Let pages load nothing but ours, and images of the bucket that we redirect to.

    And let nobody but our own forms change anything.
    """

    @routes.before_request
    def refuse_foreign() -> None:
        refuse_foreign_form(request, current_app.config["BASE_URL"])

    @routes.after_request
    def guard(answer: Response) -> Response:
        return guarded(answer, *image_origins)


def guarded(answer: Response, *image_origins: str) -> Response:
    """Return a page's answer with the headers that every page carries."""
    images = " ".join(["'self'", *image_origins])
    policy = (
        f"default-src 'none'; img-src {images}; style-src 'self'; script-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    answer.headers.setdefault("Content-Security-Policy", policy)
    answer.headers.setdefault("X-Frame-Options", "DENY")
    # with `no-referrer` browsers send our own forms with `Origin: null`, as another site's
    answer.headers.setdefault("Referrer-Policy", "same-origin")
    answer.headers.setdefault("Cache-Control", "no-store")
    return answer


def _next() -> str:
    """Return where to go after the log-in: a path of ours, never another site."""
    wanted = request.values.get("next", "/")
    safe = wanted.startswith("/") and not wanted.startswith(("//", "/\\"))
    return wanted if safe and wanted.isprintable() else "/"
