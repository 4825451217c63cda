"""What the strategies of an account may see: windows warmed from stored bars, and their record."""

import math
from collections import deque
from collections.abc import Iterable
from datetime import date, datetime
from typing import Final

import msgspec
import numpy as np

from app.core.errors import NotFound
from app.core.logging import get_logger
from app.domain.market import Bar, Timeframe
from app.engine.history import NAMES, History, Series, Windows, first_needed
from app.marketdata.batch import to_ns
from app.marketdata.calendar import TradingCalendar
from app.repositories import indicators
from app.repositories.indicators import Value
from app.repositories.paging import Db
from app.repositories.stock_data import StockData
from app.strategies.base import Row, Strategy

_DECISIONS: Final = frozenset({*NAMES, "exposure", "stop_loss", "take_profit"})
_KEPT: Final = 100_000
_AT_ONCE: Final = 5_000
_FIRST_LOOK: Final = 1_000
log = get_logger("trading")


class Histories:
    """Implements HistoryFactory over `stock_data`. Values wait in memory until they are flushed."""

    def __init__(self, bars: StockData, calendar: TradingCalendar) -> None:
        self._bars = bars
        self._calendar = calendar
        self._windows = Windows()
        self._values: deque[Value] = deque(maxlen=_KEPT)

    def __call__(self, strategy: Strategy, symbol: str, timeframe: Timeframe) -> History:
        return _Recorded(self._windows(strategy, symbol, timeframe), strategy, self._values)

    async def load(
        self, symbols: Iterable[str], timeframe: Timeframe, lookback: int, until: datetime | None
    ) -> None:
        """Bars that ended by `until`: its block of columns, and `lookback` bars before that."""
        if until is None:
            return
        for symbol in symbols:
            try:
                series = await self._series(symbol, timeframe, lookback, until)
            except NotFound:
                continue  # no such stock: the engine says so when it is asked to trade it
            self._windows.preload(series)

    async def _series(
        self, symbol: str, timeframe: Timeframe, lookback: int, until: datetime
    ) -> Series:
        """Reads ever more until enough regular bars stand before the block, or no more exist."""
        limit = lookback + _FIRST_LOOK
        while True:
            batch = await self._bars.bars(symbol, timeframe, end=until, limit=limit)
            regular = batch[self._calendar.is_regular(batch.start) & (batch.end <= to_ns(until))]
            sessions = self._calendar.ordinals(regular.start)
            if len(batch) < limit or self._is_enough(sessions, timeframe, lookback):
                return Series.of(regular, sessions)
            limit *= 2

    @staticmethod
    def _is_enough(
        sessions: "np.ndarray[tuple[int], np.dtype[np.float64]]",
        timeframe: Timeframe,
        lookback: int,
    ) -> bool:
        if not len(sessions):
            return False
        block = first_needed(timeframe, date.fromordinal(int(sessions[-1])))
        return int(np.searchsorted(sessions, block.toordinal())) >= lookback

    async def flush(self, db: Db) -> int:
        """Store some of the values that wait; returns how many."""
        taken = [self._values.popleft() for _ in range(min(len(self._values), _AT_ONCE))]
        if taken:
            await indicators.add(db, self._bars.dataset, taken)
        return len(taken)


class _Recorded:
    """A history that notes what it shows: the indicator columns of each row."""

    def __init__(self, inner: History, strategy: Strategy, values: deque[Value]) -> None:
        self._inner = inner
        self._values = values
        self._prefix = prefix_of(strategy)
        about = {"strategy": strategy.name, "parameters": strategy.parameters}
        self._metadata = msgspec.json.encode(about).decode()

    def advance(self, bar: Bar, session: date) -> Row | None:
        row = self._inner.advance(bar, session)
        if row is not None:
            for name in row.columns:
                if name not in _DECISIONS and math.isfinite(value := row[name]):
                    self._note(bar, name, value)
        return row

    def _note(self, bar: Bar, name: str, value: float) -> None:
        value_of = Value(
            bar.symbol, bar.timeframe, f"{self._prefix}.{name}", bar.start, value, self._metadata
        )
        self._values.append(value_of)


def prefix_of(strategy: Strategy) -> str:
    """The strategy with its parameters: two deployments that differ do not share values."""
    parameters = ",".join(f"{key}={value}" for key, value in sorted(strategy.parameters.items()))
    return f"{strategy.name}({parameters})"
