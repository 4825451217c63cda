"""A table of 100 M bars, made once by hand, and the product's queries on it.

`DATABASE_URL=… python -m benchmarks.large_table fill` makes it in a migrated scratch database
(about 15 GB, a quarter of an hour); `… measure` prints the 95th percentile of each query.
"""

import asyncio
import os
import random
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import asyncpg

from app.core.clock import from_ns
from app.domain.market import Timeframe
from app.marketdata.calendar import trading_calendar
from app.repositories import bar_series, stock_reports
from app.repositories.stock_data import StockData, datasets
from app.services import coverage, data_quality
from benchmarks.measure import Result, at_most, percentile, repeated

SYMBOLS: Final = 256
DAYS: Final = 1_002
TIMES: Final = 100
FIGURE_MS: Final = 50.0
DATASET: Final = "live"
FIRST: Final = 1_577_836_800_000_000_000
"2020-01-01"

_STOCKS: Final = """
  WITH made AS (
    INSERT INTO instruments (symbol) SELECT 'BIG' || n FROM generate_series(1, $1::int) n
    ON CONFLICT DO NOTHING RETURNING id, symbol)
  INSERT INTO stocks (id, symbol) SELECT id, symbol FROM made"""
_FILL: Final = """
  INSERT INTO stock_data
  SELECT 'live', s.id, '1m', o + m * interval '1 min', o + (m + 1) * interval '1 min',
    100 + m % 7, 101 + m % 7, 99 + m % 7, 100.5 + m % 7, 1000 + m, 100 + m % 7, 'benchmark'
  FROM stocks s, unnest($1::timestamptz[]) o, generate_series(0, 389) m
  WHERE s.symbol LIKE 'BIG%' ORDER BY 2, 4"""
_DAYS: Final = """
  INSERT INTO stock_data
  SELECT 'live', s.id, '1d', o, o + interval '390 min', 100, 110, 90, 105, 1e6, 100, 'benchmark'
  FROM stocks s, unnest($1::timestamptz[]) o WHERE s.symbol LIKE 'BIG%' ORDER BY 2, 4"""

_COUNT: Final = """
  INSERT INTO bar_series (dataset, stock_id, timeframe, bars, first_start, last_start)
  SELECT dataset, stock_id, timeframe, count(*), min(start), max(start)
  FROM stock_data WHERE source = 'benchmark' GROUP BY 1, 2, 3"""


async def fill(url: str) -> None:
    """Some sessions at a time, as a feed would: the newest last."""
    opens = [from_ns(s.open) for s in trading_calendar("XNYS").sessions(FIRST, 2**62)[:DAYS]]
    connection = await asyncpg.connect(url)
    await connection.execute("SET session_replication_role = replica")  # no key checks a row
    await connection.execute(_STOCKS, SYMBOLS)
    await connection.execute(_DAYS, opens)
    for first in range(0, len(opens), 25):
        await connection.execute(_FILL, opens[first : first + 25])
        sys.stdout.write(f"\r{min(first + 25, DAYS) * SYMBOLS * 390:,} rows")
        sys.stdout.flush()
    await connection.execute(_COUNT)
    await connection.execute("VACUUM (ANALYZE) stock_data, bar_series")
    await connection.close()


async def measure(url: str) -> list[Result]:
    """Every query that a page, a chart, a feed or a strategy makes of bars."""
    opens = trading_calendar("XNYS").sessions(FIRST, 2**62)[:DAYS]
    pick = random.Random(7)
    async with asyncpg.create_pool(url, min_size=1, max_size=2) as pool:
        bars = StockData(pool, DATASET)
        ids = [row["id"] for row in await pool.fetch("SELECT id FROM stocks")]
        listing = bar_series.listing(pool, DATASET)
        verdicts = data_quality.described_pages(listing, (), from_ns(opens[-1].close))
        watched = stock_reports.listing(pool, datasets=[DATASET])

        def symbol() -> str:
            return f"BIG{pick.randrange(1, SYMBOLS + 1)}"

        async def newest(timeframe: Timeframe, limit: int) -> None:
            assert len(await bars.bars(symbol(), timeframe, limit=limit)) == limit

        async def a_day() -> None:
            session = opens[pick.randrange(DAYS)]
            start = from_ns(session.open)
            await bars.bars(symbol(), Timeframe.M1, start, start + timedelta(hours=7))

        async def calendar() -> None:
            await coverage.coverage(pool, DATASET, symbol(), Timeframe.M1, (None, None))

        async def rows_of_series() -> None:
            await bars.series(symbol())

        queries: dict[str, Callable[[], Awaitable[object]]] = {
            "the newest 500 minutes": lambda: newest(Timeframe.M1, 500),
            "the newest 10,000 minutes": lambda: newest(Timeframe.M1, 10_000),
            "one session of minutes, years ago": a_day,
            "the newest 500 bars of 5m": lambda: newest(Timeframe.M5, 500),
            "the newest 500 bars of 1h": lambda: newest(Timeframe.H1, 500),
            "the newest 500 daily bars": lambda: newest(Timeframe.D1, 500),
            "what there is of one symbol": rows_of_series,
            "which data sets there are": lambda: datasets(pool),
            "every series of one stock": lambda: bar_series.of_stock(pool, pick.choice(ids)),
            "a page of verdicts": lambda: verdicts(100, None),
            "a year's coverage of one symbol": calendar,
            "the newest minute": lambda: newest(Timeframe.M1, 1),
            "stocks of the watch list": lambda: watched(50, None),
        }
        return [await _line(name, query) for name, query in queries.items()]


async def _line(name: str, query: Callable[[], Awaitable[object]]) -> Result:
    await repeated(query, 3)
    found = percentile(await repeated(query, TIMES), 0.95)
    return at_most(f"large-table: {name}", found, "ms p95", FIGURE_MS)


async def main() -> None:
    url = os.environ["DATABASE_URL"]
    if sys.argv[1:] == ["fill"]:
        await fill(url)
        return
    for line in await measure(url):
        sys.stdout.write(f"{line.name:55} {line.value:8.2f} {line.unit}\n")


if __name__ == "__main__":
    asyncio.run(main())
