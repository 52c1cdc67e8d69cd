"""Upload: a picture is taken in by itself."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Row, func, select, update

from service.clock import seconds
from service.database import Database
from service.errors import (
    FieldError,
    InvalidRequest,
    NotFound,
    ResultInvalid,
    StorageUnavailable,
)
from service.inputs import Handed, Uploads, is_usable, not_an_image
from service.logs import get_log
from service.models import uploads
from service.pictures import Spooled

log = get_log(__name__)

Sink = Callable[[bytes], object]


class Spool(Protocol):
    """Where a picture is while it comes in."""

    def download(self, fetch: Callable[[Sink], str]) -> AbstractContextManager[Spooled]:
        """Have `fetch` write a file and return its SHA-256; it is gone afterwards."""
        ...


@dataclass(frozen=True)
class Upload:
    """Takes pictures in, and shows what is known of them."""

    database: Database
    spool: Spool
    uploads: Uploads
    lifetime_seconds: float

    def take(self, project_id: UUID, receive: Callable[[Sink], str]) -> Row[Any]:
        """Store the picture that `receive` writes and whose SHA-256 it returns.

        Raises:
            InvalidRequest: it is no picture that is taken.
            StorageUnavailable: S3 did not confirm it; nothing was taken.
            DatabaseUnavailable: nothing was taken, or it will expire unseen.
        """
        with self.spool.download(receive) as spooled:
            try:
                handed = Handed.of_spooled(spooled)
            except ResultInvalid as error:
                wrong = FieldError("/file", not_an_image(error))
                raise InvalidRequest("The upload was not taken.", [wrong]) from error
            (upload_id,) = self.uploads.add(project_id, [handed])
        with self.database.transaction() as tx:
            row: Row[Any] | None = tx.first(
                update(uploads)
                .where(uploads.c.id == upload_id, is_usable())
                .values(expires_at=func.now() + seconds(self.lifetime_seconds))
                .returning(*uploads.c)
            )
        if row is None:
            raise StorageUnavailable("S3 took longer than a new upload lives")
        log.info("upload_taken", upload_id=str(row.id), project_id=str(project_id), bytes=row.bytes)
        return row

    def find(self, project_id: UUID, upload_id: UUID) -> Row[Any]:
        """Return an upload that may still be referred to.

        Raises:
            NotFound: no such upload in this project, or it has expired.
        """
        mine = (uploads.c.id == upload_id, uploads.c.project_id == project_id)
        with self.database.transaction() as tx:
            row: Row[Any] | None = tx.first(select(*uploads.c).where(*mine, is_usable()))
        if row is None:
            raise NotFound("There is no such upload.")
        return row
