"""The image that a stored result becomes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from service.models import Image
from service.recordsets import insert_all
from service.steps.store.bring import Ripe, Stored


@dataclass(frozen=True, slots=True)
class Born:
    """A result that S3 has confirmed, before its row is written."""

    ripe: Ripe
    stored: Stored
    bucket: str
    id: UUID
    created_at: datetime

    @property
    def detail(self) -> dict[str, Any]:
        """Return what the timeline shows."""
        stored = self.stored
        return {"key": stored.key, "sha256": stored.sha256, "bytes": stored.bytes}

    def shown(self, job: Row[Any]) -> Sequence[Any]:
        """Return what a callback shows."""
        return [SimpleNamespace(**self.columns(job))]

    def columns(self, job: Row[Any]) -> dict[str, Any]:
        """Return the columns of its row, by those of the job that it was made for."""
        stored, prompt = self.stored, str(job.input.get("prompt", ""))
        return {
            "id": self.id,
            "project_id": job.project_id,
            "job_id": job.id,
            "created_at": self.created_at,
            "bucket": self.bucket,
            "key": stored.key,
            "content_type": stored.picture.content_type,
            "width": stored.picture.width,
            "height": stored.picture.height,
            "bytes": stored.bytes,
            "sha256": stored.sha256,
            "seed": _seed(job.result),
            "model": job.model,
            "prompt": prompt,
            "revised_prompt": _revised(prompt, job.result),
            "parent_image_ids": job.parent_image_ids,
        }


def _seed(result: dict[str, Any] | None) -> Decimal | None:
    seed = (result or {}).get("seed")
    if isinstance(seed, bool) or not isinstance(seed, int) or abs(seed) >= 10**39:
        return None
    return Decimal(seed)


def _revised(prompt: str, result: dict[str, Any] | None) -> str | None:
    """Return what upstream drew by, if it says so and it is not what the caller asked for."""
    said = (result or {}).get("prompt")
    return said if isinstance(said, str) and said and said != prompt else None


#: Inserts the rows of images, each with its `columns`.
BEAR = insert_all(
    Image,
    [
        "id",
        "project_id",
        "job_id",
        "created_at",
        "bucket",
        "key",
        "content_type",
        "width",
        "height",
        "bytes",
        "sha256",
        "seed",
        "model",
        "prompt",
        "revised_prompt",
        "parent_image_ids",
    ],
)
