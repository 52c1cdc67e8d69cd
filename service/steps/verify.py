"""Verify: the bucket still holds what the tables say, byte for byte."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Integer, Row, cast, func, select

from service.database import Database
from service.ids import Kind, public_id
from service.models import images

#: Rows that are held at a time.
PAGE_ROWS = 200
#: Blocks of the table that are read for each image of a sample.
BLOCKS_PER_IMAGE = 10
_BLOCKS = select(
    func.pg_relation_size(images.name) / cast(func.current_setting("block_size"), Integer)
)


class Bucket(Protocol):
    """Where images live."""

    def get(self, bucket: str, key: str) -> bytes:
        """Return an object, or raise FileNotFoundError or StorageUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Verified:
    """An image that was read back."""

    image_id: str
    bucket: str
    key: str
    #: What is wrong with it, in words; None if nothing is.
    fault: str | None


@dataclass(frozen=True)
class Verify:
    """Compares stored images with their rows; changes neither."""

    database: Database
    bucket: Bucket

    def run(self, sample: int | None, at_once: int) -> Iterator[Verified]:
        """Read all images, or so many at random; yield each.

        Raises:
            StorageUnavailable: S3 does not answer, so nothing can be said.
        """
        with ThreadPoolExecutor(at_once) as threads:
            for page in self._pages() if sample is None else [self._sample(sample)]:
                yield from threads.map(self._verify, page)

    def _pages(self) -> Iterator[list[Row[Any]]]:
        after = UUID(int=0)
        while True:
            page = select(*images.c).where(images.c.id > after).order_by(images.c.id)
            with self.database.transaction() as tx:
                rows = tx.rows(page.limit(PAGE_ROWS))
            if not rows:
                return
            yield rows
            after = rows[-1].id

    def _sample(self, count: int) -> list[Row[Any]]:
        """Return so many at random, each as likely as any other.

        They come from blocks of the table that are drawn at random, many more than are needed: of a
        large table little is read, and neighbours hardly come together.
        """
        with self.database.transaction() as tx:
            percent = 100 * count * BLOCKS_PER_IMAGE / max(1, tx.scalar(_BLOCKS))
            while True:
                some = images.tablesample(func.system(min(percent, 100)))
                rows = tx.rows(select(some).order_by(func.random()).limit(count))
                if len(rows) == count or percent >= 100:  # noqa: PLR2004 - the whole table
                    return rows
                # the blocks were few, or nearly empty
                percent *= 10

    def _verify(self, row: Row[Any]) -> Verified:
        return Verified(public_id(Kind.IMAGE, row.id), row.bucket, row.key, self._fault_of(row))

    def _fault_of(self, row: Row[Any]) -> str | None:
        try:
            found = self.bucket.get(row.bucket, row.key)
        except FileNotFoundError:
            return "missing" if self._is_there(row.id) else None
        if len(found) != row.bytes:
            return f"altered: {len(found)} bytes instead of {row.bytes}"
        if hashlib.sha256(found).hexdigest() != row.sha256:
            return "altered: another SHA-256"
        return None

    def _is_there(self, image_id: UUID) -> bool:
        """Tell whether an image has not been deleted since its row was read."""
        with self.database.transaction() as tx:
            return tx.scalar(select(images.c.id).where(images.c.id == image_id)) is not None
