"""Stored bars written to a CSV or Parquet file, ready to be imported again."""

import asyncio
from datetime import datetime
from pathlib import Path

import asyncpg
import numpy as np

from app.core.errors import InvalidInput, NotFound
from app.domain.market import Timeframe
from app.marketdata.batch import BarBatch
from app.repositories.adjusted_bars import adjusted_bars
from app.repositories.stock_data import StockData

ENDINGS = (".csv", ".csv.gz", ".parquet")


async def export_bars(
    pool: asyncpg.Pool,
    path: Path,
    *,
    dataset: str,
    symbol: str,
    timeframe: Timeframe,
    start: datetime | None = None,
    end: datetime | None = None,
    adjusted: bool = False,
    as_of: datetime | None = None,
) -> int:
    """Write bars with start <= bar.start < end; returns how many. Raises NotFound for none.

    `adjusted`: in the shares of `as_of` (None: of now), by the corporate actions known then.
    """
    if not path.name.endswith(ENDINGS):
        raise InvalidInput(
            f"{path.name} names no format.", field="out", remedy=f"End it in {', '.join(ENDINGS)}."
        )
    stored = StockData(pool, dataset)
    batch = await stored.bars(symbol, timeframe, start, end)
    if not len(batch):
        raise NotFound(f"There are no {timeframe} bars of {symbol} in {dataset} to write.")
    if adjusted:
        batch = await adjusted_bars(pool, stored, batch, as_of)
    await asyncio.to_thread(_write, path, batch)
    return len(batch)


def _write(path: Path, batch: BarBatch) -> None:
    import pandas as pd  # noqa: PLC0415  heavy, and only files need it

    times = pd.to_datetime(batch.start, utc=True)
    table = pd.DataFrame({"ts_utc": times, **batch.columns()})
    if not np.isnan(batch.rows["vwap"]).all():
        table["vwap"] = batch.rows["vwap"]
    table.insert(0, "symbol", batch.symbol)
    if path.name.endswith(".parquet"):
        table.to_parquet(path, index=False)
    else:
        table["ts_utc"] = times.strftime("%Y-%m-%dT%H:%M:%SZ")
        table.to_csv(path, index=False)
