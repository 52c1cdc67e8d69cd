"""Label: people mark images as favourites and give them tags."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field
from sqlalchemy import ARRAY, Text, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert

from service.database import Database, Transaction
from service.errors import FieldError, InvalidRequest
from service.models import MAX_TAG_CHARS, MAX_TAGS_PER_IMAGE, ImageTag, images, read_tag
from service.removals import find_image

#: In one transaction.
MAX_IMAGES = 200

#: A tag as somebody wrote it; what is read is as it is kept.
Tag = Annotated[str, Field(min_length=1, max_length=MAX_TAG_CHARS), AfterValidator(read_tag)]


@dataclass(frozen=True, slots=True)
class Change:
    """What is to become of the labels of some images; the rest stays as it is.

    Tags are those that `Tag` has read.
    """

    #: None: as it is.
    is_favourite: bool | None = None
    add: Collection[str] = ()
    remove: Collection[str] = ()
    #: Whether all tags go but those that are added.
    is_whole: bool = False


@dataclass(frozen=True)
class Label:
    """Changes the labels of one project's images: of all that are named, or of none."""

    database: Database

    def __call__(self, project_id: UUID, image_ids: Collection[UUID], change: Change) -> None:
        """Change labels; to do it again changes nothing.

        Raises:
            Gone: one of the images was deleted.
            NotFound: one of them is not of this project.
            InvalidRequest: more than MAX_IMAGES images, or MAX_TAGS_PER_IMAGE tags of one.
        """
        if len(image_ids) > MAX_IMAGES:
            raise _refused("images", f"at most {MAX_IMAGES} at a time")
        if len(set(change.add)) > MAX_TAGS_PER_IMAGE:
            raise _too_many_tags()
        with self.database.transaction() as tx:
            _lock(tx, project_id, image_ids)
            if change.is_favourite is not None:
                tx.execute(
                    update(images)
                    .where(images.c.id.in_(image_ids))
                    .values(is_favourite=change.is_favourite)
                )
            _retag(tx, image_ids, change)


def _lock(tx: Transaction, project_id: UUID, image_ids: Collection[UUID]) -> None:
    """Have the images' labels to ourselves: two who each add the last tag would add one too many.

    Raises:
        Gone: one of the images was deleted.
        NotFound: one of them is not of this project.
    """
    mine = select(images.c.id).where(images.c.id.in_(image_ids), images.c.project_id == project_id)
    locked = tx.rows(mine.order_by(images.c.id).with_for_update(key_share=True))
    for missing in set(image_ids) - {row.id for row in locked}:
        find_image(tx, project_id, missing)


def _retag(tx: Transaction, image_ids: Collection[UUID], change: Change) -> None:
    theirs = ImageTag.image_id.in_(image_ids)
    if change.is_whole:
        tx.execute(delete(ImageTag).where(theirs, ImageTag.tag.not_in(change.add)))
    elif change.remove:
        tx.execute(delete(ImageTag).where(theirs, ImageTag.tag.in_(change.remove)))
    if not change.add:
        return
    each = func.unnest(literal(sorted(change.add), ARRAY(Text)))
    added = select(images.c.id, images.c.project_id, each).where(images.c.id.in_(image_ids))
    new = insert(ImageTag).from_select(["image_id", "project_id", "tag"], added)
    tx.execute(new.on_conflict_do_nothing())
    counted = select(ImageTag.image_id).where(theirs).group_by(ImageTag.image_id)
    if tx.first(counted.having(func.count() > MAX_TAGS_PER_IMAGE).limit(1)):
        raise _too_many_tags()


def _too_many_tags() -> InvalidRequest:
    return _refused("tags", f"at most {MAX_TAGS_PER_IMAGE} per image")


def _refused(field: str, detail: str) -> InvalidRequest:
    return InvalidRequest("Nothing was changed.", [FieldError(f"/{field}", detail)])
