"""Upload: a picture is taken in by itself; discard: those that nobody refers to go again.

A discarded upload is marked before its bytes are deleted, and its row goes last. Killed between any
two of these, the next run finds the row due and does the same again.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Row, delete, func, select, update

from service.clock import seconds
from service.database import Database
from service.errors import (
    FieldError,
    InvalidRequest,
    NotFound,
    ResultInvalid,
    StorageUnavailable,
)
from service.ids import Kind, public_id
from service.inputs import Handed, Uploads, is_usable, not_an_image
from service.logs import get_log
from service.models import uploads
from service.pictures import Spooled

log = get_log(__name__)

Sink = Callable[[bytes], object]

#: An object that S3 did not delete is tried again after so long.
DISCARD_LEASE_SECONDS = 600.0
#: Uploads claimed at a time.
DISCARD_BATCH = 100
#: How long one call goes on with further ones: it keeps a worker's child from all other tasks.
DISCARD_SECONDS = 20.0


class Spool(Protocol):
    """Where a picture is while it comes in."""

    def download(self, fetch: Callable[[Sink], str]) -> AbstractContextManager[Spooled]:
        """Have `fetch` write a file and return its SHA-256; it is gone afterwards."""
        ...


class Bucket(Protocol):
    """Where uploads live."""

    def delete(self, bucket: str, key: str) -> None:
        """Remove an object, or raise StorageUnavailable."""


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
                handed = Handed.on_disk(spooled)
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


@dataclass(frozen=True)
class Discard:
    """Deletes expired uploads."""

    database: Database
    bucket: Bucket
    turn_seconds: float = DISCARD_SECONDS

    def __call__(self) -> None:
        """Discard what has expired, as long as S3 deletes it and the turn lasts.

        What is left is due for another call, at the latest when its lease has passed.
        """
        turn_ends_at = time.monotonic() + self.turn_seconds
        while expired := self.claim(DISCARD_BATCH):
            ended = []
            for one in expired:
                ended.append((one, self.act(one)))
                if not ended[-1][1] or time.monotonic() >= turn_ends_at:
                    break
            self.record(ended)
            if len(ended) < len(expired) or not ended[-1][1]:
                return

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
                    expires_at=func.now() + seconds(DISCARD_LEASE_SECONDS),
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

    def record(self, ended: list[tuple[Row[Any], bool]]) -> None:
        """Forget those whose bytes are gone."""
        gone = [row.id for row, is_deleted in ended if is_deleted]
        with self.database.transaction() as tx:
            tx.execute(delete(uploads).where(uploads.c.id.in_(gone)))
        log.info("uploads_discarded", count=len(gone))
