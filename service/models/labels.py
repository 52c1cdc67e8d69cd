"""What people call an image: its tags. Whether it is a favourite is a column of its own."""

import unicodedata
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, ForeignKey, Index, Text, func, select, text
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column

from service.models.results import Image
from service.models.schema import Base

MAX_TAG_CHARS = 40
MAX_TAGS_PER_IMAGE = 20


class ImageTag(Base):
    """A word that an image was given; it goes with the image."""

    __tablename__ = "image_tags"

    image_id: Mapped[UUID] = mapped_column(
        ForeignKey("images.id", ondelete="CASCADE"), primary_key=True
    )
    #: The image's own, here for the index.
    project_id: Mapped[UUID]
    tag: Mapped[str] = mapped_column(primary_key=True)

    __table_args__ = (Index("ix_image_tags_listing", "project_id", "tag", text("image_id DESC")),)


def tags_of(image_id: ColumnElement[UUID] | InstrumentedAttribute[UUID]) -> ColumnElement[Any]:
    """Return the tags of an image that a statement selects, in their order: one more column."""
    tags = select(ImageTag.tag).where(ImageTag.image_id == image_id).order_by(ImageTag.tag)
    return func.array(tags.correlate_except(ImageTag).scalar_subquery(), type_=ARRAY(Text)).label(
        "tags"
    )


#: Of the image that a statement selects by the table's own columns.
tags_of_image = tags_of(Image.id)


def read_tag(said: str) -> str:
    """Return a tag as it is kept: trimmed, in lower case, NFC.

    Raises:
        ValueError: it has none or more than MAX_TAG_CHARS characters, or one that is not printable.
    """
    tag = unicodedata.normalize("NFC", said.strip().lower())
    if not 0 < len(tag) <= MAX_TAG_CHARS or not tag.isprintable():
        raise ValueError(f"a tag is 1 to {MAX_TAG_CHARS} printable characters")
    return tag
