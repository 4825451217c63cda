"""What is stored of each series of bars, and what the last check found."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.market import Timeframe
from app.models.base import Base, Json, Texts, check, known_dataset, one_of

VERDICTS = ("good", "gaps", "bad")


class BarSeries(Base):
    """One series of bars: how many there are, kept with every write, and its quality."""

    __tablename__ = "bar_series"
    __table_args__ = (
        known_dataset(),
        one_of("timeframe", Timeframe),
        check("bars", "bars >= 0 AND last_start >= first_start"),
        one_of("verdict", VERDICTS),
        Index(None, "stock_id"),
        {
            "info": {"owner": "repositories/bar_series.py"},
            "postgresql_with": {"fillfactor": 70},
        },
    )

    dataset: Mapped[str] = mapped_column(primary_key=True)
    stock_id: Mapped[int] = mapped_column(ForeignKey("stocks.id"), primary_key=True)
    timeframe: Mapped[str] = mapped_column(primary_key=True)
    bars: Mapped[int]
    first_start: Mapped[datetime]
    last_start: Mapped[datetime]
    sources: Mapped[Texts]
    checked_at: Mapped[datetime | None]
    checked_bars: Mapped[int | None]
    "How many bars the check has seen: it is out of date once there are others."
    verdict: Mapped[str | None]
    expected: Mapped[int | None]
    "Bars of regular hours that the exchange's sessions promise from the first to the last bar."
    missing: Mapped[int | None]
    bad: Mapped[int | None]
    suspicious: Mapped[int | None]
    fingerprint: Mapped[str | None]
    findings: Mapped[Json]
