"""The indexes by which people find images, built while all goes on."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_NEWEST_FIRST = sa.text("id DESC")
_SIZE = sa.text("LEAST(width * height / 1000000, 2)")
_BUILT: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "ix_images_listing_size": (
        ["project_id", _SIZE, _NEWEST_FIRST],
        {"postgresql_include": ["width", "height"]},
    ),
    "ix_images_favourites": (
        ["project_id", _NEWEST_FIRST],
        {"postgresql_where": sa.text("is_favourite")},
    ),
    "ix_images_search": (
        ["project_id", sa.func.lower(sa.text("prompt")).label("words")],
        {
            "postgresql_using": "gin",
            "postgresql_ops": {"words": "gin_trgm_ops"},
            # what is new is read by each search until it is put in order
            "postgresql_with": {"gin_pending_list_limit": 256},
        },
    ),
}


def upgrade() -> None:
    # PostgreSQL's own, and trusted: the database's owner may add them
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gin")
    with op.get_context().autocommit_block():
        for name, (columns, more) in _BUILT.items():
            # one that was given up half-way is there and of no use
            _drop(name)
            op.create_index(name, "images", columns, postgresql_concurrently=True, **more)


def downgrade() -> None:
    # the extensions stay: others may use them by now
    with op.get_context().autocommit_block():
        for name in _BUILT:
            _drop(name)


def _drop(name: str) -> None:
    op.drop_index(name, "images", if_exists=True, postgresql_concurrently=True)
