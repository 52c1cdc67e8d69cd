"""Where a project wants to be called, unless a job names an address of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Row, select, update

from service.database import Database
from service.errors import AddressForbidden, FieldError, InvalidRequest
from service.models import Project


class Guard(Protocol):
    """Says where a request of ours may go."""

    def check(self, url: str) -> None:
        """Raise AddressForbidden if `url` may not be called."""


@dataclass(frozen=True)
class Callbacks:
    """Reads and changes what a project has chosen."""

    database: Database
    guard: Guard

    def of(self, project_id: UUID) -> Row[Any]:
        """Return a project's `callback_url`, `callback_events` and `callback_secrets`."""
        with self.database.transaction() as tx:
            row: Row[Any] = tx.first(_chosen(project_id))
        return row

    def choose(self, project_id: UUID, url: str | None, events: Sequence[str]) -> Row[Any]:
        """Set where and of what a job without an address of its own calls; None: nowhere.

        Raises:
            InvalidRequest: the address may not be called.
        """
        if url is not None:
            try:
                self.guard.check(url)
            except AddressForbidden as error:
                where = [FieldError("/url", str(error))]
                raise InvalidRequest("Nothing was changed.", where) from None
        with self.database.transaction() as tx:
            chosen = {"callback_url": url, "callback_events": list(events)}
            tx.execute(update(Project).where(Project.id == project_id).values(chosen))
            row: Row[Any] = tx.first(_chosen(project_id))
        return row


def _chosen(project_id: UUID) -> Any:  # noqa: ANN401 - a Select
    return select(Project.callback_url, Project.callback_events, Project.callback_secrets).where(
        Project.id == project_id
    )
