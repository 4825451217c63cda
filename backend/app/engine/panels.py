"""What panel strategies may know of the past: a tape and a window over several symbols at once.

The law is that of `history`: columns begin where the calendar says. Each symbol gives the bars of
the block and its own `lookback` bars before it; longer bars, made of these, begin with the block of
their timeframe that holds the first day of the panel's block, and their own look-back before that.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import date
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from app.domain.market import Bar, Timeframe
from app.engine.series import NAMES, Block, Series, block_key, blocks_of, cut_blocks
from app.marketdata.adjustments import Adjustment, rebased, turning_sessions
from app.marketdata.aggregation import aggregate
from app.marketdata.batch import VALUES, BarBatch, to_ns
from app.marketdata.calendar import TradingCalendar
from app.strategies.base import Array, Columns, Row
from app.strategies.panel import Panel, PanelRow, PanelStrategy, View

_EVERYTHING: Final = 2**62
_Key = tuple[str, Timeframe]


class PanelHistory(Protocol):
    """Turns each slice into the rows that a panel strategy may see."""

    def advance(self, bars: Sequence[Bar], session: date) -> PanelRow | None:
        """The row of the slice with these bars; None before `lookback` rows exist.

        Raises what `prepare` raises.
        """
        ...


def longer_of(
    series: Series, timeframe: Timeframe, calendar: TradingCalendar, until: int = _EVERYTHING
) -> Series:
    """Longer bars made of `series`, by the same aggregation as elsewhere: those over at `until`."""
    values = {name: series.columns[name] for name in VALUES}
    batch = BarBatch.of(series.symbol, series.timeframe, series.start, series.end, **values)
    made = aggregate(batch, timeframe, calendar, until)
    return Series.of(made, calendar.ordinals(made.start))


def columns_of(strategy: PanelStrategy, panel: Panel) -> dict[str, Columns]:
    """Bars (as of each row) and what `prepare` makes of the panel, by symbol.

    Raises what `prepare` raises, and ValueError for columns that are not those of the panel.
    """
    made = strategy.prepare(panel)
    for symbol, columns in made.items():
        if symbol not in panel.symbols:
            raise ValueError(f"prepare gives columns of {symbol}, which is not in the panel")
        for name, column in columns.items():
            if len(column) != len(panel):
                raise ValueError(f"the column {name} of {symbol} must have {len(panel)} rows")
    return panel.with_bars(made)


def make_panel(
    symbols: tuple[str, ...],
    timeframe: Timeframe,
    ends: NDArray[np.int64],
    session: Array,
    series: Mapping[_Key, Series],
) -> Panel:
    """A panel with a view for each of the series."""
    views = {key: View(one.columns, one.end, ends) for key, one in series.items()}
    return Panel(symbols, timeframe, ends, session, views)


def seen_from(series: Series, known: Sequence[Adjustment], session: float) -> Series:
    """The series in the shares of `session`, by the corporate actions that it may know."""
    if not known:
        return series
    return replace(series, columns=rebased(series.columns, known, session))


class PanelTape:
    """Backtest: knows all bars of all symbols, computes each block once, reveals row by row."""

    def __init__(
        self,
        strategy: PanelStrategy,
        series: Sequence[Series],
        timeframe: Timeframe,
        calendar: TradingCalendar,
        known: Mapping[str, Sequence[Adjustment]] | None = None,
    ) -> None:
        """`known`: every corporate action, by symbol."""
        self.strategy, self.timeframe = strategy, timeframe
        self.symbols = tuple(one.symbol for one in series)
        self._needed = strategy.bars_needed(timeframe)
        self.lookback = self._needed[timeframe]
        longer = [one for one in self._needed if one is not timeframe]
        self._series = {(one.symbol, timeframe): one for one in series} | {
            (one.symbol, other): longer_of(one, other, calendar)
            for other in longer
            for one in series
        }
        ends = np.concatenate([one.end for one in series])
        sessions = np.concatenate([one.columns["session"] for one in series])
        self.ends, first = np.unique(ends, return_index=True)
        "When each row ends: every instant at which a bar of any symbol closed."
        self.session = sessions[first]
        self.blocks = list(blocks_of(self.session, timeframe, self.lookback))
        self._known = {symbol: (known or {}).get(symbol, ()) for symbol in self.symbols}
        if any(self._known.values()):
            every = [one for mine in self._known.values() for one in mine]
            self.blocks = cut_blocks(self.blocks, self.session, turning_sessions(every))
        self._firsts = [block.first for block in self.blocks]
        self._columns: dict[int, dict[str, Columns] | None] = {}
        self._next = 0

    def advance(self, bars: Sequence[Bar], session: date) -> PanelRow | None:
        end, index = to_ns(bars[0].end), self._next
        if index >= len(self.ends) or self.ends[index] != end:
            index = int(np.searchsorted(self.ends, end))
        self._next = index + 1
        return self.row(index)

    def row(self, index: int) -> dict[str, Row] | None:
        """Row `index` by symbol; None before `lookback` rows exist."""
        if index + 1 < self.lookback:
            return None
        block = self.blocks[bisect_right(self._firsts, index) - 1]
        columns = self.columns(block)
        if columns is None:
            # What fails on the whole block may work up to this row, as it does in a window.
            columns = columns_of(self.strategy, self.panel(block, index + 1))
        return {symbol: Row(one, index - block.base) for symbol, one in columns.items()}

    def columns(self, block: Block) -> dict[str, Columns] | None:
        """Bars and indicators of a block by symbol; None when `prepare` fails on it."""
        if block.first not in self._columns:
            try:
                found = columns_of(self.strategy, self.panel(block, block.last))
            except Exception:  # noqa: BLE001  user code: it fails again, and is told, at its row
                self._columns[block.first] = None
            else:
                self._columns[block.first] = found
        return self._columns[block.first]

    def exposures(self) -> dict[str, Array]:
        """The exposure of every symbol at every row; NaN before its first bar, infinite where the
        row must be looked at."""
        result = {symbol: np.full(len(self.ends), np.nan) for symbol in self.symbols}
        for block in self.blocks:
            columns = self.columns(block)
            for symbol, exposure in result.items():
                exposure[block.first : block.last] = _wanted(columns, symbol, block)
        for exposure in result.values():
            exposure[: max(self.lookback - 1, 0)] = np.nan
        return result

    def panel(self, block: Block, last: int, *, copied: bool = False) -> Panel:
        """What `prepare` is given for the rows of `block` before row `last`.

        `copied`: a strategy that writes into its bars then harms nobody else.
        """
        until = int(self.ends[last - 1])
        day = block_key(self.timeframe, date.fromordinal(int(self.session[block.first])))
        given: dict[_Key, Series] = {}
        for (symbol, timeframe), one in self._series.items():
            if timeframe is self.timeframe:
                first = int(np.searchsorted(one.end, self.ends[block.origin]))
            else:
                anchor = block_key(timeframe, day).toordinal()
                first = int(np.searchsorted(one.columns["session"], anchor))
            base = max(first - self._needed[timeframe], 0)
            over = int(np.searchsorted(one.end, until, side="right"))
            part = seen_from(one.rows(base, over), self._known[symbol], self.session[block.first])
            given[symbol, timeframe] = deepcopy(part) if copied else part
        rows = slice(block.base, last)
        return make_panel(self.symbols, self.timeframe, self.ends[rows], self.session[rows], given)


def _wanted(columns: dict[str, Columns] | None, symbol: str, block: Block) -> Array:
    rows = slice(block.first - block.base, block.last - block.base)
    if columns is None or "exposure" not in columns[symbol]:
        return np.full(block.last - block.first, np.inf)
    exists = ~np.isnan(columns[symbol]["close"][rows])
    return np.where(exists, columns[symbol]["exposure"][rows], np.nan)


class PanelWindow:
    """Live: holds the current block of all symbols and what stands before it, and recomputes."""

    def __init__(
        self,
        strategy: PanelStrategy,
        symbols: Sequence[str],
        timeframe: Timeframe,
        calendar: TradingCalendar,
        known: Mapping[str, Sequence[Adjustment]] | None = None,
    ) -> None:
        """`known`: corporate actions by symbol; the lists may grow later."""
        self.strategy, self.symbols, self.timeframe = strategy, tuple(symbols), timeframe
        self._known = known or {}
        self._needed = strategy.bars_needed(timeframe)
        self.lookback = self._needed[timeframe]
        self._shelves = {
            symbol: _Shelf(symbol, timeframe, self._needed, calendar) for symbol in self.symbols
        }
        self._ends: list[int] = []
        self._sessions: list[float] = []
        self._block: date | None = None
        self._stored: list[Series] = []

    def warm(self, series: Sequence[Series]) -> None:
        """Bars that were stored before; those that `advance` brings again are left to it."""
        self._stored = list(series)

    def advance(self, bars: Sequence[Bar], session: date) -> PanelRow | None:
        end, ordinal = to_ns(bars[0].end), float(session.toordinal())
        if self._stored:
            self._take(end)
        block = block_key(self.timeframe, session)
        if block != self._block:
            self._begin(block)
        for bar in bars:
            self._shelves[bar.symbol].append(bar, ordinal)
        self._ends.append(end)
        self._sessions.append(ordinal)
        if len(self._ends) < self.lookback:
            return None
        columns = columns_of(self.strategy, self._panel(end))
        return {symbol: Row(one, len(self._ends) - 1) for symbol, one in columns.items()}

    def _panel(self, end: int) -> Panel:
        series: dict[_Key, Series] = {}
        for timeframe in self._needed:
            for symbol, shelf in self._shelves.items():
                made, known = shelf.series(timeframe, end), self._known.get(symbol, ())
                series[symbol, timeframe] = seen_from(made, known, self._sessions[-1])
        ends, sessions = np.array(self._ends, np.int64), np.array(self._sessions)
        return make_panel(self.symbols, self.timeframe, ends, sessions, series)

    def _take(self, end: int) -> None:
        """Begin with what was stored of the slices before `end`."""
        known: dict[int, float] = {}
        for one in self._stored:
            before = one.rows(0, int(np.searchsorted(one.end, end)))
            self._shelves[one.symbol].load(before)
            known.update(zip(before.end.tolist(), before.columns["session"].tolist(), strict=True))
        self._ends = sorted(known)
        self._sessions = [known[end] for end in self._ends]
        self._stored = []

    def _begin(self, block: date) -> None:
        """Let go of what lies more than the look-back before a new block."""
        for shelf in self._shelves.values():
            shelf.begin(block)
        first = int(np.searchsorted(np.array(self._sessions), block.toordinal()))
        kept = max(first - self.lookback, 0)
        del self._ends[:kept], self._sessions[:kept]
        self._block = block


class _Shelf:
    """One symbol's bars in a window: those of the block and before it, and the longer ones."""

    def __init__(
        self,
        symbol: str,
        timeframe: Timeframe,
        needed: Mapping[Timeframe, int],
        calendar: TradingCalendar,
    ) -> None:
        self._symbol, self._timeframe, self._calendar = symbol, timeframe, calendar
        self._lookback = needed[timeframe]
        self._before = {
            other: (count, Series.of(BarBatch.empty(symbol, other), np.empty(0)))
            for other, count in needed.items()
            if other is not timeframe
        }
        "Longer bars of the blocks before, and how many of them must stand before their own block."
        self._size = self._in_block = 0
        self._times = np.empty((2, 64), np.int64)
        self._values = np.empty((len(NAMES), 64))

    def load(self, series: Series) -> None:
        """Begin with these bars."""
        self._size, self._in_block = len(series), 0
        self._times = np.stack([series.start, series.end])
        self._values = np.stack([series.columns[name] for name in NAMES])

    def append(self, bar: Bar, session: float) -> None:
        if self._size == self._times.shape[1]:
            # Fresh copies: rows handed out earlier keep looking at the old ones.
            room = max(self._size, 64)
            self._times = np.pad(self._times, ((0, 0), (0, room)))
            self._values = np.pad(self._values, ((0, 0), (0, room)))
        self._times[:, self._size] = to_ns(bar.start), to_ns(bar.end)
        values = (bar.open, bar.high, bar.low, bar.close, bar.volume, session)
        self._values[:, self._size] = values
        self._size += 1

    def begin(self, block: date) -> None:
        """Make longer bars of the blocks that are over, and keep what the new one needs."""
        bars = self._bars()
        first = int(np.searchsorted(bars.columns["session"], block.toordinal()))
        over = bars.rows(self._in_block, first)
        for timeframe, (count, before) in self._before.items():
            made = _joined(before, longer_of(over, timeframe, self._calendar))
            anchor = block_key(timeframe, block).toordinal()
            at = int(np.searchsorted(made.columns["session"], anchor))
            self._before[timeframe] = count, made.rows(max(at - count, 0), len(made))
        kept = max(first - self._lookback, 0)
        self._times = self._times[:, kept : self._size].copy()
        self._values = self._values[:, kept : self._size].copy()
        self._size, self._in_block = self._size - kept, first - kept

    def series(self, timeframe: Timeframe, until: int) -> Series:
        """The bars of one timeframe that closed at or before `until`."""
        bars = self._bars()
        if timeframe is self._timeframe:
            return bars
        block = bars.rows(self._in_block, len(bars))
        _, before = self._before[timeframe]
        return _joined(before, longer_of(block, timeframe, self._calendar, until))

    def _bars(self) -> Series:
        size = self._size
        columns = {name: self._values[i, :size] for i, name in enumerate(NAMES)}
        start, end = self._times[:, :size]
        return Series(self._symbol, self._timeframe, start, end, columns)


def _joined(one: Series, other: Series) -> Series:
    columns = {name: np.concatenate([c, other.columns[name]]) for name, c in one.columns.items()}
    start = np.concatenate([one.start, other.start])
    return Series(one.symbol, one.timeframe, start, np.concatenate([one.end, other.end]), columns)
