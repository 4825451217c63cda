"""Providers of bars for tests: what they have, and how they fail, is said in the test."""

from collections.abc import Callable, Sequence
from datetime import datetime

from app.core.clock import to_ns
from app.core.errors import NotFound, TradewrightError
from app.domain.market import Timeframe
from app.marketdata.batch import BarBatch


class Shelf:
    """Has these bars and no others; every question is kept in `asked`."""

    def __init__(self, name: str, *batches: BarBatch) -> None:
        self.name = name
        self.asked: list[tuple[str, datetime, datetime]] = []
        self.fails: Callable[[], TradewrightError] | None = None
        self._batches: Sequence[BarBatch] = batches

    async def history(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> BarBatch:
        self.asked.append((symbol, start, end))
        if self.fails is not None:
            raise self.fails()
        for batch in self._batches:
            if (batch.symbol, batch.timeframe) == (symbol, timeframe):
                return batch.between(to_ns(start), to_ns(end))
        raise NotFound(f"{self.name} does not know {symbol}.", symbol=symbol)

    async def close(self) -> None:
        return
