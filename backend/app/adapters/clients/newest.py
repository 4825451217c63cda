"""The newest price of every symbol, kept from bars, quotes and prints, as JSON when it is asked."""

import math
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
import numpy as np
import orjson

from app.marketdata.batch import BarBatch, QuoteBatch, Rows, TickBatch, to_datetime

Key = tuple[str, str]
"Data set and symbol."
_SIDES: Final = ("bid", "bid_size", "ask", "ask_size")


class Price(msgspec.Struct):
    """What is known of one symbol; times in ns. None and NaN: nobody said."""

    at: int = -(2**63)
    bid: float = math.nan
    bid_size: float = math.nan
    ask: float = math.nan
    ask_size: float = math.nan
    quoted_at: int = -(2**63)
    last: float = math.nan
    last_at: int = -(2**63)
    source: str = "bar"


class Newest:
    """Takes batches as they come; what is older than the known changes nothing."""

    def __init__(self) -> None:
        self._prices: dict[Key, Price] = {}

    def bar(self, dataset: str, batch: BarBatch) -> Iterator[Key]:
        """The close of the last bar. Yields the key if the price is new."""
        at = int(batch.end[-1])
        yield from self._traded((dataset, batch.symbol), at, float(batch.rows["close"][-1]), "bar")

    def prints(self, dataset: str, ticks: TickBatch) -> Iterator[Key]:
        """The last print of each symbol that counts."""
        counts = np.array([label.counts for label in ticks.labels])
        for symbol, row in _last_of_each(ticks.symbols, ticks.rows[counts[ticks.rows["label"]]]):
            yield from self._traded((dataset, symbol), int(row["at"]), float(row["price"]), "trade")

    def quotes(self, dataset: str, quotes: QuoteBatch) -> Iterator[Key]:
        """The last top of book of each symbol."""
        for symbol, row in _last_of_each(quotes.symbols, quotes.rows):
            price = self._prices.setdefault((dataset, symbol), Price())
            at = int(row["at"])
            if at < price.quoted_at:
                continue
            price.quoted_at, price.at = at, max(at, price.at)
            for side in _SIDES:
                setattr(price, side, float(row[side]))
            yield dataset, symbol

    def _traded(self, key: Key, at: int, last: float, source: str) -> Iterator[Key]:
        price = self._prices.setdefault(key, Price())
        if at < price.last_at:
            return
        price.last_at, price.at = at, max(at, price.at)
        price.last, price.source = last, source
        yield key

    def body(self, key: Key) -> bytes:
        """JSON as screens and the cache get it."""
        price = self._prices[key]
        sides: dict[str, Any] = {side: _known(getattr(price, side)) for side in _SIDES}
        last = _known(price.last)
        return orjson.dumps(
            {
                "symbol": key[1],
                "dataset": key[0],
                "at": to_datetime(price.at),
                **sides,
                "last": last,
                "source": price.source if last is not None else "quote",
            },
            option=orjson.OPT_UTC_Z,
        )

    def at(self, key: Key) -> int:
        """When the newest of it was, in ns."""
        return self._prices[key].at


def _last_of_each(symbols: tuple[str, ...], rows: Rows) -> Iterable[tuple[str, Rows]]:
    """The last row of each symbol."""
    positions, last = np.unique(rows["symbol"][::-1], return_index=True)
    return (
        (symbols[position], rows[len(rows) - 1 - index])
        for position, index in zip(positions.tolist(), last.tolist(), strict=True)
    )


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
