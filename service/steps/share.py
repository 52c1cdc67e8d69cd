"""Share: a link that opens one image without a key, until it ends or is revoked."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, func, insert, select, update

from service.clock import seconds
from service.database import Database
from service.errors import Gone, NotFound
from service.ids import new_id
from service.models import Share as Link
from service.removals import find_image

#: Links of one image that are shown, the newest.
MAX_LISTED = 1000


@dataclass(frozen=True)
class Share:
    """Makes, lists, revokes and opens links; the database decides whether one still opens."""

    database: Database

    def create(
        self, project_id: UUID, image_id: UUID, lifetime_seconds: float, *, shows_prompt: bool
    ) -> Row[Any]:
        """Return a new link.

        Raises:
            Gone: the image was deleted.
            NotFound: no such image in this project.
        """
        with self.database.transaction() as tx:
            find_image(tx, project_id, image_id)
            row: Row[Any] = tx.first(
                insert(Link)
                .values(
                    id=new_id(),
                    project_id=project_id,
                    image_id=image_id,
                    expires_at=func.now() + seconds(lifetime_seconds),
                    shows_prompt=shows_prompt,
                )
                .returning(*Link.__table__.c)
            )
        return row

    def of(self, project_id: UUID, image_id: UUID) -> list[Row[Any]]:
        """Return an image's links, newest first, those that have ended included.

        Raises:
            Gone: the image was deleted.
            NotFound: no such image in this project.
        """
        with self.database.transaction() as tx:
            find_image(tx, project_id, image_id)
            return tx.rows(_links(project_id, image_id))

    def living(self, project_id: UUID, image_id: UUID) -> list[Row[Any]]:
        """Return the links by which others see an image now, newest first."""
        alive = (Link.revoked_at.is_(None), Link.expires_at > func.now())
        with self.database.transaction() as tx:
            return tx.rows(_links(project_id, image_id).where(*alive))

    def revoke(self, project_id: UUID, image_id: UUID, share_id: UUID) -> None:
        """End a link at once; one that was revoked before stays as it was.

        Raises:
            Gone: the image was deleted.
            NotFound: no such image in this project, or no such link of it.
        """
        mine = (Link.id == share_id, Link.image_id == image_id, Link.project_id == project_id)
        with self.database.transaction() as tx:
            find_image(tx, project_id, image_id)
            ended = update(Link).where(*mine)
            if not tx.execute(ended.values(revoked_at=func.coalesce(Link.revoked_at, func.now()))):
                raise NotFound("There is no such link.")

    def open(self, share_id: UUID) -> tuple[Row[Any], Row[Any]]:
        """Return a link and its image, for whoever has it.

        Raises:
            Gone: it has ended or was revoked, or the image was deleted.
            NotFound: there is no such link any more.
        """
        over = (Link.expires_at <= func.now()).label("is_over")
        with self.database.transaction() as tx:
            link: Row[Any] | None = tx.first(
                select(*Link.__table__.c, over).where(Link.id == share_id)
            )
            if link is None:
                raise NotFound("There is no such link.")
            if link.revoked_at is not None:
                raise Gone("This link was taken back.")
            if link.is_over:
                raise Gone("This link has ended.")
            return link, find_image(tx, link.project_id, link.image_id)


def _links(project_id: UUID, image_id: UUID) -> Select[Any]:
    theirs = select(*Link.__table__.c).where(
        Link.image_id == image_id, Link.project_id == project_id
    )
    return theirs.order_by(Link.id.desc()).limit(MAX_LISTED)
