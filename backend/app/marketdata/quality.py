"""How good a series is, window by window: missing bars, and bars that look wrong."""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from app.domain.market import Timeframe
from app.marketdata.batch import PRICES, BarBatch, Flags, Nanos
from app.marketdata.calendar import TradingCalendar
from app.marketdata.fingerprint import Fingerprint
from app.marketdata.validation import validate

COMPLETE: Final = 0.999
"Share of expected bars from which a series counts as complete."
SUSPICIOUS: Final = 0.001
"Share of suspicious bars from which a series counts as bad."
_SHORTEST: Final = {Timeframe.S1: 60}
"Missing bars in a row that make a gap: in most single seconds nobody trades."
_REPEATED_RUN: Final = 5
_EMPTY_RUN: Final = 30
_SPIKE_SIGMAS: Final = 12.0
_WICK_SIGMAS: Final = 30.0
_SPIKE: Final = 0.02
_DAILY_SPIKE: Final = 0.15
_LONGEST_BEHIND: Final = 40 * 86_400 * 10**9
"A series that is further behind counts as so far."
_ENOUGH: Final = 30
"Bars from which the usual move can be told."


class Hole(msgspec.Struct, frozen=True):
    """So many bars missing in [start, end), in ns, within one session."""

    start: int
    end: int
    bars: int


class Completeness(msgspec.Struct, frozen=True):
    """Bars of regular hours between the first and the last bar of a series."""

    expected: int
    found: int
    holes: tuple[Hole, ...]

    @property
    def share(self) -> float:
        """Found over expected; 1 for an empty series."""
        return self.found / self.expected if self.expected else 1.0


class Findings(msgspec.Struct):
    """Bars that look wrong or odd, by kind."""

    refused: int = 0
    "The rules of validation would refuse them today."
    overlapping: int = 0
    "They begin before the bar before them has ended."
    spikes: int = 0
    "Far away from both neighbours, or with a shadow that nothing explains."
    repeated_bars: int = 0
    "In runs of five and more with the same prices, range and volume: a feed that stood still."
    zero_range_bars: int = 0
    "In runs of thirty and more whose high is their low."
    zero_volume_bars: int = 0
    "In runs of thirty and more without volume."

    @property
    def suspicious(self) -> int:
        return self.spikes + self.repeated_bars

    @property
    def bad(self) -> int:
        return self.refused + self.overlapping


def expected_bars(
    calendar: TradingCalendar, timeframe: Timeframe, first: int, end: int
) -> tuple[Nanos, Nanos]:
    """Starts and ends of the bars of regular hours that start in [first, end)."""
    session = calendar.session_at(first)
    opened = min(session.open, first) if session else first
    grids = [calendar.grid(one, timeframe) for one in calendar.sessions(opened, end)]
    if not grids:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    starts = np.concatenate([grid[0] for grid in grids])
    ends = np.concatenate([grid[1] for grid in grids])
    asked = (starts >= first) & (starts < end)
    return starts[asked], ends[asked]


def completeness(batch: BarBatch, calendar: TradingCalendar) -> Completeness:
    """Compare a sorted series with its grid. Bars outside regular hours do not count."""
    regular = batch.start[calendar.is_regular(batch.start)]
    if not len(regular):
        return Completeness(0, 0, ())
    return _compared(regular, batch.timeframe, calendar, int(regular[0]), int(regular[-1]) + 1)


def _compared(
    regular: Nanos, timeframe: Timeframe, calendar: TradingCalendar, first: int, end: int
) -> Completeness:
    starts, ends = expected_bars(calendar, timeframe, first, end)
    missing = ~np.isin(starts, regular)
    holes = stretches(starts[missing], ends[missing])
    short = _SHORTEST.get(timeframe, 1)
    holes = tuple(hole for hole in holes if hole.bars >= short)
    return Completeness(len(starts), len(starts) - sum(hole.bars for hole in holes), holes)


def stretches(starts: Nanos, ends: Nanos) -> tuple[Hole, ...]:
    """Missing bars joined where one begins as the other ends."""
    if not len(starts):
        return ()
    breaks = np.flatnonzero(starts[1:] != ends[:-1])
    firsts = np.concatenate([[0], breaks + 1])
    lasts = np.concatenate([breaks, [len(ends) - 1]])
    counts = lasts - firsts + 1
    return tuple(
        Hole(*one)
        for one in zip(starts[firsts].tolist(), ends[lasts].tolist(), counts.tolist(), strict=True)
    )


class SeriesCheck:
    """The judgement of one series, whose bars come window after window, each in order."""

    def __init__(self, symbol: str, timeframe: Timeframe, calendar: TradingCalendar) -> None:
        self.bars = 0
        self.expected = 0
        self.holes: list[Hole] = []
        self.findings = Findings()
        self._timeframe = timeframe
        self._calendar = calendar
        self._print = Fingerprint(symbol, timeframe)
        self._before = BarBatch.empty(symbol, timeframe)
        self._repeated = _Runs(_REPEATED_RUN)
        self._flat = _Runs(_EMPTY_RUN)
        self._dry = _Runs(_EMPTY_RUN)

    @property
    def missing(self) -> int:
        return sum(hole.bars for hole in self.holes)

    @property
    def fingerprint(self) -> str:
        """As `BarBatch.fingerprint` of all bars."""
        return self._print.hexdigest()

    @property
    def is_bad(self) -> bool:
        """Whether some bar is not believable, or too many are suspicious."""
        found = self.findings
        return found.bad > 0 or found.suspicious > max(SUSPICIOUS * self.bars, 2)

    def take(self, batch: BarBatch, first: int, end: int) -> None:
        """All bars of the series that start in [first, end); windows follow one another."""
        regular = batch.start[self._calendar.is_regular(batch.start)]
        whole = _compared(regular, self._timeframe, self._calendar, first, end)
        self.expected += whole.expected
        self._add(whole.holes)
        if not len(batch):
            return
        self.bars += len(batch)
        self._print.add(batch.rows)
        self._look(batch)
        self._before = batch[-2:]

    def finish(self) -> None:
        """Nothing more comes."""
        found = self.findings
        found.repeated_bars = self._repeated.finished()
        found.zero_range_bars = self._flat.finished()
        found.zero_volume_bars = self._dry.finished()

    def _add(self, holes: Sequence[Hole]) -> None:
        """A hole that goes on in the next window is one."""
        if holes and self.holes and self.holes[-1].end == holes[0].start:
            last = self.holes.pop()
            joined = Hole(last.start, holes[0].end, last.bars + holes[0].bars)
            holes = [joined, *holes[1:]]
        self.holes += holes

    def _look(self, batch: BarBatch) -> None:
        found = self.findings
        before = self._before.rows["close"] if len(self._before) else None
        found.refused += len(validate(batch, self._calendar, before=before).bad)
        seen = BarBatch(
            batch.symbol, batch.timeframe, np.concatenate([self._before.rows, batch.rows])
        )
        first = len(self._before)
        joined = seen[max(first - 1, 0) :]
        found.overlapping += int(np.count_nonzero(joined.start[1:] < joined.end[:-1]))
        found.spikes += spikes(seen)
        rows = batch.rows
        self._repeated.take(_repeats(seen)[first:])
        self._flat.take(rows["high"] == rows["low"])
        self._dry.take(rows["volume"] == 0)


def spikes(batch: BarBatch) -> int:
    """Closes far from both neighbours' that go back, and shadows far from their own bar.

    Far is many times the usual move of the bars at hand, and never little.
    """
    rows = batch.rows
    if len(rows) < _ENOUGH or not all((rows[name] > 0).all() for name in PRICES):
        return 0
    move = np.diff(np.log(rows["close"]))
    usual = 1.4826 * float(np.median(np.abs(move)))
    least = _DAILY_SPIKE if batch.timeframe is Timeframe.D1 else _SPIKE
    far = max(_SPIKE_SIGMAS * usual, least)
    there, back = move[:-1], move[1:]
    returns = np.minimum(np.abs(there), np.abs(back)) > far
    is_spike = returns & (np.abs(there + back) < 0.5 * np.abs(there))
    body_high = np.maximum(rows["open"], rows["close"])
    body_low = np.minimum(rows["open"], rows["close"])
    shadow = np.maximum(np.log(rows["high"] / body_high), np.log(body_low / rows["low"]))
    long = shadow[1:-1] > max(_WICK_SIGMAS * usual, 2.5 * least)
    return int(np.count_nonzero(is_spike | long))


def _repeats(batch: BarBatch) -> Flags:
    """Bars that say exactly what the bar before them has said, with a range and volume."""
    rows = batch.rows
    same = np.zeros(len(rows), dtype=np.bool_)
    same[1:] = (rows["volume"] > 0)[1:] & (rows["high"] > rows["low"])[1:]
    for name in (*PRICES, "volume"):
        same[1:] &= rows[name][1:] == rows[name][:-1]
    return same


class _Runs:
    """Counts flags in runs of at least so many, over chunks."""

    def __init__(self, least: int) -> None:
        self._least = least
        self._open = 0
        self._count = 0

    def take(self, flags: Flags) -> None:
        if not len(flags):
            return
        edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
        lengths = (edges[1::2] - edges[::2]).tolist()
        if not flags[0]:
            self._close()
        elif lengths:
            lengths[0] += self._open
            self._open = 0
        if flags[-1]:
            self._open = lengths.pop()
        self._count += sum(length for length in lengths if length >= self._least)

    def _close(self) -> None:
        self._count += self._open if self._open >= self._least else 0
        self._open = 0

    def finished(self) -> int:
        self._close()
        return self._count


def behind_ns(calendar: TradingCalendar, timeframe: Timeframe, last_start: int, now: int) -> int:
    """For how much trading time bars of a live series are overdue, in ns; 0 when none is.

    A bar is due when it has ended.
    """
    reach = min(now, last_start + _LONGEST_BEHIND)
    starts, ends = expected_bars(calendar, timeframe, last_start + 1, reach)
    overdue = ends <= now
    return int(np.sum(ends[overdue] - starts[overdue]))
