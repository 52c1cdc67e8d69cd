"""Bodies of requests, read to their limit and no further."""

from collections.abc import Iterator
from typing import Any

from flask import Request
from werkzeug.exceptions import ClientDisconnected

from service.errors import BodyTooLarge, MalformedRequest, UnsupportedMediaType
from service.strict_json import parse_object
from service.web.big_bodies import take_place

#: Largest body of a route that takes no images, forms included, bytes.
MAX_BODY_BYTES = 256 * 1024
#: Largest body of a route that takes base64 images, bytes: one of upstream's largest, 20 MiB, which
#: is 28 MB of base64. More, or several of that size, come as uploads.
MAX_IMAGE_BODY_BYTES = 30_000_000

_PIECE_BYTES = 64 * 1024


def read_json_object(request: Request, max_bytes: int = MAX_BODY_BYTES) -> dict[str, Any]:
    """Return the request's body.

    Raises:
        UnsupportedMediaType: it is not declared as JSON.
        BodyTooLarge: it is longer than `max_bytes`.
        MalformedRequest: it is no JSON object, or one of the things above.
    """
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("Send the body with Content-Type: application/json.")
    return parse_object(read_body(request, max_bytes))


def read_image_object(request: Request) -> dict[str, Any]:
    """Return the request's body, which may hold base64 images.

    Raises:
        CallerError: as `read_json_object`, and Busy while too many large bodies are worked on.
    """
    take_place(request)
    try:
        return read_json_object(request, MAX_IMAGE_BODY_BYTES)
    except BodyTooLarge as error:
        advice = "Hand in larger pictures with POST /v1/uploads and give their ids."
        raise BodyTooLarge(f"{error.detail} {advice}") from error


def read_body(request: Request, max_bytes: int) -> bytes:
    """Return the raw body; no more than `max_bytes` and one are ever read.

    Raises:
        BodyTooLarge: it is longer, by its own word or in truth.
        MalformedRequest: it ended early.
    """
    body = bytearray()
    for piece in body_pieces(request, max_bytes):
        body += piece
    return bytes(body)


def body_pieces(request: Request, max_bytes: int) -> Iterator[bytes]:
    """Yield the raw body as it comes, as `read_body` returns it."""
    announced, count = request.content_length or 0, 0
    # instead of the app's own limit, which is for forms
    request.max_content_length = max_bytes + 1
    try:
        while announced <= max_bytes >= count and (piece := request.stream.read(_PIECE_BYTES)):
            count += len(piece)
            yield piece
    except ClientDisconnected as error:
        raise MalformedRequest("The body could not be read to its end.") from error
    if max(announced, count) > max_bytes:
        raise BodyTooLarge(f"The body may be {max_bytes:,} bytes long at most.")
    if count < announced:
        raise MalformedRequest(f"The body ended after {count} of {announced} bytes.")
