"""Best bids and asks."""

from datetime import datetime

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, check, known_dataset


class Quote(Base):
    """One top of book. `stock_id` is checked by validation, as for ticks."""

    __tablename__ = "quotes"
    __table_args__ = (
        known_dataset(),
        check("prices", "bid > 0 AND ask >= bid AND ask < 'Infinity'"),
        check("sizes", "bid_size >= 0 AND ask_size >= 0"),
        Index("ix_quotes_at", "at", postgresql_using="brin"),
        {"info": {"owner": "repositories/quotes.py", "hypertable": "at"}},
    )

    dataset: Mapped[str] = mapped_column(primary_key=True)
    stock_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(
        primary_key=True, autoincrement=False, server_default=text("0")
    )
    bid: Mapped[float]
    bid_size: Mapped[float]
    ask: Mapped[float]
    ask_size: Mapped[float]
    source: Mapped[str]
