"""`/selection`: what is done with the images that were picked in the gallery.

A form like any other: each of its buttons says what to do. What has been deleted meanwhile is left
out, and the next page says so.
"""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from urllib.parse import parse_qsl, urlencode

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from service.errors import FieldError, InvalidRequest
from service.ids import Kind, public_id
from service.keys import Caller
from service.models import MAX_TAG_CHARS, Scope, read_tag
from service.steps.label import Change
from service.web.login import guard_pages, page_for
from service.web.picked import Picked, picked
from service.wiring import Wiring

Answer = str | Response

_PAIR = 2
#: Of the gallery's query, which leads back to where somebody was.
_MAX_BACK_CHARS = 2000


def selection_blueprint(wiring: Wiring) -> Blueprint:
    """Return the route of the form."""
    routes = Blueprint("selection", __name__)
    guard_pages(routes, wiring.object_store.origin)
    page = page_for(wiring.keys)

    @routes.post("/selection")
    @page
    def act(caller: Caller) -> Answer:
        wanted = _ACTS.get(_said("act"))
        if wanted is None:
            raise _refused("act", f"one of {', '.join(_ACTS)}")
        if wanted is not _compare:
            caller.require(Scope.MANAGE)
        return wanted(wiring, caller, picked(wiring, caller, request.form.getlist("image")))

    return routes


def _compare(_wiring: Wiring, _caller: Caller, some: Picked) -> Answer:
    if len(some.rows) != _PAIR:
        raise _refused("image", f"exactly two to compare; {_count(len(some.rows))} were picked")
    ours, theirs = (public_id(Kind.IMAGE, one) for one in some.ids)
    return redirect(url_for("compare.images", a=ours, b=theirs), HTTPStatus.SEE_OTHER)


def _favour(wiring: Wiring, caller: Caller, some: Picked, *, is_favourite: bool) -> Answer:
    wiring.label(caller.project_id, some.ids, Change(is_favourite=is_favourite))
    kind = "among the favourites" if is_favourite else "no longer among the favourites"
    return _back(f"{_count(len(some.rows))} {kind}.", len(some.gone))


def _tag(wiring: Wiring, caller: Caller, some: Picked, *, is_added: bool) -> Answer:
    if "tag" not in request.form:
        return _tag_page(caller, some)
    said = _said("tag")
    try:
        name = read_tag(said)
    except ValueError as error:
        again = _tag_page(caller, some, tag=said, wrong=str(error))
        return make_response(again, HTTPStatus.UNPROCESSABLE_ENTITY)
    change = Change(add=[name]) if is_added else Change(remove=[name])
    wiring.label(caller.project_id, some.ids, change)
    kind = "tagged" if is_added else "no longer tagged"
    return _back(f"{_count(len(some.rows))} {kind} {name}.", len(some.gone))


def _delete(wiring: Wiring, caller: Caller, some: Picked) -> Answer:
    if _said("sure") != "yes":
        return _asked("picked_delete.html", caller, some)
    deleted = wiring.remove.all_of(caller.project_id, some.ids)
    # those that somebody else deleted meanwhile count as gone
    return _back(f"{_count(deleted)} deleted.", len(some.gone) + len(some.rows) - deleted)


_ACTS: dict[str, Callable[[Wiring, Caller, Picked], Answer]] = {
    "compare": _compare,
    "favourite": partial(_favour, is_favourite=True),
    "unfavourite": partial(_favour, is_favourite=False),
    "tag": partial(_tag, is_added=True),
    "untag": partial(_tag, is_added=False),
    "delete": _delete,
}


def _tag_page(caller: Caller, some: Picked, **said: str) -> str:
    return _asked("picked_tag.html", caller, some, max_chars=MAX_TAG_CHARS, **said)


def _asked(template: str, caller: Caller, some: Picked, **more: object) -> str:
    """Return a page that asks before anything is done."""
    return render_template(
        template,
        caller=caller,
        images=[{"id": public_id(Kind.IMAGE, row.id), "prompt": row.prompt} for row in some.rows],
        gone=len(some.gone),
        back=_said("back"),
        gallery=_gallery(),
        **more,
    )


def _back(said: str, gone: int) -> Response:
    """Return to the gallery, which says what was done."""
    if gone:
        said += f" {_count(gone)} had been deleted before."
    flash(said)
    return redirect(_gallery(), HTTPStatus.SEE_OTHER)


def _gallery() -> str:
    """Return the gallery as it was narrowed; whatever was sent, it is a page of ours."""
    kept = parse_qsl(_said("back")[:_MAX_BACK_CHARS], keep_blank_values=True)
    return url_for("gallery.images") + (f"?{urlencode(kept)}" if kept else "")


def _said(name: str) -> str:
    values = request.form.getlist(name)
    if len(values) > 1:
        raise _refused(name, "once; it stands there more than once")
    return values[0] if values else ""


def _refused(name: str, detail: str) -> InvalidRequest:
    return InvalidRequest("Nothing was done.", [FieldError(f"/{name}", detail)])


def _count(number: int) -> str:
    return "1 image" if number == 1 else f"{number} images"
