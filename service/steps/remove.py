"""Remove: a caller deletes images, for good."""

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from uuid import UUID

from sqlalchemy import insert, select, update

from service.database import Database, Transaction
from service.errors import StorageUnavailable
from service.ids import Kind, public_id
from service.logs import get_log
from service.models import JobEvent, images, jobs
from service.removals import (
    HEAD_START_SECONDS,
    Bucket,
    Owed,
    find_image,
    settle,
    take_out,
)
from service.timeline import IMAGE_DELETED

#: Images whose objects are deleted at the same time; of 200 it would be half a minute one by one.
AT_A_TIME = 8

_JOBS_OF = select(images.c.id, images.c.job_id)

log = get_log(__name__)


@dataclass(frozen=True)
class Remove:
    """Deletes images of one project; what S3 does not delete now is left to discard."""

    database: Database
    bucket: Bucket

    def __call__(self, project_id: UUID, image_id: UUID) -> None:
        """Delete an image, its thumbnail and its sidecar.

        Raises:
            Gone: it was deleted before.
            NotFound: no such image in this project.
            DatabaseUnavailable: it may have been deleted all the same.
        """
        if not self.all_of(project_id, [image_id]):
            with self.database.transaction() as tx:
                # it is not: this says why
                find_image(tx, project_id, image_id)

    def all_of(self, project_id: UUID, image_ids: Collection[UUID]) -> int:
        """Delete those of some images that are there, at once; return how many they were.

        Raises:
            DatabaseUnavailable: all of them may have been deleted all the same, or none.
        """
        mine = (images.c.id.in_(image_ids), images.c.project_id == project_id)
        with self.database.transaction() as tx:
            job_of = {row.id: row.job_id for row in tx.rows(_JOBS_OF.where(*mine))}
            # the jobs first, as everybody does who changes both, and in their order
            theirs = select(jobs.c.id).where(jobs.c.id.in_(job_of.values()))
            tx.rows(theirs.order_by(jobs.c.id).with_for_update())
            found = take_out(tx, job_of.values(), HEAD_START_SECONDS)
            if not found:
                return 0
            _write_down(tx, {job_of[one.image_id]: one.image_id for one in found})
        for one in found:
            name = public_id(Kind.IMAGE, one.image_id)
            log.info("image_deleted", image_id=name, project_id=str(project_id))
        done = [one for one in self._deleted(found) if not one.is_drawn]
        if done:
            with self.database.transaction() as tx:
                settle(tx, done)
        return len(found)

    def _deleted(self, found: Sequence[Owed]) -> list[Owed]:
        """Delete objects, and return those of them that are gone; the first that fails ends it."""
        is_away = Event()

        def delete(owed: Owed) -> bool:
            if is_away.is_set():
                return False
            try:
                owed.delete(self.bucket)
            except StorageUnavailable as error:
                is_away.set()
                name = public_id(Kind.IMAGE, owed.image_id)
                log.warning("discard_waits", image_id=name, reason=str(error))
                return False
            return True

        with ThreadPoolExecutor(min(AT_A_TIME, len(found)), "remove") as pool:
            return [one for one, done in zip(found, pool.map(delete, found), strict=True) if done]


def _write_down(tx: Transaction, image_of: Mapping[UUID, UUID]) -> None:
    """Add a line to the timeline of each job, which is locked."""
    later = update(jobs).where(jobs.c.id.in_(image_of)).values(event_seq=jobs.c.event_seq + 1)
    lines = []
    for row in tx.rows(later.returning(jobs.c.id, jobs.c.event_seq)):
        name = public_id(Kind.IMAGE, image_of[row.id])
        line = {"type": IMAGE_DELETED, "message": f"The image {name} was deleted"}
        lines.append({"job_id": row.id, "seq": row.event_seq, "detail": {"image_id": name}, **line})
    tx.execute(insert(JobEvent), lines)
