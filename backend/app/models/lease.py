"""Leases: which process owns which account."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, TimestampMixin, check


class Lease(TimestampMixin, Base):
    """Ownership of one resource until `expires_at`; each new holder gets the next epoch."""

    __tablename__ = "leases"
    __table_args__ = (
        check("epoch", "epoch >= 0"),
        {"info": {"owner": "repositories/leases.py"}},
    )

    resource: Mapped[str] = mapped_column(primary_key=True)
    "E.g. `account:1`."
    holder: Mapped[str | None]
    "None: released."
    epoch: Mapped[int] = mapped_column(server_default=text("0"))
    acquired_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
