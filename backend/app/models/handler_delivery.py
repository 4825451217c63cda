"""Events handed to handlers: effects in the database happen exactly once."""

from datetime import datetime

from sqlalchemy import ForeignKeyConstraint, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, TimestampMixin, check, one_of


class HandlerDelivery(TimestampMixin, Base):
    """One event to one handler, unique by (handler, event); `dead` is the dead letter."""

    __tablename__ = "handler_deliveries"
    __table_args__ = (
        ForeignKeyConstraint(["stream", "seq"], ["trading_events.stream", "trading_events.seq"]),
        one_of("status", ("pending", "delivered", "dead")),
        check("attempts", "attempts >= 0"),
        Index(
            "ix_handler_deliveries_pending",
            "handler",
            "stream",
            "seq",
            postgresql_where="status = 'pending'",
        ),
        Index("ix_handler_deliveries_dead", "handler", postgresql_where="status = 'dead'"),
        Index(
            "ix_handler_deliveries_delivered",
            "delivered_at",
            postgresql_where="status = 'delivered'",
        ),
        {"info": {"owner": "repositories/handler_deliveries.py"}},
    )

    handler: Mapped[str] = mapped_column(primary_key=True)
    stream: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(server_default=text("''"))
    "Events of one key are handled one after the other, in their order."
    status: Mapped[str] = mapped_column(server_default=text("'pending'"))
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    next_attempt_at: Mapped[datetime] = mapped_column(server_default=func.now())
    delivered_at: Mapped[datetime | None]
    error: Mapped[str | None]
