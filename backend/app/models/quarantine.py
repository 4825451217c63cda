"""Market data that failed validation, kept with the reason."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlalchemy.orm import Mapped

from app.domain.market import Timeframe
from app.models.base import Base, Id, Recorded, known_dataset, one_of


class Quarantined(Base):
    """One refused record as it came, and the rule that refused it."""

    __tablename__ = "quarantine"
    __table_args__ = (
        known_dataset(),
        one_of("kind", ("bar", "tick", "quote", "option")),
        one_of("timeframe", Timeframe),
        Index(None, "dataset", "symbol", "recorded_at"),
        Index(None, "recorded_at"),
        {"info": {"owner": "repositories/quarantine.py"}},
    )

    id: Mapped[Id]
    dataset: Mapped[str]
    symbol: Mapped[str]
    kind: Mapped[str]
    timeframe: Mapped[str | None]
    at: Mapped[datetime | None]
    reason: Mapped[str]
    record: Mapped[dict[str, Any]]
    source: Mapped[str]
    recorded_at: Mapped[Recorded]
