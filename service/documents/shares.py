"""What callers see of a link that shows an image to others."""

from typing import Any

from service.documents.api import Document, when
from service.ids import Kind, public_id


def share(row: Any, url: str) -> Document:  # noqa: ANN401 - a Row
    """Return a link as the API shows it."""
    return {
        "id": public_id(Kind.SHARE, row.id),
        "object": "share",
        "image_id": public_id(Kind.IMAGE, row.image_id),
        "url": url,
        "created_at": when(row.created_at),
        "expires_at": when(row.expires_at),
        "shows_prompt": row.shows_prompt,
        "revoked_at": when(row.revoked_at),
    }
