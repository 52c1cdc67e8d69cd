"""What an operator asks for on the command line, and what only now and then somebody asks for."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import UUID

from growth_rows import Filled
from growth_watch import Watch
from sqlalchemy import Connection, text

from service.ids import Kind, read_id
from service.states import Status
from service.steps.browse import ImageFilter, JobFilter
from service.wiring import Wiring

_FEW = 20
_AN_HOUR_AGO = text("UPDATE sessions SET last_seen_at = now() - interval '1 hour'")


def by_hand(wiring: Wiring, watch: Watch, filled: Filled) -> None:
    """Run every command that reads or changes tables."""
    since = datetime.now(UTC) - timedelta(days=1)
    asked: dict[str, Callable[[], object]] = {
        "reconcile": lambda: wiring.reconcile.accounts(since),
        "reconcile, doubts": lambda: list(wiring.reconcile.doubts(since)),
        "recover, look": wiring.recover.look,
        "recover, doubts": lambda: list(islice(wiring.doubts.find(since), _FEW)),
        "recover, webhooks": wiring.doubts.unmatched_webhooks,
        "recover, release": wiring.recover.release,
        "reindex": lambda: list(wiring.reindex.run(1)),
        "verify": lambda: list(islice(wiring.verify.run(None, 1), 1)),
        "verify, sample": lambda: list(wiring.verify.run(5, 1)),
        "keys": wiring.keys.listing,
        "key": lambda: wiring.keys.one(_key_id(filled)),
        "key, another": lambda: wiring.keys.create("large"),
        "projects": wiring.projects.all,
        "project, change": lambda: wiring.projects.change("large", {"max_queued": 100_000}),
    }
    for name, ask in asked.items():
        with watch.capturing(f"by hand: {name}", period="by hand"):
            ask()


def now_and_then(wiring: Wiring, watch: Watch, filled: Filled, plain: Connection) -> None:
    """Ask for what the routes ask for in few cases."""
    token = wiring.keys.sessions.begin(_key_id(filled))
    plain.execute(_AN_HOUR_AGO)
    mine = filled.project_ids[0]
    (place, other, _) = filled.places
    queued = wiring.matching.find(mine, JobFilter(), [Status.QUEUED], _FEW).ids
    failed = wiring.matching.find(mine, JobFilter(), [Status.FAILED], 3).ids
    known = dict.fromkeys(queued, Status.QUEUED) | {place.job_id: Status.STORING}
    newest = wiring.browse.images(mine, None, 1, ImageFilter())
    asked: dict[str, Callable[[], object]] = {
        "watchers": lambda: wiring.keys.living([_key_id(filled)]),
        "named images": lambda: wiring.browse.images_named(mine, [place.image_id, other.image_id]),
        "named uploads": lambda: wiring.browse.uploads_named(mine, [place.image_id]),
        "wall, news": lambda: wiring.wall.news(mine, filled.newest, newest.rows[0].id, known),
        "redeliver a batch": lambda: wiring.redeliver.of_batch(mine, place.batch_id),
        "cancel together": lambda: wiring.together.cancel(mine, queued),
        "retry together": lambda: wiring.together.retry(mine, failed),
        "usage with a limit": lambda: wiring.projects.of(filled.project_ids[1]),
        "session seen again": lambda: wiring.keys.sessions.caller(token),
        "log in by link": lambda: _log_in(wiring, filled),
    }
    for name, ask in asked.items():
        with watch.capturing(name):
            ask()


def _log_in(wiring: Wiring, filled: Filled) -> None:
    token = wiring.keys.links.create(filled.keys[0].key_id) or ""
    wiring.keys.links.project(token)
    wiring.keys.links.use(token)


def _key_id(filled: Filled) -> UUID:
    found = read_id(Kind.KEY, filled.keys[0].key_id)
    assert found is not None  # noqa: S101 - the product's own
    return found
