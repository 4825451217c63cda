"""Instruments: what can be traded, as the domain knows it."""

from collections.abc import Collection, Mapping
from typing import Any

from app.domain.instruments import Instrument, InstrumentKind
from app.repositories.paging import Db

_SELECT = """
  SELECT i.symbol, i.kind, coalesce(s.exchange, 'XNYS') AS exchange, trim_scale(i.tick) AS tick,
    trim_scale(i.lot) AS lot, trim_scale(i.multiplier) AS multiplier, i.currency, i.fractionable,
    i.shortable, s.sector
  FROM instruments i LEFT JOIN stocks s ON s.id = i.id"""


async def load(db: Db) -> dict[str, Instrument]:
    """Every instrument by symbol."""
    return {row["symbol"]: _instrument(row) for row in await db.fetch(_SELECT)}


async def find(db: Db, symbol: str) -> Instrument | None:
    """The instrument with this symbol, None when there is none."""
    row = await db.fetchrow(f"{_SELECT} WHERE i.symbol = $1", symbol)
    return _instrument(row) if row else None


async def known(db: Db, symbols: Collection[str]) -> set[str]:
    """Those of `symbols` that are instruments."""
    sql = "SELECT symbol FROM instruments WHERE symbol = ANY($1)"
    return {row["symbol"] for row in await db.fetch(sql, list(symbols))}


def _instrument(row: Mapping[str, Any]) -> Instrument:
    return Instrument(**{**row, "kind": InstrumentKind(row["kind"])})
