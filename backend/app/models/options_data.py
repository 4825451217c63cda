"""Option quotes with their greeks."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, check, known_dataset


class OptionsData(Base):
    """What one contract showed at one instant."""

    __tablename__ = "options_data"
    __table_args__ = (
        known_dataset(),
        check("prices", "bid >= 0 AND ask >= 0 AND last >= 0 AND underlying_price > 0"),
        check("sizes", "volume >= 0 AND open_interest >= 0"),
        Index("ix_options_data_at", "at", postgresql_using="brin"),
        {"info": {"owner": "repositories/options_data.py", "hypertable": "at"}},
    )

    dataset: Mapped[str] = mapped_column(primary_key=True)
    contract_id: Mapped[int] = mapped_column(ForeignKey("option_contracts.id"), primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    bid: Mapped[float | None]
    ask: Mapped[float | None]
    last: Mapped[float | None]
    volume: Mapped[float | None]
    open_interest: Mapped[float | None]
    implied_volatility: Mapped[float | None]
    delta: Mapped[float | None]
    gamma: Mapped[float | None]
    theta: Mapped[float | None]
    vega: Mapped[float | None]
    rho: Mapped[float | None]
    underlying_price: Mapped[float | None]
    source: Mapped[str]
