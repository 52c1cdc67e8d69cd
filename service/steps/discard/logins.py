"""Log-ins whose time is over: browsers' sessions, and links that logged one in or never did."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, func, select

from service.database import Database
from service.logs import get_log
from service.models import BrowserSession, LoginLink
from service.steps.discard.turn import BATCH

log = get_log(__name__)


@dataclass(frozen=True)
class OldLogins:
    """Deletes rows that open nothing any more; many more are left for the next turns."""

    database: Database

    def __call__(self) -> None:
        """Take a turn."""
        with self.database.transaction() as tx:
            sessions, links = (tx.execute(statement) for statement in _OLD)
        if sessions or links:
            log.info("old_logins_discarded", sessions=sessions, links=links)


def _is_over(table: type[BrowserSession | LoginLink]) -> ColumnElement[bool]:
    old = (
        select(table.sha256)
        .where(table.expires_at <= func.now())
        .order_by(table.expires_at)
        .limit(10 * BATCH)
        .with_for_update(skip_locked=True)
        .cte()
    )
    return table.sha256.in_(select(old.c.sha256))


_OLD = [delete(table).where(_is_over(table)) for table in (BrowserSession, LoginLink)]
