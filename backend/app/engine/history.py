"""What strategies may know of the past: a tape (backtest) and a window (live), the same rows.

Columns are computed block by block; a block begins where the calendar says (`block_key`), never
where a process or a backtest began, and `prepare` gets `lookback` bars before it. So both call
`prepare` on arrays with the same first bar, and every bit of a row is the same.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Protocol

import numpy as np

from app.domain.market import Bar, Timeframe
from app.engine.panels import PanelHistory, PanelTape, PanelWindow
from app.engine.series import NAMES as NAMES
from app.engine.series import Block as Block
from app.engine.series import Nanos as Nanos
from app.engine.series import Series as Series
from app.engine.series import block_key as block_key
from app.engine.series import blocks_of, cut_blocks
from app.marketdata.adjustments import Adjustment, rebased, turning_sessions
from app.marketdata.batch import to_ns
from app.marketdata.calendar import TradingCalendar, trading_calendar
from app.strategies.base import Array, Columns, Row, Strategy
from app.strategies.panel import PanelStrategy


class History(Protocol):
    """Turns each closed bar into the row that a strategy may see."""

    def advance(self, bar: Bar, session: date) -> Row | None:
        """The row of `bar`; None before `lookback` bars exist. Raises what `prepare` raises."""
        ...


class HistoryFactory(Protocol):
    """Makes the histories of a deployment."""

    def __call__(self, strategy: Strategy, symbol: str, timeframe: Timeframe) -> History:
        """The history of one symbol."""
        ...

    def panel(
        self, strategy: PanelStrategy, symbols: Sequence[str], timeframe: Timeframe
    ) -> PanelHistory:
        """The history of all symbols at once."""
        ...

    def adjust(self, symbol: str, adjustment: Adjustment) -> None:
        """A corporate action takes effect: histories made before know it from now on, too."""
        ...


class Window:
    """Live: holds the current block and the `lookback` bars before it, and recomputes."""

    def __init__(
        self,
        strategy: Strategy,
        symbol: str,
        timeframe: Timeframe,
        known: Sequence[Adjustment] = (),
    ) -> None:
        """`known`: corporate actions; it may grow later."""
        self.strategy, self.symbol, self.timeframe = strategy, symbol, timeframe
        self._known = known
        self.lookback = strategy.lookback
        self._size = 0
        self._start: Nanos = np.empty(64, np.int64)
        self._columns = {name: np.empty(64) for name in NAMES}
        self._block: date | None = None
        self._stored: Series | None = None

    def warm(self, series: Series) -> None:
        """Bars that were stored before; those that `advance` brings again are left to it."""
        self._stored = series

    def advance(self, bar: Bar, session: date) -> Row | None:
        self._append(bar, session)
        if self._size < self.lookback:
            return None
        columns: Columns = {name: column[: self._size] for name, column in self._columns.items()}
        if self._known:
            columns = rebased(columns, self._known, session.toordinal())
        return Row({**columns, **self.strategy.prepare(columns)}, self._size - 1)

    def _append(self, bar: Bar, session: date) -> None:
        start = to_ns(bar.start)
        if self._stored is not None:
            self._take(self._stored.rows(0, int(np.searchsorted(self._stored.start, start))))
            self._stored = None
        block = block_key(self.timeframe, session)
        if block != self._block:
            self._trim()
            self._block = block
        if self._size == len(self._start):
            self._grow()
        self._start[self._size] = start
        values = (bar.open, bar.high, bar.low, bar.close, bar.volume, float(session.toordinal()))
        for name, value in zip(NAMES, values, strict=True):
            self._columns[name][self._size] = value
        self._size += 1

    def _take(self, series: Series) -> None:
        """Begin with the last block of `series` and the `lookback` bars before it."""
        if not len(series):
            return
        sessions = series.columns["session"]
        block = block_key(self.timeframe, date.fromordinal(int(sessions[-1])))
        in_block = int(np.searchsorted(sessions, block.toordinal()))
        kept = series.rows(max(in_block - self.lookback, 0), len(series))
        self._size, self._block = len(kept), block
        self._start = kept.start.copy()
        self._columns = {name: kept.columns[name].copy() for name in NAMES}

    def _trim(self) -> None:
        first = max(self._size - self.lookback, 0)
        kept = slice(first, self._size)
        self._size -= first
        self._start = self._start[kept].copy()
        self._columns = {name: column[kept].copy() for name, column in self._columns.items()}

    def _grow(self) -> None:
        # A fresh copy: rows handed out earlier keep looking at the old one.
        room = max(2 * len(self._start), 64)
        self._start = np.concatenate([self._start, np.empty(room - len(self._start), np.int64)])
        for name, column in self._columns.items():
            self._columns[name] = np.concatenate([column, np.empty(room - len(column))])


class Windows:
    """Makes windows for paper and live accounts, warmed with bars that were loaded before."""

    def __init__(self, calendar: TradingCalendar | None = None) -> None:
        """`calendar` says when longer bars of panels begin; by default that of New York."""
        self._calendar = calendar
        self._loaded: dict[tuple[str, Timeframe], Series] = {}
        self._known: dict[str, list[Adjustment]] = {}
        "Corporate actions by symbol; windows that were made look at these very lists."

    def preload(self, series: Series) -> None:
        """Bars up to now: at least the current block and `lookback` bars before it."""
        self._loaded[series.symbol, series.timeframe] = series

    def adjust(self, symbol: str, adjustment: Adjustment) -> None:
        known = self._known.setdefault(symbol, [])
        known[:] = sorted({*(one for one in known if not one.repeats(adjustment)), adjustment})

    def __call__(self, strategy: Strategy, symbol: str, timeframe: Timeframe) -> Window:
        window = Window(strategy, symbol, timeframe, self._known.setdefault(symbol, []))
        loaded = self._loaded.get((symbol, timeframe))
        if loaded is not None:
            window.warm(loaded)
        return window

    def panel(
        self, strategy: PanelStrategy, symbols: Sequence[str], timeframe: Timeframe
    ) -> PanelWindow:
        calendar = self._calendar or trading_calendar()
        known = {symbol: self._known.setdefault(symbol, []) for symbol in symbols}
        window = PanelWindow(strategy, symbols, timeframe, calendar, known)
        keys = ((symbol, timeframe) for symbol in symbols)
        window.warm([self._loaded[key] for key in keys if key in self._loaded])
        return window


class Tape:
    """Backtest: knows all bars, computes each block once, reveals one row per bar."""

    def __init__(
        self, strategy: Strategy, series: Series, known: Sequence[Adjustment] = ()
    ) -> None:
        """`known`: every corporate action there is; a row sees those that its session may know."""
        self.strategy, self.series, self.lookback = strategy, series, strategy.lookback
        self._known, session = known, series.columns["session"]
        self.blocks = list(blocks_of(session, series.timeframe, self.lookback))
        if known:
            self.blocks = cut_blocks(self.blocks, session, turning_sessions(known))
        self._firsts = [block.first for block in self.blocks]
        self._broken: set[int] = set()
        self._next = 0
        self._current = 0

    def advance(self, bar: Bar, session: date) -> Row | None:
        return self.row(self._index(to_ns(bar.start)))

    def row(self, index: int) -> Row | None:
        """The row of bar `index`; None before `lookback` bars exist."""
        if index + 1 < self.lookback:
            return None
        block = self._block(index)
        columns = block.columns or self.columns(block)
        if columns is None:
            # What fails on the whole block may work up to this bar, as it does in a window.
            bars = self._given(block, index + 1)
            return Row({**bars, **self.strategy.prepare(bars)}, index - block.base)
        return Row(columns, index - block.base)

    def columns(self, block: Block) -> Columns | None:
        """Bars and indicators of a block; None when `prepare` fails on it."""
        if block.columns is None and block.first not in self._broken:
            bars = self._given(block, block.last)
            try:
                block.columns = {**bars, **self.strategy.prepare(bars)}
            except Exception:  # noqa: BLE001  user code: it fails again, and is told, at its bar
                self._broken.add(block.first)
        return block.columns

    def exposures(self) -> Array:
        """The exposure column of all rows; infinite where the row must be looked at."""
        result = np.full(len(self.series), np.nan)
        for block in self.blocks:
            columns = self.columns(block)
            wanted = None if columns is None else columns.get("exposure")
            if wanted is None or len(wanted) != block.last - block.base:
                result[block.first : block.last] = np.inf
            else:
                result[block.first : block.last] = wanted[block.first - block.base :]
        result[: max(self.lookback - 1, 0)] = np.nan
        return result

    def _given(self, block: Block, last: int) -> Columns:
        columns = {name: c[block.base : last] for name, c in self.series.columns.items()}
        if not self._known:
            return columns
        return rebased(columns, self._known, self.series.columns["session"][block.first])

    def _block(self, index: int) -> Block:
        block = self.blocks[self._current]
        if not block.first <= index < block.last:
            self._current = bisect_right(self._firsts, index) - 1
            block = self.blocks[self._current]
        return block

    def _index(self, start: int) -> int:
        index = self._next
        if index >= len(self.series) or self.series.start[index] != start:
            index = int(np.searchsorted(self.series.start, start))
        self._next = index + 1
        return index


class Tapes:
    """Makes tapes for a backtest out of series that are all known."""

    def __init__(
        self,
        series: Sequence[Series],
        calendar: TradingCalendar | None = None,
        known: Mapping[str, Sequence[Adjustment]] | None = None,
    ) -> None:
        """`calendar` says when longer bars of panels begin; by default that of New York.

        `known`: every corporate action, by symbol.
        """
        self._calendar, self._known = calendar, known or {}
        self.series = {(one.symbol, one.timeframe): one for one in series}
        self.made: list[Tape] = []

    def __call__(self, strategy: Strategy, symbol: str, timeframe: Timeframe) -> Tape:
        tape = Tape(strategy, self.series[symbol, timeframe], self._known.get(symbol, ()))
        self.made.append(tape)
        return tape

    def panel(
        self, strategy: PanelStrategy, symbols: Sequence[str], timeframe: Timeframe
    ) -> PanelTape:
        series = [self.series[symbol, timeframe] for symbol in symbols]
        calendar = self._calendar or trading_calendar()
        return PanelTape(strategy, series, timeframe, calendar, self._known)

    def adjust(self, symbol: str, adjustment: Adjustment) -> None:
        """Tapes know it already, and show it where it is due."""


def first_needed(timeframe: Timeframe, now: datetime | date) -> date:
    """First session whose bars a window needs at `now`, apart from `lookback` bars before it."""
    return block_key(timeframe, now.date() if isinstance(now, datetime) else now)
