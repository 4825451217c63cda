"""Alerts: what a person should see."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.domain.events import Severity
from app.models.alert_delivery import AlertDelivery
from app.models.base import Base, Id, Json, TimestampMixin, check, one_of

CATEGORIES = ("system", "trading", "performance", "security")


class Alert(TimestampMixin, Base):
    """One condition, from raised to resolved. While open, the same `key` counts up instead."""

    __tablename__ = "alerts"
    __table_args__ = (
        one_of("category", CATEGORIES),
        one_of("severity", Severity),
        check("occurrences", "occurrences >= 1"),
        Index("uq_alerts_open_key", "key", unique=True, postgresql_where="resolved_at IS NULL"),
        check("round", "round >= 1 AND announced BETWEEN 0 AND round"),
        Index(None, "raised_at"),
        Index(
            "ix_alerts_unannounced",
            "id",
            postgresql_where="announced < round"
            " OR resolved_at IS NOT NULL AND NOT is_end_announced",
        ),
        {"info": {"owner": "repositories/alerts.py"}},
    )

    id: Mapped[Id]
    key: Mapped[str]
    "Names the condition, e.g. `disk_full` or `order_unknown:tw-1-…`."
    rule: Mapped[str | None]
    "The rule of `alerting.rules` that raised it; None where a part did so by itself."
    category: Mapped[str]
    severity: Mapped[str]
    title: Mapped[str]
    detail: Mapped[str] = mapped_column(server_default="")
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    deployment_id: Mapped[int | None] = mapped_column(ForeignKey("deployments.id"))
    metadata_: Mapped[Json] = mapped_column("metadata", JSONB(), server_default="{}")
    occurrences: Mapped[int] = mapped_column(server_default=text("1"))
    raised_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None]
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[str | None]
    round: Mapped[int] = mapped_column(server_default=text("1"))
    "Counts up when it grows more severe or is escalated: each round is announced once."
    announced: Mapped[int] = mapped_column(server_default=text("0"))
    "The last round whose deliveries were made."
    announced_at: Mapped[datetime | None]
    is_end_announced: Mapped[bool] = mapped_column(server_default=text("false"))

    deliveries: Mapped[list[AlertDelivery]] = relationship(lazy="raise", passive_deletes=True)
