"""Rows of log-ins go when their time is over, and not before."""

from sqlalchemy import func, select, update

from service.clock import seconds
from service.ids import Kind, read_id
from service.keys import NewKey
from service.models import BrowserSession, LoginLink
from service.wiring import Wiring


def count(wiring: Wiring) -> tuple[int, int]:
    with wiring.database.transaction() as tx:
        sessions = tx.scalar(select(func.count()).select_from(BrowserSession))
        return sessions, tx.scalar(select(func.count()).select_from(LoginLink))


def test_old_sessions_and_links_go_and_living_ones_stay(wiring: Wiring, key: NewKey) -> None:
    key_id = read_id(Kind.KEY, key.key_id)
    assert key_id is not None
    sessions, links = wiring.keys.sessions, wiring.keys.links
    sessions.end(sessions.begin(key_id))
    links.use(str(links.create(key.key_id)))
    with wiring.database.transaction() as tx:
        for table in (BrowserSession, LoginLink):
            tx.execute(update(table).values(expires_at=func.now() - seconds(1)))
    living, unused = sessions.begin(key_id), links.create(key.key_id)
    assert count(wiring) == (3, 2)
    wiring.discard()
    assert count(wiring) == (1, 1)
    assert sessions.caller(living) is not None
    assert links.use(str(unused)) is not None
