"""Wall: what stands before the newest images, and what has changed since somebody looked."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Uuid, bindparam, func, select, union_all

from service.database import Database, Transaction
from service.ids import first_id, made_at
from service.models import images, jobs
from service.own_rows import newest_first, of_project, oldest_first
from service.states import Status
from service.steps.browse.pages import Rows

#: Jobs under way that are shown; the others come when these have ended.
JOBS_SHOWN = 24
#: Those that failed, of the latest.
FAILED_SHOWN = 4
FAILED_WITHIN = timedelta(minutes=30)
#: New images that are told at once; with more the page is better loaded again.
IMAGES_TOLD = 48
#: Of a prompt, read for a cell.
PROMPT_CHARS = 500
#: Ids are made before their rows are there for others: those of so long ago are told once more.
OVERLAP = timedelta(seconds=10)

#: The nearest to their picture first.
_UNDER_WAY = (
    Status.STORING,
    Status.GENERATING,
    Status.UNCONFIRMED,
    Status.SUBMITTING,
    Status.QUEUED,
)


_ORDER = (*_UNDER_WAY, Status.FAILED)


@dataclass(frozen=True, slots=True)
class News:
    """What is to be shown anew."""

    #: Whose state is not the one that was known, unless they have become an image.
    jobs: Rows
    #: Of a job that was known, or newer than the newest that was; newest first.
    images: Rows
    #: Jobs of which there is nothing to show any more.
    gone: list[UUID]


@dataclass(frozen=True)
class Wall:
    """Reads what is under way in a project."""

    database: Database

    def under_way(self, project_id: UUID, now: datetime) -> Rows:
        """Return the jobs under way, the nearest to their picture first, and what just failed."""
        with self.database.transaction() as tx:
            return _under_way(tx, project_id, now)

    def news(
        self, project_id: UUID, now: datetime, newest_id: UUID | None, known: Mapping[UUID, Status]
    ) -> News:
        """Return what has changed, given the newest image and the states that are known."""
        mine = of_project(images.c, project_id)
        latest = select(*images.c).where(mine)
        if newest_id is not None:
            latest = latest.where(images.c.id >= first_id(made_at(newest_id) - OVERLAP))
        with self.database.transaction() as tx:
            asked, drawn = _named(tx, project_id, known) if known else ([], [])
            shown = _under_way(tx, project_id, now)
            new = tx.rows(latest.order_by(*newest_first(images.c)).limit(IMAGES_TOLD))
        became = {row.job_id for row in drawn}
        there = {row.id: row for row in (*shown, *asked) if row.status in _ORDER}
        return News(
            jobs=[
                row
                for row in there.values()
                if row.id not in became and known.get(row.id) != row.status
            ],
            images=[*drawn, *(row for row in new if row.job_id not in became)],
            gone=[one for one in known if one not in there and one not in became],
        )


def _shown() -> Select[Any]:
    """Select what a cell shows of a job; an input may hold pictures."""
    sides = [jobs.c.input[name].astext.label(name) for name in ("width", "height", "aspect_ratio")]
    prompt = func.left(jobs.c.input["prompt"].astext, PROMPT_CHARS).label("prompt")
    told = (jobs.c.id, jobs.c.status, jobs.c.model, jobs.c.created_at, jobs.c.error_message)
    return select(*told, prompt, *sides)


def _named(tx: Transaction, project_id: UUID, known: Collection[UUID]) -> tuple[Rows, Rows]:
    """Return some jobs, and the images that they have become."""
    mine = (jobs.c.id.in_(known), jobs.c.project_id == project_id)
    drawn = (images.c.job_id.in_(known), images.c.project_id == project_id)
    return tx.rows(_shown().where(*mine)), tx.rows(select(*images.c).where(*drawn))


def _in_state(state: Status) -> Select[Any]:
    mine = (of_project(jobs.c, bindparam("project_id", type_=Uuid)), jobs.c.status == state)
    if state == Status.FAILED:
        latest = _shown().where(*mine, jobs.c.id >= bindparam("since"))
        return latest.order_by(*newest_first(jobs.c)).limit(FAILED_SHOWN)
    return _shown().where(*mine).order_by(*oldest_first(jobs.c)).limit(JOBS_SHOWN)


#: Each by the index of its own state: the walk through all jobs could be long.
_FIRST_IN_EACH_STATE = union_all(*(select(_in_state(state).subquery()) for state in _ORDER))


def _under_way(tx: Transaction, project_id: UUID, now: datetime) -> Rows:
    since = first_id(now - FAILED_WITHIN)
    rows = tx.rows(_FIRST_IN_EACH_STATE, {"project_id": project_id, "since": since})
    rows.sort(key=lambda row: _ORDER.index(row.status))
    shown = [row for row in rows if row.status != Status.FAILED][:JOBS_SHOWN]
    return [*shown, *(row for row in rows if row.status == Status.FAILED)]
