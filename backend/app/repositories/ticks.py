"""Prints: appended by binary COPY, read as columns, never mixed between data sets."""

from datetime import datetime
from typing import Final

import asyncpg
import numpy as np

from app.db.copy import Columns, Instants, Texts, copy_out
from app.marketdata.batch import TICK, Nanos, Rows, TickBatch, TickLabel
from app.repositories.appending import Appended, Appender
from app.repositories.paging import Db

_TOLD: Final = ("price", "size")
_LABEL: Final = "hashtextextended(concat_ws(chr(31), exchange, '', conditions, counts::text), 0)"
_WHERE: Final = """FROM ticks WHERE dataset = $1 AND stock_id = $2 AND at >= $3 AND at < $4
    AND ($5::text IS NULL OR source = $5)"""
_READ: Final = f"""
  SELECT at, sequence, price, size, {_LABEL} AS label {_WHERE} ORDER BY at, sequence"""
_LABELS: Final = f"""
  SELECT DISTINCT {_LABEL} AS label, exchange, conditions, counts {_WHERE}"""
_LAST: Final = """
  SELECT at, sequence, price, size FROM ticks WHERE dataset = $1 AND stock_id = $2
  ORDER BY at DESC, sequence DESC LIMIT $3"""
_DAYS: Final = """
  SELECT min(at) AS first, max(at) AS last FROM ticks WHERE dataset = $1 AND stock_id = $2"""
_NEWEST: Final = """
  SELECT max(t.at) FROM ticks t JOIN stocks s ON s.id = t.stock_id
  WHERE t.dataset = $1 AND s.symbol = $2 AND t.at >= $3 AND t.at < $4"""


class Ticks:
    """Prints of one data set."""

    def __init__(self, pool: asyncpg.Pool, dataset: str) -> None:
        self.dataset = dataset
        self._pool = pool
        self._appender = Appender(pool, "ticks", dataset, _TOLD)

    async def ids(self, symbols: tuple[str, ...]) -> list[int | None]:
        """The instrument of each symbol, None where there is none."""
        return await self._appender.ids(symbols)

    def forget(self) -> None:
        """Ask again how far the series go: after a write whose end nobody knows."""
        self._appender.forget()

    async def store(self, batch: TickBatch, source: str) -> Appended:
        """Store prints durably; storing them again changes nothing.

        Prints of one instant must have sequences of their own. Raises NotFound for a symbol that
        nobody knows; CheckViolationError for a price that is none.
        """
        rows, ids = batch.rows, await self.rows_ids(batch)
        at, sequence = np.ascontiguousarray(rows["at"]), np.ascontiguousarray(rows["sequence"])
        columns = columns_of(batch, ids, self.dataset, source)
        return await self._appender.append(ids, at, sequence, columns)

    async def rows_ids(self, batch: TickBatch) -> Nanos:
        """The instrument of each row. Raises NotFound."""
        return await self._appender.ids_of(batch.symbols, batch.rows["symbol"])

    # ----------------------------------------------------------------------------- read

    async def ticks(
        self, symbol: str, start: datetime, end: datetime, source: str | None = None
    ) -> TickBatch:
        """Prints with start <= at < end by instant and sequence. Raises NotFound.

        Where providers overlapped the table has the prints of both: `source` chooses one.
        """
        arguments = (self.dataset, await self._appender.id(symbol), start, end, source)
        kinds = ("instant", "integer", "float", "float", "integer")
        async with self._pool.acquire() as connection:
            columns = await copy_out(connection, _READ, *arguments, kinds=kinds)
            found = await connection.fetch(_LABELS, *arguments)
        rows = np.zeros(len(columns[0]), dtype=TICK)
        for name, column in zip(("at", "sequence", "price", "size"), columns[:4], strict=True):
            rows[name] = column
        found.sort(key=lambda row: row["label"])
        hashes = np.array([row["label"] for row in found], dtype=np.int64)
        rows["label"] = np.searchsorted(hashes, columns[4])
        labels = tuple(
            TickLabel(row["exchange"], row["conditions"], row["counts"] > 0, row["counts"] == 1)
            for row in found
        )
        return TickBatch((symbol,), rows, labels or (TickLabel(),))

    async def newest(self, symbol: str, count: int) -> Rows:
        """The last `count` prints of a series, oldest first; their labels are left out."""
        arguments = (self.dataset, await self._appender.id(symbol), count)
        kinds = ("instant", "integer", "float", "float")
        async with self._pool.acquire() as connection:
            columns = await copy_out(connection, _LAST, *arguments, kinds=kinds)
        rows = np.zeros(len(columns[0]), dtype=TICK)
        for name, column in zip(("at", "sequence", "price", "size"), columns, strict=True):
            rows[name] = column[::-1]
        return rows

    async def span(self, symbol: str) -> tuple[datetime, datetime] | None:
        """The first and the last instant of a series."""
        row = await self._pool.fetchrow(_DAYS, self.dataset, await self._appender.id(symbol))
        return (row["first"], row["last"]) if row["first"] else None


def _counts(label: TickLabel) -> int:
    return 0 if not label.counts else 1 if label.volume_only else 2


def columns_of(batch: TickBatch, ids: Nanos, dataset: str, source: str) -> Columns:
    """Whole rows of the table `ticks`."""
    rows, label = batch.rows, batch.rows["label"]
    counts = np.array([_counts(one) for one in batch.labels], dtype=np.int16)
    return {
        "dataset": dataset,
        "stock_id": ids,
        "at": Instants(rows["at"]),
        "sequence": rows["sequence"],
        "price": rows["price"],
        "size": rows["size"],
        "exchange": Texts([one.exchange for one in batch.labels], label),
        "conditions": Texts([one.conditions for one in batch.labels], label),
        "source": source,
        "counts": counts[label],
    }


async def newest_within(
    db: Db, dataset: str, symbol: str, start: datetime, end: datetime
) -> datetime | None:
    """The newest stored print of a symbol in [start, end)."""
    newest: datetime | None = await db.fetchval(_NEWEST, dataset, symbol, start, end)
    return newest
