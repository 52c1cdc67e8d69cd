"""Derive: a thumbnail and a JSON sidecar beside each stored image, at low priority.

The sidecar holds all that `darkroom reindex` needs to rebuild the rows of a job and its image
from the bucket alone.
"""

import json
import time
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Executable, Float, Integer, bindparam, func, select, update

from service.clock import seconds
from service.database import Database, Transaction
from service.documents import Document, credits_text, event, when
from service.errors import ResultInvalid, StorageUnavailable
from service.faults import fault_point
from service.ids import Kind, public_id
from service.logs import get_log
from service.models import Job, JobEvent, Project, images
from service.pictures import THUMBNAIL_CONTENT_TYPE, kept_beside, thumbnail
from service.poison import MAX_DEATHS
from service.removals import owe_again

log = get_log(__name__)

#: After so many tries an image stays without a thumbnail; the image itself is safe.
MAX_TRIES = 5
RETRY_SECONDS = 30.0


class Bucket(Protocol):
    """Where images live."""

    def get(self, bucket: str, key: str) -> bytes:
        """Return an object, or raise FileNotFoundError or StorageUnavailable."""
        ...

    def put_bytes(self, key: str, body: bytes, content_type: str) -> None:
        """Store a small object, or raise StorageUnavailable."""


@dataclass(frozen=True, slots=True)
class Bare:
    """A stored image without thumbnail or sidecar, and the sidecar's content."""

    id: UUID
    bucket: str
    key: str
    tries: int
    #: Workers in a row that ended over it, the present one counted in advance.
    deaths: int
    sidecar: Document


@dataclass(frozen=True, slots=True)
class Derived:
    """What was put beside the image; a None key could not be made."""

    thumbnail_key: str | None
    sidecar_key: str | None
    again: bool


@dataclass(frozen=True)
class Derive:
    """The step of the derive lane."""

    database: Database
    bucket: Bucket
    lease_seconds: float

    def claim(self, limit: int) -> list[Bare]:
        """Take the newest images first: they are being looked at.

        One that somebody died over comes after all others and alone, lest it take them with it.
        """
        return self._take(limit, suspect=False) or self._take(1, suspect=True)

    def _take(self, limit: int, *, suspect: bool) -> list[Bare]:
        with self.database.transaction() as tx:
            rows = tx.rows(
                _claim(suspect=suspect), {"most": limit, "lease_seconds": self.lease_seconds}
            )
            if not rows:
                return []
            timelines = _timelines(tx, [row.job_id for row in rows])
        fault_point("derive.after_claim")
        return [
            Bare(
                row.id,
                row.bucket,
                row.key,
                row.tries,
                row.deaths,
                _sidecar(row, timelines[row.job_id]),
            )
            for row in rows
        ]

    def act(self, claim: Bare) -> Derived:
        """Draw the thumbnail, write the sidecar."""
        began = time.monotonic()
        thumbnail_key: str | None
        sidecar_key: str | None
        thumbnail_key, sidecar_key = kept_beside(claim.key)
        reason, again = None, False
        try:
            body = json.dumps(claim.sidecar, ensure_ascii=False, indent=1).encode()
            self.bucket.put_bytes(str(sidecar_key), body, "application/json")
            fault_point("derive.after_sidecar")
            self._draw(claim, str(thumbnail_key))
        except ResultInvalid as error:
            thumbnail_key, reason = None, str(error)
        except (StorageUnavailable, FileNotFoundError) as error:
            thumbnail_key, sidecar_key, reason = None, None, type(error).__name__
            again = claim.tries < MAX_TRIES
        except Exception as error:
            # a bug of ours must not come back with every lease, nor take the batch with it
            log.exception("derive_crashed", image_id=public_id(Kind.IMAGE, claim.id))
            thumbnail_key, sidecar_key, reason = None, None, type(error).__name__
        fault_point("derive.after_put")
        log.info(
            "derive_attempt",
            image_id=public_id(Kind.IMAGE, claim.id),
            outcome="derived" if reason is None else "failed",
            reason=reason,
            duration_ms=round((time.monotonic() - began) * 1000),
        )
        return Derived(thumbnail_key, sidecar_key, again)

    def _draw(self, claim: Bare, key: str) -> None:
        if claim.deaths > MAX_DEATHS:
            raise ResultInvalid("drawing it has ended one worker after the other")
        small = thumbnail(self.bucket.get(claim.bucket, claim.key))
        self.bucket.put_bytes(key, small, THUMBNAIL_CONTENT_TYPE)

    def record(self, ended: list[tuple[Bare, Derived]]) -> None:
        """Note the keys; an image that cannot be drawn keeps its sidecar alone."""
        with self.database.transaction() as tx:
            for bare, derived in ended:
                made = {
                    "thumbnail_key": derived.thumbnail_key,
                    "sidecar_key": derived.sidecar_key,
                    "wait_seconds": RETRY_SECONDS if derived.again else None,
                }
                if not tx.execute(_MADE, {"of_image": bare.id, **made}):
                    # it was deleted meanwhile, and what was just put has to go as well
                    owe_again(tx, bare.id)
        fault_point("derive.after_record")


@cache
def _claim(*, suspect: bool) -> Executable:
    due = (
        select(images.c.id)
        .where(
            images.c.due_at <= func.now(), images.c.deaths > 0 if suspect else images.c.deaths == 0
        )
        .order_by(images.c.due_at.desc())
        .limit(bindparam("most", type_=Integer))
        .with_for_update(skip_locked=True)
        .cte()
    )
    return (
        update(images)
        .where(
            images.c.id.in_(select(due.c.id)),
            images.c.job_id == Job.id,
            images.c.project_id == Project.id,
        )
        .values(
            due_at=func.now() + seconds(bindparam("lease_seconds", type_=Float)),
            tries=images.c.tries + 1,
            deaths=images.c.deaths + 1,
        )
        .returning(*images.c, Project.name.label("project"), *_job_columns())
    )


_MADE = (
    update(images)
    .where(images.c.id == bindparam("of_image"))
    # without a wait there is no next try
    .values(due_at=func.now() + seconds(bindparam("wait_seconds", type_=Float)), deaths=0)
)


def _job_columns() -> list[Any]:
    return [
        Job.input,
        Job.metadata_.label("job_metadata"),
        Job.priority,
        Job.idempotency_key,
        Job.request_sha256,
        Job.callback_url,
        Job.callback_events,
        Job.provider,
        Job.task_id,
        Job.attempt_count,
        Job.cost_actual,
        Job.cost_estimated,
        Job.created_at.label("job_created_at"),
        Job.start_at,
        Job.expires_at,
        Job.submitted_at,
        Job.generated_at,
        Job.completed_at,
        Job.result,
    ]


def _timelines(tx: Transaction, job_ids: list[UUID]) -> dict[UUID, list[Document]]:
    """Return the events of jobs; they are final, for a job with an image has succeeded."""
    found: dict[UUID, list[Document]] = {job_id: [] for job_id in job_ids}
    wanted = select(*JobEvent.__table__.c).where(JobEvent.job_id.in_(job_ids))
    for row in tx.rows(wanted.order_by(JobEvent.seq)):
        found[row.job_id].append(event(row))
    return found


def _sidecar(row: Any, events: list[Document]) -> Document:  # noqa: ANN401 - a Row
    return {
        "format": "darkroom.sidecar.v1",
        "image_id": public_id(Kind.IMAGE, row.id),
        "job_id": public_id(Kind.JOB, row.job_id),
        "project": row.project,
        "bucket": row.bucket,
        "key": row.key,
        "content_type": row.content_type,
        "width": row.width,
        "height": row.height,
        "bytes": row.bytes,
        "sha256": row.sha256,
        "seed": None if row.seed is None else int(row.seed),
        "model": row.model,
        "input": row.input,
        "parent_image_ids": [public_id(Kind.IMAGE, one) for one in row.parent_image_ids],
        "revised_prompt": row.revised_prompt,
        "metadata": row.job_metadata,
        "priority": row.priority,
        "idempotency_key": row.idempotency_key,
        "request_sha256": row.request_sha256.hex(),
        "callback_url": row.callback_url,
        "callback_events": row.callback_events,
        "provider": row.provider,
        "task_id": row.task_id,
        "attempts": row.attempt_count,
        "cost": credits_text(row.cost_actual),
        "cost_estimated": credits_text(row.cost_estimated),
        "flux": row.result,
        "created_at": when(row.created_at),
        "job_created_at": when(row.job_created_at),
        "start_at": when(row.start_at),
        "expires_at": when(row.expires_at),
        "submitted_at": when(row.submitted_at),
        "generated_at": when(row.generated_at),
        "completed_at": when(row.completed_at),
        "events": events,
    }
