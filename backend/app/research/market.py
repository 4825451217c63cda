"""The market of a backtest as arrays: slices over several symbols, sessions, and their items."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.core.errors import InvalidInput
from app.domain.events import SliceClosed
from app.domain.market import Bar, SliceOpened, Timeframe
from app.engine.history import Series
from app.marketdata.batch import VALUES, BarBatch, to_datetime, to_ns
from app.marketdata.calendar import TradingCalendar

Nanos = NDArray[np.int64]
Floats = NDArray[np.float64]
Positions = NDArray[np.int64]
_REMEMBERED: Final = 1000


@dataclass(frozen=True, slots=True)
class Day:
    """A session of the backtest: slices first <= k < last."""

    session: date
    first: int
    last: int
    open: datetime
    close: datetime


class Track:
    """One symbol's bars against the slices of all."""

    def __init__(self, series: Series, ends: Nanos, first_bar: int, last_bar: int) -> None:
        self.series, self.symbol, self.timeframe = series, series.symbol, series.timeframe
        self.first_bar, self.last_bar = first_bar, last_bar
        "Bars first_bar <= i < last_bar are traded; earlier ones only warm the indicators."
        live = series.end[first_bar:last_bar]
        self.is_complete = len(live) == len(ends)
        every = np.arange(len(ends)) if self.is_complete else None
        self.slice_of: Positions = np.searchsorted(ends, live) if every is None else every
        "Slice of each traded bar."
        found = np.searchsorted(live, ends) if every is None else every
        self.next_bar: Positions = found + first_bar if first_bar else found
        "For each slice the first bar that ends with it or later."
        columns = series.columns
        self.high, self.low, self.close = columns["high"], columns["low"], columns["close"]
        # Indexing a memoryview gives a Python number, several times faster than an array does.
        self._start, self._end = _view(series.start), _view(series.end)
        self._values = [_view(columns[name]) for name in VALUES]

    def bar_at(self, k: int) -> int:
        """The bar that ends with slice `k`; -1 when the symbol has none."""
        if self.is_complete:
            return self.first_bar + k
        bar = int(self.next_bar[k])
        at_slice = bar < self.last_bar and self.slice_of[bar - self.first_bar] == k
        return bar if at_slice else -1

    def bars_before(self, k: int) -> int:
        """One past the last bar of the slices before `k`."""
        if self.is_complete:
            return self.first_bar + k
        return int(self.next_bar[k]) if k < len(self.next_bar) else self.last_bar

    def slice_at(self, bar: int) -> int:
        return int(self.slice_of[bar - self.first_bar])

    def starts(self, bar: int) -> int:
        return int(self._start[bar])

    def ended(self, bar: int) -> int:
        return int(self._end[bar])

    def opens(self, bar: int) -> float:
        return float(self._values[0][bar])

    def closes(self, bar: int) -> float:
        return float(self._values[3][bar])

    def volume(self, bar: int) -> float:
        return float(self._values[4][bar])

    def bar(self, bar: int, start: datetime, end: datetime) -> Bar:
        opens, highs, lows, closes, volumes = self._values
        return Bar(
            self.symbol,
            self.timeframe,
            start,
            end,
            opens[bar],
            highs[bar],
            lows[bar],
            closes[bar],
            volumes[bar],
        )


class Market:
    """All that a backtest may show its engine, slice by slice."""

    def __init__(
        self,
        series: Sequence[Series],
        calendar: TradingCalendar,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> None:
        """Bars that start before `start` or end after `end` are history, or unused."""
        self.timeframe: Final[Timeframe] = series[0].timeframe
        ranges = [_range(one, start, end) for one in series]
        ends = [one.end[first:last] for one, (first, last) in zip(series, ranges, strict=True)]
        self.ends = _union(ends)
        if not len(self.ends):
            raise InvalidInput(
                "There are no bars between start and end.",
                field="start",
                remedy="Import bars of that time, or choose another.",
            )
        self.tracks = {
            one.symbol: Track(one, self.ends, first, last)
            for one, (first, last) in zip(series, ranges, strict=True)
        }
        self._ends = _view(self.ends)
        self._instants: dict[int, datetime] = {}
        self.bars = sum(last - first for first, last in ranges)
        self.days = self._days(calendar)

    def _days(self, calendar: TradingCalendar) -> list[Day]:
        ordinals = np.empty(len(self.ends))
        for track in self.tracks.values():
            sessions = track.series.columns["session"][track.first_bar : track.last_bar]
            ordinals[track.slice_of] = sessions
        firsts = np.flatnonzero(np.diff(ordinals, prepend=np.nan) != 0).tolist()
        days: list[Day] = []
        for first, last in zip(firsts, [*firsts[1:], len(self.ends)], strict=True):
            day = date.fromordinal(int(ordinals[first]))
            session = calendar.session_on(day)
            opened = session.open if session else self._first_start(first)
            closed = session.close if session else int(self.ends[last - 1])
            days.append(Day(day, first, last, to_datetime(opened), to_datetime(closed)))
        return days

    def _first_start(self, k: int) -> int:
        bars = ((track, track.bar_at(k)) for track in self.tracks.values())
        return min(track.starts(bar) for track, bar in bars if bar >= 0)

    # -------------------------------------------------------------------------------- items

    def opened(self, k: int, day: Day, symbols: Iterable[str] | None = None) -> list[SliceOpened]:
        """First prints of the bars of slice `k`: one item, unless their starts differ."""
        opens: dict[int, dict[str, float]] = {}
        for symbol in self.tracks if symbols is None else symbols:
            track = self.tracks[symbol]
            bar = track.bar_at(k)
            if bar >= 0:
                opens.setdefault(track.starts(bar), {})[symbol] = track.opens(bar)
        return [SliceOpened(self.instant(at), day.session, opens[at]) for at in sorted(opens)]

    def closed(self, k: int, day: Day) -> SliceClosed:
        """Slice `k` with all its bars."""
        end = self.ended(k)
        bars = [
            track.bar(bar, self.instant(track.starts(bar)), end)
            for track in self.tracks.values()
            if (bar := track.bar_at(k)) >= 0
        ]
        return SliceClosed(end=end, session=day.session, base=self.timeframe, bars=tuple(bars))

    def ended(self, k: int) -> datetime:
        """When slice `k` ended."""
        return self.instant(self._ends[k])

    def instant(self, ns: int) -> datetime:
        """`to_datetime`, remembered: bars of many symbols begin and end together."""
        found = self._instants.get(ns)
        if found is None:
            if len(self._instants) > _REMEMBERED:
                self._instants.clear()
            found = self._instants[ns] = to_datetime(ns)
        return found


def _union(ends: Sequence[Nanos]) -> Nanos:
    """Every instant of these columns once, in order; np.unique hashes, which takes far longer."""
    together = np.sort(np.concatenate(ends), kind="stable")
    differs = together[1:] != together[:-1]
    return together if differs.all() else together[np.append(True, differs)]


def _view(column: NDArray[Any]) -> Any:  # noqa: ANN401 - memoryview's type cannot tell its item
    return memoryview(np.ascontiguousarray(column).data)


def series_of(batch: BarBatch, calendar: TradingCalendar) -> Series:
    """Bars with their sessions; intraday bars outside regular hours are left out."""
    batch = batch.sorted()
    if batch.timeframe is not Timeframe.D1:
        is_regular = calendar.is_regular(batch.start)
        batch = batch if is_regular.all() else batch[is_regular]
    return Series.of(batch, calendar.ordinals(batch.start))


def _range(series: Series, start: datetime | None, end: datetime | None) -> tuple[int, int]:
    first = 0 if start is None else int(np.searchsorted(series.start, to_ns(start)))
    last = len(series) if end is None else int(np.searchsorted(series.end, to_ns(end), "right"))
    return first, max(first, last)
