"""Removals: what S3 still keeps of images that are gone."""

from dataclasses import dataclass

from sqlalchemy import func, select, update

from service.clock import seconds
from service.database import Database
from service.errors import StorageUnavailable
from service.ids import Kind, public_id
from service.logs import get_log
from service.models import Removal
from service.removals import Bucket, Owed, settle
from service.steps.discard.turn import LEASE_SECONDS, TURN_SECONDS, take_turn

log = get_log(__name__)


@dataclass(frozen=True)
class Removals:
    """Deletes the objects of deleted images."""

    database: Database
    bucket: Bucket
    turn_seconds: float = TURN_SECONDS

    def __call__(self) -> None:
        """Take a turn."""
        take_turn(self, self.turn_seconds)

    def claim(self, limit: int) -> list[Owed]:
        """Take those that have been due for longest."""
        due = (
            select(Removal.image_id)
            .where(Removal.due_at <= func.now())
            .order_by(Removal.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte()
        )
        with self.database.transaction() as tx:
            rows = tx.rows(
                update(Removal)
                .where(Removal.image_id.in_(select(due.c.image_id)))
                .values(due_at=func.now() + seconds(LEASE_SECONDS))
                .returning(Removal.image_id, Removal.objects, Removal.due_at)
            )
        return [Owed(*row) for row in rows]

    def act(self, claim: Owed) -> bool:
        """Delete the objects; False if S3 did not."""
        try:
            claim.delete(self.bucket)
        except StorageUnavailable as error:
            image_id = public_id(Kind.IMAGE, claim.image_id)
            log.warning("discard_failed", image_id=image_id, reason=str(error))
            return False
        return True

    def record(self, done: list[Owed]) -> None:
        """Note what is gone; the rows stay, and say that the images were deleted."""
        with self.database.transaction() as tx:
            settle(tx, done)
        log.info("images_discarded", count=len(done))
