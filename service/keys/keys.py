"""Projects and their API keys. A key is shown once; the database holds its SHA-256."""

import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Row, Uuid, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert

from service.database import Database, Transaction
from service.errors import UnknownCaller
from service.ids import Kind, new_id, public_id, read_id
from service.keys.callers import CALLER, IS_GOOD, SECRET_BYTES, USED, Caller, is_recent, sha256
from service.keys.links import LoginLinks
from service.keys.sessions import Sessions
from service.models import ApiKey, Project, Scope
from service.signing.callback import new_callback_secret

_PREFIX_CHARS = 10
_KEY = re.compile(r"dk_[A-Za-z0-9_-]{20,120}", re.ASCII)
#: During rotation the old secret signs beside the new one.
MAX_LIVE_SECRETS = 2
#: Part of object keys and addresses.
PROJECT_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A fresh key; `api_key` and `callback_secret` are not shown again."""

    project: str
    key_id: str
    api_key: str
    callback_secret: str


@dataclass(frozen=True)
class Keys:
    """Makes, finds and revokes keys."""

    database: Database

    @property
    def sessions(self) -> Sessions:
        """Browsers that were logged in with one."""
        return Sessions(self.database)

    @property
    def links(self) -> LoginLinks:
        """Links that log a browser in."""
        return LoginLinks(self.database)

    def create(
        self,
        project: str,
        *,
        scopes: Collection[Scope] = tuple(Scope),
        expires_at: datetime | None = None,
    ) -> NewKey:
        """Return a new key of a project, which is made if it is new.

        Raises:
            ValueError: the name is not 1 to 40 of a-z, 0-9 and hyphen.
        """
        if not PROJECT_NAME.fullmatch(project):
            raise ValueError("a project's name is 1 to 40 of a-z, 0-9 and hyphen")
        with self.database.transaction() as tx:
            new = insert(Project).values(
                id=new_id(), name=project, callback_secrets=[new_callback_secret()]
            )
            tx.execute(new.on_conflict_do_nothing(index_elements=["name"]))
            row = tx.first(
                select(Project.id, Project.callback_secrets).where(Project.name == project)
            )
            key_id, api_key = _add(tx, row.id, scopes, expires_at)
        return NewKey(project, public_id(Kind.KEY, key_id), api_key, row.callback_secrets[0])

    def add(
        self, project_id: UUID, scopes: Collection[Scope], expires_at: datetime | None
    ) -> tuple[Row[Any], str]:
        """Return a further key of a project that is there, and the key itself."""
        with self.database.transaction() as tx:
            key_id, api_key = _add(tx, project_id, scopes, expires_at)
            return tx.first(_LISTED.where(ApiKey.id == key_id)), api_key

    def caller(self, api_key: str) -> Caller:
        """Return who holds a key; found by its hash, so the comparison tells no time.

        Raises:
            UnknownCaller: no such key, or a revoked one.
        """
        found = self._find(sha256(api_key)) if _KEY.fullmatch(api_key) else None
        if found is None:
            raise UnknownCaller("Send `Authorization: Bearer <api key>` with a key of a project.")
        return found

    def living(self, key_ids: Collection[UUID]) -> set[UUID]:
        """Return those of some keys that are neither revoked nor expired."""
        with self.database.transaction() as tx:
            return {row.id for row in tx.rows(_LIVING, {"keys": list(key_ids)})}

    def _find(self, key: bytes) -> Caller | None:
        with self.database.look() as tx:
            row = tx.first(_CALLER, {"key": key})
        if row is None:
            return None
        *known, was_used = row
        if not was_used:
            with self.database.transaction() as tx:
                tx.execute(USED, {"key": row.key_id})
        return Caller(*known)

    def listing(self) -> Sequence[Row[Any]]:
        """Return every key of every project, oldest first."""
        with self.database.transaction() as tx:
            return tx.rows(_LISTED.order_by(ApiKey.id))

    def one(self, key_id: UUID) -> Row[Any]:
        """Return a key that is there."""
        with self.database.transaction() as tx:
            found: Row[Any] = tx.first(_LISTED.where(ApiKey.id == key_id))
        return found

    def of(self, project_id: UUID) -> Sequence[Row[Any]]:
        """Return a project's keys, oldest first."""
        with self.database.transaction() as tx:
            return tx.rows(_LISTED.where(ApiKey.project_id == project_id).order_by(ApiKey.id))

    def revoke(self, key_id: str, project_id: UUID | None = None) -> bool:
        """Make a key useless at once; its jobs go on. False if there is no such active key."""
        found = read_id(Kind.KEY, key_id)
        if found is None:
            return False
        wanted = [ApiKey.id == found, ApiKey.revoked_at.is_(None)]
        if project_id is not None:
            wanted.append(ApiKey.project_id == project_id)
        with self.database.transaction() as tx:
            return tx.execute(update(ApiKey).where(*wanted).values(revoked_at=func.now())) > 0

    def project(self, name: str) -> UUID | None:
        """Return the id of a project, None if there is none of that name."""
        with self.database.transaction() as tx:
            found: UUID | None = tx.scalar(select(Project.id).where(Project.name == name))
        return found

    def rotate_callback_secret(self, project_id: UUID) -> str:
        """Return a new secret; it signs from now on, and the one before it as well."""
        with self.database.transaction() as tx:
            row = tx.first(
                select(Project.callback_secrets)
                .where(Project.id == project_id)
                # who adds a row of the project does not wait for this, nor this for them
                .with_for_update(key_share=True)
            )
            newest = new_callback_secret()
            live = [newest, *row.callback_secrets][:MAX_LIVE_SECRETS]
            tx.execute(
                update(Project).where(Project.id == project_id).values(callback_secrets=live)
            )
        return newest

    def retire_callback_secret(self, project_id: UUID) -> bool:
        """Have only the newest secret sign; False if it was the only one."""
        only_newest = func.trim_array(
            Project.callback_secrets, func.cardinality(Project.callback_secrets) - 1
        )
        with self.database.transaction() as tx:
            mine = (Project.id == project_id, func.cardinality(Project.callback_secrets) > 1)
            return bool(
                tx.execute(update(Project).where(*mine).values(callback_secrets=only_newest))
            )


_CALLER = (
    select(*CALLER, is_recent(ApiKey.last_used_at))
    .join(ApiKey, ApiKey.project_id == Project.id)
    .where(ApiKey.sha256 == bindparam("key"), *IS_GOOD)
)
_LIVING = select(ApiKey.id).where(
    ApiKey.id == func.any(bindparam("keys", type_=ARRAY(Uuid))), *IS_GOOD
)
_LISTED = select(
    ApiKey.id,
    ApiKey.prefix,
    ApiKey.scopes,
    ApiKey.created_at,
    ApiKey.expires_at,
    ApiKey.last_used_at,
    ApiKey.revoked_at,
    (ApiKey.expires_at <= func.now()).label("has_expired"),
    Project.name.label("project"),
).join(Project, ApiKey.project_id == Project.id)


def _add(
    tx: Transaction, project_id: UUID, scopes: Collection[Scope], expires_at: datetime | None
) -> tuple[UUID, str]:
    api_key = "dk_" + secrets.token_urlsafe(SECRET_BYTES)
    key_id = new_id()
    tx.execute(
        insert(ApiKey).values(
            id=key_id,
            project_id=project_id,
            prefix=api_key[:_PREFIX_CHARS],
            sha256=sha256(api_key),
            scopes=[scope for scope in Scope if scope in scopes],
            expires_at=expires_at,
        )
    )
    return key_id, api_key
