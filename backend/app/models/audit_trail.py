"""What people did: append-only by trigger, hash-chained."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.dialects.postgresql import INET, JSON
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Address, Base, Recorded, check


class AuditEntry(Base):
    """One act. The head of the chain is the stream `audit`; `payload` is kept as it was hashed."""

    __tablename__ = "audit_trail"
    __table_args__ = (
        check("seq", "seq > 0"),
        check("hash", "octet_length(hash) = 32"),
        Index(None, "actor", "seq"),
        Index(None, "resource", "resource_id", "seq"),
        {"info": {"owner": "repositories/audit.py", "append_only": True}},
    )

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    recorded_at: Mapped[Recorded] = mapped_column(sort_order=0)
    actor: Mapped[str]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    action: Mapped[str]
    resource: Mapped[str]
    resource_id: Mapped[str | None]
    address: Mapped[Address | None] = mapped_column(INET)
    correlation_id: Mapped[str | None]
    payload: Mapped[dict[str, Any]] = mapped_column(JSON())
    "Everything that is hashed, with `before` and `after`."
    hash: Mapped[bytes]
