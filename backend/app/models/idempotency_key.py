"""Answers to POSTs, kept a day so that a repeat gets the same one."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, TimestampMixin, check


class IdempotencyKey(TimestampMixin, Base):
    """One key of one user on one route; no `status_code` yet means in flight."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (
        check("request_hash", "octet_length(request_hash) = 32"),
        check("key", "key <> '' AND length(key) <= 255"),
        Index(None, "expires_at"),
        {"info": {"owner": "repositories/idempotency.py"}},
    )

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    route: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[bytes]
    status_code: Mapped[int | None]
    response: Mapped[dict[str, Any] | None]
    expires_at: Mapped[datetime]
