"""One valid row of every table, in an order that foreign keys allow, and a change each can take."""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from ipaddress import IPv4Address
from typing import Any, NamedTuple
from uuid import UUID

from app.db import base as m
from app.db.base import Base

OPENED = dt.datetime(2024, 3, 1, 14, 30, tzinfo=dt.UTC)
CLOSED = dt.datetime(2024, 3, 1, 21, 0, tzinfo=dt.UTC)
DAY = dt.date(2024, 3, 1)
HASH = bytes(range(32))
ACCOUNT = DEPLOYMENT = STRATEGY = USER = 101
STOCK = 101
OPTION = 102
STREAM = f"account:{ACCOUNT}"
LEDGER = f"d{DEPLOYMENT}"


class Sample(NamedTuple):
    """A row, and one of its attributes with another value that it may take."""

    row: Base
    attribute: str
    value: Any


def people() -> Iterator[Sample]:
    yield Sample(
        m.User(id=USER, email="ada@example.org", role="admin", password_hash="$argon2id$v=19$x"),
        "name",
        "Ada",
    )
    yield Sample(
        m.Session(
            id=101,
            user_id=USER,
            token_hash=HASH,
            address=IPv4Address("127.0.0.1"),
            expires_at=CLOSED,
        ),
        "revoked_at",
        CLOSED,
    )
    yield Sample(
        m.RefreshToken(
            id=101, user_id=USER, family=UUID(int=7), token_hash=HASH, expires_at=CLOSED
        ),
        "used_at",
        CLOSED,
    )
    yield Sample(m.SignUpToken(id=101, token_hash=HASH, role="admin"), "expires_at", CLOSED)
    yield Sample(
        m.ApiKey(id=101, user_id=USER, key_id="k1", secret_hash=HASH, name="bot", scopes=["read"]),
        "scopes",
        ["read", "trade"],
    )
    yield Sample(
        m.IdempotencyKey(
            user_id=USER, route="POST /api/orders", key="a", request_hash=HASH, expires_at=CLOSED
        ),
        "response",
        {"id": 1},
    )


def reference() -> Iterator[Sample]:
    yield Sample(
        m.Strategy(id=STRATEGY, name="sample_cross", parameters={"fast": 10}), "active", False
    )
    yield Sample(m.Instrument(id=STOCK, symbol="IBM"), "lot", Decimal(10))
    yield Sample(
        m.Stock(id=STOCK, symbol="IBM", name="IBM", exchange="XNYS"), "sector", "Technology"
    )
    yield Sample(
        m.Instrument(id=OPTION, symbol="IBM   240315C00190000", kind="option", multiplier=100),
        "shortable",
        False,
    )
    yield Sample(
        m.OptionContract(
            id=OPTION, underlying_id=STOCK, expiry=DAY, strike=Decimal(190), option_type="call"
        ),
        "style",
        "european",
    )
    yield Sample(
        m.Account(
            id=ACCOUNT, name="Replay", dataset="replay:minute", starting_cash=Decimal(100000)
        ),
        "cash",
        Decimal("99000.12345678"),
    )
    yield Sample(m.AccountMember(account_id=ACCOUNT, user_id=USER, role="trader"), "role", "viewer")
    yield Sample(
        m.Credential(id=101, provider="alpaca", name="api_key", key_id="1", ciphertext=b"secret"),
        "ciphertext",
        b"rotated",
    )
    yield Sample(
        m.Deployment(
            id=DEPLOYMENT,
            account_id=ACCOUNT,
            strategy_id=STRATEGY,
            name="first",
            symbols=["IBM"],
            timeframe="1m",
        ),
        "state",
        "running",
    )
    yield Sample(m.Ledger(account_id=ACCOUNT, ledger=LEDGER), "cash", Decimal("-18000.5"))


def market_data() -> Iterator[Sample]:
    bar = {"open": 10.0, "high": 11.0, "low": 9.5, "close": 10.5, "volume": 1200.0, "source": "csv"}
    series = {"dataset": "replay:minute", "stock_id": STOCK, "timeframe": "1m"}
    end = OPENED + dt.timedelta(minutes=1)
    at = {"dataset": "replay:minute", "stock_id": STOCK, "at": OPENED, "sequence": 1}
    yield Sample(m.StockData(**series, start=OPENED, end=end, **bar), "vwap", 10.2)
    yield Sample(
        m.StockDataRevision(**series, start=OPENED, revision=1, end=end, **bar), "reason", "late"
    )
    yield Sample(m.Tick(**at, price=10.0, size=100.0, source="csv"), "exchange", "XNYS")
    yield Sample(
        m.Quote(**at, bid=9.9, bid_size=1.0, ask=10.0, ask_size=2.0, source="csv"), "ask", 10.1
    )
    yield Sample(
        m.OptionsData(dataset="live", contract_id=OPTION, at=OPENED, bid=1.0, source="csv"),
        "implied_volatility",
        0.25,
    )
    yield Sample(
        m.Indicator(**series, name="sma_10", start=OPENED, value=10.1),
        "metadata_",
        {"length": 10},
    )
    yield Sample(
        m.MarketDataCache(dataset="live", instrument_id=STOCK, kind="quote", at=OPENED),
        "payload",
        {"bid": 9.9},
    )
    yield Sample(
        m.Quarantined(
            id=101, dataset="live", symbol="IBM", kind="bar", reason="high", record={}, source="csv"
        ),
        "reason",
        "volume",
    )
    yield Sample(
        m.BarSeries(**series, bars=2, first_start=OPENED, last_start=CLOSED), "verdict", "gaps"
    )
    yield Sample(m.DataGap(id=101, **series, start=OPENED, end=CLOSED), "state", "closed")
    yield Sample(
        m.CorporateAction(
            id=101,
            dataset="live",
            stock_id=STOCK,
            kind="split",
            ex_date=DAY,
            ratio=Decimal(2),
            known_at=OPENED,
            source="csv",
        ),
        "ratio",
        Decimal(4),
    )
    yield Sample(
        m.Disclosure(
            id=101,
            source="quiver",
            external_id="1",
            representative="A. Member",
            symbol="IBM",
            transaction="purchase",
            transaction_date=DAY,
            report_date=DAY,
            known_at=CLOSED,
        ),
        "amount_low",
        Decimal(15001),
    )


def trading() -> Iterator[Sample]:
    held = {"account_id": ACCOUNT, "ledger": LEDGER, "instrument_id": STOCK}
    yield Sample(
        m.Signal(
            id=101,
            signal_id="s1",
            signal_type="long",
            exposure=1.0,
            price=10.5,
            at=OPENED,
            reasons=["cross"],
            indicator_values={"sma_10": 10.1},
            **held,
        ),
        "executed",
        True,
    )
    yield Sample(
        m.StandingTarget(signal_id="s1", exposure=1.0, quantity=Decimal(100), **held),
        "is_met",
        True,
    )
    yield Sample(m.OrderGroup(id=101, account_id=ACCOUNT, group_id="g1"), "kind", "bracket")
    yield Sample(
        m.Order(
            id=101,
            client_order_id="tw-101-1",
            signal_id="s1",
            group_id="g1",
            leg="entry",
            side="buy",
            quantity=Decimal(100),
            at=OPENED,
            **held,
        ),
        "status",
        "submitted",
    )
    yield Sample(
        m.Execution(
            id=101,
            order_id=101,
            broker="paper",
            execution_id="e1",
            client_order_id="tw-101-1",
            side="buy",
            quantity=Decimal(100),
            price=Decimal("10.51"),
            at=OPENED,
            **held,
        ),
        "commission",
        Decimal("1.005"),
    )
    yield Sample(
        m.Position(
            stock_id=STOCK,
            quantity=Decimal(100),
            average_price=Decimal("10.51"),
            opened_at=OPENED,
            **held,
        ),
        "realized_pnl",
        Decimal("-3.21"),
    )
    yield Sample(
        m.Trade(
            id=101,
            trade_id="t1",
            strategy_id=STRATEGY,
            stock_id=STOCK,
            trade_date=DAY,
            quantity=Decimal(100),
            entry_price=Decimal("10.51"),
            exit_price=Decimal("10.61"),
            entry_at=OPENED,
            exit_at=CLOSED,
            pnl=Decimal("9.99"),
            **held,
        ),
        "market_context",
        {"regime": "calm"},
    )
    yield Sample(
        m.CashMovement(
            id=101,
            account_id=ACCOUNT,
            seq=1,
            ledger="manual",
            kind="deposit",
            amount=Decimal(1000),
            at=OPENED,
        ),
        "reason",
        "opening",
    )


def control() -> Iterator[Sample]:
    yield Sample(
        m.RiskCheck(
            id=101,
            account_id=ACCOUNT,
            seq=2,
            number=0,
            signal_id="s1",
            rule="max_position_size",
            passed=True,
            at=OPENED,
        ),
        "value",
        Decimal("0.04"),
    )
    yield Sample(
        m.RiskViolation(
            id=101,
            account_id=ACCOUNT,
            seq=3,
            ledger="manual",
            instrument_id=STOCK,
            signal_id="s2",
            side="buy",
            quantity=Decimal(1),
            code="price_collar",
            at=OPENED,
        ),
        "detail",
        "12 % away",
    )
    yield Sample(
        m.Reconciliation(id=101, account_id=ACCOUNT, at=OPENED), "differences", ["IBM: 100 ≠ 0"]
    )
    yield Sample(m.TradingState(scope=STREAM), "state", "halted")
    yield Sample(
        m.Command(id=101, account_id=ACCOUNT, kind="order_place", actor="user:101"),
        "payload",
        {"symbol": "IBM"},
    )
    yield Sample(
        m.StrategyEvent(
            id=101, account_id=ACCOUNT, deployment_id=DEPLOYMENT, event_type="started", at=OPENED
        ),
        "metadata_",
        {"bars": 30},
    )
    yield Sample(
        m.DailyPerformance(
            account_id=ACCOUNT,
            ledger=LEDGER,
            date=DAY,
            starting_equity=Decimal(100),
            ending_equity=Decimal(101),
        ),
        "total_return",
        0.01,
    )


def journal() -> Iterator[Sample]:
    yield Sample(m.JournalStream(stream=STREAM, seq=1, hash=HASH, epoch=1), "seq", 2)
    yield Sample(
        m.TradingEvent(
            stream=STREAM,
            seq=1,
            event_type="order_filled",
            occurred_at=OPENED,
            payload={"price": "10.510"},
            hash=HASH,
        ),
        "actor",
        "someone else",
    )
    yield Sample(m.EngineCheckpoint(account_id=ACCOUNT, seq=1, state=b"\x00\x01"), "state", b"\x02")
    yield Sample(m.Lease(resource=STREAM, holder="core-1", epoch=1), "epoch", 2)
    yield Sample(
        m.FeedState(account_id=ACCOUNT, provider="alpaca", place=0, state="up"), "state", "down"
    )
    yield Sample(m.HandlerCursor(handler="alerts", stream=STREAM), "seq", 1)
    yield Sample(m.HandlerDelivery(handler="alerts", stream=STREAM, seq=1), "status", "delivered")


def research() -> Iterator[Sample]:
    run = {"strategy": "sample_cross", "symbols": ["IBM"], "timeframe": "1d", "dataset": "live"}
    yield Sample(m.Sweep(id=101, **run), "best", [{"fast": 5}])
    yield Sample(
        m.Backtest(id=101, **run, starting_cash=Decimal(100000), sweep_id=101), "sharpe", 1.2
    )
    yield Sample(
        m.BacktestTrade(
            backtest_id=101,
            number=1,
            symbol="IBM",
            quantity=Decimal(-5),
            entry_price=Decimal(10),
            exit_price=Decimal(9),
            entry_at=OPENED,
            exit_at=CLOSED,
            pnl=Decimal(5),
        ),
        "exit_leg",
        "stop_loss",
    )


def operations() -> Iterator[Sample]:
    yield Sample(m.SystemConfig(scope=STREAM, key="max_daily_loss", value="0.02"), "value", None)
    yield Sample(
        m.ConfigChange(id=101, key="max_daily_loss", before="0.03", after="0.02", actor="user:101"),
        "reason",
        "calmer",
    )
    yield Sample(
        m.AuditEntry(
            seq=1,
            at=OPENED,
            actor="user:101",
            user_id=USER,
            action="config.change",
            resource="system_config",
            address=IPv4Address("127.0.0.1"),
            payload={"after": "0.02"},
            hash=HASH,
        ),
        "actor",
        "someone else",
    )
    yield Sample(
        m.Alert(id=101, key="disk", category="system", severity="warning", title="Disk 90 % full"),
        "resolved_at",
        CLOSED,
    )
    yield Sample(m.AlertDelivery(id=101, alert_id=101, channel="mail"), "attempts", 3)
    yield Sample(
        m.NotificationChannel(
            id=101,
            name="mail",
            service="E-Mail",
            hint="mailtos://mail.example.org",
            key_id="k1",
            ciphertext=HASH,
            created_by="ada@example.org",
        ),
        "level",
        1,
    )
    yield Sample(m.Metric(name="bars", labels={"feed": "csv"}, at=OPENED, value=1.0), "value", 2.0)
    rolled = {"samples": 5, "total": 5.0, "minimum": 1.0, "maximum": 1.0, "last": 1.0}
    yield Sample(m.MetricRollup(name="bars", span=300, at=OPENED, **rolled), "last", 2.0)
    seen = {"kind": "OSError", "message": "full", "component": "api", "process": "api"}
    times = {"occurrences": 1, "first_at": OPENED, "last_at": OPENED}
    yield Sample(m.Error(fingerprint="ab", **seen, **times), "occurrences", 2)
    yield Sample(
        m.Availability(id=101, state="up", since=OPENED, until=OPENED), "reason", "all is well"
    )
    yield Sample(m.Backup(id=101, path="backups/1.tar"), "error", "disk full")
    yield Sample(m.JobState(job="retention", seen_until=OPENED), "seen_until", CLOSED)
    yield Sample(
        m.JobRun(id=101, job="retention", scheduled_for=OPENED, trigger="schedule"),
        "error",
        "no disk left",
    )
    yield Sample(
        m.BrokerState(account_id=ACCOUNT, broker="alpaca", state="up", since=OPENED, report={}),
        "state",
        "down",
    )
    yield Sample(m.Heartbeat(name="guardian", state={"watched": 1}), "state", {"watched": 2})
    upload = {"file": "SPY.csv", "bytes": 40, "dataset": "import:files", "actor": "user:101"}
    yield Sample(
        m.DataImport(id=101, **upload, state="queued", rows_done=0, rows_total=0, seen_at=OPENED),
        "state",
        "running",
    )


PARTS = (people, reference, market_data, trading, control, journal, research, operations)
APPEND_ONLY = frozenset({m.TradingEvent, m.AuditEntry})


def samples() -> list[Sample]:
    """Fresh objects, parents before children."""
    return [sample for part in PARTS for sample in part()]


def row_of(model: type[Base]) -> Base:
    """The sample row of one table."""
    return next(sample.row for sample in samples() if type(sample.row) is model)
