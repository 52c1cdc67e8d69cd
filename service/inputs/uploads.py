"""Pictures that callers hand in, by themselves or inside of a job, become uploads: bytes and a row.

The row comes first, with little time to live. Whatever is killed before a job refers to the upload
or its caller is told of it, the discarding finds the row and takes the bytes along.
"""

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO, Protocol, Self
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, insert, or_, select

from service.clock import seconds
from service.database import Database
from service.errors import ResultInvalid
from service.faults import fault_point
from service.generation import PictureSize
from service.ids import Kind, new_id, public_id
from service.models import Project, uploads
from service.pictures import Picture, Spooled, look_into

#: Longer than all pictures of a job take to reach S3, each with S3's own timeout.
UNCONFIRMED_LIFETIME_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Handed:
    """A picture that was handed in, looked into but not stored."""

    picture: Picture
    sha256: str
    size_bytes: int
    #: Gives its content from the start.
    open: Callable[[], BinaryIO]

    @classmethod
    def in_memory(cls, content: bytes) -> Self:
        """Look into bytes.

        Raises:
            ResultInvalid: they are no image that is taken.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        return cls(look_into(content), sha256, len(content), lambda: io.BytesIO(content))

    @classmethod
    def of_spooled(cls, spooled: Spooled) -> Self:
        """Look into a file.

        Raises:
            ResultInvalid: it is no image that is taken.
        """
        picture = look_into(spooled.content)
        return cls(picture, spooled.sha256, spooled.size_bytes, spooled.open)

    @property
    def size(self) -> PictureSize:
        """Its size, as the models' limits are about it."""
        return PictureSize(self.picture.width, self.picture.height, self.size_bytes)


class Bucket(Protocol):
    """Where uploads live."""

    bucket: str

    def put(
        self,
        key: str,
        body: BinaryIO,
        *,
        size_bytes: int,
        sha256: str,
        content_type: str,
        metadata: dict[str, str],
    ) -> None:
        """Store and confirm, or raise StorageUnavailable."""


@dataclass(frozen=True)
class Uploads:
    """Stores what was handed in."""

    database: Database
    bucket: Bucket
    prefix: str

    def add(self, project_id: UUID, handed: Sequence[Handed]) -> list[UUID]:
        """Return the ids of new uploads; each soon expires unless it is confirmed or referred to.

        Raises:
            StorageUnavailable: S3 did not confirm; what is there already will be discarded.
            DatabaseUnavailable: nothing was stored.
        """
        if not handed:
            return []
        rows = self._announce(project_id, handed)
        for row, one in zip(rows, handed, strict=True):
            fault_point("upload.before_put")
            with one.open() as body:
                self.bucket.put(
                    row["key"],
                    body,
                    size_bytes=one.size_bytes,
                    sha256=one.sha256,
                    content_type=one.picture.content_type,
                    metadata={"upload-id": public_id(Kind.UPLOAD, row["id"]), "sha256": one.sha256},
                )
            fault_point("upload.after_put")
        return [row["id"] for row in rows]

    def _announce(self, project_id: UUID, handed: Sequence[Handed]) -> list[dict[str, Any]]:
        today = datetime.now(UTC).strftime("%Y/%m/%d")
        with self.database.transaction() as tx:
            project = tx.scalar(select(Project.name).where(Project.id == project_id))
            rows = []
            for one in handed:
                upload_id = new_id()
                name = f"{public_id(Kind.UPLOAD, upload_id)}.{one.picture.extension}"
                rows.append(
                    {
                        "id": upload_id,
                        "project_id": project_id,
                        "bucket": self.bucket.bucket,
                        "key": f"{self.prefix}{project}/uploads/{today}/{name}",
                        "content_type": one.picture.content_type,
                        "width": one.picture.width,
                        "height": one.picture.height,
                        "bytes": one.size_bytes,
                        "sha256": one.sha256,
                        "expires_at": func.now() + seconds(UNCONFIRMED_LIFETIME_SECONDS),
                    }
                )
            tx.execute(insert(uploads).values(rows))
        return rows


def is_usable() -> ColumnElement[bool]:
    """Return whether an upload may still be referred to."""
    lives = or_(uploads.c.expires_at.is_(None), uploads.c.expires_at > func.now())
    return and_(uploads.c.discarded_at.is_(None), lives)


def not_an_image(error: Exception) -> str:
    """Say in words to act on why a picture is not taken."""
    reason = str(error) if isinstance(error, ResultInvalid) else "it is no base64"
    return f"must be a whole JPEG, PNG or WebP image: {reason}"
