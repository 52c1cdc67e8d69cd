"""The two readings of a project."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from service.database import Database
from service.steps.survey.history import History, Window, history
from service.steps.survey.present import Present, present


@dataclass(frozen=True)
class Survey:
    """Reads some index ranges and some thousand rows at most, and changes nothing."""

    database: Database
    #: Whom we pay.
    providers: Sequence[str]

    def history(self, project_id: UUID, window: Window) -> History:
        """Return what a project's latest hours or days came to."""
        with self.database.transaction() as tx:
            return history(tx, project_id, window)

    def present(self, project_id: UUID) -> Present:
        """Return what a project waits for now."""
        with self.database.transaction() as tx:
            return present(tx, project_id, self.providers)
