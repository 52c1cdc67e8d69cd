"""Requests per minute of a project, over all its keys and all web processes.

A process is granted a few requests at a time and counts them down by itself, so that most requests
cost no statement. What is granted is counted at once: a project is never over its limit, and at
most a hundredth of it per process is granted elsewhere when it is told to wait.
"""

import threading
import time
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import BigInteger, Float, Numeric, bindparam, case, cast, extract, func
from sqlalchemy.dialects.postgresql import insert

from service.database import Database
from service.errors import RateLimited
from service.models import RequestCount

WINDOW_SECONDS = 60
#: The part of the limit that is granted at a time.
GRANTS_PER_WINDOW = 100


@dataclass(slots=True)
class Allowance:
    """What is left of a project's minute, as this process knows it."""

    limit: int
    #: Granted to this process, and left for all.
    granted: int
    ungranted: int
    #: By the monotonic clock.
    ends_at: float

    def is_of(self, limit: int) -> bool:
        """Return whether this is still what a project may do."""
        return self.limit == limit and time.monotonic() < self.ends_at

    @property
    def is_overdrawn(self) -> bool:
        """Return whether one more was counted than there was."""
        return self.granted < 0

    @property
    def remaining(self) -> int:
        """Return how many requests are left."""
        return max(0, self.granted + self.ungranted)

    @property
    def reset_seconds(self) -> int:
        """Return in how many seconds the next minute begins."""
        return max(1, round(self.ends_at - time.monotonic()))


class Rates:
    """Counts requests."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._known: dict[UUID, Allowance] = {}

    def take(self, project_id: UUID, limit: int) -> Allowance:
        """Count one request and return what is left after it.

        Raises:
            RateLimited: the minute's requests are used up.
            DatabaseUnavailable: nothing was counted.
        """
        left = self._count(project_id, limit)
        if left is None:
            left = self._ask(project_id, limit)
            # the first of those that were granted is this request's own
            left.granted -= 1
            self._keep(project_id, left)
        if left.is_overdrawn:
            wait = left.reset_seconds
            detail = f"The {limit} requests of this minute are used up; wait {wait} seconds."
            raise RateLimited(detail, retry_after_seconds=wait)
        return left

    def of(self, project_id: UUID) -> Allowance | None:
        """Return what this process knows to be left of a project's minute."""
        with self._lock:
            return self._known.get(project_id)

    def _count(self, project_id: UUID, limit: int) -> Allowance | None:
        """Count down; None if the database has to be asked for more."""
        with self._lock:
            known = self._known.get(project_id)
            if known is None or not known.is_of(limit) or (not known.granted and known.ungranted):
                return None
            left = replace(known, granted=known.granted - 1)
            known.granted = max(0, left.granted)
            return left

    def _keep(self, project_id: UUID, left: Allowance) -> None:
        """Keep what was granted besides; another thread may have been granted some meanwhile."""
        with self._lock:
            kept = replace(left, granted=max(0, left.granted))
            other = self._known.get(project_id)
            if other is not None and other.is_of(left.limit):
                kept.granted += other.granted
                kept.ungranted = min(kept.ungranted, other.ungranted)
            self._known[project_id] = kept

    def _ask(self, project_id: UUID, limit: int) -> Allowance:
        wanted = max(1, limit // GRANTS_PER_WINDOW)
        with self._database.transaction() as tx:
            row = tx.first(_GRANT, {"of_project": project_id, "wanted": wanted})
        granted = min(limit, row.granted)
        return Allowance(
            limit,
            granted=granted - min(limit, row.granted - wanted),
            ungranted=limit - granted,
            ends_at=time.monotonic() + float(row.left_seconds),
        )


_EPOCH = cast(extract("epoch", func.now()), Float)
_MINUTE = cast(func.floor(_EPOCH / WINDOW_SECONDS), BigInteger)
_COUNT = insert(RequestCount).values(
    project_id=bindparam("of_project"), minute=_MINUTE, granted=bindparam("wanted")
)
#: Who waited for the row since the minute before is counted to the one that has begun meanwhile.
_HAS_BEGUN = RequestCount.minute.in_((_COUNT.excluded.minute, _COUNT.excluded.minute + 1))
_GRANT = _COUNT.on_conflict_do_update(
    index_elements=["project_id"],
    set_={
        "minute": case((_HAS_BEGUN, RequestCount.minute), else_=_COUNT.excluded.minute),
        "granted": case((_HAS_BEGUN, RequestCount.granted), else_=0) + _COUNT.excluded.granted,
    },
).returning(
    RequestCount.granted,
    (WINDOW_SECONDS - func.mod(cast(_EPOCH, Numeric), WINDOW_SECONDS)).label("left_seconds"),
)
