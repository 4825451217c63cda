"""What only a fault could have left behind: things done twice, or acknowledged and not done."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import asyncpg

from app.domain.orders import OPEN

_TWICE: Final = {
    "slice": """
        SELECT payload ->> 'end' AS what FROM trading_events
        WHERE stream = $1 AND event_type = 'slice_closed' GROUP BY 1 HAVING count(*) > 1""",
    "approval of order": """
        SELECT payload -> 'order' ->> 'client_order_id' AS what FROM trading_events
        WHERE stream = $1 AND event_type = 'order_approved' GROUP BY 1 HAVING count(*) > 1""",
    "submission of order": """
        SELECT payload ->> 'client_order_id' AS what FROM trading_events
        WHERE stream = $1 AND event_type = 'order_submitted' GROUP BY 1 HAVING count(*) > 1""",
    # Brokers tell a fill again after each reconnection: what counts is how often it had an effect.
    "execution": """
        SELECT payload -> 'execution' ->> 'execution_id' AS what FROM trading_events f
        WHERE stream = $1 AND event_type = 'order_filled' AND EXISTS (
          SELECT FROM trading_events e WHERE e.stream = f.stream AND e.caused_by = f.seq
          AND e.event_type = 'position_changed')
        GROUP BY 1 HAVING count(*) > 1""",
    "command": """
        SELECT payload ->> 'command_id' AS what FROM trading_events
        WHERE stream = $1 AND event_type = 'command_received' GROUP BY 1 HAVING count(*) > 1""",
}
_LOST: Final = """
SELECT asked.id FROM unnest($2::bigint[]) AS asked (id)
WHERE NOT EXISTS (
  SELECT FROM commands c
  WHERE c.id = asked.id AND c.account_id = $1 AND c.status <> 'pending')
"""
_PRICES: Final = """
SELECT DISTINCT ON (symbol) symbol, price FROM (
  SELECT i.symbol, e.price, e.at FROM executions e JOIN instruments i ON i.id = e.instrument_id
  WHERE e.account_id = $1 ORDER BY e.at DESC LIMIT 100) AS newest
ORDER BY symbol, at DESC
"""
_RESTING: Final = """
SELECT client_order_id, limit_price FROM orders
WHERE account_id = $1 AND status = ANY($2) AND ledger = 'manual'
"""


async def doubles(pool: asyncpg.Pool, stream: str) -> list[str]:
    """Everything in a stream that may be there once, and is there more often."""
    found: list[str] = []
    for what, question in _TWICE.items():
        found += [f"{what} {row['what']}" for row in await pool.fetch(question, stream)]
    return found


async def unanswered(pool: asyncpg.Pool, account_id: int, command_ids: Sequence[int]) -> list[int]:
    """Those of an account's commands that have no outcome, or are gone."""
    return [row["id"] for row in await pool.fetch(_LOST, account_id, list(command_ids))]


async def waiting(pool: asyncpg.Pool, account_id: int, command_ids: Sequence[int]) -> bool:
    """Whether any of these commands still waits for its outcome."""
    question = (
        "SELECT EXISTS (SELECT FROM commands"
        " WHERE account_id = $1 AND id = ANY($2) AND status = 'pending')"
    )
    return bool(await pool.fetchval(question, account_id, list(command_ids)))


async def prices(pool: asyncpg.Pool, account_id: int) -> dict[str, Decimal]:
    """The newest price at which the account traded each symbol."""
    return {row["symbol"]: row["price"] for row in await pool.fetch(_PRICES, account_id)}


async def resting(pool: asyncpg.Pool, account_id: int) -> list[dict[str, Any]]:
    """Open orders that people made."""
    return [dict(row) for row in await pool.fetch(_RESTING, account_id, sorted(OPEN))]


async def orders(pool: asyncpg.Pool, account_id: int) -> int:
    """How many orders the account ever had."""
    found: int = await pool.fetchval(
        "SELECT count(*) FROM orders WHERE account_id = $1", account_id
    )
    return found


async def last(pool: asyncpg.Pool, stream: str) -> int:
    """The number of a stream's last event."""
    found: int = await pool.fetchval("SELECT seq FROM journal_streams WHERE stream = $1", stream)
    return found


async def is_reconciled(pool: asyncpg.Pool, stream: str, after: int) -> bool:
    """Whether the account's books were found to agree since event `after`."""
    question = (
        "SELECT EXISTS (SELECT FROM trading_events WHERE stream = $1 AND seq > $2"
        " AND event_type = 'reconciled')"
    )
    return bool(await pool.fetchval(question, stream, after))
