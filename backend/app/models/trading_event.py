"""The journal: every fact, in order, hash-chained, append-only by trigger."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.events import Priority
from app.models.base import Base, Recorded, check, one_of

DEPLOYMENT = (
    """COALESCE("substring"(payload::text, '"ledger":"d([0-9]+)'::text), """
    """"substring"(payload::text, '"deployment_id":([0-9]+)'::text))"""
)
"""The deployment that an event is about, found in its text: taking the JSON apart would cost more.
Written as PostgreSQL tells it."""


class TradingEvent(Base):
    """One event of one stream. `payload` is json, not jsonb: the text is kept as it was hashed."""

    __tablename__ = "trading_events"
    __table_args__ = (
        one_of("priority", (priority.name.lower() for priority in Priority)),
        check("seq", "seq > 0 AND caused_by < seq"),
        check("hash", "octet_length(hash) = 32"),
        Index(None, "recorded_at"),
        Index(None, "event_type", "recorded_at"),
        Index(None, "correlation_id", postgresql_where=text("correlation_id IS NOT NULL")),
        Index(
            "ix_trading_events_critical",
            "recorded_at",
            "stream",
            "seq",
            postgresql_where=text("priority = 'critical'"),
        ),
        Index(
            "ix_trading_events_deployment",
            text(DEPLOYMENT),
            "recorded_at",
            "stream",
            "seq",
            postgresql_where=text("priority <> 'low'"),
        ),
        {"info": {"owner": "repositories/journal.py", "append_only": True}},
    )

    stream: Mapped[str] = mapped_column(primary_key=True)
    "Of `journal_streams`, whose head every append changes first: a foreign key would cost more."
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    event_type: Mapped[str]
    priority: Mapped[str] = mapped_column(server_default="normal")
    occurred_at: Mapped[datetime]
    "Event time: the input's own."
    recorded_at: Mapped[Recorded] = mapped_column(sort_order=0)
    "Wall clock."
    caused_by: Mapped[int | None]
    "Seq, in the same stream, of the event that caused this one."
    correlation_id: Mapped[str | None]
    actor: Mapped[str] = mapped_column(server_default="engine")
    payload: Mapped[dict[str, Any]] = mapped_column(JSON())
    hash: Mapped[bytes]
