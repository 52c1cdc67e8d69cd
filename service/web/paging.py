"""Lists: `limit`, `cursor`, and the page with the way to the next one."""

import re
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from flask import Response, jsonify, request

from service.errors import FieldError, InvalidRequest
from service.signing.links import CursorSigner
from service.web.parsing import read_moment

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
_LIMIT = re.compile(r"\d{1,3}", re.ASCII)


def read_limit() -> int:
    """Return the page size asked for, 1 to 200.

    Raises:
        InvalidRequest: it is something else.
    """
    text = request.args.get("limit", str(DEFAULT_LIMIT))
    if not (_LIMIT.fullmatch(text) and 1 <= int(text) <= MAX_LIMIT):
        raise wrong_query("limit", f"a number from 1 to {MAX_LIMIT}")
    return int(text)


def read_cursor(cursors: CursorSigner, listing: str) -> UUID | None:
    """Return the id to go on from, None for the first page.

    Raises:
        InvalidRequest: the cursor is not one of this list.
    """
    cursor = request.args.get("cursor")
    return None if cursor is None else UUID(hex=cursors.read(listing, cursor)[0])


def read_time(name: str) -> datetime | None:
    """Return a moment of the query as aware UTC.

    Raises:
        InvalidRequest: it is no RFC 3339 time with a zone.
    """
    text = request.args.get(name)
    if text is None:
        return None
    try:
        return read_moment(text)
    except ValueError as error:
        raise wrong_query(name, str(error)) from error


def wrong_query(name: str, detail: str) -> InvalidRequest:
    """Return the error that names a query parameter."""
    return InvalidRequest("The query is not valid.", [FieldError(f"/{name}", detail)])


def page_answer(
    cursors: CursorSigner, listing: str, documents: list[dict[str, Any]], next_id: UUID | None
) -> Response:
    """Return a page with the cursor of the next, in the body and as a Link (RFC 8288)."""
    cursor = None if next_id is None else cursors.write(listing, [next_id.hex])
    answer = jsonify({"data": documents, "next": cursor})
    if cursor is not None:
        kept = [pair for pair in request.args.items(multi=True) if pair[0] != "cursor"]
        query = urlencode([*kept, ("cursor", cursor)])
        answer.headers["Link"] = f'<{request.path}?{query}>; rel="next"'
    return answer
