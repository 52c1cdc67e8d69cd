"""Reindex: rows that the database lost come back from the sidecars in the bucket.

A lost job returns as its sidecar tells it: succeeded, with its whole timeline, and with its
Idempotency-Key, so that a caller who repeats the request finds it and nothing is paid twice. A job
that an older backup holds in an earlier state is brought forward by one line of its timeline. What
the bucket does not hold stays lost: jobs without an image, attempts, and callbacks; none is owed
for a job that comes back. Projects come back by name, with a new callback secret and without keys.
What was deleted and still lies in the bucket does not come back, as long as the database knows that
it was. Uploads are passed over: they are what a caller still has, and no job that comes back needs
one.
"""

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import func, select
from sqlalchemy.exc import DataError, IntegrityError

from service.database import Database
from service.ids import Kind, read_id
from service.models import images
from service.pictures import SIDECAR, THUMBNAIL
from service.removals import is_gone
from service.steps.reindex.rows import add_rows
from service.steps.reindex.sidecar import Sidecar

#: Jobs that are held at a time.
CHUNK = 200


class Bucket(Protocol):
    """Where images live."""

    bucket: str

    def get(self, bucket: str, key: str) -> bytes:
        """Return an object, or raise FileNotFoundError or StorageUnavailable."""
        ...

    def listing(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Yield keys in their order with their sizes in bytes, or raise StorageUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """What came of one job's objects; the reason is given if its rows could not be rebuilt."""

    key: str
    outcome: Literal["present", "added", "deleted", "unreadable"]
    reason: str | None = None


class Kept(NamedTuple):
    """A job's objects: `{stem}.{suffix}`, with the size of each in bytes."""

    stem: str
    job_id: UUID
    sizes: dict[str, int]


class _Unreadable(Exception):
    """The objects do not tell the job."""


@dataclass(frozen=True)
class Reindex:
    """Rebuilds jobs and images whose bytes are there; running it again changes nothing."""

    database: Database
    bucket: Bucket
    prefix: str

    def run(self, at_once: int) -> Iterator[Found]:
        """Go through the bucket; yield what came of each job's objects.

        Raises:
            StorageUnavailable: what was done is done; run it again.
            DatabaseUnavailable: likewise.
        """
        kept = self.kept()
        with ThreadPoolExecutor(at_once) as threads:
            while chunk := list(itertools.islice(kept, CHUNK)):
                known = self._known([one.job_id for one in chunk])
                yield from (Found(one.stem, "present") for one in chunk if one.job_id in known)
                lost = [one for one in chunk if one.job_id not in known]
                yield from threads.map(self._restore, lost)

    def kept(self) -> Iterator[Kept]:
        """Group the listing by job: its objects stand together, for it is in order."""
        for stem, group in itertools.groupby(self.bucket.listing(self.prefix), _stem):
            job_id = read_id(Kind.JOB, stem.rpartition("/")[2])
            if job_id is not None:
                sizes = {key.removeprefix(f"{stem}."): size for key, size in group}
                yield Kept(stem, job_id, sizes)

    def _known(self, job_ids: list[UUID]) -> set[UUID]:
        with self.database.transaction() as tx:
            rows = tx.rows(select(images.c.job_id).where(images.c.job_id.in_(job_ids)))
        return {row.job_id for row in rows}

    def _restore(self, kept: Kept) -> Found:
        try:
            sidecar = self._read(kept)
            if self._is_deleted(sidecar.image_id):
                return Found(kept.stem, "deleted")
            self._check(kept, sidecar)
            with self.database.transaction() as tx:
                added = add_rows(tx, sidecar, self._place(kept, sidecar.extension))
        except _Unreadable as error:
            return Found(kept.stem, "unreadable", str(error))
        except (DataError, IntegrityError) as error:
            return Found(kept.stem, "unreadable", f"not storable ({type(error.orig).__name__})")
        return Found(kept.stem, "added" if added else "present")

    def _read(self, kept: Kept) -> Sidecar:
        """Return the sidecar, if it tells of the job that it stands beside."""
        if SIDECAR not in kept.sizes:
            raise _Unreadable("there is no sidecar")
        try:
            raw = self.bucket.get(self.bucket.bucket, f"{kept.stem}.{SIDECAR}")
            sidecar = Sidecar.model_validate_json(raw)
        except FileNotFoundError:
            raise _Unreadable("the sidecar went away") from None
        except ValidationError as error:
            fields = {".".join(map(str, e["loc"])) or e["type"] for e in error.errors()}
            raise _Unreadable(f"not a sidecar of ours: {', '.join(sorted(fields))}") from None
        project = kept.stem.removeprefix(self.prefix).partition("/")[0]
        if (sidecar.job_id, sidecar.project) != (kept.job_id, project):
            raise _Unreadable("the sidecar tells of another job")
        return sidecar

    def _is_deleted(self, image_id: UUID) -> bool:
        with self.database.transaction() as tx:
            return is_gone(tx, image_id)

    def _check(self, kept: Kept, sidecar: Sidecar) -> None:
        if kept.sizes.get(sidecar.extension) != sidecar.bytes:
            raise _Unreadable("the image is missing or has another size")

    def _place(self, kept: Kept, extension: str) -> dict[str, Any]:
        """Say where the bytes are now, whatever the sidecar says of then."""
        has_thumbnail = THUMBNAIL in kept.sizes
        return {
            "bucket": self.bucket.bucket,
            "key": f"{kept.stem}.{extension}",
            "thumbnail_key": f"{kept.stem}.{THUMBNAIL}" if has_thumbnail else None,
            "sidecar_key": f"{kept.stem}.{SIDECAR}",
            "due_at": None if has_thumbnail else func.now(),
        }


def _stem(listed: tuple[str, int]) -> str:
    folder, slash, name = listed[0].rpartition("/")
    return f"{folder}{slash}{name.partition('.')[0]}"
