"""Stocks: found by symbol, with the nearest name when it is wrong, and made when they are new."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from app.core.errors import NotFound
from app.core.registry import suggestion
from app.domain.instruments import InstrumentKind
from app.repositories.paging import Db


class Stock(msgspec.Struct, frozen=True):
    """A row of `stocks` with what its instrument adds."""

    id: int
    symbol: str
    name: str
    exchange: str
    sector: str | None
    active: bool
    kind: InstrumentKind
    tick: Decimal
    lot: Decimal
    currency: str


_SELECT: Final = """
  SELECT s.id, s.symbol, s.name, s.exchange, s.sector, s.active, i.kind, trim_scale(i.tick) AS tick,
    trim_scale(i.lot) AS lot, i.currency
  FROM stocks s JOIN instruments i ON i.id = s.id"""

_ENSURE: Final = """
  WITH made AS (
    INSERT INTO instruments (symbol, kind) VALUES ($1, $2)
    ON CONFLICT (symbol) DO NOTHING RETURNING id
  )
  INSERT INTO stocks (id, symbol, exchange)
  SELECT id, $1, $3 FROM made
  UNION ALL SELECT id, $1, $3 FROM instruments WHERE symbol = $1
  ON CONFLICT DO NOTHING"""


# Only what nobody has said yet: a sector feeds a limit, and a name may be a person's own.
_DESCRIBE: Final = """
  UPDATE stocks SET name = CASE WHEN name = '' THEN $2 ELSE name END,
    sector = coalesce(sector, $3), updated_at = now()
  WHERE id = $1 AND ((name = '' AND $2 <> '') OR (sector IS NULL AND $3::text IS NOT NULL))"""


async def describe(db: Db, stock: Stock, name: str, sector: str | None) -> bool:
    """Fill in a name and a sector where there is none; whether something was."""
    return bool((await db.execute(_DESCRIBE, stock.id, name, sector)) == "UPDATE 1")


async def find(db: Db, symbol: str) -> Stock | None:
    """The stock with this symbol, whatever its case; None when there is none."""
    row = await db.fetchrow(f"{_SELECT} WHERE s.symbol = $1", symbol.strip().upper())
    return _stock(row) if row else None


async def get(db: Db, symbol: str) -> Stock:
    """The stock with this symbol. Raises NotFound with the nearest one."""
    found = await find(db, symbol)
    if found is None:
        known = [row["symbol"] for row in await db.fetch("SELECT symbol FROM stocks")]
        raise NotFound(f"There is no stock {symbol!r}.", remedy=suggestion(symbol, known))
    return found


async def list_stocks(db: Db, symbols: Sequence[str] | None = None) -> list[Stock]:
    """All stocks, or those of `symbols` that exist, by symbol."""
    rows = await db.fetch(
        f"{_SELECT} WHERE $1::text[] IS NULL OR s.symbol = ANY($1) ORDER BY s.symbol",
        list(symbols) if symbols is not None else None,
    )
    return [_stock(row) for row in rows]


async def exchanges(db: Db) -> list[str]:
    """Every exchange that some stock is listed on."""
    return [row["exchange"] for row in await db.fetch("SELECT DISTINCT exchange FROM stocks")]


async def ensure(
    db: Db,
    symbol: str,
    *,
    exchange: str = "XNYS",
    kind: InstrumentKind = InstrumentKind.STOCK,
) -> Stock:
    """The stock with this symbol, made first when it is new."""
    found = await find(db, symbol)
    if found is None:
        await db.execute(_ENSURE, symbol, kind, exchange)
        found = await get(db, symbol)
    return found


def _stock(row: Mapping[str, Any]) -> Stock:
    return Stock(**{**row, "kind": InstrumentKind(row["kind"])})
