"""Facts of the `system` stream, which no engine reads: feeds, brokers, alerts, settings."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from app.domain.events.base import Fact, Severity
from app.domain.market import Timeframe


class FeedConnected(Fact, frozen=True, kw_only=True):
    feed: str
    at: datetime


class FeedDisconnected(Fact, frozen=True, kw_only=True):
    feed: str
    reason: str
    at: datetime


class DataGapDetected(Fact, frozen=True, kw_only=True):
    dataset: str
    symbol: str
    timeframe: Timeframe
    start: datetime
    end: datetime
    at: datetime


class BrokerConnected(Fact, frozen=True, kw_only=True):
    broker: str
    at: datetime


class BrokerDisconnected(Fact, frozen=True, kw_only=True):
    broker: str
    reason: str
    at: datetime


class AlertRaised(Fact, frozen=True, kw_only=True):
    alert_id: int
    category: str
    severity: Severity
    title: str
    detail: str
    at: datetime


class AlertResolved(Fact, frozen=True, kw_only=True):
    alert_id: int
    actor: str
    at: datetime


class ConfigChanged(Fact, frozen=True, kw_only=True):
    key: str
    before: Any
    after: Any
    actor: str
    at: datetime


class PerformanceRecorded(Fact, frozen=True, kw_only=True):
    """How a ledger, or the whole `account`, did in a session; fractions of one.

    `pnl` is what was made, net of costs, whether the positions are closed or not.
    """

    account_id: int
    ledger: str
    session: date
    equity: Decimal
    pnl: Decimal
    total_return: float
    drawdown: float
    at: datetime


class BacktestFinished(Fact, frozen=True, kw_only=True):
    backtest_id: int
    strategy: str
    final_equity: Decimal
    at: datetime
