"""What the strategies of an account may see: windows warmed from stored bars, and their record."""

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Final

import msgspec
import numpy as np

from app.core.errors import InvalidInput, NotFound
from app.core.logging import get_logger
from app.domain.market import Bar, Timeframe
from app.engine.history import History, Windows, first_needed
from app.engine.panels import PanelHistory, longer_of
from app.engine.series import NAMES, Series, block_key
from app.marketdata.adjustments import Adjustment
from app.marketdata.batch import to_ns
from app.marketdata.calendar import TradingCalendar
from app.repositories import indicators
from app.repositories.indicators import Value
from app.repositories.paging import Db
from app.repositories.stock_data import StockData
from app.runner.actions import Actions
from app.strategies.base import BaseStrategy, Row, Strategy
from app.strategies.panel import PanelRow, PanelStrategy

_DECISIONS: Final = frozenset({*NAMES, "exposure", "stop_loss", "take_profit", "stop_trail"})
_KEPT: Final = 100_000
_AT_ONCE: Final = 5_000
_FIRST_LOOK: Final = 1_000
log = get_logger("trading")


class Histories:
    """Implements HistoryFactory over `stock_data`. Values wait in memory until they are flushed."""

    def __init__(
        self, bars: StockData, calendar: TradingCalendar, actions: Actions | None = None
    ) -> None:
        """Without `actions` bars are shown as they were traded."""
        self._bars, self._actions = bars, actions
        self._calendar = calendar
        self._windows = Windows(calendar)
        self._values: deque[Value] = deque(maxlen=_KEPT)

    def __call__(self, strategy: Strategy, symbol: str, timeframe: Timeframe) -> History:
        return _Recorded(
            self._windows(strategy, symbol, timeframe), _Record(strategy, self._values)
        )

    def panel(
        self, strategy: PanelStrategy, symbols: Sequence[str], timeframe: Timeframe
    ) -> PanelHistory:
        window = self._windows.panel(strategy, symbols, timeframe)
        return _RecordedPanel(window, _Record(strategy, self._values))

    def adjust(self, symbol: str, adjustment: Adjustment) -> None:
        self._windows.adjust(symbol, adjustment)

    async def load(
        self,
        strategy: BaseStrategy,
        symbols: Iterable[str],
        timeframe: Timeframe,
        until: datetime | None,
    ) -> None:
        """Bars that ended by `until`: their block of columns, and what is needed before that."""
        if until is None:
            return
        try:
            needed = strategy.bars_needed(timeframe)
        except InvalidInput:
            return  # the engine says so when it is asked to start
        for symbol in symbols:
            try:
                series = await self._series(symbol, timeframe, needed, until)
            except NotFound:
                continue  # no such stock: the engine says so when it is asked to trade it
            self._windows.preload(series)
            if self._actions is not None:
                for one in await self._actions.adjustments(symbol):
                    self._windows.adjust(symbol, one)

    async def _series(
        self, symbol: str, timeframe: Timeframe, needed: Mapping[Timeframe, int], until: datetime
    ) -> Series:
        """Reads ever more until enough regular bars stand before the block, or no more exist."""
        limit = needed[timeframe] + _FIRST_LOOK
        while True:
            batch = await self._bars.bars(symbol, timeframe, end=until, limit=limit)
            regular = batch[self._calendar.is_regular(batch.start) & (batch.end <= to_ns(until))]
            series = Series.of(regular, self._calendar.ordinals(regular.start))
            if len(batch) < limit or self._is_enough(series, needed):
                return series
            limit *= 2

    def _is_enough(self, series: Series, needed: Mapping[Timeframe, int]) -> bool:
        if not len(series):
            return False
        sessions = series.columns["session"]
        block = first_needed(series.timeframe, date.fromordinal(int(sessions[-1])))
        for timeframe, count in needed.items():
            if timeframe is not series.timeframe:
                # the first may be made of fewer bars than there were
                sessions = longer_of(series, timeframe, self._calendar).columns["session"][1:]
            anchor = block_key(timeframe, block).toordinal()
            if int(np.searchsorted(sessions, anchor)) < count:
                return False
        return True

    async def flush(self, db: Db) -> int:
        """Store some of the values that wait; returns how many."""
        taken = [self._values.popleft() for _ in range(min(len(self._values), _AT_ONCE))]
        if taken:
            await indicators.add(db, self._bars.dataset, taken)
        return len(taken)


class _Record:
    """Takes down the indicator columns of rows that a strategy was shown."""

    def __init__(self, strategy: BaseStrategy, values: deque[Value]) -> None:
        self._values = values
        self._prefix = prefix_of(strategy)
        about = {"strategy": strategy.name, "parameters": strategy.parameters}
        self._metadata = msgspec.json.encode(about).decode()

    def note(self, bar: Bar, row: Row) -> None:
        for name in row.columns:
            if name not in _DECISIONS and math.isfinite(value := row[name]):
                self._note(bar, name, value)

    def _note(self, bar: Bar, name: str, value: float) -> None:
        value_of = Value(
            bar.symbol, bar.timeframe, f"{self._prefix}.{name}", bar.start, value, self._metadata
        )
        self._values.append(value_of)


class _Recorded:
    """A history that notes what it shows: the indicator columns of each row."""

    def __init__(self, inner: History, record: _Record) -> None:
        self._inner, self._record = inner, record

    def advance(self, bar: Bar, session: date) -> Row | None:
        row = self._inner.advance(bar, session)
        if row is not None:
            self._record.note(bar, row)
        return row


class _RecordedPanel:
    """The same of several symbols: those that have a bar in the slice."""

    def __init__(self, inner: PanelHistory, record: _Record) -> None:
        self._inner, self._record = inner, record

    def advance(self, bars: Sequence[Bar], session: date) -> PanelRow | None:
        row = self._inner.advance(bars, session)
        if row is not None:
            for bar in bars:
                self._record.note(bar, row[bar.symbol])
        return row


def prefix_of(strategy: BaseStrategy) -> str:
    """The strategy with its parameters: two deployments that differ do not share values."""
    parameters = ",".join(f"{key}={value}" for key, value in sorted(strategy.parameters.items()))
    return f"{strategy.name}({parameters})"
