"""API keys and projects as their owners see them; never a secret."""

from typing import Any

from service.documents.api import Document, credits_text, when
from service.ids import Kind, public_id


def api_key(row: Any) -> Document:  # noqa: ANN401 - a Row
    """Return a key without its secret part."""
    status = "expired" if row.has_expired else "active"
    return {
        "id": public_id(Kind.KEY, row.id),
        "object": "key",
        "project": row.project,
        "prefix": row.prefix,
        "scopes": list(row.scopes),
        "status": status if row.revoked_at is None else "revoked",
        "created_at": when(row.created_at),
        "expires_at": when(row.expires_at),
        "last_used_at": when(row.last_used_at),
        "revoked_at": when(row.revoked_at),
    }


def project(row: Any, usage: Any) -> Document:  # noqa: ANN401 - a Row, and what it holds
    """Return a project, its limits, and what it has used of them."""
    return {
        "object": "project",
        "name": row.name,
        "created_at": when(row.created_at),
        "limits": {
            "requests_per_minute": row.requests_per_minute,
            "max_active": row.max_active,
            "max_queued": row.max_queued,
            "credits_per_day": credits_text(row.credits_per_day),
        },
        "usage": {
            "active": usage.active,
            "queued": usage.queued,
            "credits_today": credits_text(usage.credits_today),
        },
        "retention_days": row.retention_days,
    }
