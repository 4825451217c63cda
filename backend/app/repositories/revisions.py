"""Corrections of stored bars that an account's engine has not been told of yet."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from app.domain.events import BarsCorrected
from app.domain.market import Timeframe
from app.repositories.paging import Db, Row

# A line of the journal tells of every revision of its bars that was there when it was written. What
# is older than ten days, or than the account, was in the histories that its engine began with.
_UNTOLD: Final = """
  WITH since AS MATERIALIZED (
    SELECT greatest(now() - interval '10 days',
      (SELECT recorded_at FROM trading_events WHERE stream = $1 AND seq = 1)) AS at
  ), told AS MATERIALIZED (
    SELECT e.payload->>'symbol' AS symbol, e.payload->>'timeframe' AS timeframe,
      (e.payload->>'start')::timestamptz AS start, (e.payload->>'end')::timestamptz AS "end",
      e.recorded_at
    FROM trading_events e, since
    WHERE e.event_type = 'bars_corrected' AND e.stream = $1 AND e.recorded_at >= since.at
  )
  SELECT s.symbol, r.timeframe, d.source, min(r.start) AS start, max(r."end") AS "end",
    count(DISTINCT r.start) AS bars
  FROM stock_data_revisions r CROSS JOIN since
  JOIN stocks s ON s.id = r.stock_id
  JOIN stock_data d USING (dataset, stock_id, timeframe, start)
  WHERE r.dataset = $2 AND s.symbol = ANY ($3) AND r.replaced_at >= since.at
    AND NOT EXISTS (
      SELECT FROM told t WHERE t.symbol = s.symbol AND t.timeframe = r.timeframe
        AND r.start >= t.start AND r.start < t."end" AND t.recorded_at >= r.replaced_at)
  GROUP BY s.symbol, r.timeframe, d.source ORDER BY s.symbol, r.timeframe, d.source"""


async def untold(db: Db, stream: str, dataset: str, symbols: Sequence[str]) -> list[BarsCorrected]:
    """What was replaced and is not in the journal `stream`, one a series and source.

    It makes no difference who replaced it, nor whether that process still lives: each account hears
    of each correction once. `at` is the end of the newest bar; who tells it puts its own time.
    """
    rows = await db.fetch(_UNTOLD, stream, dataset, list(symbols))
    return [
        BarsCorrected(
            symbol=row["symbol"],
            timeframe=Timeframe(row["timeframe"]),
            start=row["start"],
            end=row["end"],
            bars=row["bars"],
            source=row["source"],
            at=row["end"],
        )
        for row in rows
    ]


_SINCE: Final = """
  SELECT s.symbol, r.timeframe, count(DISTINCT r.start) AS bars
  FROM stock_data_revisions r JOIN stocks s ON s.id = r.stock_id
  WHERE r.dataset = $1 AND r.start < $2 AND r.replaced_at > $3
  GROUP BY s.symbol, r.timeframe ORDER BY s.symbol, r.timeframe"""


async def since(db: Db, dataset: str, before: datetime, at: datetime) -> list[Row]:
    """How many bars that began `before` were replaced after `at`, by symbol and timeframe."""
    return [dict(row) for row in await db.fetch(_SINCE, dataset, before, at)]
