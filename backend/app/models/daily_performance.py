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
)


class DailyPerformance(TimestampMixin, Base):
    """One session of one ledger, or of all as `account`; returns and drawdown are fractions."""

    __tablename__ = "daily_performance"
    __table_args__ = (
        check("ledger", "ledger ~ '^(d[1-9][0-9]*|manual|external|account)$'"),
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
    "Of the round trips that were closed in it, net of costs."
    unrealized_pnl: Mapped[Decimal] = mapped_column(server_default=text("0"))
    "The rest of what the session made."
    commission: Mapped[Decimal] = mapped_column(server_default=text("0"))
    total_return: Mapped[float] = mapped_column(server_default=text("0"))
    drawdown: Mapped[float] = mapped_column(server_default=text("0"))
    "Below the peak so far, as a positive fraction."
    exposure: Mapped[float] = mapped_column(server_default=text("0"))
    trades: Mapped[int] = mapped_column(server_default=text("0"))
    winning_trades: Mapped[int] = mapped_column(server_default=text("0"))
