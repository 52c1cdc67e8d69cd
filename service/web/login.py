"""Logging in, with an API key or by a link, and what all pages share."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus

from flask import (
    Blueprint,
    Response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from werkzeug.wrappers import Response as BaseResponse

from service.errors import UnknownCaller
from service.keys import LINK_SECONDS, Caller, Keys
from service.web.auth import log_in, log_out, person
from service.web.forms import is_script, refuse_foreign_form
from service.web.ways import came_from, own_path
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
            page = render_template("login.html", wrong=True, next=_next())
            return page, HTTPStatus.UNAUTHORIZED
        log_in(keys, keys.sessions.begin(caller.key_id))
        return redirect(_next(), HTTPStatus.SEE_OTHER)

    # whoever looks ahead at links, such as a chat that draws a preview, must not use it up
    @routes.get("/login/<token>")
    def link(token: str) -> str | tuple[str, int]:
        project = keys.links.project(token)
        return _no_link() if project is None else render_template("link.html", project=project)

    @routes.post("/login/<token>")
    def use_link(token: str) -> BaseResponse | tuple[str, int]:
        begun = keys.links.use(token)
        if begun is None:
            return _no_link()
        log_in(keys, begun)
        return redirect("/", HTTPStatus.SEE_OTHER)

    @routes.post("/logout")
    def logout() -> BaseResponse:
        log_out(keys)
        return redirect(url_for("login.form"), HTTPStatus.SEE_OTHER)

    return routes


def page_for(keys: Keys) -> Callable[[View], Page]:
    """Return a decorator that gives a page its caller, and strangers the log-in."""

    def page(view: View) -> Page:
        @wraps(view)
        def shown(**place: str) -> str | BaseResponse:
            try:
                caller: Caller = person(keys)
            except UnknownCaller:
                return _to_login()
            return view(caller, **place)

        return shown

    return page


def guard_pages(routes: Blueprint, *image_origins: str) -> None:
    """Let pages load nothing but ours, and images of the bucket that we redirect to.

    And let nobody but our own forms change anything.
    """
    routes.before_request(refuse_foreign_form)

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


def _to_login() -> BaseResponse:
    """Lead to the log-in, and from there back; a form is then to be sent again."""
    session.clear()
    if is_script():
        # it would follow a redirect by itself, and put the log-in in the midst of its page
        place = url_for("login.form", next=came_from())
        return Response(status=HTTPStatus.UNAUTHORIZED, headers={"HX-Redirect": place})
    wanted = request.full_path.rstrip("?") if request.method == "GET" else came_from()
    return redirect(url_for("login.form", next=wanted), HTTPStatus.SEE_OTHER)


def _no_link() -> tuple[str, int]:
    page = render_template("no_link.html", minutes=LINK_SECONDS // 60)
    return page, HTTPStatus.GONE


def _next() -> str:
    """Return where to go after the log-in."""
    return own_path(request.values.get("next", "/")) or "/"
