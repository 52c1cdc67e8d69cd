"""Projects and their API keys. A key is shown once; the database holds its SHA-256."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Executable, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert

from service.database import Database
from service.errors import UnknownCaller
from service.ids import Kind, new_id, public_id, read_id
from service.models import ApiKey, Project
from service.signing.callback import new_callback_secret

#: 256 random bits; enough that a plain hash of it needs no salt.
_KEY_BYTES = 32
_PREFIX_CHARS = 10
_KEY = re.compile(r"dk_[A-Za-z0-9_-]{20,120}", re.ASCII)
#: During rotation the old secret signs beside the new one.
MAX_LIVE_SECRETS = 2
#: Part of object keys and addresses.
PROJECT_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever holds a valid key: a project."""

    project_id: UUID
    project: str
    key_id: UUID
    #: Where its jobs call that name no address of their own, and of what; empty: of every end.
    callback_url: str | None
    callback_events: list[str]


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

    def create(self, project: str) -> NewKey:
        """Return a new key of a project, which is made if it is new.

        Raises:
            ValueError: the name is not 1 to 40 of a-z, 0-9 and hyphen.
        """
        if not PROJECT_NAME.fullmatch(project):
            raise ValueError("a project's name is 1 to 40 of a-z, 0-9 and hyphen")
        api_key = "dk_" + secrets.token_urlsafe(_KEY_BYTES)
        key_id = new_id()
        with self.database.transaction() as tx:
            new = insert(Project).values(
                id=new_id(), name=project, callback_secrets=[new_callback_secret()]
            )
            tx.execute(new.on_conflict_do_nothing(index_elements=["name"]))
            row = tx.first(
                select(Project.id, Project.callback_secrets).where(Project.name == project)
            )
            tx.execute(
                insert(ApiKey).values(
                    id=key_id,
                    project_id=row.id,
                    prefix=api_key[:_PREFIX_CHARS],
                    sha256=_sha256(api_key),
                )
            )
        return NewKey(project, public_id(Kind.KEY, key_id), api_key, row.callback_secrets[0])

    def caller(self, api_key: str) -> Caller:
        """Return who holds a key; found by its hash, so the comparison tells no time.

        Raises:
            UnknownCaller: no such key, or a revoked one.
        """
        found = self._find(_BY_KEY, _sha256(api_key)) if _KEY.fullmatch(api_key) else None
        if found is None:
            raise UnknownCaller("Send `Authorization: Bearer <api key>` with a key of a project.")
        return found

    def caller_with(self, key_id: UUID) -> Caller | None:
        """Return who a logged-in browser is, unless its key was revoked meanwhile."""
        return self._find(_BY_ID, key_id)

    def _find(self, statement: Executable, key: bytes | UUID) -> Caller | None:
        with self.database.transaction() as tx:
            row = tx.first(statement, {"key": key})
        return None if row is None else Caller(*row)

    def listing(self) -> list[dict[str, str]]:
        """Return every key without its secret part."""
        with self.database.transaction() as tx:
            rows = tx.rows(
                select(ApiKey.id, ApiKey.prefix, ApiKey.created_at, ApiKey.revoked_at, Project.name)
                .join(Project, ApiKey.project_id == Project.id)
                .order_by(ApiKey.id)
            )
        return [
            {
                "id": public_id(Kind.KEY, row.id),
                "project": row.name,
                "prefix": row.prefix,
                "created_at": row.created_at.isoformat(timespec="seconds"),
                "status": "active" if row.revoked_at is None else "revoked",
            }
            for row in rows
        ]

    def revoke(self, key_id: str) -> bool:
        """Make a key useless at once; its jobs go on. False if there is no such active key."""
        found = read_id(Kind.KEY, key_id)
        if found is None:
            return False
        with self.database.transaction() as tx:
            revoke = update(ApiKey).where(ApiKey.id == found, ApiKey.revoked_at.is_(None))
            return tx.execute(revoke.values(revoked_at=func.now())) > 0

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
    select(
        Project.id,
        Project.name,
        ApiKey.id.label("key_id"),
        Project.callback_url,
        Project.callback_events,
    )
    .join(ApiKey, ApiKey.project_id == Project.id)
    .where(ApiKey.revoked_at.is_(None))
)
_BY_KEY = _CALLER.where(ApiKey.sha256 == bindparam("key"))
_BY_ID = _CALLER.where(ApiKey.id == bindparam("key"))


def _sha256(api_key: str) -> bytes:
    return hashlib.sha256(api_key.encode()).digest()
