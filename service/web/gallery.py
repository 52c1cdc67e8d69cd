"""The gallery. It works without JavaScript."""

from flask import Blueprint, render_template

from service.ids import Kind, public_id
from service.keys import Caller
from service.steps.browse import ImageFilter
from service.web.image_page import add_image_page, page_image
from service.web.login import guard_pages, page_for
from service.web.paging import read_cursor
from service.web.queries import MadeFromQuery, only_one, read_query
from service.wiring import Wiring

IMAGES_PER_PAGE = 48


def gallery_blueprint(wiring: Wiring) -> Blueprint:
    """Return the gallery, and the page of each image."""
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
            images=[page_image(wiring, row) for row in found.rows],
            next=None
            if found.next_id is None
            else wiring.cursors.write("gallery", [found.next_id.hex]),
            first_page=cursor is None,
            parent=None if parent is None else public_id(Kind.IMAGE, parent),
            base_url=wiring.settings.base_url,
        )

    add_image_page(routes, page, wiring)
    return routes
