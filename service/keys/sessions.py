"""Browsers that are logged in: a row each, so that what has ended opens nothing any more."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, bindparam, func, insert, select, update

from service.clock import seconds
from service.database import Database, Transaction
from service.ids import new_id
from service.keys.callers import CALLER, IS_GOOD, SECRET_BYTES, USED, Caller, is_recent, sha256
from service.models import ApiKey, BrowserSession, Project

#: How long a browser stays logged in, seconds: 14 days.
SESSION_SECONDS = 1_209_600
#: Of a key, on one page.
_MAX_LISTED = 100


@dataclass(frozen=True)
class Sessions:
    """Begins, finds and ends browsers' sessions. A session is known by its token, shown once."""

    database: Database

    def begin(self, key_id: UUID) -> str:
        """Return the token of a new session of a key."""
        with self.database.transaction() as tx:
            return begin(tx, key_id)

    def caller(self, token: str) -> Caller | None:
        """Return who a browser is, unless its session or its key has ended."""
        with self.database.transaction() as tx:
            row = tx.first(_CALLER, {"session": sha256(token)})
            if row is None:
                return None
            *known, session_id, was_seen = row
            if not was_seen:
                tx.execute(_SEEN, {"session": session_id})
                tx.execute(USED, {"key": row.key_id})
        return Caller(*known)

    def of(self, key_id: UUID, token: str) -> Sequence[Row[Any]]:
        """Return a key's living sessions, newest first, and which of them has this token."""
        with self.database.transaction() as tx:
            return tx.rows(_LISTED, {"key": key_id, "session": sha256(token)})

    def end(self, token: str) -> None:
        """End a session, if it is one that lives."""
        self._end(BrowserSession.sha256 == sha256(token))

    def end_one(self, key_id: UUID, session_id: UUID) -> bool:
        """End a session of a key; False if it has no such living one."""
        return self._end(BrowserSession.key_id == key_id, BrowserSession.id == session_id) > 0

    def end_all(self, key_id: UUID) -> None:
        """End every session of a key."""
        self._end(BrowserSession.key_id == key_id)

    def _end(self, *which: Any) -> int:  # noqa: ANN401 - conditions
        ending = update(BrowserSession).where(*which, *_LIVES).values(ended_at=func.now())
        with self.database.transaction() as tx:
            return tx.execute(ending)


def begin(tx: Transaction, key_id: UUID) -> str:
    """Begin a session within a transaction, and return its token."""
    token = secrets.token_urlsafe(SECRET_BYTES)
    tx.execute(
        insert(BrowserSession).values(
            id=new_id(),
            sha256=sha256(token),
            key_id=key_id,
            expires_at=func.now() + seconds(SESSION_SECONDS),
        )
    )
    return token


_LIVES = (BrowserSession.ended_at.is_(None), BrowserSession.expires_at > func.now())
_CALLER = (
    select(*CALLER, BrowserSession.id.label("session_id"), is_recent(BrowserSession.last_seen_at))
    .join(ApiKey, ApiKey.id == BrowserSession.key_id)
    .join(Project, Project.id == ApiKey.project_id)
    .where(BrowserSession.sha256 == bindparam("session"), *_LIVES, *IS_GOOD)
)
#: Of pages that are opened at once, one is enough to say so.
_SEEN = (
    update(BrowserSession)
    .where(
        BrowserSession.id.in_(
            select(BrowserSession.id)
            .where(BrowserSession.id == bindparam("session"))
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
    )
    .values(last_seen_at=func.now())
)
_LISTED = (
    select(
        BrowserSession.id,
        BrowserSession.created_at,
        BrowserSession.last_seen_at,
        (BrowserSession.sha256 == bindparam("session")).label("is_this"),
    )
    .where(BrowserSession.key_id == bindparam("key"), *_LIVES)
    .order_by(BrowserSession.id.desc())
    .limit(_MAX_LISTED)
)
