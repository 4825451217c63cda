"""Stocks and funds: what has bars."""

from sqlalchemy import ForeignKeyConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, TimestampMixin
from app.models.instrument import Instrument


class Stock(TimestampMixin, Base):
    """Extends `instruments` under the same id; the symbol follows the instrument's by key."""

    __tablename__ = "stocks"
    __table_args__ = (
        ForeignKeyConstraint(
            ["id", "symbol"], ["instruments.id", "instruments.symbol"], onupdate="CASCADE"
        ),
        {"info": {"owner": "repositories/stocks.py"}},
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    symbol: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(server_default="")
    exchange: Mapped[str] = mapped_column(server_default="XNYS")
    "MIC of the listing: decides the calendar of its sessions."
    sector: Mapped[str | None]
    "Feeds the sector limit; unknown counts as a sector of its own."
    active: Mapped[bool] = mapped_column(server_default=text("true"))

    instrument: Mapped[Instrument] = relationship(lazy="raise")
