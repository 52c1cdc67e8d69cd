"""What callers see of an upload."""

from typing import Any

from service.documents.api import Document, when
from service.ids import Kind, public_id


def upload(row: Any, base_url: str) -> Document:  # noqa: ANN401 - a Row
    """Return an upload as `/v1/uploads` shows it; `expires_at` is null once a job refers to it."""
    upload_id = public_id(Kind.UPLOAD, row.id)
    return {
        "id": upload_id,
        "object": "upload",
        "content_type": row.content_type,
        "width": row.width,
        "height": row.height,
        "bytes": row.bytes,
        "sha256": row.sha256,
        "created_at": when(row.created_at),
        "expires_at": when(row.expires_at),
        "urls": {"self": f"{base_url}/v1/uploads/{upload_id}"},
    }
