"""Tally: how batches stand. Nothing here changes a row."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from service.batches import Standing, standing
from service.database import Database
from service.errors import NotFound
from service.models import batches
from service.own_rows import newest_first, of_project


@dataclass(frozen=True)
class Tally:
    """Reads one project's batches; another project's id is as unknown as a made-up one."""

    database: Database

    def one(self, project_id: UUID, batch_id: UUID) -> Standing:
        """Return how a batch stands.

        Raises:
            NotFound: no such batch in this project.
        """
        mine = (batches.c.id == batch_id, batches.c.project_id == project_id)
        with self.database.transaction() as tx:
            rows = tx.rows(select(*batches.c).where(*mine))
            if not rows:
                raise NotFound("There is no such batch.")
            return standing(tx, rows)[0]

    def page(
        self, project_id: UUID, before_id: UUID | None, limit: int
    ) -> tuple[Sequence[Standing], UUID | None]:
        """Return a page of batches, newest first, and the id to go on from if there are more."""
        wanted = [of_project(batches.c, project_id)]
        if before_id is not None:
            wanted.append(batches.c.id < before_id)
        all_of_them = select(*batches.c).where(*wanted).order_by(*newest_first(batches.c))
        with self.database.transaction() as tx:
            rows = tx.rows(all_of_them.limit(limit + 1))
            shown = rows[:limit]
            found = standing(tx, shown)
        return found, shown[-1].id if len(rows) > limit else None
