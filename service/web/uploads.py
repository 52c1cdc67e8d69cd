"""`/v1/uploads`: hand in a picture by itself, and see what is known of it."""

import hashlib
from collections.abc import Callable, Iterator

from flask import Blueprint, Request, Response, jsonify, request

from service.documents import upload
from service.errors import (
    BodyTooLarge,
    InvalidRequest,
    MalformedRequest,
    NotFound,
    UnsupportedMediaType,
)
from service.ids import Kind, read_id
from service.keys import Caller
from service.models import Scope
from service.pictures import MAX_IMAGE_BYTES
from service.web.multipart import only_file
from service.web.openapi.answers import Upload
from service.web.operation import Answer, Api
from service.web.parsing import body_pieces
from service.wiring import Wiring

#: Declared types of a body that is the picture itself. What it is, its content says.
RAW_TYPES = (
    "image/jpeg",
    "image/jpg",  # no registered type, but many say so
    "image/png",
    "image/webp",
    "application/octet-stream",
)
FORM_TYPE = "multipart/form-data"
_FORM = {
    "type": "object",
    "properties": {"file": {"type": "string", "format": "binary"}},
    "required": ["file"],
    "description": "One file; its field may have any name.",
}
#: What a form may be longer than its file, bytes.
MAX_FRAMING_BYTES = 64 * 1024


def uploads_blueprint(wiring: Wiring) -> Blueprint:
    """Return the routes of uploads."""
    routes = Blueprint("uploads", __name__, url_prefix="/v1/uploads")
    api = Api(wiring)

    @routes.post("")
    @api.operation(
        Scope.SUBMIT,
        "Hand in a picture",
        description="JPEG, PNG or WebP, by itself or as the one file of a form.",
        raw_body={**{media_type: {} for media_type in RAW_TYPES}, FORM_TYPE: _FORM},
        answers={201: Answer("Stored.", Upload, headers=("Location",))},
        errors=(MalformedRequest, BodyTooLarge, UnsupportedMediaType, InvalidRequest),
    )
    def take(caller: Caller) -> Response:
        row = wiring.upload.take(caller.project_id, _receiver(request))
        document = upload(row, wiring.settings.base_url)
        answer = jsonify(document)
        answer.status_code = 201
        answer.headers["Location"] = f"/v1/uploads/{document['id']}"
        return answer

    @routes.get("/<upload_id>")
    @api.operation(
        Scope.READ,
        "Look up an upload",
        answers={200: Answer("The upload.", Upload)},
        errors=(NotFound,),
    )
    def one(caller: Caller, upload_id: str) -> Response:
        known = read_id(Kind.UPLOAD, upload_id)
        if known is None:
            raise NotFound("There is no such upload.")
        row = wiring.upload.find(caller.project_id, known)
        return jsonify(upload(row, wiring.settings.base_url))

    return routes


def _receiver(request: Request) -> Callable[[Callable[[bytes], object]], str]:
    """Return what writes the request's picture into a sink and returns its SHA-256.

    Raises:
        UnsupportedMediaType: the body is declared as something else.
    """
    if request.mimetype == FORM_TYPE:
        body = body_pieces(request, MAX_IMAGE_BYTES + MAX_FRAMING_BYTES)
        pieces = only_file(body, request.mimetype_params.get("boundary", ""))
    elif request.mimetype in RAW_TYPES:
        pieces = body_pieces(request, MAX_IMAGE_BYTES)
    else:
        taken = ", ".join([FORM_TYPE, *RAW_TYPES])
        raise UnsupportedMediaType(f"Send the picture with a Content-Type of these: {taken}.")

    return picture_of(pieces)


def picture_of(pieces: Iterator[bytes]) -> Callable[[Callable[[bytes], object]], str]:
    """Return what writes a picture that comes in pieces into a sink and returns its SHA-256.

    Raises (when it is called):
        BodyTooLarge: it is larger than any picture that is taken.
    """

    def receive(sink: Callable[[bytes], object]) -> str:
        digest = hashlib.sha256()
        for piece in _no_longer_than_an_image(pieces):
            digest.update(piece)
            sink(piece)
        return digest.hexdigest()

    return receive


def _no_longer_than_an_image(pieces: Iterator[bytes]) -> Iterator[bytes]:
    length = 0
    for piece in pieces:
        length += len(piece)
        if length > MAX_IMAGE_BYTES:
            raise BodyTooLarge(f"A picture may be {MAX_IMAGE_BYTES:,} bytes long at most.")
        yield piece
