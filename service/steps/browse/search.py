"""Images, newest first, by all that they can be narrowed to; every page costs little.

One condition is answered by an index in the order of the ids. What else is asked for is looked up
in these images, some at a time, and they are not many in all: a page may end before it is full and
say where to go on. A text that few prompts hold is found by its trigrams however old they are;
their index knows no order and may have much to sort out, so it is given little time.
"""

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.errors import QueryCanceled
from sqlalchemy import (
    ARRAY,
    Row,
    Select,
    Uuid,
    and_,
    any_,
    bindparam,
    func,
    or_,
    select,
    true,
)
from sqlalchemy.exc import OperationalError

from service.database import Database
from service.models import ImageTag, images, tags_of
from service.own_rows import newest_first, of_project
from service.steps.browse.filters import (
    Columns,
    Conditions,
    ImageFilter,
    ids_between,
    image_conditions,
)
from service.steps.browse.pages import Page, page_of

#: How many images are looked at before the trigrams are asked, and how many after that.
FIRST_STEPS = 2_000
MORE_STEPS = 8_000
#: How many of them in one statement: as an index of theirs has them, or by the ids of a tag.
LOOK = 1_000
LOOK_BY_ID = 400
#: A text that more prompts hold is common: the newest of them are found image by image.
MOST_RARE = 1_000
TRIGRAM_PATIENCE_MS = 60
#: What is shorter, or of another script, may have no trigram in the database's locale.
_HAS_TRIGRAM = re.compile(r"[a-z0-9]{3}", re.ASCII | re.IGNORECASE)
#: What an index finds in the order of the ids, the one that leaves the fewest first.
_IN_ORDER = ("parent", "tag", "favourite", "size", "model")
#: Newer than any.
_BEYOND = UUID(int=2**128 - 1)

#: For a text that it takes for a common one, the planner would look into every image.
_BY_TRIGRAMS_ALONE = select(
    func.set_config("statement_timeout", str(TRIGRAM_PATIENCE_MS), True),
    *(
        func.set_config(f"enable_{way}", "off", True)
        for way in ("seqscan", "indexscan", "indexonlyscan")
    ),
)


@dataclass(frozen=True)
class Search:
    """Looks for a project's images."""

    database: Database
    project_id: UUID
    only: ImageFilter

    def page(self, before_id: UUID | None, limit: int) -> Page:
        """Return those before an id, newest first; see Page for one that ends too soon."""
        last_id = before_id or _BEYOND
        found: list[Row[Any]] = []
        if not self._looked_up(images.c):
            with self.database.transaction() as tx:
                found = tx.rows(self._look(limit + 1, limit), {"before_id": last_id})
            return page_of(found, limit)
        steps = LOOK_BY_ID if self._driver() == "tag" else LOOK
        # to build it takes as long as to run it
        look = self._look(steps, limit)
        for most in (FIRST_STEPS, MORE_STEPS):
            with self.database.transaction() as tx:
                for _ in range(0, most, steps):
                    rows = tx.rows(look, {"before_id": last_id})
                    found += (row for row in rows if row.wanted)
                    if len(found) > limit or not (rows and rows[-1].last):
                        return page_of(found, limit)
                    last_id = rows[-1].id
            rare = self._rare(last_id, limit) if most == FIRST_STEPS else None
            if rare is not None:
                return page_of(found + rare, limit)
        return Page(found, last_id, is_cut=True)

    def _rare(self, before_id: UUID, limit: int) -> list[Row[Any]] | None:
        """Return all that is left of a page whose text is rare; None if it is not known to be."""
        if not _HAS_TRIGRAM.search(self.only.prompt_contains or ""):
            return None
        holding = select(images.c.id).where(
            images.c.project_id == self.project_id, image_conditions(self.only, images.c)["prompt"]
        )
        with self.database.transaction() as tx:
            tx.execute(_BY_TRIGRAMS_ALONE)
            try:
                ids = tx.rows(holding.limit(MOST_RARE + 1))
            except OperationalError as error:
                if isinstance(error.orig, QueryCanceled):
                    return None
                raise
        if len(ids) > MOST_RARE:
            return None
        older = sorted((one.id for one in ids if one.id < before_id), reverse=True)
        look = self._look(LOOK_BY_ID, limit, is_named=True)
        found: list[Row[Any]] = []
        with self.database.transaction() as tx:
            for first in range(0, len(older), LOOK_BY_ID):
                some = {"before_id": before_id, "among": older[first : first + LOOK_BY_ID]}
                found += (row for row in tx.rows(look, some) if row.wanted)
                if len(found) > limit:
                    break
        return found

    def _look(self, steps: int, limit: int, *, is_named: bool = False) -> Select[Any]:
        """Select what is asked for among so many images, one more than a page shows.

        And the one behind which the next look begins, wanted or not; a full page may be without it.
        """
        ids = self._ids(is_named=is_named)
        if self._driver() == "tag":
            # as an array: whatever else is asked for, the images are fetched by these ids
            led_to = images.c.id == any_(func.array(ids.limit(steps).scalar_subquery()))
            seen = select(*images.c).where(led_to).order_by(images.c.id.desc())
        else:
            seen = ids.with_only_columns(*images.c)
        is_last = images.c.id == ids.offset(steps - 1).limit(1).scalar_subquery()
        image = seen.add_columns(is_last.label("last")).limit(steps).subquery("images")
        is_wanted = and_(true(), *self._looked_up(image.c))
        return (
            # the tags of those that are shown, not of all that are looked at
            select(image, tags_of(image.c.id), is_wanted.label("wanted"))
            .where(or_(is_wanted, image.c.last))
            .order_by(*newest_first(image.c))
            .limit(limit + 1)
        )

    def _ids(self, *, is_named: bool) -> Select[Any]:
        """Select the ids of images as an index has them, newest first."""
        driver = self._driver()
        columns: Columns = ImageTag.__table__.c if driver == "tag" else images.c
        key = columns.image_id if driver == "tag" else columns.id
        mine = [of_project(columns, self.project_id), key < bindparam("before_id", type_=Uuid)]
        mine += ids_between(key, self.only.created_after, self.only.created_before)
        if driver == "tag":
            mine.append(columns.tag == self.only.tag)
        elif driver is not None:
            mine.append(image_conditions(self.only, columns)[driver])
        if is_named:
            mine.append(key == any_(bindparam("among", type_=ARRAY(Uuid))))
        return select(key).where(*mine).order_by(columns.project_id, key.desc())

    def _driver(self) -> str | None:
        given = image_conditions(self.only, images.c)
        return next((name for name in _IN_ORDER if name in given), None)

    def _looked_up(self, columns: Columns) -> Conditions:
        driver = self._driver()
        given = image_conditions(self.only, columns)
        return [one for name, one in given.items() if name != driver]
