"""How this database stands: the deployment's row, and what its server says of itself."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Row, Select, func, insert, literal_column, or_, select, text
from sqlalchemy.exc import DBAPIError

from service.clock import seconds
from service.database import Database, Transaction
from service.deployment import here, unverified
from service.ids import new_id
from service.logs import get_log
from service.models import Attempt, Deployment
from service.steps.recover.mark import Mark

log = get_log(__name__)

#: How often a mark is left, whichever worker does it.
MARK_EVERY_SECONDS = 5.0
#: Any number that no other advisory lock of this database uses.
_LOCK = 0x6D61726B
#: What tells one PostgreSQL from another. Every role may ask, unless somebody took that right away.
_FACTS = {
    "system_identifier": "SELECT system_identifier::text FROM pg_control_system()",
    # the name of a WAL file begins with the timeline that is written now
    "timeline": "SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)",
}

#: The row's columns, and beside them: newest_attempt, each fact, is_unverified, is_due, here
#: and now.
Standing = Row[Any]


@dataclass(frozen=True)
class Standings:
    """Reads how this database stands; makes the row where there is none."""

    database: Database

    def read(self) -> Standing:
        """Return how it stands."""
        statement = self._statement
        with self.database.transaction() as tx:
            standing: Standing | None = tx.first(statement)
            if standing is None:
                # one at a time: there is no key that a second row would violate
                tx.scalar(select(func.pg_advisory_xact_lock(_LOCK)))
                if tx.first(statement) is None:
                    tx.execute(insert(Deployment).values(id=new_id()))
                standing = tx.first(statement)
        assert standing is not None  # noqa: S101 - there is one by now
        return standing

    def lock(self, tx: Transaction) -> Standing:
        """Return how it stands once more, and keep it so until the transaction ends."""
        standing: Standing = tx.first(self._statement.with_for_update(of=Deployment))
        return standing

    @cached_property
    def _statement(self) -> Select[Any]:
        newest = select(Attempt.id).order_by(Attempt.id.desc()).limit(1).scalar_subquery()
        is_old = Deployment.marked_at <= func.now() - seconds(MARK_EVERY_SECONDS)
        return select(
            *Deployment.__table__.c,
            newest.label("newest_attempt"),
            *self._facts(),
            unverified().label("is_unverified"),
            or_(unverified(), is_old).label("is_due"),
            here().label("here"),
            func.now().label("now"),
        )

    def _facts(self) -> list[Any]:
        """Return columns of what this role may read here; each is tried on its own."""
        columns: list[Any] = []
        for name, statement in _FACTS.items():
            readable = f"({statement})"
            try:
                with self.database.transaction() as tx:
                    tx.scalar(text(statement))
            except DBAPIError as error:
                log.warning("mark_without", fact=name, reason=type(error.orig).__name__)
                readable = "NULL"
            columns.append(literal_column(readable).label(name))
        return columns


def reading(standing: Standing, number: int) -> Mark:
    """Return the mark of so high a number that this standing would leave."""
    return Mark(
        number=number,
        newest_attempt=standing.newest_attempt,
        system_identifier=standing.system_identifier,
        timeline=standing.timeline,
        at=standing.now,
    )
