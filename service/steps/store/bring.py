"""From Flux's URL to S3's confirmation, without the database.

Download to the spool with a running SHA-256, look into the file, put it under a key made of our own
values only, and believe S3's own checksum. What S3 does not take, or would not while it is unwell,
is kept on this host's disk, where it outlives its URL.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

from service.errors import (
    AddressForbidden,
    DownloadFailed,
    ObjectRefused,
    ResultExpired,
    ResultInvalid,
    StorageUnavailable,
    TransientError,
)
from service.faults import fault_point
from service.ids import Kind, public_id
from service.pictures import Picture, Spooled, look_into
from service.states import ErrorCode
from service.upstream import Ready, Result

Sink = Callable[[bytes], object]


class Spool(Protocol):
    """Where a result is on its way from Flux to S3."""

    def download(self, fetch: Callable[[Sink], str]) -> AbstractContextManager[Spooled]:
        """Have `fetch` write a result, return its SHA-256; it is gone afterwards unless kept."""
        ...

    def keep(self, job_id: UUID, spooled: Spooled) -> None:
        """Make it durable."""

    def kept(self, job_id: UUID) -> Spooled | None:
        """Return what was kept earlier."""

    def drop(self, job_id: UUID) -> None:
        """Forget it."""

    @property
    def id(self) -> str:
        """The name of this spool, known to all of its host's processes."""
        ...

    def waiting(self) -> list[UUID]:
        """Return the jobs whose results are kept."""
        ...

    def put_aside(self, job_id: UUID) -> None:
        """Leave a result to a person."""


class Bucket(Protocol):
    """Where images live."""

    def put_file(
        self, key: str, spooled: Spooled, content_type: str, metadata: dict[str, str]
    ) -> None:
        """Store and confirm, or raise StorageUnavailable."""


class Vitals(Protocol):
    """What this process knows of S3."""

    @property
    def bucket_is_well(self) -> bool:
        """Whether a PUT is worth trying."""
        ...

    def bucket_failed(self, reason: str) -> None:
        """Note that S3, not the file, was at fault for a failed PUT."""

    def bucket_answered(self) -> None:
        """Note that S3 has taken something."""


class Flux(Protocol):
    """Asked once for a fresh URL when the first one is dead."""

    def result(self, provider: str, task_id: str, polling_url: str | None) -> Result:
        """Say how a task stands, or raise FluxUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Ripe:
    """A job whose result waits at a URL that will die."""

    job_id: UUID
    project: str
    attempt_number: int
    tries: int
    #: How often S3 has said no to these very bytes.
    refusals: int
    model: str
    provider: str
    task_id: str | None
    polling_url: str | None
    created_at: datetime
    url: str
    #: Until when nobody else takes it.
    leased_until: datetime
    #: Whether the URL's life is over by the database's clock.
    over: bool
    #: Whether it has been so for long.
    hopeless: bool
    #: Whether only some of its kind are taken at a time.
    rationed: bool


@dataclass(frozen=True, slots=True)
class Stored:
    """Confirmed by S3."""

    key: str
    sha256: str
    bytes: int
    picture: Picture


@dataclass(frozen=True, slots=True)
class Kept:
    """Safe on this host's disk until S3 takes it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Safe on this host's disk as well, but S3 says that it does not want these very bytes."""

    reason: str


@dataclass(frozen=True, slots=True)
class Again:
    """Not this time; `code` is the failure that it is if it stays so."""

    reason: str
    code: ErrorCode | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """The image cannot be had any more."""

    reason: str


Outcome = Stored | Kept | Refused | Again | Lost


@dataclass(frozen=True)
class Bring:
    """Brings one result to S3; every fault of the world is an outcome."""

    #: Reads a URL into a sink and returns the SHA-256; raises DownloadFailed, ResultExpired,
    #: ResultInvalid or AddressForbidden.
    fetch: Callable[[str, Sink], str]
    spool: Spool
    bucket: Bucket
    vitals: Vitals
    flux: Flux
    prefix: str

    def __call__(self, ripe: Ripe) -> Outcome:
        """Do it, once."""
        try:
            return self._bring(ripe)
        except AddressForbidden as error:
            # an operator may mend the setting while the URL lives
            return Lost(str(error)) if ripe.over else Again(str(error))
        except ResultExpired as error:
            # before its time a 403 or 404 may be a store that is not consistent yet
            return Lost(str(error)) if ripe.over else Again(str(error), ErrorCode.RESULT_EXPIRED)
        except ResultInvalid as error:
            return Again(str(error), ErrorCode.RESULT_INVALID)
        except (TransientError, OSError) as error:
            return Lost(str(error)) if ripe.hopeless else Again(str(error))

    def _bring(self, ripe: Ripe) -> Stored | Kept | Refused:
        kept = self.spool.kept(ripe.job_id)
        if kept is not None:
            return self._save(ripe, kept)
        try:
            return self._fetch_and_save(ripe, ripe.url)
        except ResultExpired as error:
            dead = error
        except DownloadFailed as error:
            if not ripe.over:
                raise
            dead = ResultExpired(f"the URL's life is over: {error}")
        fresh = self._fresh_url(ripe)
        if fresh is None:
            raise dead
        return self._fetch_and_save(ripe, fresh)

    def _fetch_and_save(self, ripe: Ripe, url: str) -> Stored | Kept | Refused:
        with self.spool.download(lambda sink: self.fetch(url, sink)) as spooled:
            fault_point("store.after_download")
            return self._save(ripe, spooled)

    def _save(self, ripe: Ripe, spooled: Spooled) -> Stored | Kept | Refused:
        """Put it into the bucket, or else keep it on the disk."""
        picture = look_into(spooled.content)
        if not self.vitals.bucket_is_well:
            self._keep(ripe, spooled)
            return Kept("S3 is away")
        try:
            stored = self._put(ripe, spooled, picture)
        except ObjectRefused as error:
            self._keep(ripe, spooled)
            return Refused(str(error))
        except StorageUnavailable as error:
            self.vitals.bucket_failed(str(error))
            self._keep(ripe, spooled)
            return Kept(str(error))
        self.vitals.bucket_answered()
        return stored

    def _keep(self, ripe: Ripe, spooled: Spooled) -> None:
        fault_point("store.before_keep")
        self.spool.keep(ripe.job_id, spooled)
        fault_point("store.after_keep")

    def _put(self, ripe: Ripe, spooled: Spooled, picture: Picture) -> Stored:
        key = self._key(ripe, picture)
        metadata = {
            "job-id": public_id(Kind.JOB, ripe.job_id),
            "model": ripe.model,
            "sha256": spooled.sha256,
        }
        self.bucket.put_file(key, spooled, picture.content_type, metadata)
        fault_point("store.after_put")
        return Stored(key, spooled.sha256, spooled.size_bytes, picture)

    def _fresh_url(self, ripe: Ripe) -> str | None:
        """Ask for the result once more before it is called lost.

        Raises:
            FluxUnavailable: nobody answered, which says nothing about the result.
        """
        if ripe.task_id is None:
            return None
        again = self.flux.result(ripe.provider, ripe.task_id, ripe.polling_url)
        return again.url if isinstance(again, Ready) and again.url != ripe.url else None

    def _key(self, ripe: Ripe, picture: Picture) -> str:
        """Return `{prefix}{project}/{yyyy}/{mm}/{dd}/{job id}.{ext}`, the same on every try."""
        day = ripe.created_at.astimezone(UTC).strftime("%Y/%m/%d")
        job_id = public_id(Kind.JOB, ripe.job_id)
        return f"{self.prefix}{ripe.project}/{day}/{job_id}.{picture.extension}"
