"""Sign-ins of browsers."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, func, text
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Address, Base, Id, TimestampMixin, check
from app.models.user import User


class Session(TimestampMixin, Base):
    """One server-side session; the cookie's 256-bit id is kept as a SHA-256 hash."""

    __tablename__ = "sessions"
    __table_args__ = (
        check("token_hash", "octet_length(token_hash) = 32"),
        check("previous_hash", "octet_length(previous_hash) = 32"),
        Index(None, "user_id"),
        Index(None, "previous_hash", postgresql_where=text("previous_hash IS NOT NULL")),
        Index(None, "expires_at"),
        {"info": {"owner": "repositories/sessions.py"}},
    )

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    address: Mapped[Address | None] = mapped_column(INET)
    user_agent: Mapped[str] = mapped_column(server_default="")
    last_seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    "Absolute end; the idle limit is measured from `last_seen_at`."
    revoked_at: Mapped[datetime | None]
    verified_at: Mapped[datetime | None]
    "When the person last proved who they are: at sign-in, or by a fresh check since."
    previous_hash: Mapped[bytes | None]
    "The id before the last fresh check: good a few seconds longer, for requests on their way."
    rotated_at: Mapped[datetime | None]

    user: Mapped[User] = relationship(lazy="raise")
