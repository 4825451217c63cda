"""Tops of book, appended and read as columns; and the newest prices of stocks."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
import numpy as np

from app.db.copy import Columns, Instants, copy_out
from app.domain.market import Quote
from app.marketdata.batch import QUOTE, QuoteBatch
from app.repositories.appending import Appended, Appender
from app.repositories.marks import LAST_CLOSE
from app.repositories.paging import Db

_LAST_WITHIN: Final = """
  SELECT max(t.at) FROM quotes t JOIN stocks s ON s.id = t.stock_id
  WHERE t.dataset = $1 AND s.symbol = $2 AND t.at >= $3 AND t.at < $4"""


class PriceNow(msgspec.Struct, frozen=True):
    """Close of a stock's newest bar, and of the last daily bar of a day before it."""

    symbol: str
    last: float
    at: datetime
    previous_close: float | None


_SIDES: Final = ("bid", "bid_size", "ask", "ask_size")
_READ: Final = """
  SELECT at, sequence, bid, bid_size, ask, ask_size FROM quotes
  WHERE dataset = $1 AND stock_id = $2 AND at >= $3 AND at < $4
  ORDER BY at, sequence"""

_LAST_QUOTE: Final = """
  SELECT s.symbol, q.at, q.bid, q.bid_size, q.ask, q.ask_size
  FROM quotes q JOIN stocks s ON s.id = q.stock_id
  WHERE q.dataset = $1 AND s.symbol = $2
  ORDER BY q.at DESC, q.sequence DESC LIMIT 1"""

_LAST_QUOTES: Final = """
  SELECT s.symbol, q.at, q.bid, q.bid_size, q.ask, q.ask_size
  FROM stocks s JOIN LATERAL (
    SELECT * FROM quotes WHERE dataset = $1 AND stock_id = s.id
    ORDER BY at DESC, sequence DESC LIMIT 1
  ) q ON true
  WHERE s.symbol = ANY($2)"""

_PREVIOUS: Final = """
  SELECT s.symbol, d.close
  FROM unnest($2::text[], $3::timestamptz[]) AS w (symbol, at)
  JOIN stocks s USING (symbol)
  JOIN LATERAL (
    SELECT sd.close FROM stock_data sd
    WHERE sd.dataset = $1 AND sd.stock_id = s.id AND sd.timeframe = '1d' AND sd."end" < w.at
    ORDER BY sd.start DESC LIMIT 1
  ) d ON true"""

_UNTIL: Final = "coalesce($3::timestamptz, 'infinity')"
_NEWEST: Final = LAST_CLOSE.format(dataset="$1", stock="s.id", until=_UNTIL)
_PRICES: Final = f"""
  SELECT s.symbol, m.close AS last, m.at, d.close AS previous_close
  FROM stocks s
  JOIN {_NEWEST} m ON true
  LEFT JOIN LATERAL (
    SELECT sd.close FROM stock_data sd
    WHERE sd.dataset = $1 AND sd.stock_id = s.id AND sd.timeframe = '1d'
      AND sd."end" < m.at
    ORDER BY sd.start DESC LIMIT 1
  ) d ON true
  WHERE $2::text[] IS NULL OR s.symbol = ANY($2)
  ORDER BY s.symbol"""


class Quotes:
    """Tops of book of one data set."""

    def __init__(self, pool: asyncpg.Pool, dataset: str) -> None:
        self.dataset = dataset
        self._pool = pool
        self._appender = Appender(pool, "quotes", dataset, _SIDES)

    def forget(self) -> None:
        """Ask again how far the series go: after a write whose end nobody knows."""
        self._appender.forget()

    async def store(self, batch: QuoteBatch, source: str) -> Appended:
        """Store quotes durably; storing them again changes nothing.

        Every row has both sides (what has one only is kept in the cache, not here), and quotes of
        one instant have sequences of their own. Raises NotFound, CheckViolationError.
        """
        rows = batch.rows
        ids = await self._appender.ids_of(batch.symbols, rows["symbol"])
        at, sequence = np.ascontiguousarray(rows["at"]), np.ascontiguousarray(rows["sequence"])
        columns: Columns = {
            "dataset": self.dataset,
            "stock_id": ids,
            "at": Instants(at),
            "sequence": sequence,
            **{name: np.ascontiguousarray(rows[name]) for name in _SIDES},
            "source": source,
        }
        return await self._appender.append(ids, at, sequence, columns)

    async def quotes(self, symbol: str, start: datetime, end: datetime) -> QuoteBatch:
        """Quotes with start <= at < end by instant and sequence. Raises NotFound."""
        arguments = (self.dataset, await self._appender.id(symbol), start, end)
        kinds = ("instant", "integer", *["float"] * 4)
        async with self._pool.acquire() as connection:
            columns = await copy_out(connection, _READ, *arguments, kinds=kinds)
        rows = np.zeros(len(columns[0]), dtype=QUOTE)
        for name, column in zip(("at", "sequence", *_SIDES), columns, strict=True):
            rows[name] = column
        return QuoteBatch((symbol,), rows)


async def last_quote(db: Db, dataset: str, symbol: str) -> Quote | None:
    """The newest quote of a symbol, None when the data set has none."""
    row = await db.fetchrow(_LAST_QUOTE, dataset, symbol)
    return Quote(**row) if row else None


async def last_quotes(db: Db, dataset: str, symbols: Sequence[str]) -> list[Quote]:
    """The newest quote of each of these symbols that has one."""
    return [Quote(**row) for row in await db.fetch(_LAST_QUOTES, dataset, list(symbols))]


async def previous_closes(db: Db, dataset: str, at: Mapping[str, datetime]) -> dict[str, float]:
    """By symbol, the close of the last daily bar that ended before the instant given with it."""
    rows = await db.fetch(_PREVIOUS, dataset, list(at), list(at.values()))
    return {row["symbol"]: row["close"] for row in rows}


async def last_prices(
    db: Db,
    dataset: str,
    symbols: Sequence[str] | None = None,
    until: datetime | None = None,
) -> list[PriceNow]:
    """The newest price of each stock that has bars in a data set, not later than `until`."""
    wanted = list(symbols) if symbols is not None else None
    rows = await db.fetch(_PRICES, dataset, wanted, until)
    return [PriceNow(**row) for row in rows]


async def newest_within(
    db: Db, dataset: str, symbol: str, start: datetime, end: datetime
) -> datetime | None:
    """The newest stored quote of a symbol in [start, end)."""
    newest: datetime | None = await db.fetchval(_LAST_WITHIN, dataset, symbol, start, end)
    return newest
