"""`/v1/images`: what was stored, its bytes and its thumbnail."""

import io
from uuid import UUID

from flask import Blueprint, Response, jsonify, request, send_file

from service.documents import IMAGE_URL_LIFETIME_SECONDS
from service.errors import NotFound
from service.ids import Kind, read_id
from service.keys import Caller
from service.pictures import THUMBNAIL_CONTENT_TYPE
from service.web.auth import bearer
from service.web.paging import page_answer, read_cursor, read_limit, wrong_query
from service.wiring import Wiring

#: Stored bytes are served inert, whatever they are: nothing in them runs or loads anything.
INERT = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
}
MAX_QUERY_CHARS = 500


def images_blueprint(wiring: Wiring) -> Blueprint:
    """Return the routes of images."""
    routes = Blueprint("images", __name__, url_prefix="/v1/images")

    @routes.get("")
    def listing() -> Response:
        caller = bearer(request, wiring.keys)
        page = wiring.browse.images(
            caller.project_id,
            read_cursor(wiring.cursors, "images"),
            read_limit(),
            model=request.args.get("model"),
            prompt_contains=request.args.get("q", "")[:MAX_QUERY_CHARS],
            parent_id=asked_parent(),
        )
        documents = [wiring.documents.image(row) for row in page.rows]
        return page_answer(wiring.cursors, "images", documents, page.next_id)

    @routes.get("/<image_id>")
    def one(image_id: str) -> Response:
        caller = bearer(request, wiring.keys)
        row = wiring.browse.image(caller.project_id, known_image(image_id))
        return jsonify(wiring.documents.image(row))

    @routes.get("/<image_id>/content")
    def content(image_id: str) -> Response:
        caller = bearer(request, wiring.keys)
        proxied = request.args.get("proxy") == "1"
        return image_content(wiring, caller, image_id, proxied=proxied)

    @routes.get("/<image_id>/thumbnail")
    def small(image_id: str) -> Response:
        return image_thumbnail(wiring, bearer(request, wiring.keys), image_id)

    return routes


def known_image(image_id: str) -> UUID:
    """Return the UUID of an image's id.

    Raises:
        NotFound: it is no such id.
    """
    found = read_id(Kind.IMAGE, image_id)
    if found is None:
        raise NotFound("There is no such image.")
    return found


def asked_parent() -> UUID | None:
    """Return the image whose children alone are asked for.

    Raises:
        InvalidRequest: it is no such id.
    """
    text = request.args.get("parent")
    found = None if text is None else read_id(Kind.IMAGE, text)
    if text is not None and found is None:
        raise wrong_query("parent", "the id of an image: img_ and 32 hexadecimal digits")
    return found


def image_content(wiring: Wiring, caller: Caller, image_id: str, *, proxied: bool) -> Response:
    """Return the way to the bytes, or the bytes themselves with ETag and ranges."""
    row = wiring.browse.image(caller.project_id, known_image(image_id))
    if not proxied:
        url = wiring.object_store.presign(row.bucket, row.key, IMAGE_URL_LIFETIME_SECONDS)
        return Response(status=302, headers={"Location": url, "Cache-Control": "no-store"})
    return stored_bytes(wiring, row.bucket, row.key, row.content_type, row.sha256)


def image_thumbnail(wiring: Wiring, caller: Caller, image_id: str) -> Response:
    """Return the thumbnail, or, until it is drawn, the way to the image."""
    row = wiring.browse.image(caller.project_id, known_image(image_id))
    if row.thumbnail_key is None:
        return image_content(wiring, caller, image_id, proxied=False)
    return stored_bytes(
        wiring, row.bucket, row.thumbnail_key, THUMBNAIL_CONTENT_TYPE, f"{row.sha256}-thumb"
    )


def stored_bytes(wiring: Wiring, bucket: str, key: str, content_type: str, etag: str) -> Response:
    """Return an object's bytes with ETag and ranges.

    Raises:
        NotFound: the bucket does not hold it.
    """
    if request.if_none_match.contains_weak(etag):
        answer = Response(status=304)
        answer.set_etag(etag)
    else:
        try:
            content = wiring.object_store.get(bucket, key)
        except FileNotFoundError as error:
            raise NotFound("The bucket does not hold this image any more.") from error
        if not _asks_for_a_range(len(content)):
            request.environ.pop("HTTP_RANGE", None)
        answer = send_file(io.BytesIO(content), content_type, etag=etag)
    answer.headers.update(INERT)
    answer.headers["Cache-Control"] = "private, max-age=31536000, immutable"
    return answer


def _asks_for_a_range(length: int) -> bool:
    """Tell whether to heed the request's Range, for which werkzeug has only 206 and 416.

    RFC 9110, 14.2: what cannot be read, has another unit or several ranges is as if it was not
    there. So is the end of the bytes that is longer than they are: it is all of them.
    """
    asked = request.range
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1:
        return False
    return asked.ranges[0][0] >= -length
