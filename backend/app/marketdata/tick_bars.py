"""Prints folded into bars of a second or a minute, however the stream of prints is cut."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from app.domain.market import Timeframe
from app.marketdata.batch import BAR, BarBatch, Flags, Nanos, Rows, TickBatch
from app.marketdata.calendar import TradingCalendar, step_ns
from app.marketdata.tick_memory import Positions

GRACE: Final = 2_000_000_000
"How long after its end a bar waits for late prints (ns)."
NOTHING: Final = -(2**62)

Moment = tuple[int, int]
"Instant and sequence of a print: what decides which one opens and which one closes a bar."


@dataclass(frozen=True, slots=True)
class LateBar:
    """Prints that came when their bar was over: they are stored, the bar stays as it was."""

    symbol: str
    timeframe: Timeframe
    start: int
    end: int
    prints: int
    volume: float


@dataclass(slots=True)
class _Making:
    """A bar in the making. Prices are NaN until a print gives one."""

    end: int
    opened: Moment = (0, 0)
    closed: Moment = (0, 0)
    open: float = np.nan
    high: float = np.nan
    low: float = np.nan
    close: float = np.nan
    volume: float = 0.0
    turnover: float = 0.0
    priced_volume: float = 0.0


class TickBars:
    """Bars of one timeframe of any number of symbols, made of prints that were validated.

    A bar is over when the newest print of the stream (of any symbol), or the time told to
    `advance`, lies `grace` beyond its end. Where nothing gave a price there is no bar. The print
    with the least (instant, sequence) opens a bar and the one with the greatest closes it, as if
    all had come in order; prints alike in both stay in the order in which they came.
    """

    def __init__(self, timeframe: Timeframe, calendar: TradingCalendar, grace: int = GRACE) -> None:
        """Raises ValueError for a timeframe longer than a minute: fold minutes into those."""
        if timeframe not in (Timeframe.S1, Timeframe.M1):
            raise ValueError(f"prints make bars of 1s or 1m, not {timeframe}")
        self.timeframe = timeframe
        self.volume_without_price = 0.0
        "What traded in bars that had no price, and are therefore none."
        self._calendar = calendar
        self._grace = grace
        self._horizon = NOTHING
        self._making: dict[tuple[int, str], _Making] = {}
        self._late: list[LateBar] = []

    def add(self, batch: TickBatch) -> list[BarBatch]:
        """Fold prints in; the bars that are over with them, a batch a symbol, by end and symbol."""
        if len(batch):
            at: Nanos = np.ascontiguousarray(batch.rows["at"])
            starts, ends = self._bounds(at)
            newest = np.maximum.accumulate(at)
            seen = np.empty_like(newest)
            seen[0] = self._horizon
            np.maximum(newest[:-1], self._horizon, out=seen[1:])
            counts = _flags(batch, [label.counts for label in batch.labels])
            late = (ends + self._grace <= seen) & counts
            if late.any():
                self._note_late(batch, starts, ends, np.flatnonzero(late))
                counts = counts & ~late
            self._fold(batch, starts, ends, None if counts.all() else np.flatnonzero(counts))
            self._horizon = max(self._horizon, int(newest[-1]))
        return self._over()

    def advance(self, now: int) -> list[BarBatch]:
        """Let time pass (ns); the bars that are over then."""
        self._horizon = max(self._horizon, now)
        return self._over()

    def take_late(self) -> list[LateBar]:
        """What came too late since the last call."""
        taken, self._late = self._late, []
        return taken

    def finish(self) -> list[BarBatch]:
        """Every bar in the making, for a stream that has ended."""
        return self._taken(sorted(self._making))

    # -------------------------------------------------------------------------- helpers

    def _bounds(self, at: Nanos) -> tuple[Nanos, Nanos]:
        """Start and end of each print's bar, asked once for all prints of a second or minute."""
        unit = at // step_ns(self.timeframe)
        first = np.flatnonzero(np.diff(unit, prepend=unit[0] - 1))
        starts, ends = self._calendar.bounds(self.timeframe, at[first])
        counts = np.diff(first, append=len(at))
        return np.repeat(starts, counts), np.repeat(ends, counts)

    def _note_late(self, batch: TickBatch, starts: Nanos, ends: Nanos, late: Positions) -> None:
        groups: dict[tuple[int, int, int], list[float]] = {}
        rows = batch.rows[late]
        columns = (rows["symbol"], starts[late], ends[late])
        for key, size in zip(
            zip(*(column.tolist() for column in columns), strict=True),
            rows["size"].tolist(),
            strict=True,
        ):
            groups.setdefault(key, []).append(size)
        self._late += [
            LateBar(batch.symbols[symbol], self.timeframe, start, end, len(sizes), sum(sizes))
            for (symbol, start, end), sizes in groups.items()
        ]

    def _fold(self, batch: TickBatch, starts: Nanos, ends: Nanos, chosen: Positions | None) -> None:
        order = _in_order(batch.rows, starts, chosen)
        if not len(order):
            return
        rows = batch.rows[order]
        group_starts, symbol = starts[order], rows["symbol"]
        fresh = np.ones(len(order), dtype=np.bool_)
        fresh[1:] = (group_starts[1:] != group_starts[:-1]) | (symbol[1:] != symbol[:-1])
        first = np.flatnonzero(fresh)
        making = [
            self._bar(start, batch.symbols[number], end)
            for start, number, end in zip(
                group_starts[first].tolist(), symbol[first].tolist(), ends[order[first]].tolist(),
                strict=True,
            )
        ]  # fmt: skip
        for bar, volume in zip(making, np.add.reduceat(rows["size"], first).tolist(), strict=True):
            bar.volume += volume
        priced = _flags(batch[order], [not label.volume_only for label in batch.labels])
        if priced.all():
            _add_prices(making, rows, first)
        elif priced.any():
            number = np.cumsum(fresh)[priced] - 1
            first = np.flatnonzero(np.diff(number, prepend=-1))
            _add_prices([making[i] for i in number[first].tolist()], rows[priced], first)

    def _bar(self, start: int, symbol: str, end: int) -> _Making:
        found = self._making.get((start, symbol))
        if found is None:
            found = self._making[start, symbol] = _Making(end)
        return found

    def _over(self) -> list[BarBatch]:
        if not self._making:
            return []
        until = self._horizon - self._grace
        return self._taken(sorted(key for key, bar in self._making.items() if bar.end <= until))

    def _taken(self, keys: Iterable[tuple[int, str]]) -> list[BarBatch]:
        rows: dict[str, list[tuple[float, ...]]] = {}
        for key in keys:
            start, symbol = key
            bar = self._making.pop(key)
            if bar.open != bar.open:
                self.volume_without_price += bar.volume
                continue
            vwap = bar.turnover / bar.priced_volume if bar.priced_volume else np.nan
            prices = (bar.open, bar.high, bar.low, bar.close)
            rows.setdefault(symbol, []).append((start, bar.end, *prices, bar.volume, vwap))
        return [
            BarBatch(symbol, self.timeframe, np.array(made, dtype=BAR))
            for symbol, made in rows.items()
        ]


def bars_of(batch: TickBatch, timeframe: Timeframe, calendar: TradingCalendar) -> list[BarBatch]:
    """All bars that a batch makes as a whole, a batch a symbol: for what is stored already."""
    if not len(batch):
        return []
    maker = TickBars(timeframe, calendar, grace=2**61)  # nothing is late, nothing is over
    return maker.add(batch) + maker.finish()


def _flags(batch: TickBatch, of_label: list[bool]) -> Flags:
    """What is true of each row's label, as a column."""
    if all(of_label) or not any(of_label):
        return np.full(len(batch), of_label[0] if of_label else True)
    of_rows: Flags = np.array(of_label, dtype=np.bool_)[batch.rows["label"]]
    return of_rows


def _in_order(rows: Rows, starts: Nanos, chosen: Positions | None) -> Positions:
    """Positions by symbol, bar, instant and sequence; most often the rows stand so already."""
    order = np.arange(len(rows)) if chosen is None else chosen
    symbol = rows["symbol"][order]
    if len(order) and not (symbol == symbol[0]).all():
        small = int(symbol.max()) < 1 << 15
        order = order[np.argsort(symbol.astype(np.int16) if small else symbol, kind="stable")]
        symbol = rows["symbol"][order]
    at, sequence = rows["at"][order], rows["sequence"][order]
    step = (at[1:] > at[:-1]) | ((at[1:] == at[:-1]) & (sequence[1:] >= sequence[:-1]))
    if (step | (symbol[1:] != symbol[:-1])).all():
        return order
    return order[np.lexsort((sequence, at, symbol))]


def _add_prices(making: list[_Making], rows: Rows, first: Positions) -> None:
    """Fold groups of prints, each in order, into their bars; `first` is where the groups begin."""
    price, size = rows["price"], rows["size"]
    last = np.append(first[1:], len(rows)) - 1
    columns = (
        rows["at"][first], rows["sequence"][first], price[first],
        rows["at"][last], rows["sequence"][last], price[last],
        np.maximum.reduceat(price, first), np.minimum.reduceat(price, first),
        np.add.reduceat(price * size, first), np.add.reduceat(size, first),
    )  # fmt: skip
    for bar, *values in zip(making, *(column.tolist() for column in columns), strict=True):
        _merge(bar, *values)


def _merge(
    bar: _Making, at: int, sequence: int, open_: float, last_at: int, last_sequence: int,
    close: float, high: float, low: float, turnover: float, volume: float,
) -> None:  # fmt: skip
    is_new = bar.open != bar.open
    if is_new or (at, sequence) < bar.opened:
        bar.opened, bar.open = (at, sequence), open_
    if is_new or (last_at, last_sequence) >= bar.closed:
        bar.closed, bar.close = (last_at, last_sequence), close
    bar.high = high if is_new else max(bar.high, high)
    bar.low = low if is_new else min(bar.low, low)
    bar.turnover += turnover
    bar.priced_volume += volume
