"""How each ledger did, session by session."""

import datetime as dt
from decimal import Decimal

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import (
    AccountId,
    Base,
    LedgerDeployment,
    TimestampMixin,
    check,
    known_ledger,
)


class DailyPerformance(TimestampMixin, Base):
    """One session of one ledger; returns and drawdown are fractions."""

    __tablename__ = "daily_performance"
    __table_args__ = (
        known_ledger(),
        check("counts", "trades >= 0 AND winning_trades BETWEEN 0 AND trades"),
        Index(None, "date"),
        Index(None, "deployment_id", "date"),
        {"info": {"owner": "repositories/daily_performance.py"}},
    )

    account_id: Mapped[AccountId] = mapped_column(primary_key=True)
    ledger: Mapped[str] = mapped_column(primary_key=True)
    date: Mapped[dt.date] = mapped_column(primary_key=True)
    deployment_id: Mapped[LedgerDeployment]
    starting_equity: Mapped[Decimal]
    ending_equity: Mapped[Decimal]
    realized_pnl: Mapped[Decimal] = mapped_column(server_default=text("0"))
    unrealized_pnl: Mapped[Decimal] = mapped_column(server_default=text("0"))
    commission: Mapped[Decimal] = mapped_column(server_default=text("0"))
    total_return: Mapped[float] = mapped_column(server_default=text("0"))
    drawdown: Mapped[float] = mapped_column(server_default=text("0"))
    "Below the peak so far, as a positive fraction."
    exposure: Mapped[float] = mapped_column(server_default=text("0"))
    trades: Mapped[int] = mapped_column(server_default=text("0"))
    winning_trades: Mapped[int] = mapped_column(server_default=text("0"))
