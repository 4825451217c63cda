"""Positions: what each ledger holds now."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import (
    AccountId,
    Base,
    InstrumentId,
    LedgerDeployment,
    TimestampMixin,
    check,
    known_ledger,
)
from app.models.instrument import Instrument


class Position(TimestampMixin, Base):
    """Signed quantity of one instrument in one ledger: a fold of its executions."""

    __tablename__ = "positions"
    __table_args__ = (
        known_ledger(),
        check("average_price", "average_price >= 0"),
        check("opened_at", "quantity = 0 OR opened_at IS NOT NULL"),
        Index(None, "deployment_id", "stock_id"),
        Index("ix_positions_held", "account_id", postgresql_where=text("quantity <> 0")),
        {"info": {"owner": "repositories/folds/portfolio.py"}},
    )

    account_id: Mapped[AccountId] = mapped_column(primary_key=True)
    ledger: Mapped[str] = mapped_column(primary_key=True)
    instrument_id: Mapped[InstrumentId] = mapped_column(primary_key=True)
    deployment_id: Mapped[LedgerDeployment]
    stock_id: Mapped[int | None] = mapped_column(ForeignKey("stocks.id"))
    "The stock itself, or an option's underlying."
    quantity: Mapped[Decimal] = mapped_column(server_default=text("0"))
    average_price: Mapped[Decimal] = mapped_column(server_default=text("0"))
    entry_quantity: Mapped[Decimal] = mapped_column(server_default=text("0"))
    "Largest absolute quantity since it was last flat."
    realized_pnl: Mapped[Decimal] = mapped_column(server_default=text("0"))
    commission: Mapped[Decimal] = mapped_column(server_default=text("0"))
    opened_at: Mapped[datetime | None]
    signal_id: Mapped[str | None]

    instrument: Mapped[Instrument] = relationship(lazy="raise")
