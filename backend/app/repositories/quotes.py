"""The newest prices: a quote where there is one, the last bar, and the close of the day before."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from app.domain.market import Quote
from app.repositories.marks import LAST_CLOSE
from app.repositories.paging import Db


class PriceNow(msgspec.Struct, frozen=True):
    """Close of a stock's newest bar, and of the last daily bar of a day before it."""

    symbol: str
    last: float
    at: datetime
    previous_close: float | None


_LAST_QUOTE: Final = """
  SELECT s.symbol, q.at, q.bid, q.bid_size, q.ask, q.ask_size
  FROM quotes q JOIN stocks s ON s.id = q.stock_id
  WHERE q.dataset = $1 AND s.symbol = $2
  ORDER BY q.at DESC, q.sequence DESC LIMIT 1"""

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


async def last_quote(db: Db, dataset: str, symbol: str) -> Quote | None:
    """The newest quote of a symbol, None when the data set has none."""
    row = await db.fetchrow(_LAST_QUOTE, dataset, symbol)
    return Quote(**row) if row else None


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
