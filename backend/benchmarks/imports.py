"""Bars into the database: a CSV file imported, and batches stored, against bare COPY."""

import asyncio
import csv
import time
from pathlib import Path

import asyncpg
import numpy as np

from app.db.copy import Instants, Value, copy_in
from app.marketdata.batch import PRICES, BarBatch
from app.marketdata.shapes import Hints
from app.repositories import stocks
from app.repositories.stock_data import StockData
from app.services.imports import import_bars
from benchmarks.engine import market
from benchmarks.measure import Result, result, scratch_home, scratch_pool

ROWS = 300_000
SYMBOL = "AAA"
AGAINST = "binary COPY of the same rows into the same table"


def imports() -> list[Result]:
    return asyncio.run(_measure())


async def _measure() -> list[Result]:
    bars = market(ROWS, SYMBOL)
    with scratch_home() as folder:
        file = folder / f"{SYMBOL}.csv"
        write_csv(bars, file)
        async with scratch_pool() as pool:
            stock = await stocks.ensure(pool, SYMBOL)
            bare = await _bare(pool, bars, stock.id)
            stored = await _stored(pool, bars)
            imported = await _imported(pool, file)
    return [
        result(
            "import: bars stored in batches", ROWS / stored, "bars/s", limit=ROWS / bare,
            against=AGAINST, figure="at least 60 % of it", is_met=stored * 0.6 <= bare,
        ),
        result(
            "import: a CSV file", ROWS / imported, "bars/s", limit=ROWS / bare,
            against=AGAINST, figure="none: reading the text takes the time",
        ),
    ]  # fmt: skip


async def _bare(pool: asyncpg.Pool, bars: BarBatch, stock_id: int) -> float:
    rows = bars.rows
    table: dict[str, Value | Instants] = {
        "dataset": "import:bare", "stock_id": stock_id, "timeframe": "1m",
        "start": Instants(rows["start"]), "end": Instants(rows["end"]),
        **{name: rows[name] for name in (*PRICES, "volume")}, "source": "bench",
    }  # fmt: skip
    async with pool.acquire() as db:
        began = time.perf_counter()
        await copy_in(db, "stock_data", table, len(rows))
        return time.perf_counter() - began


async def _stored(pool: asyncpg.Pool, bars: BarBatch) -> float:
    target = StockData(pool, "import:stored")
    began = time.perf_counter()
    for first in range(0, len(bars), 50_000):
        await target.store([bars[first : first + 50_000]], "bench")
    return time.perf_counter() - began


async def _imported(pool: asyncpg.Pool, file: Path) -> float:
    began = time.perf_counter()
    await import_bars(pool, file, dataset="import:file", hints=Hints(symbol=SYMBOL))
    return time.perf_counter() - began


def write_csv(bars: BarBatch, file: Path) -> None:
    """`ts_utc,open,high,low,close,volume`, as data vendors write it."""
    times = np.datetime_as_string(bars.start.astype("datetime64[ns]"), unit="s").tolist()
    columns = [bars.rows[name].tolist() for name in (*PRICES, "volume")]
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(("ts_utc", *PRICES, "volume"))
        writer.writerows(zip((f"{at}Z" for at in times), *columns, strict=True))
