"""Holes in a series of bars, explained or not."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.market import Timeframe
from app.models.base import Base, Id, TimestampMixin, check, known_dataset, one_of

GAP_STATES = ("unexplained", "closed", "no_trade", "provider_hole", "repaired")


class DataGap(TimestampMixin, Base):
    """Bars missing in [start, end) of one series."""

    __tablename__ = "data_gaps"
    __table_args__ = (
        UniqueConstraint("dataset", "stock_id", "timeframe", "start"),
        known_dataset(),
        one_of("timeframe", Timeframe),
        one_of("state", GAP_STATES),
        check("end", '"end" > start'),
        check("bars", "bars >= 0"),
        Index("ix_data_gaps_unexplained", "dataset", postgresql_where="state = 'unexplained'"),
        {"info": {"owner": "repositories/data_gaps.py"}},
    )

    id: Mapped[Id]
    dataset: Mapped[str]
    stock_id: Mapped[int] = mapped_column(ForeignKey("stocks.id"))
    timeframe: Mapped[str]
    start: Mapped[datetime]
    end: Mapped[datetime]
    state: Mapped[str] = mapped_column(server_default="unexplained")
    detail: Mapped[str] = mapped_column(server_default="")
    detected_at: Mapped[datetime] = mapped_column(server_default=func.now())
    repaired_at: Mapped[datetime | None]
    evidence: Mapped[list[Any]] = mapped_column(server_default="[]", sort_order=1002)
    "What each provider of the chain answered when it was asked for these bars."
    bars: Mapped[int] = mapped_column(server_default="0", sort_order=1003)
    "How many bars are missing here; of a repaired gap, how many were fetched."
    asked_at: Mapped[datetime | None] = mapped_column(sort_order=1004)
