"""Refresh tokens of the JWT sign-in."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Address, Base, Id, TimestampMixin, check


class RefreshToken(TimestampMixin, Base):
    """One link of a rotating chain. A second use of a spent link revokes the whole `family`."""

    __tablename__ = "refresh_tokens"
    __table_args__ = (
        check("token_hash", "octet_length(token_hash) = 32"),
        Index(None, "user_id"),
        Index(None, "family"),
        Index(None, "expires_at"),
        {"info": {"owner": "repositories/refresh_tokens.py"}},
    )

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    family: Mapped[UUID]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    verified_at: Mapped[datetime | None]
    "When the person last proved who they are, in this family."
    address: Mapped[Address | None] = mapped_column(INET)
