"""Quotes of options with their greeks: written by binary COPY, read as chains."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

import asyncpg
import numpy as np

from app.core.clock import from_ns
from app.db.copy import Instants, Value, copy_in, copy_out
from app.domain.options import OptionContract
from app.marketdata.batch import Nanos
from app.marketdata.option_chain import NUMBERS, Chain
from app.marketdata.options import OPTION, OptionBatch
from app.repositories import market_data_cache, option_contracts
from app.repositories.marks import LAST_CLOSE
from app.repositories.paging import Db
from app.repositories.stock_data import Stored

_STAGE: Final = """
  CREATE TEMP TABLE IF NOT EXISTS incoming_options (LIKE options_data) ON COMMIT DELETE ROWS"""
_KEY: Final = "(dataset, contract_id, at)"
_VALUES: Final = ", ".join(NUMBERS)
_NEW: Final = ", ".join(f"excluded.{name}" for name in NUMBERS)
_OLD: Final = ", ".join(f"options_data.{name}" for name in NUMBERS)
_OR_NULL: Final = ", ".join(f"nullif({name}, 'NaN')" for name in NUMBERS)
_OR_NAN: Final = ", ".join(f"coalesce(d.{name}, 'NaN')" for name in NUMBERS)

_MERGE: Final = f"""
  WITH merged AS (
    INSERT INTO options_data (dataset, contract_id, at, {_VALUES}, source)
    SELECT dataset, contract_id, at, {_OR_NULL}, source
    FROM incoming_options
    ON CONFLICT {_KEY} DO UPDATE SET ({_VALUES}, source) = ROW({_NEW}, excluded.source)
      WHERE ({_OLD}) IS DISTINCT FROM ({_NEW})
    RETURNING xmax = 0 AS is_new
  )
  SELECT count(*) FILTER (WHERE is_new) AS inserted,
    count(*) FILTER (WHERE NOT is_new) AS corrected
  FROM merged"""

_NEWEST: Final = f"""
  SELECT c.id, d.at, {_OR_NAN}
  FROM option_contracts c
  JOIN LATERAL (
    SELECT * FROM options_data o
    WHERE o.dataset = $1 AND o.contract_id = c.id AND o.at <= $4
    ORDER BY o.at DESC LIMIT 1
  ) d ON true
  WHERE c.underlying_id = $2 AND c.expiry >= $3"""
_KINDS: Final = ("integer", "instant", *["float"] * len(NUMBERS))

_QUOTED: Final = """
  SELECT (bid + ask) / 2 AS price, at FROM quotes
  WHERE dataset = $1 AND stock_id = $2 AND at <= $3 ORDER BY at DESC, sequence DESC LIMIT 1"""
_CLOSED: Final = f"""
  SELECT m.close AS price, m.at
  FROM {LAST_CLOSE.format(dataset="$1", stock="$2", until="$3")} m"""

# Skips from name to name: the key begins with the data set.
_DATASETS: Final = """
  WITH RECURSIVE found AS (
    (SELECT dataset FROM options_data ORDER BY dataset LIMIT 1)
    UNION ALL
    SELECT (SELECT o.dataset FROM options_data o WHERE o.dataset > f.dataset
            ORDER BY o.dataset LIMIT 1)
    FROM found f WHERE f.dataset IS NOT NULL
  )
  SELECT dataset FROM found WHERE dataset IS NOT NULL ORDER BY dataset"""

_DATASETS_OF: Final = f"""
  SELECT d.dataset FROM ({_DATASETS}) d
  WHERE EXISTS (
    SELECT FROM option_contracts c
    JOIN options_data o ON o.dataset = d.dataset AND o.contract_id = c.id
    WHERE c.underlying_id = $1
  )
  ORDER BY d.dataset"""

_FIRST_DAY: Final = date(1900, 1, 1)
_FAR_FUTURE: Final = from_ns(7_258_118_400 * 10**9)


class OptionsData:
    """Quotes of one data set."""

    def __init__(self, pool: asyncpg.Pool, dataset: str) -> None:
        self.dataset = dataset
        self._pool = pool
        self._ids: dict[OptionContract, int] = {}
        self._underlyings: dict[str, tuple[int, str]] = {}

    async def store(self, batch: OptionBatch, source: str, *, announced: bool = True) -> Stored:
        """Store rows durably, all or none; storing them again changes nothing.

        A row of the same contract and instant with other values is replaced. Contracts that are
        new are made. A batch may not hold a contract twice at one instant. `announced` has caches
        forget the chains; who renews them at once need not.
        """
        if not len(batch):
            return Stored()
        ids = await self._contract_ids(batch)
        symbols = [symbol for _, symbol in (await self._behind(batch)).values()]
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_STAGE)
            await connection.execute("TRUNCATE incoming_options")
            await copy_in(
                connection, "incoming_options", self._columns(batch, ids, source), len(batch)
            )
            merged = await connection.fetchrow(_MERGE)
            if announced:
                await market_data_cache.announce(connection, self.dataset, symbols)
        inserted, corrected = merged["inserted"], merged["corrected"]
        return Stored(inserted, corrected, len(batch) - inserted - corrected)

    async def chain(
        self, underlying_id: int, *, since: date | None = None, at: datetime | None = None
    ) -> Chain:
        """The newest row of each contract, not later than `at`; contracts without one are left out.

        `since` leaves out what expires before.
        """
        async with self._pool.acquire() as connection:
            contracts = await option_contracts.listed(connection, underlying_id, since)
            arguments = (underlying_id, since or _FIRST_DAY, at or _FAR_FUTURE)
            ids, times, *values = await copy_out(
                connection, _NEWEST, self.dataset, *arguments, kinds=_KINDS
            )
        known = np.array([one in contracts for one in ids.tolist()], dtype=np.bool_)
        rows = np.zeros(int(known.sum()), dtype=OPTION)
        rows["at"] = times[known]
        for name, column in zip(NUMBERS, values, strict=True):
            rows[name] = column[known]
        return Chain([contracts[one] for one in ids[known].tolist()], rows)

    async def underlying_price(self, root: str, at: datetime) -> float | None:
        """The newest stored price of what a root stands for: a quote's middle or a bar's close."""
        await self._learn([root])
        stock_id, _ = self._underlyings[root]
        found = [
            row
            for query in (_QUOTED, _CLOSED)
            if (row := await self._pool.fetchrow(query, self.dataset, stock_id, at))
        ]
        return float(max(found, key=lambda row: row["at"])["price"]) if found else None

    async def symbol_of(self, root: str) -> tuple[int, str]:
        """(id, symbol) of the stock behind a root."""
        await self._learn([root])
        return self._underlyings[root]

    async def _behind(self, batch: OptionBatch) -> dict[str, tuple[int, str]]:
        roots = {one.underlying for one in _used(batch)}
        await self._learn(sorted(roots))
        return {root: self._underlyings[root] for root in roots}

    async def _learn(self, roots: Sequence[str]) -> None:
        new = [root for root in roots if root not in self._underlyings]
        if new:
            self._underlyings |= await option_contracts.underlyings(self._pool, new)

    async def _contract_ids(self, batch: OptionBatch) -> Nanos:
        used = _used(batch)
        new = [one for one in used if one not in self._ids]
        if new:
            self._ids |= await option_contracts.ensure(self._pool, new)
        ids = np.array([self._ids.get(one, 0) for one in batch.contracts], dtype=np.int64)
        found: Nanos = ids[batch.rows["contract"]]
        return found

    def _columns(self, batch: OptionBatch, ids: Nanos, source: str) -> dict[str, Value | Instants]:
        return {
            "dataset": self.dataset,
            "contract_id": ids,
            "at": Instants(batch.rows["at"]),
            **{name: batch.rows[name] for name in NUMBERS},
            "source": source,
        }


async def datasets(db: Db) -> list[str]:
    """Data sets that have quotes of options."""
    return [row["dataset"] for row in await db.fetch(_DATASETS)]


async def datasets_of(db: Db, underlying_id: int) -> list[str]:
    """Data sets that have quotes of options on one underlying."""
    return [row["dataset"] for row in await db.fetch(_DATASETS_OF, underlying_id)]


def _used(batch: OptionBatch) -> list[OptionContract]:
    """Contracts that have rows."""
    places: list[int] = np.unique(batch.rows["contract"]).tolist()
    return [batch.contracts[i] for i in places]
