"""Who a key or a browser's session speaks for."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, func, or_, select, update

from service.clock import seconds
from service.errors import OutOfScope
from service.models import ApiKey, Project, Scope

#: How exactly it is kept when keys and sessions were last used, seconds.
USED_TO_SECONDS = 60.0
#: 256 random bits; enough that a plain hash of them needs no salt.
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever holds a valid key: a project."""

    project_id: UUID
    project: str
    key_id: UUID
    #: Where its jobs call that name no address of their own, and of what; empty: of every end.
    callback_url: str | None
    callback_events: list[str]
    scopes: Collection[str]
    requests_per_minute: int

    def require(self, scope: Scope) -> None:
        """Raise OutOfScope if the key is not for this."""
        if scope not in self.scopes:
            has = ", ".join(self.scopes)
            raise OutOfScope(f"This takes a key with the scope `{scope}`; this one has: {has}.")


#: What makes a `Caller`, in the order of its fields.
CALLER = (
    Project.id,
    Project.name,
    ApiKey.id.label("key_id"),
    Project.callback_url,
    Project.callback_events,
    ApiKey.scopes,
    Project.requests_per_minute,
)
IS_GOOD = (
    ApiKey.revoked_at.is_(None),
    or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now()),
)
#: One of those who use a key at the same time is enough to say so.
USED = (
    update(ApiKey)
    .where(
        ApiKey.id.in_(
            select(ApiKey.id)
            .where(ApiKey.id == bindparam("key"))
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
    )
    .values(last_used_at=func.now())
)


def is_recent(at: Any) -> ColumnElement[bool]:  # noqa: ANN401 - a column
    """Tell in a statement whether a time is as exact as it is kept."""
    found: ColumnElement[bool] = at > func.now() - seconds(USED_TO_SECONDS)
    return found


def sha256(secret: str) -> bytes:
    """Return what the database keeps of a secret."""
    return hashlib.sha256(secret.encode()).digest()
