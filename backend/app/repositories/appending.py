"""Rows of a time series, appended: copied straight in beyond what is there, merged otherwise."""

from collections.abc import Sequence
from typing import Final

import asyncpg
import msgspec
import numpy as np
from numpy.typing import NDArray

from app.core.clock import from_ns, to_ns
from app.core.errors import NotFound
from app.core.registry import suggestion
from app.db.copy import Columns, Instants, Texts, Value, copy_in
from app.marketdata.batch import Flags, Nanos
from app.marketdata.tick_memory import Positions

FEW: Final = 32
"Rows up to which one INSERT is quicker than the conversation of a COPY."
KEY: Final = ("dataset", "stock_id", "at", "sequence")

_IDS: Final = "SELECT symbol, id FROM instruments WHERE symbol = ANY($1::text[])"

_MARKS: Final = """
  SELECT w.id, m.at, m.sequence
  FROM unnest($2::bigint[]) AS w (id)
  JOIN LATERAL (
    SELECT at, sequence FROM {table} WHERE dataset = $1 AND stock_id = w.id
    ORDER BY at DESC, sequence DESC LIMIT 1
  ) m ON true"""

_STAGE: Final = """
  CREATE TEMP TABLE IF NOT EXISTS incoming_{table} (LIKE {table}) ON COMMIT DELETE ROWS"""

_INSERT: Final = """
  INSERT INTO {table} ({columns}) SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING"""

# What is there stays; rows of the same key that say something else are counted.
_MERGE: Final = """
  WITH put AS (
    INSERT INTO {table} ({columns}) SELECT {columns} FROM incoming_{table}
    ON CONFLICT DO NOTHING RETURNING 1
  )
  SELECT (SELECT count(*) FROM put) AS inserted,
    (SELECT count(*) FROM incoming_{table} n JOIN {table} t USING ({key})
     WHERE ({told}) IS DISTINCT FROM ({stored})) AS differing"""


class Appended(msgspec.Struct, frozen=True):
    """What became of the rows that were handed over."""

    inserted: int = 0
    unchanged: int = 0
    "Rows whose key was there already."
    differing: int = 0
    "Of those, the rows that said something else; what was there stays."

    def __add__(self, other: "Appended") -> "Appended":
        return Appended(
            self.inserted + other.inserted,
            self.unchanged + other.unchanged,
            self.differing + other.differing,
        )


class Appender:
    """One table keyed by (dataset, stock_id, at, sequence), and how far each series goes in it."""

    def __init__(self, pool: asyncpg.Pool, table: str, dataset: str, told: Sequence[str]) -> None:
        """`told` are the columns by which two rows of one key are compared."""
        self.dataset = dataset
        self._pool = pool
        self._table = table
        self._told = tuple(told)
        self._ids: dict[str, int] = {}
        self._marks: dict[int, tuple[int, int]] = {}
        "Newest microsecond and sequence of each series; absent until it was asked for."

    async def ids(self, symbols: Sequence[str]) -> list[int | None]:
        """The instrument of each symbol, None where there is none; known ones are remembered."""
        missing = [symbol for symbol in symbols if symbol not in self._ids]
        if missing:
            for row in await self._pool.fetch(_IDS, missing):
                self._ids[row["symbol"]] = row["id"]
        return [self._ids.get(symbol) for symbol in symbols]

    async def id(self, symbol: str) -> int:
        """The instrument of a symbol. Raises NotFound with the nearest one."""
        (known,) = await self.ids((symbol,))
        if known is None:
            rows = await self._pool.fetch("SELECT symbol FROM instruments WHERE kind <> 'option'")
            raise NotFound(
                f"There is no instrument {symbol!r}.",
                remedy=suggestion(symbol, [row["symbol"] for row in rows]),
            )
        return known

    async def ids_of(self, symbols: Sequence[str], column: NDArray[np.int32]) -> Nanos:
        """The instrument of each row; `column` holds positions in `symbols`. Raises NotFound."""
        is_one = len(column) and (column == column[0]).all()
        table = np.zeros(len(symbols), dtype=np.int64)
        for i in column[:1].tolist() if is_one else np.unique(column).tolist():
            table[i] = await self.id(symbols[i])
        of_rows: Nanos = table[column]
        return of_rows

    def forget(self) -> None:
        """Ask again how far the series go: after a write whose end nobody knows."""
        self._marks.clear()

    async def append(self, ids: Nanos, at: Nanos, sequence: Nanos, columns: Columns) -> Appended:
        """Store rows durably; storing them again changes nothing.

        `columns` are the whole rows; `ids`, `at` (ns) and `sequence` their keys.
        """
        if not len(ids):
            return Appended()
        if len(ids) <= FEW:
            return await self._insert(columns, len(ids))
        beyond = await self._beyond(ids, at // 1_000, sequence)
        stored = Appended()
        if beyond.all():
            stored += await self._copy(columns, len(ids))
        else:
            if beyond.any():
                mine = np.flatnonzero(beyond)
                stored += await self._copy(_chosen(columns, mine), len(mine))
            rest = np.flatnonzero(~beyond)
            stored += await self._merge(_chosen(columns, rest), len(rest))
        self._raise_marks(ids, at // 1_000, sequence)
        return stored

    async def _beyond(self, ids: Nanos, micros: Nanos, sequence: Nanos) -> Flags:
        """Rows that lie beyond all that is stored of their series."""
        mine = [int(ids[0])] if (ids == ids[0]).all() else np.unique(ids).tolist()
        unknown = [one for one in mine if one not in self._marks]
        if unknown:
            query = _MARKS.format(table=self._table)
            self._marks |= dict.fromkeys(unknown, (-(2**62), 0))
            for row in await self._pool.fetch(query, self.dataset, unknown):
                self._marks[row["id"]] = (to_ns(row["at"]) // 1_000, row["sequence"])
        beyond = np.zeros(len(ids), dtype=np.bool_)
        for one in mine:
            newest, rank = self._marks[one]
            later = (micros > newest) | ((micros == newest) & (sequence > rank))
            beyond |= later & (ids == one) if len(mine) > 1 else later
        return beyond

    def _raise_marks(self, ids: Nanos, micros: Nanos, sequence: Nanos) -> None:
        order = np.lexsort((sequence, micros, ids)) if len(ids) > 1 else np.array([0])
        last = np.append(np.flatnonzero(np.diff(ids[order])), len(ids) - 1)
        newest = order[last]
        for one, at, rank in zip(
            ids[newest].tolist(), micros[newest].tolist(), sequence[newest].tolist(), strict=True
        ):
            self._marks[one] = max(self._marks[one], (at, rank))

    async def _copy(self, columns: Columns, count: int) -> Appended:
        try:
            # one statement: it is there as a whole or not at all
            async with self._pool.acquire() as connection:
                await copy_in(connection, self._table, columns, count)
        except asyncpg.UniqueViolationError:
            # somebody else has written meanwhile, or a row came twice
            return await self._merge(columns, count)
        return Appended(inserted=count)

    async def _insert(self, columns: Columns, count: int) -> Appended:
        """One statement, wherever the rows belong; the marks need not know."""
        kinds, values = zip(*(_listed(value, count) for value in columns.values()), strict=True)
        arrays = ", ".join(f"${i}::{kind}[]" for i, kind in enumerate(kinds, start=1))
        names = ", ".join(columns)
        query = _INSERT.format(table=self._table, columns=names, arrays=arrays)
        inserted = int((await self._pool.execute(query, *values)).rsplit(" ", 1)[-1])
        if inserted == count:
            return Appended(inserted)
        again = await self._merge(columns, count)
        return Appended(inserted, count - inserted, again.differing)

    async def _merge(self, columns: Columns, count: int) -> Appended:
        stage = f"incoming_{self._table}"
        query = _MERGE.format(
            table=self._table,
            columns=", ".join(columns),
            key=", ".join(KEY),
            told=", ".join(f"n.{name}" for name in self._told),
            stored=", ".join(f"t.{name}" for name in self._told),
        )
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_STAGE.format(table=self._table))
            await copy_in(connection, stage, columns, count)
            row = await connection.fetchrow(query)
        inserted: int = row["inserted"]
        return Appended(inserted, count - inserted, row["differing"])


def _chosen(columns: Columns, positions: Positions) -> Columns:
    """Some rows of whole columns."""

    def part(value: Value | Instants | Texts) -> Value | Instants | Texts:
        return value[positions] if isinstance(value, np.ndarray | Instants | Texts) else value

    return {name: part(value) for name, value in columns.items()}


def _listed(value: Value | Instants | Texts, count: int) -> tuple[str, list[object]]:
    """The type of a column in SQL, and its values one by one."""
    if isinstance(value, Instants):
        return "timestamptz", [from_ns(at) for at in value.ns.tolist()]
    if isinstance(value, Texts):
        return "text", [value.choices[place] for place in value.index.tolist()]
    if isinstance(value, np.ndarray):
        kinds = {"<f8": "float8", "<i8": "bigint", "<i2": "smallint"}
        return kinds[value.dtype.str], value.tolist()
    return ("text" if isinstance(value, str) else "bigint"), [value] * count
