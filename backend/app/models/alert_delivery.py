"""Alerts on their way to people."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, TimestampMixin, check, one_of


class AlertDelivery(TimestampMixin, Base):
    """One alert to one channel, retried until delivered or dead; skipped when it is over."""

    __tablename__ = "alert_deliveries"
    __table_args__ = (
        UniqueConstraint("alert_id", "channel", "kind", "round"),
        one_of("kind", ("raised", "resolved")),
        one_of("status", ("pending", "delivered", "dead", "skipped")),
        check("attempts", "attempts >= 0"),
        Index("ix_alert_deliveries_due", "next_attempt_at", postgresql_where="status = 'pending'"),
        {"info": {"owner": "repositories/alert_deliveries.py"}},
    )

    id: Mapped[Id]
    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id", ondelete="CASCADE"))
    channel: Mapped[str]
    "The channel's name, which stays when the channel is removed."
    kind: Mapped[str] = mapped_column(server_default=text("'raised'"))
    round: Mapped[int] = mapped_column(server_default=text("1"))
    status: Mapped[str] = mapped_column(server_default=text("'pending'"))
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    is_sending: Mapped[bool] = mapped_column(server_default=text("false"))
    "Somebody took it, and has until `next_attempt_at`: nothing else goes to the channel meanwhile."
    next_attempt_at: Mapped[datetime] = mapped_column(server_default=func.now())
    delivered_at: Mapped[datetime | None]
    error: Mapped[str | None]
