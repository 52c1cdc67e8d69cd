"""Remove: a caller deletes an image, for good."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import insert, update

from service.database import Database
from service.errors import StorageUnavailable
from service.ids import Kind, public_id
from service.logs import get_log
from service.models import JobEvent, jobs
from service.removals import (
    HEAD_START_SECONDS,
    Bucket,
    Owed,
    deleted,
    find_image,
    settle,
    take_out,
)
from service.timeline import IMAGE_DELETED

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
        name = public_id(Kind.IMAGE, image_id)
        with self.database.transaction() as tx:
            job_id = find_image(tx, project_id, image_id).job_id
            # the job first, as everybody does who changes both
            later = update(jobs).where(jobs.c.id == job_id)
            seq = tx.scalar(
                later.values(event_seq=jobs.c.event_seq + 1).returning(jobs.c.event_seq)
            )
            found = take_out(tx, [job_id], HEAD_START_SECONDS)
            if not found:
                # by somebody else, since it was looked up
                raise deleted(image_id)
            line = {"type": IMAGE_DELETED, "message": f"The image {name} was deleted"}
            tx.execute(
                insert(JobEvent).values(job_id=job_id, seq=seq, detail={"image_id": name}, **line)
            )
        log.info("image_deleted", image_id=name, project_id=str(project_id))
        for one in found:
            self._delete(one)

    def _delete(self, owed: Owed) -> None:
        try:
            owed.delete(self.bucket)
        except StorageUnavailable as error:
            name = public_id(Kind.IMAGE, owed.image_id)
            log.warning("discard_waits", image_id=name, reason=str(error))
            return
        if not owed.is_drawn:
            with self.database.transaction() as tx:
                settle(tx, [owed])
