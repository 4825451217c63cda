"""Every table, view, column and index that the requirements name answers."""

import json

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.limits import Limits

STAMPS = ("created_at", "updated_at")
OTHERS = (
    "instruments",
    "executions",
    "deployments",
    "accounts",
    "account_members",
    "standing_targets",
    "order_groups",
    "cash_movements",
    "trading_state",
    "commands",
    "journal_streams",
    "leases",
    "feed_states",
    "risk_checks",
    "audit_trail",
    "reconciliations",
    "alerts",
    "alert_deliveries",
    "system_config",
    "config_history",
    "ticks",
    "quotes",
    "stock_data_revisions",
    "quarantine",
    "data_gaps",
    "data_imports",
    "bar_series",
    "corporate_actions",
    "disclosures",
    "backtests",
    "backtest_trades",
    "sweeps",
    "users",
    "sessions",
    "refresh_tokens",
    "api_keys",
    "credentials",
    "idempotency_keys",
    "handler_cursors",
    "handler_deliveries",
    "backups",
    "job_runs",
    "job_states",
    "engine_checkpoints",
)
NINE = {"AAPL", "GOOGL", "AMZN", "MSFT", "NVDA", "META", "AVGO", "SPY", "QQQ"}
NAMED: dict[str, tuple[str, ...]] = {
    # the user, and B
    "strategies": ("id", "name", "description", "parameters", "active", *STAMPS),
    "stocks": ("id", "symbol", "name", "exchange", "sector"),
    "trades": (
        "strategy_id",
        "stock_id",
        "deployment_id",
        "trade_date",
        "entry_price",
        "entry_at",
        "exit_price",
        "exit_at",
        "pnl",
        "commission",
        "stop_loss",
        "take_profit",
        "market_context",
    ),
    "signals": ("signal_type", "executed", "reasons", "indicator_values"),
    "orders": (
        "type",
        "quantity",
        "limit_price",
        "stop_price",
        "average_price",
        "status",
        "broker_order_id",
    ),
    "stock_data": (
        "dataset",
        "stock_id",
        "timeframe",
        "start",
        "end",
        "open",
        "high",
        "low",
        "close",
        "volume",
        "vwap",
        "source",
    ),
    "indicators": ("stock_id", "name", "value", "metadata"),
    "strategy_events": ("event_type", "severity", "metadata"),
    # A
    "agent_positions": ("agent_id", "ticker"),
    "agent_trades": ("agent_id", "ticker", "trade_date"),
    "daily_performance": ("deployment_id", "date"),
    # B, C: other names for the same tables
    "trade_signals": ("signal_type", "executed", "reasons", "indicator_values", "symbol"),
    "trading_orders": ("type", "quantity", "status", "broker_order_id", "symbol"),
    "trading_positions": ("quantity", "average_price", "realized_pnl", "unrealized_pnl"),
    "trading_executions": ("execution_id", "quantity", "price", "commission"),
    "strategy_deployments": ("id", "state", "strategy", "account", "mode"),
    "trading_events": (
        "stream",
        "seq",
        "event_type",
        "priority",
        "occurred_at",
        "recorded_at",
        "caused_by",
        "correlation_id",
        "actor",
        "payload",
        "hash",
    ),
    "risk_violations": ("code", "detail", "value", "limit_value", "at"),
    "trading_audit_trail": ("actor", "action", "resource", "payload", "hash"),
    "strategy_performance": ("strategy_id", "strategy", "trades", "realized_pnl", "win_rate"),
    "market_data_cache": ("dataset", "instrument_id", "kind", "payload", "expires_at"),
    "trading_system_config": ("key", "value", "description"),
    # D
    "stock_prices": (
        "symbol",
        "timestamp",
        "open_price",
        "high_price",
        "low_price",
        "close_price",
        "volume",
        "vwap",
    ),
    "options_data": ("contract_id", "at", "bid", "ask", "implied_volatility", "delta"),
    "option_contracts": ("underlying_id", "expiry", "strike", "option_type"),
    "positions": ("deployment_id", "stock_id", "quantity"),
    "metrics": ("name", "at", "value", "labels"),
    # the rest of the design's list
    **dict.fromkeys(OTHERS, ()),
}
INDEXED: list[tuple[str, str]] = [
    ("trades", "strategy_id, stock_id, entry_at, exit_at"),
    ("trades", "deployment_id, stock_id, exit_at"),
    ("trades", "trade_date"),
    ("positions", "deployment_id, stock_id"),
    ("daily_performance", "date"),
    ("daily_performance", "deployment_id, date"),
    ("stock_data", "dataset, stock_id, timeframe, start"),
    ("stock_data", "start DESC"),
    ("signals", "deployment_id, at"),
    ("strategy_events", "deployment_id, at"),
    ("trading_events", "event_type, recorded_at"),
]


@pytest.mark.parametrize("name", NAMED)
async def test_a_name_asked_for_answers(session: AsyncSession, name: str) -> None:
    columns = ", ".join(f'"{column}"' for column in NAMED[name]) or "*"
    await session.execute(text(f"SELECT {columns} FROM {name} LIMIT 0"))


@pytest.mark.parametrize(("table", "columns"), INDEXED)
async def test_a_query_asked_for_has_its_index(
    session: AsyncSession, table: str, columns: str
) -> None:
    found = await session.scalars(
        text("SELECT indexdef FROM pg_indexes WHERE tablename = :table"), {"table": table}
    )
    assert any(f"({columns})" in definition for definition in found)


async def test_json_columns_are_jsonb_except_where_text_must_be_kept(
    session: AsyncSession,
) -> None:
    rows = await session.execute(
        text(
            "SELECT c.table_name || '.' || c.column_name FROM information_schema.columns c "
            "JOIN information_schema.tables t USING (table_schema, table_name) "
            "WHERE c.data_type = 'json' AND t.table_type = 'BASE TABLE'"
        )
    )
    assert sorted(rows.scalars()) == ["audit_trail.payload", "trading_events.payload"]


async def test_the_nine_stocks_have_a_sector_and_an_instrument(session: AsyncSession) -> None:
    rows = await session.execute(
        text(
            "SELECT s.symbol FROM stocks s JOIN instruments i USING (id, symbol) "
            "WHERE s.sector <> '' AND s.name <> '' AND s.exchange <> ''"
        )
    )
    assert set(rows.scalars()) == NINE


async def test_the_stored_limits_are_the_defaults_in_code(session: AsyncSession) -> None:
    rows = await session.execute(text("SELECT key, value FROM system_config WHERE scope = 'all'"))
    assert {row.key: row.value for row in rows} == json.loads(msgspec.json.encode(Limits()))


async def test_trading_starts_active(session: AsyncSession) -> None:
    row = (await session.execute(text("SELECT scope, state FROM trading_state"))).one()
    assert tuple(row) == ("all", "active")
