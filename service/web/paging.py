"""Lists: the cursor, and the page with the way to the next one."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from flask import Response, jsonify, request

from service.signing.links import CursorSigner


def read_cursor(cursors: CursorSigner, listing: str, cursor: str | None) -> UUID | None:
    """Return the id to go on from, None for the first page.

    Raises:
        InvalidRequest: the cursor is not one of this list.
    """
    return None if cursor is None else UUID(hex=cursors.read(listing, cursor)[0])


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
