"""Uploads that nobody referred to in time.

Each is marked before its bytes are deleted, and its row goes last. Killed between any two of these,
the next run finds the row due and does the same again.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, delete, func, select, update

from service.clock import seconds
from service.database import Database
from service.errors import StorageUnavailable
from service.ids import Kind, public_id
from service.logs import get_log
from service.models import uploads
from service.removals import Bucket
from service.steps.discard.turn import LEASE_SECONDS, TURN_SECONDS, take_turn

log = get_log(__name__)


@dataclass(frozen=True)
class ExpiredUploads:
    """Deletes expired uploads."""

    database: Database
    bucket: Bucket
    turn_seconds: float = TURN_SECONDS

    def __call__(self) -> None:
        """Take a turn."""
        take_turn(self, self.turn_seconds)

    def claim(self, limit: int) -> list[Row[Any]]:
        """Mark expired uploads, so that nobody can refer to them any more."""
        expired = (
            select(uploads.c.id)
            .where(uploads.c.expires_at <= func.now())
            .order_by(uploads.c.expires_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte()
        )
        with self.database.transaction() as tx:
            return tx.rows(
                update(uploads)
                .where(uploads.c.id.in_(select(expired.c.id)))
                .values(
                    discarded_at=func.coalesce(uploads.c.discarded_at, func.now()),
                    # the lease: who is claimed is not due again before it has passed
                    expires_at=func.now() + seconds(LEASE_SECONDS),
                )
                .returning(uploads.c.id, uploads.c.bucket, uploads.c.key)
            )

    def act(self, claim: Row[Any]) -> bool:
        """Delete the bytes; False if S3 did not."""
        try:
            self.bucket.delete(claim.bucket, claim.key)
        except StorageUnavailable as error:
            upload_id = public_id(Kind.UPLOAD, claim.id)
            log.warning("discard_failed", upload_id=upload_id, reason=str(error))
            return False
        return True

    def record(self, done: list[Row[Any]]) -> None:
        """Forget those whose bytes are gone."""
        with self.database.transaction() as tx:
            tx.execute(delete(uploads).where(uploads.c.id.in_([row.id for row in done])))
        log.info("uploads_discarded", count=len(done))
