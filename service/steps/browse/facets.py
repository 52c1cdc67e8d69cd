"""Facets: by what a project's images can be narrowed, and how many of each there are.

A count reads one index, and of that no more than a bound.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, literal, select
from sqlalchemy.orm import InstrumentedAttribute

from service.database import Database
from service.models import Image, ImageTag, Size, images
from service.steps.browse.filters import ImageFilter, ids_between, image_conditions

#: No count is higher: more are this many "and more".
COUNTED = 1_000
#: In the order of the alphabet; the others are asked for by name.
MOST_MODELS = 30
MOST_TAGS = 24

#: How many there are of each; COUNTED + 1: more.
Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Found:
    """How many of a project's images there are of each kind."""

    models: Counts
    tags: Counts
    sizes: Counts
    favourites: int
    #: In the order of the moments since which they were asked for.
    since: list[int]


@dataclass(frozen=True)
class Facets:
    """Counts a project's images."""

    database: Database

    def of(self, project_id: UUID, since: list[datetime]) -> Found:
        """Return the counts of all images, and of those made since some moments."""
        mine = images.c.project_id == project_id
        asked = [
            *(ImageFilter(size=size) for size in Size),
            ImageFilter(is_favourite=True),
        ]
        narrow = [[mine, *image_conditions(only, images.c).values()] for only in asked]
        # by the ids alone: they are as old as their images to a moment
        narrow += [[mine, *ids_between(images.c.id, moment, None)] for moment in since]
        with self.database.transaction() as tx:
            models = tx.rows(
                _each(Image.model, Image.project_id, Image.id, project_id, MOST_MODELS)
            )
            tags = tx.rows(
                _each(ImageTag.tag, ImageTag.project_id, ImageTag.image_id, project_id, MOST_TAGS)
            )
            numbers = list(
                tx.first(select(*(_counted(select(images.c.id).where(*one)) for one in narrow)))
            )
        sizes = dict(zip(Size, numbers, strict=False))
        return Found(
            models={row.value: row.number for row in models},
            tags={row.value: row.number for row in tags},
            sizes=sizes,
            favourites=numbers[len(sizes)],
            since=numbers[len(sizes) + 1 :],
        )


def _each(
    named: InstrumentedAttribute[str],
    project: InstrumentedAttribute[UUID],
    key: InstrumentedAttribute[UUID],
    project_id: UUID,
    most: int,
) -> Select[Any]:
    """Return the first values of a column with their counts, hopping from one to the next."""
    mine = project == project_id
    first = select(named.label("value")).where(mine).order_by(named).limit(1).subquery()
    hops = select(first.c.value).cte("hops", recursive=True)
    following = select(named).where(mine, named > hops.c.value).order_by(named).limit(1)
    hops = hops.union_all(select(following.scalar_subquery()).where(hops.c.value.is_not(None)))
    number = _counted(select(key).where(mine, named == hops.c.value).correlate(hops), key)
    return select(hops.c.value, number.label("number")).where(hops.c.value.is_not(None)).limit(most)


def _counted(
    wanted: Select[Any], key: ColumnElement[UUID] | InstrumentedAttribute[UUID] = images.c.id
) -> Any:  # noqa: ANN401 - a scalar subquery
    # in the index's own order, or the planner may prefer to look into every image
    few = wanted.order_by(key.desc()).limit(literal(COUNTED + 1)).subquery()
    return select(func.count()).select_from(few).scalar_subquery()
