"""A batch as its owner sees it, and how a callback tells of its end."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol

from service.documents.api import Document, credits_text, when
from service.ids import Kind, public_id
from service.states import Status

#: The event that tells of a batch's last end.
BATCH_COMPLETED = "batch.completed"


class BatchStanding(Protocol):
    """How a batch stands."""

    row: Any
    callback_status: Any
    counts: dict[Status, int]
    cost_estimated: Decimal | None
    cost_actual: Decimal | None


def batch(one: BatchStanding, base_url: str) -> Document:
    """Return a batch as every answer and callback shows it."""
    row = one.row
    batch_id = public_id(Kind.BATCH, row.id)
    place = f"{base_url}/v1/batches/{batch_id}"
    counts = {status.value: one.counts.get(status, 0) for status in Status}
    return {
        "id": batch_id,
        "object": "batch",
        "status": "running" if row.completed_at is None else "completed",
        "created_at": when(row.created_at),
        "completed_at": when(row.completed_at),
        "metadata": row.metadata,
        "counts": {"total": row.size, **counts},
        "cost": {
            "estimated": credits_text(one.cost_estimated),
            "actual": credits_text(one.cost_actual),
        },
        "callback": None
        if row.callback_url is None
        else {"url": row.callback_url, "status": one.callback_status},
        "urls": {
            "self": place,
            "jobs": f"{base_url}/v1/jobs?batch={batch_id}",
            "cancel": f"{place}/cancel",
        },
    }


def batch_callback(document: Document) -> str:
    """Return the exact text of a callback's body."""
    body = {
        "type": BATCH_COMPLETED,
        "timestamp": when(datetime.now(UTC)),
        "sequence": 1,
        "data": document,
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))
