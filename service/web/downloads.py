"""`/images.zip`: the pictures that were picked, in one file with a manifest.

Each is read whole and proved before its first byte is sent, so nothing in the zip is other than
what was stored, and S3 waits for no client. What breaks after that ends the stream without the
directory, which makes it no zip at all, rather than one that lacks pictures.
"""

import hashlib
import json
import threading
from collections.abc import Generator, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import Row

from service.documents import Document, when
from service.errors import FieldError, InvalidRequest, ZipsBusy
from service.ids import Kind, public_id
from service.keys import Caller
from service.logs import get_log
from service.pictures import extension_of
from service.web.archive import MAX_BYTES, Archive, slug
from service.web.bulkhead import ZIPS, step_aside
from service.web.deadlines import taken_in_time
from service.web.login import guard_pages, page_for
from service.web.picked import Picked, picked
from service.wiring import Wiring

PIECE_BYTES = 1_048_576
#: A client that takes longer for a piece, so less than 280 kbit/s, is gone.
PIECE_SECONDS = 30.0
RETRY_AFTER_SECONDS = 15
MANIFEST = "manifest.json"

_LOST = "the bucket does not hold it any more"
_DAMAGED = "its bytes in the bucket are not those that were stored"

log = get_log(__name__)


def downloads_blueprint(wiring: Wiring) -> Blueprint:
    """Return the route of the zip."""
    routes = Blueprint("downloads", __name__)
    guard_pages(routes)
    page = page_for(wiring.keys)
    places = threading.BoundedSemaphore(ZIPS)

    @routes.route("/images.zip", methods=["GET", "POST"])
    @page
    def images(caller: Caller) -> Response:
        some = picked(wiring, caller, request.values.getlist("image"))
        _refuse_too_much(some.rows)
        if not places.acquire(blocking=False):
            advice = f"There are {ZIPS} of many images at a time; try again when one has ended."
            raise ZipsBusy(advice, retry_after_seconds=RETRY_AFTER_SECONDS)
        try:
            pieces = _pieces(wiring, some)
            # while an error can still be told
            first = next(pieces)
            step_aside(request.environ)
        except BaseException:
            places.release()
            raise
        connection = request.environ.get("gunicorn.socket")
        whole = chain([first], pieces)
        answer = Response(
            taken_in_time(whole, connection, PIECE_SECONDS), content_type="application/zip"
        )
        answer.call_on_close(places.release)
        name = f"{caller.project}-{datetime.now(UTC):%Y-%m-%d}-{len(some.rows)}-images.zip"
        answer.headers.set("Content-Disposition", "attachment", filename=name)
        # nginx would collect what comes
        answer.headers["X-Accel-Buffering"] = "no"
        return answer

    return routes


def _refuse_too_much(rows: Sequence[Row[Any]]) -> None:
    total = sum(row.bytes for row in rows)
    if total > MAX_BYTES:
        detail = f"{MAX_BYTES:,} bytes at most in one zip; these are {total:,}"
        raise InvalidRequest("Pick fewer images.", [FieldError("/image", detail)])


def _pieces(wiring: Wiring, some: Picked) -> Iterator[bytes]:
    archive, now = Archive(), datetime.now(UTC)
    kept: list[Document] = []
    left_out = [{"id": public_id(Kind.IMAGE, one), "reason": "it was deleted"} for one in some.gone]
    for row in some.rows:
        reason = yield from _image(wiring, archive, row)
        if reason is None:
            kept.append({"file": file_name(row), **_about(row)})
        else:
            left_out.append({**_about(row), "reason": reason})
    told = {"made_at": when(now), "images": kept, "left_out": left_out}
    manifest = json.dumps(told, ensure_ascii=False, indent=2).encode()
    yield archive.head(MANIFEST, manifest, now)
    yield manifest
    yield archive.end()


def _image(wiring: Wiring, archive: Archive, row: Row[Any]) -> Generator[bytes, None, str | None]:
    """Yield an image as a file of the zip; return why there is none, if so.

    Raises:
        StorageUnavailable: S3 did not answer.
    """
    try:
        content = wiring.object_store.get(row.bucket, row.key)
    except FileNotFoundError:
        return _left_out(row, _LOST)
    if hashlib.sha256(content).hexdigest() != row.sha256:
        return _left_out(row, _DAMAGED)
    yield archive.head(file_name(row), content, row.created_at)
    for begin in range(0, len(content), PIECE_BYTES):
        yield content[begin : begin + PIECE_BYTES]
    return None


def _left_out(row: Row[Any], reason: str) -> str:
    log.error("image_lost", image_id=public_id(Kind.IMAGE, row.id), reason=reason)
    return reason


def file_name(row: Row[Any]) -> str:
    """Return what an image is called in a zip; no two have the same name."""
    parts = (f"{row.created_at.astimezone(UTC):%Y-%m-%d}", slug(row.prompt))
    words = "-".join(filter(None, parts))
    return f"{words}-{public_id(Kind.IMAGE, row.id)}.{extension_of(row.content_type)}"


def _about(row: Row[Any]) -> Document:
    return {
        "id": public_id(Kind.IMAGE, row.id),
        "created_at": when(row.created_at),
        "model": row.model,
        "prompt": row.prompt,
        "revised_prompt": row.revised_prompt,
        "seed": None if row.seed is None else int(row.seed),
        "content_type": row.content_type,
        "width": row.width,
        "height": row.height,
        "bytes": row.bytes,
        "sha256": row.sha256,
    }
