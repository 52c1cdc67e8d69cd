"""A callback as its owner sees it: what was sent where, and what came of every try."""

from collections.abc import Sequence
from typing import Any

from service.documents.api import Document, when
from service.ids import Kind, public_id
from service.models import DeliveryStatus


def delivery(row: Any, base_url: str) -> Document:  # noqa: ANN401 - a Row
    """Return a delivery as `/v1/deliveries` lists it."""
    delivery_id = public_id(Kind.DELIVERY, row.id)
    place = f"{base_url}/v1/deliveries/{delivery_id}"
    return {
        "id": delivery_id,
        "object": "delivery",
        "job_id": None if row.job_id is None else public_id(Kind.JOB, row.job_id),
        "batch_id": None if row.batch_id is None else public_id(Kind.BATCH, row.batch_id),
        "type": row.type,
        "sequence": row.seq,
        "url": row.url,
        "status": row.status.value,
        "tries": row.tries,
        "created_at": when(row.created_at),
        "next_try_at": when(row.due_at) if row.status is DeliveryStatus.PENDING else None,
        "completed_at": when(row.completed_at),
        "host": None
        if row.failing_since is None
        else {
            "failing_since": when(row.failing_since),
            "failures": row.failures,
            "reason": row.reason,
            "next_probe_at": when(row.probe_at),
        },
        "urls": {"self": place, "redeliver": f"{place}/redeliver"},
    }


def delivery_with_tries(row: Any, tries: Sequence[Any], base_url: str) -> Document:  # noqa: ANN401
    """Return a delivery with the exact text that is sent, and every try of it."""
    return {
        **delivery(row, base_url),
        "body": row.body,
        "attempts": [
            {
                "number": one.number,
                "at": when(one.at),
                "duration_ms": one.duration_ms,
                "http_status": one.http_status,
                "error": one.error,
                "location": one.location,
                "answer": one.answer,
            }
            for one in tries
        ],
    }
