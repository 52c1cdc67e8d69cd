"""Browse: what callers and people read. Nothing here changes a row.

Lists are keyset pages over the id, newest first: a page costs the same wherever it begins.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Table, and_, select

from service.database import Database, Transaction
from service.errors import FieldError, NotFound
from service.ids import Kind, public_id
from service.models import (
    CallbackHost,
    Delivery,
    DeliveryAttempt,
    JobEvent,
    images,
    jobs,
    uploads,
)
from service.own_rows import newest_first, of_project
from service.removals import find_image, gone_of
from service.steps.browse.filters import (
    Conditions,
    DeliveryFilter,
    ImageFilter,
    JobFilter,
    delivery_conditions,
)
from service.steps.browse.newest import newest_jobs
from service.steps.browse.pages import Page, Rows, page_of
from service.steps.browse.search import Search

#: Of a delivery, the latest: each is up to 2 KiB, and asked for again there is no end to them.
MAX_TRIES_SHOWN = 100


@dataclass(frozen=True)
class Browse:
    """Reads one project's rows; another project's id is as unknown as a made-up one."""

    database: Database

    def job(self, project_id: UUID, job_id: UUID) -> tuple[Row[Any], Rows]:
        """Return a job and its images.

        Raises:
            NotFound: no such job in this project.
        """
        with self.database.transaction() as tx:
            row = tx.first(_jobs().where(jobs.c.id == job_id, jobs.c.project_id == project_id))
            if row is None:
                raise NotFound("There is no such job.")
            return row, _images_of(tx, [job_id])

    def jobs(
        self, project_id: UUID, only: JobFilter, before_id: UUID | None, limit: int
    ) -> tuple[Page, Rows]:
        """Return a page of jobs, newest first, and their images."""

        def bounds(key: ColumnElement[UUID]) -> Conditions:
            return [] if before_id is None else [key < before_id]

        with self.database.transaction() as tx:
            wanted = newest_jobs(tx, _jobs(), project_id, only, bounds)
            rows = tx.rows(wanted.limit(limit + 1))
            page = page_of(rows, limit)
            return page, _images_of(tx, [row.id for row in page.rows])

    def events(self, project_id: UUID, job_id: UUID) -> Rows:
        """Return a job's timeline from its beginning.

        Raises:
            NotFound: no such job in this project.
        """
        with self.database.transaction() as tx:
            rows = tx.rows(
                select(*JobEvent.__table__.c)
                .join(jobs, jobs.c.id == JobEvent.job_id)
                .where(JobEvent.job_id == job_id, jobs.c.project_id == project_id)
                .order_by(JobEvent.seq)
            )
        if not rows:
            raise NotFound("There is no such job.")
        return rows

    def deliveries(self, project_id: UUID, job_id: UUID) -> tuple[Rows, Rows]:
        """Return a job's callbacks, each with how its host does, and every try of them."""
        with self.database.transaction() as tx:
            owed = tx.rows(
                _deliveries()
                .where(Delivery.job_id == job_id, Delivery.project_id == project_id)
                .order_by(Delivery.seq)
            )
            tries = tx.rows(
                select(*DeliveryAttempt.__table__.c)
                .join(Delivery, Delivery.id == DeliveryAttempt.delivery_id)
                .where(
                    DeliveryAttempt.delivery_id.in_([row.id for row in owed]),
                    DeliveryAttempt.number > Delivery.tries - MAX_TRIES_SHOWN,
                )
                .order_by(DeliveryAttempt.delivery_id, DeliveryAttempt.number)
            )
        return owed, tries

    def deliveries_page(
        self, project_id: UUID, only: DeliveryFilter, before_id: UUID | None, limit: int
    ) -> Page:
        """Return a page of callbacks, newest first, each with how its host does."""
        wanted = [of_project(Delivery, project_id), *delivery_conditions(only)]
        if before_id is not None:
            wanted.append(Delivery.id < before_id)
        found = _deliveries().where(*wanted).order_by(*newest_first(Delivery))
        with self.database.transaction() as tx:
            return page_of(tx.rows(found.limit(limit + 1)), limit)

    def delivery(self, project_id: UUID, delivery_id: UUID) -> tuple[Row[Any], Rows]:
        """Return a callback and every try of it.

        Raises:
            NotFound: no such callback in this project.
        """
        mine = (Delivery.id == delivery_id, Delivery.project_id == project_id)
        with self.database.transaction() as tx:
            row = tx.first(_deliveries().where(*mine))
            if row is None:
                raise NotFound("There is no such delivery.")
            tries = select(*DeliveryAttempt.__table__.c).where(
                DeliveryAttempt.delivery_id == delivery_id,
                DeliveryAttempt.number > row.tries - MAX_TRIES_SHOWN,
            )
            return row, tx.rows(tries.order_by(DeliveryAttempt.number))

    def image(self, project_id: UUID, image_id: UUID) -> Row[Any]:
        """Return an image, and its tags.

        Raises:
            Gone: it was deleted.
            NotFound: no such image in this project.
        """
        with self.database.transaction() as tx:
            return find_image(tx, project_id, image_id)

    def images(
        self, project_id: UUID, before_id: UUID | None, limit: int, only: ImageFilter
    ) -> Page:
        """Return a page of images with their tags, newest first; it may be short, see Page."""
        return Search(self.database, project_id, only).page(before_id, limit)

    def picked(self, project_id: UUID, ids: Collection[UUID]) -> tuple[Rows, set[UUID]]:
        """Return some images in the order of their ids, and the ids of those that were deleted.

        Raises:
            NotFound: some are no images of this project; each of them is named.
        """
        mine = select(*images.c).where(images.c.id.in_(ids), images.c.project_id == project_id)
        with self.database.transaction() as tx:
            found = {row.id: row for row in tx.rows(mine)}
            gone = gone_of(tx, project_id, [one for one in ids if one not in found])
        names = [public_id(Kind.IMAGE, one) for one in ids if one not in gone and one not in found]
        if names:
            unknown = [FieldError("/image", f"{name} is not known") for name in names]
            raise NotFound("There are no such images.", unknown)
        return [found[one] for one in ids if one in found], gone

    def images_named(self, project_id: UUID, ids: Collection[UUID]) -> dict[UUID, Row[Any]]:
        """Return those of some images that are still there."""
        return self._named(images, project_id, ids)

    def uploads_named(self, project_id: UUID, ids: Collection[UUID]) -> dict[UUID, Row[Any]]:
        """Return those of some uploads that are still there."""
        return self._named(uploads, project_id, ids)

    def _named(self, table: Table, project_id: UUID, ids: Collection[UUID]) -> dict[UUID, Row[Any]]:
        if not ids:
            return {}
        wanted = select(*table.c).where(table.c.id.in_(ids), table.c.project_id == project_id)
        with self.database.transaction() as tx:
            return {row.id: row for row in tx.rows(wanted)}


def _jobs() -> Any:  # noqa: ANN401 - a Select of many columns
    callback_status = (
        select(Delivery.status)
        .where(Delivery.job_id == jobs.c.id)
        .order_by(Delivery.seq.desc())
        .limit(1)
        .scalar_subquery()
    )
    return select(*jobs.c, callback_status.label("callback_status"))


def _images_of(tx: Transaction, job_ids: Sequence[UUID]) -> Rows:
    return tx.rows(select(*images.c).where(images.c.job_id.in_(job_ids))) if job_ids else []


def _deliveries() -> Any:  # noqa: ANN401 - a Select of many columns
    host = and_(
        CallbackHost.project_id == Delivery.project_id, CallbackHost.origin == Delivery.origin
    )
    shown = (
        CallbackHost.failing_since,
        CallbackHost.failures,
        CallbackHost.reason,
        CallbackHost.probe_at,
    )
    return select(*Delivery.__table__.c, *shown).outerjoin(CallbackHost, host)
