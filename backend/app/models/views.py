"""Views that give other documents' names and columns; dropped and made again around migrations."""

from typing import Final

from sqlalchemy import Connection, text

TRADE_SIGNALS = "SELECT s.*, i.symbol FROM signals s JOIN instruments i ON i.id = s.instrument_id"

TRADING_ORDERS = """
SELECT o.*, i.symbol, o.quantity - o.filled_quantity AS remaining_quantity
FROM orders o JOIN instruments i ON i.id = o.instrument_id
"""

TRADING_EXECUTIONS = """
SELECT e.*, i.symbol, e.quantity * e.price * i.multiplier AS value
FROM executions e JOIN instruments i ON i.id = e.instrument_id
"""

# The last price is the newest bar of the account's own data set, up to the account's own clock.
TRADING_POSITIONS = """
SELECT p.*, i.symbol, last.price AS market_price, last.at AS market_price_at,
    p.quantity * last.price * i.multiplier AS market_value,
    (last.price - p.average_price) * p.quantity * i.multiplier AS unrealized_pnl
FROM positions p
JOIN accounts a ON a.id = p.account_id
JOIN instruments i ON i.id = p.instrument_id
LEFT JOIN LATERAL (
    SELECT bar.close::numeric(20, 8) AS price, bar."end" AS at
    FROM unnest(ARRAY['1m', '5m', '15m', '1h', '1d']) AS frame
    CROSS JOIN LATERAL (
        SELECT d.close, d."end" FROM stock_data d
        WHERE d.dataset = a.dataset AND d.stock_id = p.instrument_id AND d.timeframe = frame
            AND d.start < coalesce(a.clock_at, 'infinity')
        ORDER BY d.start DESC LIMIT 1
    ) AS bar
    ORDER BY bar."end" DESC LIMIT 1
) AS last ON true
"""

STRATEGY_DEPLOYMENTS = """
SELECT d.*, s.name AS strategy, a.name AS account, a.mode, a.broker, a.dataset
FROM deployments d
JOIN strategies s ON s.id = d.strategy_id
JOIN accounts a ON a.id = d.account_id
"""

TRADING_AUDIT_TRAIL = "SELECT * FROM audit_trail"

STRATEGY_PERFORMANCE = """
SELECT s.id AS strategy_id, s.name AS strategy,
    (SELECT count(*) FROM deployments d WHERE d.strategy_id = s.id) AS deployments,
    count(t.id) AS trades,
    count(t.id) FILTER (WHERE t.pnl > 0) AS winning_trades,
    count(t.id) FILTER (WHERE t.pnl < 0) AS losing_trades,
    count(t.id) FILTER (WHERE t.pnl > 0)::float8 / nullif(count(t.id), 0) AS win_rate,
    coalesce(sum(t.pnl), 0) AS realized_pnl,
    coalesce(sum(t.commission), 0) AS commission,
    avg(t.pnl) AS average_pnl,
    max(t.pnl) AS best_pnl,
    min(t.pnl) AS worst_pnl,
    sum(t.pnl) FILTER (WHERE t.pnl > 0)
        / nullif(-sum(t.pnl) FILTER (WHERE t.pnl < 0), 0) AS profit_factor,
    (SELECT max(p.drawdown) FROM daily_performance p JOIN deployments d ON d.id = p.deployment_id
        WHERE d.strategy_id = s.id) AS max_drawdown,
    min(t.entry_at) AS first_entry_at,
    max(t.exit_at) AS last_exit_at
FROM strategies s LEFT JOIN trades t ON t.strategy_id = s.id
GROUP BY s.id
"""

TRADING_SYSTEM_CONFIG = "SELECT * FROM system_config"

STOCK_PRICES = """
SELECT s.symbol, d.start AS "timestamp", d.open AS open_price, d.high AS high_price,
    d.low AS low_price, d.close AS close_price, d.volume, d.vwap, d.dataset, d.source
FROM stock_data d JOIN stocks s ON s.id = d.stock_id
WHERE d.timeframe = '1m'
"""

AGENT_POSITIONS = """
SELECT p.deployment_id AS agent_id, i.symbol AS ticker, p.account_id, p.instrument_id,
    p.stock_id, p.quantity, p.average_price, p.realized_pnl, p.commission, p.opened_at,
    p.created_at, p.updated_at
FROM positions p JOIN instruments i ON i.id = p.instrument_id
WHERE p.deployment_id IS NOT NULL AND p.quantity <> 0
"""

AGENT_TRADES = """
SELECT t.id, t.deployment_id AS agent_id, i.symbol AS ticker, t.trade_date, t.account_id,
    t.strategy_id, t.stock_id, t.quantity, t.entry_price, t.exit_price, t.entry_at, t.exit_at,
    t.commission, t.pnl, t.exit_leg, t.market_context, t.created_at, t.updated_at
FROM trades t JOIN instruments i ON i.id = t.instrument_id
WHERE t.deployment_id IS NOT NULL
"""

VIEWS: Final = {
    "trade_signals": TRADE_SIGNALS,
    "trading_orders": TRADING_ORDERS,
    "trading_positions": TRADING_POSITIONS,
    "trading_executions": TRADING_EXECUTIONS,
    "strategy_deployments": STRATEGY_DEPLOYMENTS,
    "trading_audit_trail": TRADING_AUDIT_TRAIL,
    "strategy_performance": STRATEGY_PERFORMANCE,
    "trading_system_config": TRADING_SYSTEM_CONFIG,
    "stock_prices": STOCK_PRICES,
    "agent_positions": AGENT_POSITIONS,
    "agent_trades": AGENT_TRADES,
}


def create_views(connection: Connection) -> None:
    """Make every view, in the caller's transaction. They need the newest revision's tables."""
    for name, query in VIEWS.items():
        connection.execute(text(f"CREATE OR REPLACE VIEW {name} AS {query}"))


def drop_views(connection: Connection) -> None:
    """Drop every view that exists, so that tables can change beneath them."""
    for name in reversed(VIEWS):
        connection.execute(text(f"DROP VIEW IF EXISTS {name}"))
