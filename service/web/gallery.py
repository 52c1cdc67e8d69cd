"""The gallery and a page per image. They work without JavaScript."""

from typing import Any

from flask import Blueprint, Response, render_template, url_for

from service.ids import Kind, public_id
from service.keys import Caller
from service.steps.browse import ImageFilter
from service.web.auth import person
from service.web.images import image_content, image_thumbnail, known_image
from service.web.login import guard_pages, page_for
from service.web.paging import read_cursor
from service.web.queries import MadeFromQuery, only_one, read_query
from service.web.tiles import lineage
from service.wiring import Wiring

IMAGES_PER_PAGE = 48


def gallery_blueprint(wiring: Wiring) -> Blueprint:
    """Return the pages of images."""
    routes = Blueprint("gallery", __name__)
    guard_pages(routes, wiring.object_store.origin)
    page = page_for(wiring.keys)

    @routes.get("/")
    @page
    def images(caller: Caller) -> str:
        cursor = read_cursor(wiring.cursors, "gallery", only_one("cursor"))
        parent = read_query(MadeFromQuery).parent
        only = ImageFilter(parent_id=parent)
        found = wiring.browse.images(caller.project_id, cursor, IMAGES_PER_PAGE, only)
        return render_template(
            "gallery.html",
            caller=caller,
            images=[_image(wiring, row) for row in found.rows],
            next=None
            if found.next_id is None
            else wiring.cursors.write("gallery", [found.next_id.hex]),
            first_page=cursor is None,
            parent=None if parent is None else public_id(Kind.IMAGE, parent),
            base_url=wiring.settings.base_url,
        )

    @routes.get("/images/<image_id>")
    @page
    def image(caller: Caller, image_id: str) -> str:
        row = wiring.browse.image(caller.project_id, known_image(image_id))
        job, _ = wiring.browse.job(caller.project_id, row.job_id)
        return render_template(
            "image.html",
            caller=caller,
            image=_image(wiring, row),
            lineage=lineage(wiring, row),
            job=wiring.documents.job(job, [row]),
        )

    @routes.get("/images/<image_id>/content")
    def content(image_id: str) -> Response:
        return image_content(wiring, person(wiring.keys), image_id, proxied=True)

    @routes.get("/images/<image_id>/thumbnail")
    def small(image_id: str) -> Response:
        return image_thumbnail(wiring, person(wiring.keys), image_id)

    return routes


def _image(wiring: Wiring, row: Any) -> dict[str, Any]:  # noqa: ANN401 - a Row
    return {
        **wiring.documents.image(row),
        "page": url_for("gallery.image", image_id=public_id(Kind.IMAGE, row.id)),
        "content": url_for("gallery.content", image_id=public_id(Kind.IMAGE, row.id)),
        "thumbnail": url_for("gallery.small", image_id=public_id(Kind.IMAGE, row.id)),
    }
