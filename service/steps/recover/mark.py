"""The mark: what the bucket knows of how far a database had come, and which server it was on."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ValidationError

from service.logs import get_log

log = get_log(__name__)


class Bucket(Protocol):
    """Where marks are left, beside the images."""

    bucket: str

    def get(self, bucket: str, key: str) -> bytes:
        """Return an object, or raise FileNotFoundError or StorageUnavailable."""
        ...

    def put_bytes(self, key: str, body: bytes, content_type: str) -> None:
        """Store a small object, or raise StorageUnavailable."""


class Mark(BaseModel):
    """One reading of a database; what its role may not read is None."""

    number: int
    newest_attempt: UUID | None
    system_identifier: str | None
    timeline: str | None
    #: By the database's clock.
    at: AwareDatetime

    def contradiction(self, now: "Mark") -> str | None:
        """Say why a database that shows `now` did not leave this mark, or has lost rows since."""
        if now.number < self.number:
            return f"it is at mark {now.number}, and its mark in the bucket is {self.number}"
        if self.newest_attempt and (now.newest_attempt or UUID(int=0)) < self.newest_attempt:
            return "the newest attempt that its mark in the bucket names is missing"
        if _differ(self.system_identifier, now.system_identifier):
            return "it is in another PostgreSQL cluster than its mark in the bucket says"
        if _differ(self.timeline, now.timeline):
            return f"its timeline is {now.timeline}, and {self.timeline} in its mark in the bucket"
        return None


@dataclass(frozen=True)
class Marks:
    """The marks in the bucket, an object for each database."""

    bucket: Bucket
    prefix: str

    def read(self, deployment: UUID) -> Mark | None:
        """Return a database's mark; None if there is none that can be read.

        Raises:
            StorageUnavailable: S3 did not say.
        """
        try:
            return Mark.model_validate_json(
                self.bucket.get(self.bucket.bucket, self._key(deployment))
            )
        except FileNotFoundError:
            return None
        except ValidationError:
            log.warning("mark_unreadable", key=self._key(deployment))
            return None

    def write(self, deployment: UUID, mark: Mark) -> None:
        """Leave a mark; returns when S3 has taken it.

        Raises:
            StorageUnavailable: S3 did not confirm; it may be there all the same.
        """
        body = mark.model_dump_json().encode()
        self.bucket.put_bytes(self._key(deployment), body, "application/json")

    def _key(self, deployment: UUID) -> str:
        # no project has such a name, and no job such an id: reindex passes it over
        return f"{self.prefix}.darkroom/{deployment}.json"


def _differ(one: str | None, other: str | None) -> bool:
    return None not in {one, other} and one != other
