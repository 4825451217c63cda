"""What a person asks first, straight from the database: one connection, no program needed."""

from contextlib import closing
from typing import Any, Final

import psycopg2
from psycopg2.extras import RealDictCursor

from app.core.errors import Unavailable

TRADING_STATE: Final = """
    SELECT coalesce(max(state) FILTER (WHERE state = 'halted'),
                    max(state) FILTER (WHERE state = 'reducing'), 'active') AS state
    FROM trading_state
"""
"The strictest of all scopes."
DEPLOYMENTS: Final = """
    SELECT d.id, d.name, s.name AS strategy, d.symbols, d.timeframe, d.state, a.name AS account
    FROM deployments d
    JOIN strategies s ON s.id = d.strategy_id
    JOIN accounts a ON a.id = d.account_id
    ORDER BY d.id
"""
OPEN_ORDERS: Final = """
    SELECT count(*) AS n FROM orders
    WHERE status IN ('approved', 'submitted', 'accepted', 'unknown', 'partially_filled')
"""
BROKERS: Final = """
    SELECT a.name AS account, a.broker, a.mode,
           CASE WHEN a.broker = 'paper' THEN 'up'
                WHEN b.at > now() - interval '30 s' THEN b.state ELSE 'unknown' END AS state,
           CASE WHEN a.broker = 'paper' THEN true
                ELSE coalesce((b.report ->> 'is_reconciled')::bool, false) END AS reconciled,
           b.reason
    FROM accounts a LEFT JOIN broker_states b ON b.account_id = a.id
    WHERE a.active ORDER BY a.id
"""
GUARDIAN: Final = """
    SELECT CASE WHEN (state ->> 'is_stopped')::bool THEN 'stopped'
                WHEN at > now() - interval '15 s' THEN 'watching' ELSE 'silent' END AS state
    FROM heartbeats WHERE name = 'guardian'
"""
POSITIONS: Final = """
    SELECT a.name AS account, p.ledger, i.symbol, p.quantity, p.average_price
    FROM positions p
    JOIN instruments i ON i.id = p.instrument_id
    JOIN accounts a ON a.id = p.account_id
    WHERE p.quantity <> 0 ORDER BY a.id, p.ledger, i.symbol
"""


def overview(url: str) -> dict[str, Any]:
    """Trading state, deployments, number of open orders, open positions, broker connections.

    Raises Unavailable when the database does not answer or was never migrated.
    """
    try:
        with closing(psycopg2.connect(url, connect_timeout=5)) as connection, connection:
            connection.set_session(readonly=True)
            with connection.cursor(cursor_factory=RealDictCursor) as cursor:
                guardian = _rows(cursor, GUARDIAN)
                return {
                    "trading_state": _rows(cursor, TRADING_STATE)[0]["state"],
                    "deployments": _rows(cursor, DEPLOYMENTS),
                    "open_orders": _rows(cursor, OPEN_ORDERS)[0]["n"],
                    "positions": _rows(cursor, POSITIONS),
                    "brokers": _rows(cursor, BROKERS),
                    "guardian": guardian[0]["state"] if guardian else "not running",
                }
    except psycopg2.OperationalError as error:
        raise Unavailable(f"The database does not answer: {str(error).strip()}") from None
    except psycopg2.errors.UndefinedTable:
        raise Unavailable(
            "The database was never migrated.", remedy="Run `tradewright db upgrade`."
        ) from None


def _rows(cursor: RealDictCursor, query: str) -> list[dict[str, Any]]:
    cursor.execute(query)
    return [dict(row) for row in cursor.fetchall()]
