"""Ids as the outside sees them: a prefix that says what it is, over a UUIDv7 in hex.

UUIDv7 (RFC 9562) grows with time, so an id is also the order of creation and a keyset cursor.
"""

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from uuid_utils.compat import uuid7

__all__ = ["CLOCKS_DIFFER", "Kind", "first_id", "made_at", "new_id", "public_id", "read_id"]


class Kind(StrEnum):
    """The prefix of an id."""

    JOB = "job"
    IMAGE = "img"
    UPLOAD = "upl"
    DELIVERY = "dlv"
    KEY = "key"
    BATCH = "bat"
    SHARE = "shr"
    SESSION = "ses"


#: By how much the clock of who made an id may be away from the database's: with more, callers would
#: refuse what is signed by it.
CLOCKS_DIFFER = timedelta(minutes=5)

#: Of the year 9999.
_LATEST_MS = 253_402_300_799_000
_HEX = re.compile(r"[0-9a-f]{32}", re.ASCII)


def new_id() -> UUID:
    """Return a fresh UUIDv7; ids are made by us before the transaction, never by the database."""
    return uuid7()


def first_id(moment: datetime) -> UUID:
    """Return what every id made since a moment is larger than, by the clocks of who made them."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def made_at(value: UUID) -> datetime:
    """Return when an id was made, by the clock of who made it; the latest there is at most."""
    milliseconds = min(value.int >> 80, _LATEST_MS)
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def public_id(kind: Kind, value: UUID) -> str:
    """Return `job_0198…` for a job's UUID, and so on."""
    return f"{kind.value}_{value.hex}"


def read_id(kind: Kind, text: str) -> UUID | None:
    """Return the UUID in a public id, or None when the text is no id of this kind."""
    prefix, _, digits = text.partition("_")
    if prefix != kind.value or not _HEX.fullmatch(digits):
        return None
    return UUID(hex=digits)
