"""Links that log a browser in, once, for whoever can run a command beside the service."""

import secrets
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import bindparam, exists, func, insert, select, update

from service.clock import seconds
from service.database import Database
from service.ids import Kind, read_id
from service.keys.callers import IS_GOOD, SECRET_BYTES, sha256
from service.keys.sessions import begin
from service.models import ApiKey, LoginLink, Project

#: How long a link may be used, seconds.
LINK_SECONDS = 600


@dataclass(frozen=True)
class LoginLinks:
    """Makes links and uses them up."""

    database: Database

    def create(self, key_id: str) -> str | None:
        """Return the token of a new link; None if there is no such key, or none that is good."""
        found = read_id(Kind.KEY, key_id)
        token = secrets.token_urlsafe(SECRET_BYTES)
        with self.database.transaction() as tx:
            good = tx.scalar(select(ApiKey.id).where(ApiKey.id == found, *IS_GOOD))
            if good is None:
                return None
            tx.execute(
                insert(LoginLink).values(
                    sha256=sha256(token),
                    key_id=good,
                    expires_at=func.now() + seconds(LINK_SECONDS),
                )
            )
        return token

    def project(self, token: str) -> str | None:
        """Return which project a link opens; None if it opens nothing, or nothing any more."""
        with self.database.transaction() as tx:
            name: str | None = tx.scalar(_PROJECT, {"link": sha256(token)})
        return name

    def use(self, token: str) -> str | None:
        """Use a link up, and return the token of the session that it began; None as above."""
        with self.database.transaction() as tx:
            key_id: UUID | None = tx.scalar(_USE, {"link": sha256(token)})
            return None if key_id is None else begin(tx, key_id)


_IS_OPEN = (
    LoginLink.sha256 == bindparam("link"),
    LoginLink.used_at.is_(None),
    LoginLink.expires_at > func.now(),
)
_PROJECT = (
    select(Project.name)
    .join(ApiKey, ApiKey.project_id == Project.id)
    .join(LoginLink, LoginLink.key_id == ApiKey.id)
    .where(*_IS_OPEN, *IS_GOOD)
)
#: Of those who use a link at the same instant, the second waits for the first and finds it used.
_USE = (
    update(LoginLink)
    .where(*_IS_OPEN, exists().where(ApiKey.id == LoginLink.key_id, *IS_GOOD))
    .values(used_at=func.now())
    .returning(LoginLink.key_id)
)
