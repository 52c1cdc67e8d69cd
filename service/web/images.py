"""`/v1/images`: what was stored, its bytes and its thumbnail, and that it be deleted."""

import io
from typing import Annotated
from uuid import UUID

from flask import Blueprint, Response, jsonify, request, send_file
from pydantic import BaseModel, ConfigDict, Field

from service.documents import IMAGE_URL_LIFETIME_SECONDS
from service.errors import Gone, NotFound
from service.ids import Kind, read_id
from service.keys import Caller
from service.models import MAX_TAGS_PER_IMAGE, Scope
from service.pictures import THUMBNAIL_CONTENT_TYPE
from service.steps.browse import ImageFilter
from service.steps.label import Change, Tag
from service.web.bodies import read_as
from service.web.openapi.answers import Image, ImagePage
from service.web.openapi.answers_beside import Problem
from service.web.openapi.types import IMAGE_TYPES, PROBLEM_TYPE
from service.web.operation import Answer, Api
from service.web.paging import page_answer, read_cursor
from service.web.queries import ContentQuery, ImageQuery, read_query
from service.wiring import Wiring

#: Stored bytes are served inert, whatever they are: nothing in them runs or loads anything.
INERT = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
}
MAX_QUERY_CHARS = 500

#: What whoever asks for stored bytes may say, and is answered.
BYTES_ASKED = ("If-None-Match", "Range")
_BYTES_HEADERS = ("ETag", "Cache-Control")
STORED_BYTES = {
    200: Answer("The bytes.", headers=_BYTES_HEADERS, media_types=IMAGE_TYPES),
    206: Answer("A part.", headers=(*_BYTES_HEADERS, "Content-Range"), media_types=IMAGE_TYPES),
    304: Answer("Not changed.", headers=_BYTES_HEADERS, media_types=()),
    416: Answer("There is no such part.", Problem, ("Content-Range",), (PROBLEM_TYPE,)),
}
_ELSEWHERE = Answer(
    "A fresh presigned URL of the image in the bucket.", headers=("Location",), media_types=()
)


class ImageBody(BaseModel):
    """Body of `PATCH /v1/images/{id}`; what is left out or null stays as it is."""

    model_config = ConfigDict(extra="forbid", strict=True)

    favourite: bool | None = None
    #: These and no others; each is kept trimmed and in lower case.
    tags: Annotated[list[Tag], Field(max_length=MAX_TAGS_PER_IMAGE)] | None = None


def images_blueprint(wiring: Wiring) -> Blueprint:
    """Return the routes of images."""
    routes = Blueprint("images", __name__, url_prefix="/v1/images")
    api = Api(wiring)

    @routes.get("")
    @api.operation(
        Scope.READ,
        "List images",
        query=ImageQuery,
        answers={200: Answer("A page, newest first.", ImagePage, headers=("Link",))},
    )
    def listing(caller: Caller) -> Response:
        query = read_query(ImageQuery)
        page = wiring.browse.images(
            caller.project_id,
            read_cursor(wiring.cursors, "images", query.cursor),
            query.limit,
            ImageFilter(
                model=query.model,
                prompt_contains=query.q,
                parent_id=query.parent,
                tag=query.tag,
                is_favourite=None if query.favourite is None else query.favourite == "true",
                size=query.size,
                created_after=query.created_after,
                created_before=query.created_before,
            ),
        )
        documents = [wiring.documents.image(row) for row in page.rows]
        return page_answer(wiring.cursors, "images", documents, page.next_id)

    @routes.get("/<image_id>")
    @api.operation(
        Scope.READ,
        "Look up an image",
        answers={200: Answer("The image, with a fresh `url`.", Image)},
        errors=(NotFound, Gone),
    )
    def one(caller: Caller, image_id: str) -> Response:
        row = wiring.browse.image(caller.project_id, known_image(image_id))
        return jsonify(wiring.documents.image(row))

    @routes.patch("/<image_id>")
    @api.operation(
        Scope.MANAGE,
        "Mark an image as a favourite, and say its tags",
        description="Tags are 1 to 40 printable characters, kept trimmed and in lower case.",
        body=ImageBody,
        answers={200: Answer("The image as it is now.", Image)},
        errors=(NotFound, Gone),
    )
    def label(caller: Caller, image_id: str) -> Response:
        found, wanted = known_image(image_id), read_as(request, ImageBody)
        change = Change(wanted.favourite, wanted.tags or (), is_whole=wanted.tags is not None)
        wiring.label(caller.project_id, [found], change)
        return jsonify(wiring.documents.image(wiring.browse.image(caller.project_id, found)))

    @routes.delete("/<image_id>")
    @api.operation(
        Scope.MANAGE,
        "Delete an image",
        answers={204: Answer("It is gone for good.", media_types=())},
        errors=(NotFound, Gone),
    )
    def delete(caller: Caller, image_id: str) -> Response:
        wiring.remove(caller.project_id, known_image(image_id))
        return Response(status=204)

    @routes.get("/<image_id>/content")
    @api.operation(
        Scope.READ,
        "Fetch an image's bytes",
        query=ContentQuery,
        headers=BYTES_ASKED,
        answers={**STORED_BYTES, 302: _ELSEWHERE},
        errors=(NotFound, Gone),
    )
    def content(caller: Caller, image_id: str) -> Response:
        proxied = read_query(ContentQuery).proxy == "1"
        return image_content(wiring, caller, image_id, proxied=proxied)

    @routes.get("/<image_id>/thumbnail")
    @api.operation(
        Scope.READ,
        "Fetch an image's thumbnail",
        headers=BYTES_ASKED,
        answers={**STORED_BYTES, 302: _ELSEWHERE},
        errors=(NotFound, Gone),
    )
    def small(caller: Caller, image_id: str) -> Response:
        return image_thumbnail(wiring, caller, image_id)

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
