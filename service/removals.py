"""Images that go: the row at once, what S3 keeps of them as soon as it lets us.

A removal is a row of its own, written in the transaction that deletes the image's. It names the
objects to delete, stays due until S3 has confirmed that they are gone, and is kept for good, so
that the id goes on saying what became of the image.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Row, delete, func, insert, select, tuple_, update

from service.clock import seconds
from service.database import Transaction
from service.errors import Gone, NotFound
from service.ids import Kind, public_id
from service.models import Removal, images, tags_of_image
from service.pictures import kept_beside

#: Who deletes an image tries S3 itself; so much later anybody does.
HEAD_START_SECONDS = 60.0
#: A worker that was drawing the thumbnail has put all that it will put by then.
DRAWN_SECONDS = 600.0


class Bucket(Protocol):
    """Where images live."""

    def delete(self, bucket: str, key: str) -> None:
        """Remove an object, or raise StorageUnavailable."""


@dataclass(frozen=True, slots=True)
class Owed:
    """The objects of an image that is gone, and until when they are somebody's to delete."""

    image_id: UUID
    objects: list[tuple[str, str]]
    due_at: datetime
    #: Whether a worker may still put something beside the picture: they are deleted twice then.
    is_drawn: bool = False

    def delete(self, bucket: Bucket) -> None:
        """Delete them; to do it again does no harm.

        Raises:
            StorageUnavailable: some of them may be left.
        """
        for place, key in self.objects:
            bucket.delete(place, key)


def find_image(tx: Transaction, project_id: UUID, image_id: UUID) -> Row[Any]:
    """Return an image's row, and its tags.

    Raises:
        Gone: it was deleted.
        NotFound: no such image in this project.
    """
    mine = (images.c.id == image_id, images.c.project_id == project_id)
    row: Row[Any] | None = tx.first(select(*images.c, tags_of_image).where(*mine))
    if row is not None:
        return row
    removed = (Removal.image_id == image_id, Removal.project_id == project_id)
    if tx.first(select(Removal.image_id).where(*removed)):
        raise deleted(image_id)
    raise NotFound("There is no such image.")


def gone_of(tx: Transaction, project_id: UUID, ids: Collection[UUID]) -> set[UUID]:
    """Return those of some images that were deleted."""
    removed = (Removal.image_id.in_(ids), Removal.project_id == project_id)
    return {row.image_id for row in tx.rows(select(Removal.image_id).where(*removed))}


def deleted(image_id: UUID) -> Gone:
    """Return what is said of an image that was deleted."""
    return Gone(f"The image {public_id(Kind.IMAGE, image_id)} was deleted.")


def is_gone(tx: Transaction, image_id: UUID) -> bool:
    """Tell whether an image was deleted."""
    return tx.first(select(Removal.image_id).where(Removal.image_id == image_id)) is not None


def take_out(
    tx: Transaction, job_ids: Collection[UUID], head_start_seconds: float = 0.0
) -> list[Owed]:
    """Delete the rows of jobs' images; return what S3 keeps of them, for the caller to delete.

    The jobs' own rows have to be locked by this transaction. Others begin to delete the objects
    when the head start is over.
    """
    rows = tx.rows(delete(images).where(images.c.job_id.in_(job_ids)).returning(*images.c))
    if not rows:
        return []
    is_drawn = {row.id: row.deaths > 0 for row in rows}
    wait = {True: DRAWN_SECONDS, False: head_start_seconds}
    written = [
        {
            "image_id": row.id,
            "project_id": row.project_id,
            "objects": _objects(row),
            "due_at": func.now() + seconds(wait[is_drawn[row.id]]),
        }
        for row in rows
    ]
    told = (Removal.image_id, Removal.objects, Removal.due_at)
    found = tx.rows(insert(Removal).values(written).returning(*told))
    return [Owed(one, objects, due_at, is_drawn[one]) for one, objects, due_at in found]


def settle(tx: Transaction, done: Collection[Owed]) -> None:
    """Note that S3 has deleted objects; not where they came to be owed again meanwhile."""
    named = [(one.image_id, one.due_at) for one in done]
    mine = tuple_(Removal.image_id, Removal.due_at).in_(named)
    tx.execute(update(Removal).where(mine).values(due_at=None))


def owe_again(tx: Transaction, image_id: UUID) -> None:
    """Have the objects of a deleted image deleted once more: something was put there late."""
    late = update(Removal).where(Removal.image_id == image_id)
    tx.execute(late.values(due_at=func.now()))


def _objects(row: Row[Any]) -> list[tuple[str, str]]:
    """Name the picture and what may be beside it; the sidecar, which tells what it was, last."""
    return [(row.bucket, key) for key in (row.key, *kept_beside(row.key))]
