"""The gallery. It works without JavaScript."""

from datetime import UTC, datetime

from flask import Blueprint, Response, make_response, render_template, request

from service.documents import when
from service.ids import Kind, made_at, public_id
from service.keys import Caller
from service.steps.browse import Page
from service.web.gallery_query import (
    GalleryQuery,
    arguments,
    favourites,
    image_filter,
    menus,
    narrowed_to,
    read_gallery_query,
    since,
)
from service.web.image_page import add_image_page
from service.web.login import guard_pages, page_for
from service.web.paging import read_cursor
from service.web.queries import only_one
from service.web.wall import image_cell, job_cell, news
from service.wiring import Wiring

IMAGES_PER_PAGE = 48


def gallery_blueprint(wiring: Wiring) -> Blueprint:
    """Return the gallery, and the page of each image."""
    routes = Blueprint("gallery", __name__)
    guard_pages(routes, wiring.object_store.origin)
    page = page_for(wiring.keys)

    @routes.get("/")
    @page
    def images(caller: Caller) -> Response:
        cursor = read_cursor(wiring.cursors, "gallery", only_one("cursor"))
        asked, now = read_gallery_query(), datetime.now(UTC)
        found = wiring.browse.images(
            caller.project_id, cursor, IMAGES_PER_PAGE, image_filter(asked, now)
        )
        shown = {
            "images": [image_cell(row) for row in found.rows],
            "first_page": cursor is None,
            "asked": arguments(asked),
            **_onward(wiring, found),
        }
        if request.headers.get("HX-Request"):
            answer = make_response(render_template("wall_page.html", **shown))
        else:
            answer = make_response(_whole(wiring, caller, asked, now, shown))
        # one address, two answers
        answer.vary.add("HX-Request")
        return answer

    @routes.get("/news")
    @page
    def changes(caller: Caller) -> str:
        return news(wiring, caller)

    add_image_page(routes, page, wiring)
    return routes


def _whole(
    wiring: Wiring, caller: Caller, asked: GalleryQuery, now: datetime, shown: dict[str, object]
) -> str:
    is_live = shown["first_page"] and not shown["asked"]
    counts = wiring.facets.of(caller.project_id, since(now))
    return render_template(
        "gallery.html",
        caller=caller,
        **shown,
        is_live=is_live,
        jobs=[job_cell(row) for row in wiring.wall.under_way(caller.project_id, now)]
        if is_live
        else [],
        menus=menus(asked, counts),
        favourites=favourites(asked, counts),
        narrowed=narrowed_to(asked),
        parent=None if asked.parent is None else public_id(Kind.IMAGE, asked.parent),
        base_url=wiring.settings.base_url,
    )


def _onward(wiring: Wiring, found: Page) -> dict[str, object]:
    """Return the way to older images, and how far a search that stopped has come."""
    if found.next_id is None:
        return {"next": None, "searched_to": None}
    return {
        "next": wiring.cursors.write("gallery", [found.next_id.hex]),
        "searched_to": when(made_at(found.next_id)) if found.is_cut else None,
    }
