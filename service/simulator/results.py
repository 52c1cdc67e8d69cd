"""What becomes of a task: plain values, so that a fault is a function from one to another."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """The status of a task in upstream's words, its details, and its progress from 0 to 1."""

    status: str = "Ready"
    details: Mapping[str, object] | None = None
    progress: float | None = None


@dataclass(frozen=True)
class Image:
    """The file behind the URL; `lifetime_seconds` only shortens what the URL itself says."""

    data: bytes
    lifetime_seconds: float = float("inf")


@dataclass(frozen=True)
class Call:
    """One webhook call, `delay_seconds` after the one before it; no proof without a secret.

    A `replayed` one says and proves what another task's call did, if there was one.
    """

    payload: Mapping[str, object]
    secret: str | None
    delay_seconds: float = 0
    retried: bool = True
    replayed: bool = False


_OLD_STATUSES = {"Ready": "SUCCESS", "Pending": "processing", "Error": "ERROR"}


def in_old_words(payload: Mapping[str, object]) -> dict[str, object]:
    """Say a webhook's payload as upstream did before 2026-02-17."""
    if "task_id" in payload:
        return dict(payload)
    status = str(payload["status"])
    rest = {k: v for k, v in payload.items() if k not in {"id", "status"} and v is not None}
    return {"task_id": payload["id"], "status": _OLD_STATUSES.get(status, status), **rest}
