"""Keys for programs: `tw_<key_id>_<secret>`."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import ForeignKey, Index
from sqlalchemy.dialects.postgresql import ARRAY, CIDR
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Id, Network, Texts, TimestampMixin, check
from app.models.user import User


class ApiKey(TimestampMixin, Base):
    """One key; only a SHA-256 hash of the secret is kept (it has 256 bits of its own)."""

    __tablename__ = "api_keys"
    __table_args__ = (
        check("secret_hash", "octet_length(secret_hash) = 32"),
        check(
            "scopes",
            "cardinality(scopes) > 0 AND scopes <@ ARRAY['read', 'trade', 'admin', 'data']",
        ),
        check("notional_cap", "notional_cap > 0"),
        Index(None, "user_id"),
        {"info": {"owner": "repositories/api_keys.py"}},
    )

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    key_id: Mapped[str] = mapped_column(unique=True)
    secret_hash: Mapped[bytes]
    name: Mapped[str]
    scopes: Mapped[Texts]
    addresses: Mapped[list[Network]] = mapped_column(ARRAY(CIDR), server_default="{}")
    "Networks it may come from; empty: any."
    notional_cap: Mapped[Decimal | None]
    "Largest value of one order."
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    user: Mapped[User] = relationship(lazy="raise")
