"""Round trips of a backtest."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import ForeignKey, text
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.orders import Leg
from app.models.base import Base, check, one_of


class BacktestTrade(Base):
    """One round trip, numbered from 1 in order of exit. The symbol is text: a backtest of a file
    needs no instrument."""

    __tablename__ = "backtest_trades"
    __table_args__ = (
        one_of("exit_leg", Leg),
        check("quantity", "quantity <> 0"),
        check("times", "entry_at <= exit_at"),
        {"info": {"owner": "repositories/backtests.py"}},
    )

    backtest_id: Mapped[int] = mapped_column(
        ForeignKey("backtests.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    symbol: Mapped[str]
    quantity: Mapped[Decimal]
    entry_price: Mapped[Decimal]
    exit_price: Mapped[Decimal]
    entry_at: Mapped[datetime]
    exit_at: Mapped[datetime]
    commission: Mapped[Decimal] = mapped_column(server_default=text("0"))
    pnl: Mapped[Decimal]
    exit_leg: Mapped[str | None]
