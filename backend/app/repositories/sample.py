"""Rows that sample data needs before its events are journaled, and what forbids sample data."""

from collections.abc import Sequence
from typing import Any, Final

import asyncpg
import msgspec

from app.domain.market import Bar
from app.repositories.paging import Db

DATASET: Final = "import:sample"
ACCOUNT: Final = "Sample"
EMAIL: Final = "sample@localhost"
_COUNTS: Final = """
SELECT (SELECT count(*) FROM users) AS users,
    (SELECT count(*) FROM accounts) AS accounts,
    (SELECT count(*) FROM deployments) AS deployments,
    (SELECT count(*) FROM stock_data) AS stock_data,
    (SELECT count(*) FROM signals) AS signals,
    (SELECT count(*) FROM orders) AS orders,
    (SELECT count(*) FROM executions) AS executions,
    (SELECT count(*) FROM positions) AS positions,
    (SELECT count(*) FROM trades) AS trades,
    (SELECT count(*) FROM risk_violations) AS risk_violations,
    (SELECT count(*) FROM strategy_events) AS strategy_events,
    (SELECT count(*) FROM trading_events) AS trading_events
"""

_OBSTACLES: Final = """
SELECT 'there is a live account' AS obstacle WHERE EXISTS (SELECT FROM accounts WHERE mode = 'live')
UNION ALL
SELECT 'there is live market data' WHERE EXISTS (SELECT FROM stock_data WHERE dataset = 'live')
    OR EXISTS (SELECT FROM ticks WHERE dataset = 'live')
    OR EXISTS (SELECT FROM quotes WHERE dataset = 'live')
UNION ALL
SELECT 'the sample account is there already' WHERE EXISTS (SELECT FROM accounts WHERE dataset = $1)
"""
_USER: Final = """
INSERT INTO users (email, name, role, password_hash) VALUES ($1, 'Sample', 'admin', $2) RETURNING id
"""
# Not active: no engine takes it, so that its story stays as it was written.
_ACCOUNT: Final = """
INSERT INTO accounts (name, owner_id, dataset, starting_cash, cash, active, settings)
VALUES ($1, $2, $3, $4, $4, false, '{"sample": true}') RETURNING id
"""
_STRATEGY: Final = """
WITH made AS (
  INSERT INTO strategies (name, description, parameters) VALUES ($1, $2, $3)
  ON CONFLICT (name) DO NOTHING RETURNING id
)
SELECT id FROM made UNION ALL SELECT id FROM strategies WHERE name = $1 LIMIT 1
"""
_DEPLOYMENT: Final = """
INSERT INTO deployments (account_id, strategy_id, name, parameters, symbols, timeframe, capital,
                         created_by)
VALUES ($1, $2, $3, $4, $5, '1d', $6, $7) RETURNING id
"""
_BAR_COLUMNS: Final = (
    "dataset", "stock_id", "timeframe", "start", "end", "open", "high", "low", "close", "volume",
    "source",
)  # fmt: skip


async def obstacles(db: Db) -> list[str]:
    """Why this database may not get sample data; empty: it may."""
    return [row["obstacle"] for row in await db.fetch(_OBSTACLES, DATASET)]


async def add_user(db: Db, password_hash: str) -> int:
    return int(await db.fetchval(_USER, EMAIL, password_hash))


async def add_account(db: Db, owner_id: int, cash: Any) -> int:  # noqa: ANN401 - Decimal as asyncpg takes it
    return int(await db.fetchval(_ACCOUNT, ACCOUNT, owner_id, DATASET, cash))


async def add_strategy(db: Db, name: str, description: str, parameters: str) -> int:
    """Id of the strategy, made first when the catalogue has not been stored yet."""
    return int(await db.fetchval(_STRATEGY, name, description, parameters))


async def add_deployment(db: Db, *values: Any) -> int:  # noqa: ANN401 - columns of _DEPLOYMENT, in order
    return int(await db.fetchval(_DEPLOYMENT, *values))


async def add_bars(connection: asyncpg.Connection, bars: Sequence[Bar]) -> None:
    """Store bars of known symbols under the sample data set."""
    ids = {row["symbol"]: row["id"] for row in await connection.fetch("SELECT * FROM stocks")}
    records = [
        (DATASET, ids[bar.symbol], *msgspec.structs.astuple(bar)[1:], "sample") for bar in bars
    ]
    await connection.copy_records_to_table("stock_data", records=records, columns=_BAR_COLUMNS)


async def counts(db: Db) -> dict[str, int]:
    """Rows of each table that sample data fills."""
    return dict((await db.fetch(_COUNTS))[0])
