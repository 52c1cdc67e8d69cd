"""Errors as people read them: what happened, what to do, and a way back.

They ask the database nothing, which may be what is away.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from flask import Response, g, render_template, request, url_for

from service.errors import FieldError
from service.web.forms import is_script
from service.web.login import guarded
from service.web.ways import came_from


@dataclass(frozen=True)
class _Words:
    """What a page says about a status."""

    #: In place of HTTP's own phrase.
    title: str
    #: What to do about it.
    advice: str
    #: In place of what is written for programs.
    detail: str = ""


_WORDS = {
    HTTPStatus.BAD_REQUEST: _Words(
        "That cannot be read", "Go back, and follow a link or send the form from there."
    ),
    HTTPStatus.UNAUTHORIZED: _Words("Log in first", "This is only for whoever has a key."),
    HTTPStatus.FORBIDDEN: _Words(
        "That is not allowed", "If your key is not for this, log in with one that is."
    ),
    HTTPStatus.NOT_FOUND: _Words(
        "There is nothing here", "It may have been deleted, or a part of the address is missing."
    ),
    HTTPStatus.METHOD_NOT_ALLOWED: _Words(
        "That needs a button",
        "Go back, and use the button there.",
        "This address does something. It is not for opening, but for a page of ours to call.",
    ),
    HTTPStatus.CONFLICT: _Words(
        "That came too late", "Go back, look at how things stand now, and decide again."
    ),
    HTTPStatus.GONE: _Words("That is gone", "What was deleted does not come back."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: _Words(
        "That is too much at once", "Go back, and send less of it."
    ),
    HTTPStatus.UNPROCESSABLE_ENTITY: _Words(
        "Something in it is not right", "Go back, and change what is named here."
    ),
    HTTPStatus.TOO_MANY_REQUESTS: _Words(
        "That is more than allowed for now", "Nothing of it was done. Try again a little later."
    ),
    HTTPStatus.INTERNAL_SERVER_ERROR: _Words(
        "Something broke on our side",
        "Try again. If it stays like this, tell whoever runs this service the number below.",
        "The fault is logged. Nothing that was stored is touched.",
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: _Words(
        "Temporarily unavailable", "Try again in a moment.", "Nothing was lost."
    ),
}
_NO_WORDS = _Words("", "")


def lead_back(place: str, words: str) -> None:
    """Say where a person goes on from if this request is refused; not if the place is unknown."""
    g.way_back = (words, place)


def problem_page(
    status: int, title: str, detail: str, errors: Sequence[FieldError] | None
) -> Response:
    """Return an error as a page."""
    words = _WORDS.get(HTTPStatus(status), _NO_WORDS)
    says_little = title.lower() == HTTPStatus(status).phrase.lower()
    page = render_template(
        "problem.html",
        status=int(status),
        title=words.title or title if says_little else title,
        detail=words.detail or detail,
        advice=words.advice,
        errors=[(_field(error.pointer), error.detail) for error in errors or ()],
        again=request.full_path.rstrip("?") if request.method == "GET" else None,
        back=_way_back(status),
        request_id=g.request_id,
    )
    answer = guarded(Response(page, status, content_type="text/html; charset=utf-8"))
    if is_script():
        # the page's content takes the place of the one that asked, not of a part in it
        swap = {"Retarget": "#main", "Reselect": "#main", "Reswap": "outerHTML"}
        answer.headers.update({f"HX-{name}": value for name, value in swap.items()})
    return answer


def _way_back(status: int) -> tuple[str, str]:
    """Return words and a path: where the route leads, the page before, or its section's start."""
    if status != HTTPStatus.NOT_FOUND and "way_back" in g:
        words, place = g.way_back
        return words, place
    before = came_from()
    if before is not None:
        return "Back to the page before", before
    if request.path.startswith("/jobs"):
        return "Back to the jobs", url_for("timeline.jobs")
    return "Back to the images", url_for("gallery.images")


def _field(pointer: str) -> str:
    """Return the name that a form or an address has for what a JSON pointer points at."""
    names = pointer.removeprefix("/").removeprefix("input/").split("/")
    return " / ".join(name.replace("~1", "/").replace("~0", "~") for name in names)
