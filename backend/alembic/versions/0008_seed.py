"""What every installation starts with: nine stocks, default limits, an active trading state."""

import json

import sqlalchemy as sa

from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | None = None
depends_on: str | None = None

STOCKS = (
    ("AAPL", "stock", "Apple Inc.", "XNAS", "Information Technology"),
    ("GOOGL", "stock", "Alphabet Inc. Class A", "XNAS", "Communication Services"),
    ("AMZN", "stock", "Amazon.com, Inc.", "XNAS", "Consumer Discretionary"),
    ("MSFT", "stock", "Microsoft Corporation", "XNAS", "Information Technology"),
    ("NVDA", "stock", "NVIDIA Corporation", "XNAS", "Information Technology"),
    ("META", "stock", "Meta Platforms, Inc.", "XNAS", "Communication Services"),
    ("AVGO", "stock", "Broadcom Inc.", "XNAS", "Information Technology"),
    ("SPY", "etf", "SPDR S&P 500 ETF Trust", "ARCX", "Index Funds"),
    ("QQQ", "etf", "Invesco QQQ Trust", "XNAS", "Index Funds"),
)
CONFIG = (
    ("risk_checking", True, "False lets everything but the trading state through. Paper only."),
    ("emergency_stop", True, "Whether the emergency stop is armed."),
    ("max_concurrent_orders", 10, "Open orders at a time in one account."),
    ("order_timeout_seconds", 300, "An entry order that rests longer is canceled."),
    ("max_position_size", "0.05", "Largest value of one symbol, as a fraction of equity."),
    ("max_portfolio_exposure", "0.80", "Largest value of all positions, as a fraction of equity."),
    ("max_sector_exposure", "0.30", "Largest value of one sector, as a fraction of equity."),
    ("default_stop_loss", "0.05", "Distance of the protective stop where a signal names none."),
    ("market_data_refresh_seconds", 1, "How often prices are refreshed."),
    ("max_daily_loss", "0.03", "Loss of a session at which only reductions pass."),
    ("max_drawdown", "0.20", "Fall from the peak at which only reductions pass."),
    ("max_orders_per_minute", 60, "Orders that one account may send in a minute."),
    ("price_collar", "0.10", "Farthest a limit or stop price may stand from the last price."),
    ("stale_price_seconds", 300, "Age at which a price is too old to add risk on."),
    ("trade_extended_hours", False, "Whether bars outside the regular session are traded."),
    ("allow_short", False, "Whether a position may go below zero."),
    ("settled_cash_only", False, "Whether proceeds must settle before they are spent."),
    ("prevent_self_crossing", True, "Refuse an order that would meet another of our own."),
    ("restricted_symbols", [], "Symbols that may only be reduced."),
    ("allowed_symbols", [], "Only these may be added to; empty: all."),
)
STREAMS = ("system", "audit")


STOCK = """
WITH made AS (
    INSERT INTO instruments (symbol, kind) VALUES (:symbol, :kind)
    ON CONFLICT (symbol) DO NOTHING RETURNING id
)
INSERT INTO stocks (id, symbol, name, exchange, sector)
SELECT id, :symbol, :name, :exchange, :sector FROM made
"""
SETTING = """
INSERT INTO system_config (scope, key, value, description)
VALUES ('all', :key, CAST(:value AS jsonb), :description) ON CONFLICT DO NOTHING
"""


def upgrade() -> None:
    for symbol, kind, name, exchange, sector in STOCKS:
        op.execute(
            sa.text(STOCK).bindparams(
                symbol=symbol, kind=kind, name=name, exchange=exchange, sector=sector
            )
        )
    for key, value, description in CONFIG:
        op.execute(
            sa.text(SETTING).bindparams(key=key, value=json.dumps(value), description=description)
        )
    op.execute("INSERT INTO trading_state (scope) VALUES ('all') ON CONFLICT DO NOTHING")
    for stream in STREAMS:
        op.execute(
            f"INSERT INTO journal_streams (stream) VALUES ('{stream}') ON CONFLICT DO NOTHING"
        )


def downgrade() -> None:
    """Leaves the rows: later data may refer to them, and a second upgrade does not repeat them."""
