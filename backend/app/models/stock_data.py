"""Bars: the market's history, one row a bar."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, desc
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.market import Timeframe
from app.models.base import Base, check, known_dataset, one_of, sound_prices


class StockData(Base):
    """OHLCV over [start, end). Prices are raw; data sets are never mixed."""

    __tablename__ = "stock_data"
    __table_args__ = (
        known_dataset(),
        one_of("timeframe", Timeframe),
        sound_prices(),
        check("end", '"end" > start'),
        Index("ix_stock_data_start", desc("start")),
        {"info": {"owner": "repositories/stock_data.py", "hypertable": "start"}},
    )

    dataset: Mapped[str] = mapped_column(primary_key=True)
    stock_id: Mapped[int] = mapped_column(ForeignKey("stocks.id"), primary_key=True)
    timeframe: Mapped[str] = mapped_column(primary_key=True)
    start: Mapped[datetime] = mapped_column(primary_key=True)
    end: Mapped[datetime]
    open: Mapped[float]
    high: Mapped[float]
    low: Mapped[float]
    close: Mapped[float]
    volume: Mapped[float]
    vwap: Mapped[float | None]
    source: Mapped[str]
