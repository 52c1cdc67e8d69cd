"""Redeliver: a caller asks for callbacks again; id and bytes stay, the schedule begins anew."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update

from service.database import Database
from service.errors import NotFound
from service.ids import CLOCKS_DIFFER, first_id
from service.logs import get_log
from service.messages import Message
from service.models import Delivery, DeliveryStatus, batches

#: Rows changed in one transaction.
BATCH = 500
#: Before this there are no ids.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

log = get_log(__name__)


@dataclass(frozen=True)
class Redeliver:
    """Makes deliveries of one project due now."""

    database: Database

    def one(self, project_id: UUID, delivery_id: UUID, *, job_id: UUID | None = None) -> None:
        """Send a callback again, however it stands.

        Raises:
            NotFound: no such callback in this project, or not of that job.
        """
        mine = [Delivery.project_id == project_id, Delivery.id == delivery_id]
        if job_id is not None:
            mine.append(Delivery.job_id == job_id)
        if not self._again(*mine):
            raise NotFound("There is no such delivery.")
        log.info("delivery_asked_again", delivery_id=str(delivery_id))

    def failed_since(self, project_id: UUID, since: datetime) -> int:
        """Send all again that were given up, of jobs' events since a moment; return how many."""
        return self._all_again(
            project_id,
            Delivery.status == DeliveryStatus.EXHAUSTED,
            Delivery.created_at >= since,
            # the index knows ids alone, and these are times as well
            Delivery.id >= first_id(max(_EPOCH, since - CLOCKS_DIFFER)),
        )

    def of_batch(self, project_id: UUID, batch_id: UUID) -> int:
        """Send all of a batch and its jobs again, however they stand; return how many.

        Raises:
            NotFound: no such batch in this project.
        """
        mine = (batches.c.id == batch_id, batches.c.project_id == project_id)
        with self.database.transaction() as tx:
            if tx.scalar(select(batches.c.id).where(*mine)) is None:
                raise NotFound("There is no such batch.")
        return self._all_again(project_id, Delivery.batch_id == batch_id)

    def _all_again(self, project_id: UUID, *which: ColumnElement[bool]) -> int:
        wanted = (Delivery.project_id == project_id, *which)
        count, again = 0, self._again(*wanted)
        while again:
            count += len(again)
            # onwards: what is given up anew meanwhile stays so
            again = self._again(*wanted, Delivery.id > max(again))
        log.info("deliveries_asked_again", project_id=str(project_id), deliveries=count)
        return count

    def _again(self, *conditions: ColumnElement[bool]) -> list[UUID]:
        """Make the first deliveries due for which the conditions hold; return their ids."""
        chosen = select(Delivery.id).where(*conditions).order_by(Delivery.id).limit(BATCH)
        with self.database.transaction() as tx:
            tx.ring_after_commit(Message.DELIVER)
            rows = tx.rows(
                update(Delivery)
                .where(Delivery.id.in_(select(chosen.with_for_update().cte().c.id)))
                .values(
                    status=DeliveryStatus.PENDING,
                    due_at=func.now(),
                    completed_at=None,
                    tries_before=Delivery.tries,
                    began_at=func.now(),
                )
                .returning(Delivery.id)
            )
        return [row.id for row in rows]
