"""Bars: written by binary COPY, read as columns, never mixed between data sets."""

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import asyncpg
import msgspec
import numpy as np

from app.core.clock import from_ns, to_ns
from app.db.copy import Instants, Value, copy_in, copy_out
from app.domain.market import Timeframe
from app.marketdata.aggregation import aggregate
from app.marketdata.batch import BAR, PRICES, BarBatch, Nanos, Rows
from app.marketdata.calendar import TradingCalendar, step_ns, trading_calendar
from app.repositories import bar_folds, bar_series, market_data_cache, stocks
from app.repositories.bar_series import Added, Series
from app.repositories.paging import Db
from app.repositories.stocks import Stock

_FIELDS: Final = tuple(BAR.names or ())
_KINDS: Final = ("instant", "instant", *["float"] * 6)
_COLUMNS: Final = """start, "end", open, high, low, close, volume, coalesce(vwap, 'NaN')"""
_FAR_PAST: Final = from_ns(-2_208_988_800 * 10**9)
_FAR_FUTURE: Final = from_ns(7_258_118_400 * 10**9)
_EVERYTHING: Final = 2**62
_DAY_MINUTES: Final = 390

_READ: Final = f"""
  SELECT {_COLUMNS} FROM stock_data
  WHERE dataset = $1 AND stock_id = $2 AND timeframe = $3 AND start >= $4 AND start < $5
  ORDER BY start DESC LIMIT $6"""

_STAGE: Final = """
  CREATE TEMP TABLE IF NOT EXISTS incoming_bars (LIKE stock_data) ON COMMIT DELETE ROWS"""

CORRECTION_LOCK: Final = 7_236_504
_KEY: Final = "(dataset, stock_id, timeframe, start)"

# Which stored bars may be meant, in constants: by them compressed chunks are searched.
_OLD: Final = """s.dataset = $1 AND s.stock_id = ANY ($2::bigint[])
    AND s.timeframe = $3 AND s.start BETWEEN $4 AND $5"""
_STAGED: Final = "SELECT array_agg(DISTINCT stock_id), min(start), max(start) FROM incoming_bars"

# One correction at a time: rows of a compressed chunk cannot be locked singly. And as many rows as
# it takes may be decompressed for it; where there is no TimescaleDB the setting means nothing.
_CORRECT_ALONE: Final = f"SELECT pg_advisory_xact_lock({CORRECTION_LOCK})"
_DECOMPRESS: Final = "SET LOCAL timescaledb.max_tuples_decompressed_per_dml_transaction = 0"

# Statements of their own, not one: a statement that changes compressed rows cannot read them too.
_STAGE_CHANGED: Final = """
  CREATE TEMP TABLE IF NOT EXISTS changed_bars (LIKE stock_data) ON COMMIT DELETE ROWS"""
_CHANGED: Final = f"""
  INSERT INTO changed_bars SELECT s.* FROM incoming_bars n JOIN stock_data s USING {_KEY}
  WHERE {_OLD} AND (s."end", s.open, s.high, s.low, s.close, s.volume, s.vwap) IS DISTINCT FROM
    (n."end", n.open, n.high, n.low, n.close, n.volume, coalesce(n.vwap, s.vwap))"""

# What a correction replaces stays readable, numbered from 1 for each bar.
_KEEP: Final = """
  INSERT INTO stock_data_revisions (dataset, stock_id, timeframe, start, revision, "end", open,
    high, low, close, volume, vwap, source, reason)
  SELECT c.dataset, c.stock_id, c.timeframe, c.start, 1 + coalesce((
      SELECT max(r.revision) FROM stock_data_revisions r
      WHERE (r.dataset, r.stock_id, r.timeframe, r.start)
        = (c.dataset, c.stock_id, c.timeframe, c.start)), 0),
    c."end", c.open, c.high, c.low, c.close, c.volume, c.vwap, c.source, 'replaced by ' || $1
  FROM changed_bars c"""
_CORRECT: Final = f"""
  UPDATE stock_data s
  SET "end" = n."end", open = n.open, high = n.high, low = n.low, close = n.close,
    volume = n.volume, vwap = coalesce(n.vwap, s.vwap), source = n.source
  FROM changed_bars c JOIN incoming_bars n USING {_KEY}
  WHERE {_OLD} AND (s.dataset, s.stock_id, s.timeframe, s.start)
    = (c.dataset, c.stock_id, c.timeframe, c.start)"""

_MERGE: Final = f"""
  WITH made AS (
    INSERT INTO stock_data SELECT * FROM incoming_bars ON CONFLICT {_KEY} DO NOTHING
    RETURNING stock_id, start)
  SELECT stock_id, count(*) AS bars, min(start) AS first, max(start) AS last
  FROM made GROUP BY stock_id"""

_MARKS: Final = """
  SELECT stock_id, timeframe, (SELECT max(start) FROM stock_data
    WHERE dataset = $1 AND stock_id = w.stock_id AND timeframe = w.timeframe) AS newest
  FROM unnest($2::bigint[], $3::text[]) AS w (stock_id, timeframe)"""

# Skips from name to name: the key begins with the data set.
_DATASETS: Final = """
  WITH RECURSIVE found AS (
    (SELECT dataset FROM stock_data ORDER BY dataset LIMIT 1)
    UNION ALL
    SELECT (SELECT sd.dataset FROM stock_data sd WHERE sd.dataset > f.dataset
            ORDER BY sd.dataset LIMIT 1)
    FROM found f WHERE f.dataset IS NOT NULL
  )
  SELECT dataset FROM found WHERE dataset IS NOT NULL ORDER BY dataset"""


class Policy(StrEnum):
    """What happens to a bar that is stored already with other values."""

    KEEP = "keep"
    CORRECT = "correct"


class Stored(msgspec.Struct, frozen=True):
    """What became of the bars that were handed over."""

    inserted: int = 0
    corrected: int = 0
    unchanged: int = 0

    def __add__(self, other: "Stored") -> "Stored":
        return Stored(
            self.inserted + other.inserted,
            self.corrected + other.corrected,
            self.unchanged + other.unchanged,
        )


class StockData:
    """Bars of one data set."""

    def __init__(self, pool: asyncpg.Pool, dataset: str) -> None:
        self.dataset = dataset
        self._pool = pool
        self._stocks: dict[str, Stock] = {}
        self._newest: dict[tuple[int, str], int] = {}

    # ---------------------------------------------------------------------------- write

    async def store(
        self,
        batches: Iterable[BarBatch],
        source: str,
        policy: Policy = Policy.KEEP,
        *,
        is_told: bool = False,
    ) -> Stored:
        """Store bars durably, all or none; storing them again changes nothing.

        Bars beyond the newest of their series are copied straight in; others are merged by
        `policy`. A batch may not hold a start twice. The commit announces what changed to caches,
        but for appended bars that a publisher tells them (`is_told`). Raises NotFound for an
        unknown symbol.
        """
        series = [(await self.stock(b.symbol), b) for b in batches if len(b)]
        await self._load_marks(series)
        stored = Stored()
        async with self._pool.acquire() as connection, connection.transaction():
            for timeframe, ids, rows in _tables(series):
                stored += await self._write(connection, timeframe, ids, rows, source, policy)
            is_behind = is_told and not self._is_late(series)
            if stored.corrected or (stored.inserted and not is_behind):
                names = [stock.symbol for stock, _ in series]
                await market_data_cache.announce(connection, self.dataset, names)
        for stock, batch in series:
            key = (stock.id, str(batch.timeframe))
            self._newest[key] = max(self._newest[key], int(batch.start.max()))
        return stored

    def _is_late(self, series: Sequence[tuple[Stock, BarBatch]]) -> bool:
        """Whether some bar does not lie behind all that were stored."""
        return any(b.start.min() <= self._newest[s.id, str(b.timeframe)] for s, b in series)

    async def _write(
        self,
        connection: asyncpg.Connection,
        timeframe: str,
        ids: Nanos,
        rows: Rows,
        source: str,
        policy: Policy,
    ) -> Stored:
        newest = {stock: self._newest[stock, timeframe] for stock in set(ids.tolist())}
        beyond = rows["start"] > np.array([newest[stock] for stock in ids.tolist()])
        stored = Stored()
        if beyond.any():
            table = self._columns(timeframe, ids[beyond], rows[beyond], source)
            stored += await self._append(connection, table, int(beyond.sum()), policy, source)
        if not beyond.all():
            table = self._columns(timeframe, ids[~beyond], rows[~beyond], source)
            stored += await self._merge(connection, table, int((~beyond).sum()), policy, source)
        return stored

    async def _append(
        self,
        connection: asyncpg.Connection,
        table: dict[str, Value | Instants],
        count: int,
        policy: Policy,
        source: str,
    ) -> Stored:
        try:
            async with connection.transaction():
                await copy_in(connection, "stock_data", table, count)
        except asyncpg.UniqueViolationError:
            # somebody else has written meanwhile
            return await self._merge(connection, table, count, policy, source)
        added = _added(table)
        await bar_series.add(connection, self.dataset, str(table["timeframe"]), source, added)
        return Stored(inserted=count)

    async def _merge(
        self,
        connection: asyncpg.Connection,
        table: dict[str, Value | Instants],
        count: int,
        policy: Policy,
        source: str,
    ) -> Stored:
        await connection.execute(_STAGE)
        await connection.execute("TRUNCATE incoming_bars")
        await copy_in(connection, "incoming_bars", table, count)
        await connection.execute(_DECOMPRESS)
        corrected = 0
        if policy is Policy.CORRECT:
            corrected = await self._correct(connection, str(table["timeframe"]), source)
        added = [Added(**row) for row in map(dict, await connection.fetch(_MERGE))]
        await bar_series.add(connection, self.dataset, str(table["timeframe"]), source, added)
        inserted = sum(one.bars for one in added)
        return Stored(inserted, corrected, count - inserted - corrected)

    async def _correct(self, connection: asyncpg.Connection, timeframe: str, source: str) -> int:
        """Replace stored bars that differ from those staged; how many there were."""
        await connection.execute(_CORRECT_ALONE)
        ids, first, last = await connection.fetchrow(_STAGED)
        meant = (self.dataset, ids, timeframe, first, last)
        await connection.execute(_STAGE_CHANGED)
        await connection.execute("TRUNCATE changed_bars")
        changed = int((await connection.execute(_CHANGED, *meant)).rsplit(" ", 1)[-1])
        if changed:
            await connection.execute(_KEEP, source)
            await connection.execute(_CORRECT, *meant)
        return changed

    def _columns(
        self, timeframe: str, ids: Nanos, rows: Rows, source: str
    ) -> dict[str, Value | Instants]:
        return {
            "dataset": self.dataset,
            "stock_id": ids,
            "timeframe": timeframe,
            "start": Instants(rows["start"]),
            "end": Instants(rows["end"]),
            **{name: rows[name] for name in (*PRICES, "volume")},
            "vwap": None if np.isnan(rows["vwap"]).any() else rows["vwap"],
            "source": source,
        }

    async def _load_marks(self, series: Sequence[tuple[Stock, BarBatch]]) -> None:
        wanted = {(stock.id, str(batch.timeframe)) for stock, batch in series}
        missing = sorted(wanted - self._newest.keys())
        if not missing:
            return
        ids, timeframes = [key[0] for key in missing], [key[1] for key in missing]
        for row in await self._pool.fetch(_MARKS, self.dataset, ids, timeframes):
            newest = row["newest"]
            self._newest[row["stock_id"], row["timeframe"]] = (
                to_ns(newest) if newest else -_EVERYTHING
            )

    # ----------------------------------------------------------------------------- read

    async def stock(self, symbol: str) -> Stock:
        """The stock behind a symbol, remembered. Raises NotFound with the nearest one."""
        if symbol not in self._stocks:
            self._stocks[symbol] = await stocks.get(self._pool, symbol)
        return self._stocks[symbol]

    async def bars(
        self,
        symbol: str,
        timeframe: Timeframe,
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int | None = None,
    ) -> BarBatch:
        """Bars with start <= bar.start < end, oldest first; the newest `limit` of them.

        Bars of 5m, 15m and 1h are made from minutes where minutes are stored; so are daily bars
        where none are stored.
        """
        stock = await self.stock(symbol)
        source = await self._made_from(stock, timeframe)
        if source is timeframe:
            return await self._read(stock, timeframe, start, end, limit)
        return await self._aggregated(stock, timeframe, start, end, limit)

    async def stored(
        self,
        symbol: str,
        timeframe: Timeframe,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> BarBatch:
        """Every stored bar of one series in [start, end), and nothing made from others."""
        return await self._read(await self.stock(symbol), timeframe, start, end, None)

    async def series(self, symbol: str | None = None) -> list[Series]:
        """What is stored, by symbol and timeframe."""
        return await bar_series.of_dataset(self._pool, self.dataset, symbol)

    async def _made_from(self, stock: Stock, timeframe: Timeframe) -> Timeframe:
        if timeframe in (Timeframe.S1, Timeframe.M1):
            return timeframe
        stored = timeframe is Timeframe.D1 and await self._has(stock, timeframe)
        return Timeframe.M1 if not stored and await self._has(stock, Timeframe.M1) else timeframe

    async def _has(self, stock: Stock, timeframe: Timeframe) -> bool:
        return bool(
            await self._pool.fetchval(
                "SELECT EXISTS (SELECT FROM stock_data"
                " WHERE dataset = $1 AND stock_id = $2 AND timeframe = $3)",
                self.dataset,
                stock.id,
                timeframe,
            )
        )

    async def _aggregated(
        self,
        stock: Stock,
        timeframe: Timeframe,
        start: datetime | None,
        end: datetime | None,
        limit: int | None,
    ) -> BarBatch:
        """Folded by the database where only the newest are wanted, else here."""
        calendar = trading_calendar(stock.exchange)
        if limit is not None:
            within = (start or _FAR_PAST, end or _FAR_FUTURE)
            with suppress(bar_folds.OutOfOrder):
                async with self._pool.acquire() as db:
                    rows = await bar_folds.newest(
                        db, self.dataset, stock.id, timeframe, calendar, limit, within
                    )
                return BarBatch(stock.symbol, timeframe, rows)
        return await self._folded(stock, timeframe, calendar, start, end, limit)

    async def _folded(
        self,
        stock: Stock,
        timeframe: Timeframe,
        calendar: TradingCalendar,
        start: datetime | None,
        end: datetime | None,
        limit: int | None,
    ) -> BarBatch:
        """Read minutes backwards from `end` until there are `limit` longer bars."""
        wanted = limit or _EVERYTHING
        count = None if limit is None else _minutes_of(timeframe, limit, beyond=end is not None)
        while True:
            minutes = await self._read(stock, Timeframe.M1, start, self._through(end), count)
            made = aggregate(minutes, timeframe, calendar)
            is_whole = count is None or len(minutes) < count
            if not is_whole:
                made = made[1:]  # its first minutes may lie before what was read
            made = made.between(to_ns(start or _FAR_PAST), to_ns(end or _FAR_FUTURE))
            if is_whole or len(made) >= wanted:
                return made[max(len(made) - wanted, 0) :]
            assert count is not None
            count *= 2

    @staticmethod
    def _through(end: datetime | None) -> datetime | None:
        """Far enough beyond `end` to finish the bar that starts before it."""
        return from_ns(to_ns(end) + step_ns(Timeframe.D1)) if end else None

    async def _read(
        self,
        stock: Stock,
        timeframe: Timeframe,
        start: datetime | None,
        end: datetime | None,
        limit: int | None,
    ) -> BarBatch:
        arguments = (start or _FAR_PAST, end or _FAR_FUTURE, limit or _EVERYTHING)
        async with self._pool.acquire() as connection:
            columns = await copy_out(
                connection, _READ, self.dataset, stock.id, timeframe, *arguments, kinds=_KINDS
            )
        rows = np.empty(len(columns[0]), dtype=BAR)
        for name, column in zip(_FIELDS, columns, strict=True):
            rows[name] = column[::-1]
        return BarBatch(stock.symbol, timeframe, rows)


def _minutes_of(timeframe: Timeframe, bars: int, *, beyond: bool) -> int:
    """Minutes that most likely make so many bars of a day of 390: the last of a day may be short.

    `beyond`: a day of them lies beyond the last bar wanted.
    """
    step = min(step_ns(timeframe) // step_ns(Timeframe.M1), _DAY_MINUTES)
    per_bar = math.ceil(_DAY_MINUTES / math.ceil(_DAY_MINUTES / step))
    return (bars + 2) * per_bar * 17 // 16 + (_DAY_MINUTES if beyond else 0)


async def datasets(db: Db) -> list[str]:
    """Data sets that have bars."""
    return [row["dataset"] for row in await db.fetch(_DATASETS)]


def _added(table: Mapping[str, Value | Instants]) -> list[Added]:
    """Rows that are copied in, counted by stock."""
    ids, starts = table["stock_id"], table["start"]
    assert isinstance(ids, np.ndarray)
    assert isinstance(starts, Instants)
    return [
        Added(stock, len(own), from_ns(int(own.min())), from_ns(int(own.max())))
        for stock in np.unique(ids).tolist()
        for own in (starts.ns[ids == stock],)
    ]


def _tables(series: Sequence[tuple[Stock, BarBatch]]) -> list[tuple[str, Nanos, Rows]]:
    """Batches joined by timeframe, and by whether they know their average prices."""
    groups: dict[tuple[str, bool], list[tuple[int, Rows]]] = {}
    for stock, batch in series:
        unknown = np.isnan(batch.rows["vwap"])
        for is_unknown in (False, True):
            rows: Any = batch.rows[unknown == is_unknown]
            if len(rows):
                groups.setdefault((str(batch.timeframe), is_unknown), []).append((stock.id, rows))
    return [
        (
            timeframe,
            np.concatenate([np.full(len(rows), stock, dtype=np.int64) for stock, rows in parts]),
            np.concatenate([rows for _, rows in parts]),
        )
        for (timeframe, _), parts in groups.items()
    ]
