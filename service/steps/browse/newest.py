"""A project's jobs, newest first, as an index has them.

With metadata it is the index of their pairs: a page costs the same however many jobs hold a pair,
and however few. Whatever else is asked for is looked up in each job on the way, so of several pairs
and a state the rarest is walked.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, func, select, true

from service.database import Transaction
from service.models import JobPair, jobs, pair_of
from service.own_rows import newest_first, of_project
from service.steps.browse.filters import Conditions, JobFilter, ids_between, job_conditions

#: What is rare has its 200th job from here on further back than others, or has none.
FAR = 200

_pairs: Table = JobPair.__table__  # type: ignore[assignment]
_NOWHERE = UUID(int=0)
#: What holds of the ids that are walked, such as that they come before a page's first.
Bounds = Callable[[ColumnElement[UUID]], Conditions]
#: How many jobs hold a pair the planner can but guess; for a few it would read them all, and sort.
_AS_INDEXED = select(
    *(func.set_config(f"enable_{way}", "off", True) for way in ("bitmapscan", "seqscan"))
)


def newest_jobs(
    tx: Transaction, found: Select[Any], project_id: UUID, only: JobFilter, bounds: Bounds
) -> Select[Any]:
    """Return those jobs of a project that `found` selects and a filter shows, newest first.

    It is for this transaction, in which tables are read by their indexes' order from now on.
    """

    def span(key: ColumnElement[UUID]) -> Conditions:
        return [*bounds(key), *ids_between(key, only.created_after, only.created_before)]

    found = found.where(*job_conditions(only))
    pair = _walked(tx, project_id, only, span) if only.metadata else None
    if pair is None:
        mine = (of_project(jobs.c, project_id), *bounds(jobs.c.id))
        return found.where(*mine).order_by(*newest_first(jobs.c))
    # a limit within: whatever else is asked for, each job is fetched by its id, as the walk goes
    mine = (jobs.c.id == _pairs.c.job_id, jobs.c.project_id == project_id)
    job = found.where(*mine).limit(1).correlate(_pairs).lateral("job")
    walk = select(job).join_from(_pairs, job, true())
    walk = walk.where(_pairs.c.pair == pair, *span(_pairs.c.job_id))
    return walk.order_by(_pairs.c.job_id.desc())


def _walked(
    tx: Transaction, project_id: UUID, only: JobFilter, span: Bounds
) -> ColumnElement[bytes] | None:
    """Return the pair that the fewest jobs hold; None if fewer are in the state asked for."""
    tx.execute(_AS_INDEXED)
    pairs = [pair_of(project_id, name, value) for name, value in only.metadata.items()]
    if len(pairs) == 1 and only.status is None:
        return pairs[0]
    key = _pairs.c.job_id
    holding = select(key).where(*span(key)).order_by(key.desc())
    ways = [holding.where(_pairs.c.pair == pair) for pair in pairs]
    if only.status is not None:
        mine = (of_project(jobs.c, project_id), jobs.c.status == only.status, *span(jobs.c.id))
        ways.append(select(jobs.c.id).where(*mine).order_by(*newest_first(jobs.c)))
    far = tx.first(select(*(way.offset(FAR - 1).limit(1).scalar_subquery() for way in ways)))
    rarest = min(range(len(ways)), key=lambda number: far[number] or _NOWHERE)
    return pairs[rarest] if rarest < len(pairs) else None

