"""Indicator values that running deployments computed."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.market import Timeframe
from app.models.base import Base, Json, known_dataset, one_of


class Indicator(Base):
    """One value of one named column at one bar, e.g. `sma_10`."""

    __tablename__ = "indicators"
    __table_args__ = (
        known_dataset(),
        one_of("timeframe", Timeframe),
        Index("ix_indicators_start", "start", postgresql_using="brin"),
        {"info": {"owner": "repositories/indicators.py", "hypertable": "start"}},
    )

    dataset: Mapped[str] = mapped_column(primary_key=True)
    stock_id: Mapped[int] = mapped_column(ForeignKey("stocks.id"), primary_key=True)
    timeframe: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    start: Mapped[datetime] = mapped_column(primary_key=True)
    "Start of the bar that it belongs to."
    value: Mapped[float]
    metadata_: Mapped[Json] = mapped_column("metadata", JSONB(), server_default="{}")
    "Parameters, and the deployment that computed it."
