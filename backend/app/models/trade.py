"""Trades: round trips of one ledger, flat to flat."""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.domain.orders import Leg
from app.models.base import (
    AccountId,
    Base,
    Id,
    InstrumentId,
    Json,
    LedgerDeployment,
    TimestampMixin,
    check,
    known_ledger,
    one_of,
)
from app.models.instrument import Instrument
from app.models.strategy import Strategy


class Trade(TimestampMixin, Base):
    """One closed round trip. `quantity` is signed by direction; `pnl` is net of `commission`."""

    __tablename__ = "trades"
    __table_args__ = (
        UniqueConstraint("account_id", "trade_id"),
        known_ledger(),
        one_of("exit_leg", Leg),
        check("quantity", "quantity <> 0"),
        check("prices", "entry_price >= 0 AND exit_price >= 0"),
        check("times", "entry_at <= exit_at"),
        Index(None, "account_id", "exit_at"),
        Index(None, "deployment_id", "stock_id", "exit_at"),
        Index(None, "strategy_id", "stock_id", "entry_at", "exit_at"),
        Index(None, "trade_date"),
        {"info": {"owner": "repositories/folds/portfolio.py"}},
    )

    id: Mapped[Id]
    account_id: Mapped[AccountId]
    trade_id: Mapped[str]
    ledger: Mapped[str]
    deployment_id: Mapped[LedgerDeployment]
    strategy_id: Mapped[int | None] = mapped_column(ForeignKey("strategies.id"))
    instrument_id: Mapped[InstrumentId]
    stock_id: Mapped[int | None] = mapped_column(ForeignKey("stocks.id"))
    "The stock itself, or an option's underlying."
    trade_date: Mapped[date]
    "Session in which the trade was closed."
    quantity: Mapped[Decimal]
    entry_price: Mapped[Decimal]
    exit_price: Mapped[Decimal]
    entry_at: Mapped[datetime]
    exit_at: Mapped[datetime]
    commission: Mapped[Decimal] = mapped_column(server_default=text("0"))
    pnl: Mapped[Decimal]
    stop_loss: Mapped[Decimal | None]
    take_profit: Mapped[Decimal | None]
    entry_signal_id: Mapped[str | None]
    exit_signal_id: Mapped[str | None]
    exit_leg: Mapped[str | None]
    market_context: Mapped[Json]

    instrument: Mapped[Instrument] = relationship(lazy="raise")
    strategy: Mapped[Strategy | None] = relationship(lazy="raise")
