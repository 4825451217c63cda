"""What was so at an instant of an account's stream: its slice, states, holdings, late bars."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final

from app.repositories.paging import Db, Row, plain

_NEXT_SLICE: Final = """
SELECT seq, occurred_at FROM trading_events
WHERE stream = $1 AND seq >= $2 AND event_type = 'slice_closed' ORDER BY seq LIMIT 1
"""
_EVENT: Final = """
SELECT seq, event_type AS type, occurred_at, correlation_id, actor, payload AS data
FROM trading_events WHERE stream = $1
"""
_LIFE: Final = [
    "deployment_started", "deployment_paused", "deployment_stopped", "deployment_failed",
]  # fmt: skip


async def slice_at(db: Db, stream: str, at: datetime) -> Row | None:
    """The last slice that had ended at `at`, by halving: seqs and slices grow together."""
    low, high = 1, await db.fetchval("SELECT seq FROM journal_streams WHERE stream = $1", stream)
    found: int | None = None
    while high is not None and low <= high:
        middle = (low + high) // 2
        row = await db.fetchrow(_NEXT_SLICE, stream, middle)
        if row is None or row["seq"] > high or row["occurred_at"] > at:
            high = middle - 1
        else:
            found, low = row["seq"], row["seq"] + 1
    return None if found is None else await _one(db, f"{_EVENT} AND seq = $2", stream, found)


async def last_of(
    db: Db, stream: str, types: Sequence[str], upto: int, where: dict[str, str] | None = None
) -> Row | None:
    """The last event of these types up to a seq, whose payload has these texts at these paths.

    A path is written with dots: `position.symbol`.
    """
    conditions, values = [], []
    for number, (path, value) in enumerate((where or {}).items()):
        conditions.append(f" AND payload #>> ${4 + 2 * number}::text[] = ${5 + 2 * number}")
        values += [path.split("."), value]
    sql = f"{_EVENT} AND event_type = ANY($2) AND seq <= $3{''.join(conditions)}"
    return await _one(db, f"{sql} ORDER BY seq DESC LIMIT 1", stream, list(types), upto, *values)


async def life_at(db: Db, stream: str, deployment_id: int, upto: int) -> Row | None:
    """The last start, pause, stop or failure of a deployment up to a seq."""
    sql = f"""{_EVENT} AND event_type = ANY($2) AND seq <= $3 AND coalesce(
      payload ->> 'deployment_id', payload #>> '{{deployment,deployment_id}}') = $4
      ORDER BY seq DESC LIMIT 1"""
    return await _one(db, sql, stream, _LIFE, upto, str(deployment_id))


async def deployments_on(db: Db, account_id: int, symbol: str) -> list[Row]:
    """Every deployment of the account that has ever traded the symbol, oldest first."""
    found = await db.fetch(
        "SELECT d.id, s.name AS strategy, d.parameters, d.timeframe, d.capital, d.symbols"
        " FROM deployments d JOIN strategies s ON s.id = d.strategy_id"
        " WHERE d.account_id = $1 AND $2 = ANY(d.symbols) ORDER BY d.id",
        account_id,
        symbol,
    )
    return [plain(row, ("parameters",)) for row in found]


async def values_at(
    db: Db, dataset: str, symbol: str, timeframe: str, strategy: str, start: datetime
) -> list[Row]:
    """Indicator columns that a strategy (with whatever parameters) had at one bar."""
    found = await db.fetch(
        """
        SELECT n.name, n.value, n.metadata FROM indicators n JOIN stocks s ON s.id = n.stock_id
        WHERE n.dataset = $1 AND s.symbol = $2 AND n.timeframe = $3 AND n.start = $4
          AND starts_with(n.name, $5) ORDER BY n.name
        """,
        dataset,
        symbol,
        timeframe,
        start,
        f"{strategy}(",
    )
    return [plain(row, ("metadata",)) for row in found]


async def _one(db: Db, sql: str, *given: Any) -> Row | None:  # noqa: ANN401 - the query's values
    row = await db.fetchrow(sql, *given)
    return plain(row, ("data",)) if row else None


_DAYS: Final = """
SELECT min(occurred_at AT TIME ZONE $2)::date AS first,
  max(occurred_at AT TIME ZONE $2)::date AS last
FROM trading_events WHERE stream = $1 AND event_type = 'slice_closed'
"""


async def days(db: Db, stream: str, zone: str) -> tuple[date, date] | None:
    """The first and the last day of a time zone on which the account was at work."""
    row = await db.fetchrow(_DAYS, stream, zone)
    return (row["first"], row["last"]) if row is not None and row["first"] else None


async def last_close(db: Db, stream: str) -> datetime | None:
    """When the newest session ended whose end the account saw."""
    closed: datetime | None = await db.fetchval(
        "SELECT occurred_at FROM trading_events"
        " WHERE stream = $1 AND event_type = 'session_closed' ORDER BY seq DESC LIMIT 1",
        stream,
    )
    return closed


async def first_since(db: Db, stream: str, after: int, at: datetime) -> int | None:
    """The number of the first event beyond `after` that occurred at `at` or later."""
    found: int | None = await db.fetchval(
        "SELECT seq FROM trading_events WHERE stream = $1 AND seq > $2 AND occurred_at >= $3"
        " ORDER BY seq LIMIT 1",
        stream,
        after,
        at,
    )
    return found
