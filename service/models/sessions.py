"""Browsers that are logged in, and links that log one in."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary, func
from sqlalchemy.orm import Mapped, mapped_column

from service.models.schema import Base


class BrowserSession(Base):
    """A browser that was logged in with a key; its cookie carries what the SHA-256 is of.

    It lives as long as it is not ended, its time is not over and its key is good.
    """

    __tablename__ = "sessions"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    sha256: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    key_id: Mapped[UUID] = mapped_column(ForeignKey("api_keys.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    #: To the minute.
    last_seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    #: Afterwards the row is discarded, however it ended.
    expires_at: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime | None]


class LoginLink(Base):
    """A link that logs one browser in with a key, once; only its token's SHA-256 is kept."""

    __tablename__ = "login_links"

    sha256: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    key_id: Mapped[UUID] = mapped_column(ForeignKey("api_keys.id"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    #: Afterwards the row is discarded, used or not.
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]
