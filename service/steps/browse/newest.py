"""A project's jobs, newest first, as an index has them.

With metadata it is the index of their pairs: a page costs the same however many jobs hold a pair,
and however few. Of several pairs the one is walked that the fewest jobs hold; the others, and what
else is asked for, are looked up in each job on the way.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, LargeBinary, Select, Table, func, select, true
from sqlalchemy.dialects.postgresql import array

from service.database import Transaction
from service.models import JobPair, jobs, pair_of
from service.own_rows import newest_first, of_project
from service.steps.browse.filters import Conditions, JobFilter, ids_between, job_conditions

#: Of two pairs, one is the rarer whose so-manieth job from here on is the older, or not there.
FAR = 200

_pairs: Table = JobPair.__table__  # type: ignore[assignment]
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
    found = found.where(*job_conditions(only))
    if not only.metadata:
        mine = (of_project(jobs.c, project_id), *bounds(jobs.c.id))
        return found.where(*mine).order_by(*newest_first(jobs.c))
    tx.execute(_AS_INDEXED)
    key = _pairs.c.job_id
    walked = [*bounds(key), *ids_between(key, only.created_after, only.created_before)]
    pairs = [pair_of(project_id, name, value) for name, value in only.metadata.items()]
    pair = pairs[0] if len(pairs) == 1 else _rarest(pairs, walked)
    # a limit within: whatever else is asked for, each job is fetched by its id, as the walk goes
    mine = (jobs.c.id == key, jobs.c.project_id == project_id)
    job = found.where(*mine).limit(1).correlate(_pairs).lateral("job")
    walk = select(job).join_from(_pairs, job, true())
    return walk.where(_pairs.c.pair == pair, *walked).order_by(key.desc())


def _rarest(pairs: list[Any], walked: Conditions) -> Any:  # noqa: ANN401 - columns, and a subquery
    among: array[bytes] = array(pairs, type_=LargeBinary)
    asked = func.unnest(among).table_valued("pair").render_derived()
    key = _pairs.c.job_id
    far = select(key).where(_pairs.c.pair == asked.c.pair, *walked).correlate(asked)
    far = far.order_by(key.desc()).offset(FAR - 1).limit(1)
    oldest_first = far.scalar_subquery().asc().nulls_first()
    return select(asked.c.pair).order_by(oldest_first).limit(1).scalar_subquery()
