"""What an account's broker connection is doing: written by its engine, for all others to see."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Json, TimestampMixin, one_of

STATES = ("connecting", "up", "down", "refused")


class BrokerState(TimestampMixin, Base):
    """The connection of one account to its real broker; paper accounts have none."""

    __tablename__ = "broker_states"
    __table_args__ = (
        one_of("state", STATES),
        {"info": {"owner": "repositories/broker_states.py"}},
    )

    account_id: Mapped[int] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True
    )
    broker: Mapped[str]
    state: Mapped[str]
    reason: Mapped[str] = mapped_column(server_default=text("''"))
    since: Mapped[datetime]
    planned_until: Mapped[datetime | None]
    "The end of an outage that was to be expected."
    looked_at: Mapped[datetime | None]
    "When the broker's books were last read whole and compared with ours."
    report: Mapped[Json]
    "Open differences, orders in flight, and how long the last look took."
    comparison: Mapped[dict[str, Any] | None]
    "Both books line by line, as the last whole look saw them."
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    "When it was written: an old row means that no engine runs the account."
