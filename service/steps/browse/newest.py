"""A project's jobs, newest first, as an index has them.

With metadata it is the index of their pairs: a page costs the same however many jobs hold a pair,
and however few. What else is asked for is looked up in each job on the way; so of all that is asked
for the rarest is walked.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select, true

from service.database import Transaction
from service.models import job_pairs, jobs, pair_of
from service.own_rows import newest_first, of_project
from service.states import TERMINAL
from service.steps.browse.filters import Conditions, JobFilter, ids_between, job_conditions

#: What is rare has its 200th job from here on further back than others, or has none.
FAR = 200

_NOWHERE, _BEFORE_ALL = UUID(int=0), UUID(int=1)
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
    # no batch has many jobs
    is_paired = only.metadata and only.batch_id is None
    pair = _rarest(tx, project_id, only, span) if is_paired else None
    if pair is None:
        mine = (of_project(jobs.c, project_id), *bounds(jobs.c.id))
        return found.where(*mine).order_by(*newest_first(jobs.c))
    # a limit within: whatever else is asked for, each job is fetched by its id, as the walk goes
    mine = (jobs.c.id == job_pairs.c.job_id, jobs.c.project_id == project_id)
    job = found.where(*mine).limit(1).correlate(job_pairs).lateral("job")
    walk = select(job).join_from(job_pairs, job, true())
    walk = walk.where(job_pairs.c.pair == pair, *span(job_pairs.c.job_id))
    return walk.order_by(job_pairs.c.job_id.desc())


def _rarest(
    tx: Transaction, project_id: UUID, only: JobFilter, span: Bounds
) -> ColumnElement[bytes] | None:
    """Return the pair that the fewest jobs hold; None if something else leaves fewer."""
    tx.execute(_AS_INDEXED)
    pairs = [pair_of(project_id, name, value) for name, value in only.metadata.items()]
    key = job_pairs.c.job_id
    holding = select(key).where(*span(key)).order_by(key.desc())
    mine = select(jobs.c.id).where(of_project(jobs.c, project_id), *span(jobs.c.id))
    listed = (
        (jobs.c.status, only.status),
        (jobs.c.model, only.model),
        (jobs.c.error_code, only.error_code),
    )
    ways = [
        *(holding.where(job_pairs.c.pair == pair) for pair in pairs),
        *(
            mine.where(column == said).order_by(*newest_first(jobs.c))
            for column, said in listed
            if said is not None
        ),
    ]
    if len(ways) == 1:
        return pairs[0]
    fars = tx.first(select(*(way.offset(FAR - 1).limit(1).scalar_subquery() for way in ways)))
    far = [one or _NOWHERE for one in fars]
    if only.status is not None and only.status not in TERMINAL:
        # all of them are recent: close together, and yet few beside a pair's past
        far[len(pairs)] = min(far[len(pairs)], _BEFORE_ALL)
    rarest = far.index(min(far))
    return pairs[rarest] if rarest < len(pairs) else None
