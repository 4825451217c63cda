"""Bars that were replaced by a correction."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.market import Timeframe
from app.models.base import Base, Recorded, known_dataset, one_of


class StockDataRevision(Base):
    """A bar as it stood before revision `revision` replaced it."""

    __tablename__ = "stock_data_revisions"
    __table_args__ = (
        known_dataset(),
        one_of("timeframe", Timeframe),
        {"info": {"owner": "repositories/stock_data.py"}},
    )

    dataset: Mapped[str] = mapped_column(primary_key=True)
    stock_id: Mapped[int] = mapped_column(ForeignKey("stocks.id"), primary_key=True)
    timeframe: Mapped[str] = mapped_column(primary_key=True)
    start: Mapped[datetime] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    end: Mapped[datetime]
    open: Mapped[float]
    high: Mapped[float]
    low: Mapped[float]
    close: Mapped[float]
    volume: Mapped[float]
    vwap: Mapped[float | None]
    source: Mapped[str]
    reason: Mapped[str] = mapped_column(server_default="")
    replaced_at: Mapped[Recorded]
