"""Prints: every single trade that the market reported."""

from datetime import datetime

from sqlalchemy import Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, check, known_dataset


class Tick(Base):
    """One print. `stock_id` is checked by validation, not by key: a key check a row would cost more
    than the row."""

    __tablename__ = "ticks"
    __table_args__ = (
        known_dataset(),
        check("price", "price > 0 AND price < 'Infinity' AND size >= 0 AND size < 'Infinity'"),
        check("counts", "counts BETWEEN 0 AND 2"),
        Index("ix_ticks_at", "at", postgresql_using="brin"),
        {"info": {"owner": "repositories/ticks.py", "hypertable": "at"}},
    )

    dataset: Mapped[str] = mapped_column(primary_key=True)
    stock_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(
        primary_key=True, autoincrement=False, server_default=text("0")
    )
    "Order among prints of the same instant."
    price: Mapped[float]
    size: Mapped[float]
    exchange: Mapped[str | None]
    conditions: Mapped[str | None]
    source: Mapped[str]
    counts: Mapped[int] = mapped_column(SmallInteger, server_default=text("2"))
    "What of it makes bars: 2 price and size, 1 the size only, 0 nothing."
