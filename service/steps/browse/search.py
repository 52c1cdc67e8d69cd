"""Images, newest first, by all that they can be narrowed to; every page costs little.

One condition is answered by an index in the order of the ids. What else is asked for is looked up
in the images of these ids, and they are not many: a page may end before it is full and say where to
go on. A text that few prompts hold is found by its trigrams however old they are; their index knows
no order and may have much to sort out, so it is given little time.
"""

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.errors import QueryCanceled
from sqlalchemy import ColumnElement, Row, Select, func, select, true
from sqlalchemy.exc import OperationalError

from service.database import Database, Transaction
from service.models import ImageTag, images, tags_of
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
#: A text that more prompts hold is common: the newest of them are found image by image.
MOST_RARE = 1_000
TRIGRAM_PATIENCE_MS = 60
#: What is shorter, or of another script, may have no trigram in the database's locale.
_HAS_TRIGRAM = re.compile(r"[a-z0-9]{3}", re.ASCII | re.IGNORECASE)
#: What an index finds in the order of the ids, the one that leaves the fewest first.
_IN_ORDER = ("parent", "tag", "favourite", "size", "model")


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
        found: list[Row[Any]] = []
        is_direct = not self._looked_up(images.c)
        for steps in (limit + 1,) if is_direct else (FIRST_STEPS, MORE_STEPS):
            with self.database.transaction() as tx:
                found += self._among(tx, self._ids(before_id).limit(steps), limit)
                if len(found) > limit or is_direct:
                    return page_of(found, limit)
                before_id = tx.scalar(self._ids(before_id).offset(steps - 1).limit(1))
            if before_id is None:
                return Page(found, None)
            rare = self._rare(before_id, limit) if steps == FIRST_STEPS else None
            if rare is not None:
                return page_of(found + rare, limit)
        return Page(found, before_id, is_cut=True)

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
        older = [one.id for one in ids if one.id < before_id]
        with self.database.transaction() as tx:
            return self._among(tx, self._ids(among=older), limit)

    def _among(self, tx: Transaction, ids: Select[Any], limit: int) -> list[Row[Any]]:
        """Return the images of these ids that are as asked for, one more than a page shows."""
        named = ids.subquery("named")
        # a limit within: whatever else is asked for, each image is fetched by its id
        image = select(*images.c).where(images.c.id == named.c.id).limit(1).lateral("images")
        # the tags of those that are shown, not of all that are looked at
        shown = select(*image.c, tags_of(image.c.id))
        wanted = shown.join_from(named, image, true()).where(*self._looked_up(image.c))
        return tx.rows(wanted.order_by(named.c.id.desc()).limit(limit + 1))

    def _ids(self, before_id: UUID | None = None, among: list[UUID] | None = None) -> Select[Any]:
        """Return the ids of images as an index has them, newest first."""
        driver = self._driver()
        key: ColumnElement[Any] = images.c.id
        if driver == "tag":
            key = ImageTag.__table__.c.image_id
            mine = [ImageTag.project_id == self.project_id, ImageTag.tag == self.only.tag]
        else:
            mine = [images.c.project_id == self.project_id]
            mine += [image_conditions(self.only, images.c)[driver]] if driver else []
        if before_id is not None:
            mine.append(key < before_id)
        if among is not None:
            mine.append(key.in_(among))
        mine += ids_between(key, self.only.created_after, self.only.created_before)
        return select(key.label("id")).where(*mine).order_by(key.desc())

    def _driver(self) -> str | None:
        given = image_conditions(self.only, images.c)
        return next((name for name in _IN_ORDER if name in given), None)

    def _looked_up(self, columns: Columns) -> Conditions:
        driver = self._driver()
        given = image_conditions(self.only, columns)
        return [one for name, one in given.items() if name != driver]
