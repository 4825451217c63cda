"""Shorter bars folded into longer ones, anchored at the session's open, regular hours only.

Two forms of one rule: `aggregate` for columns, `Aggregator` for a stream. They agree to the bit.
"""

from typing import Final

import numpy as np

from app.domain.market import Bar, Timeframe
from app.marketdata.batch import BAR, BarBatch, Nanos, Rows, to_datetime
from app.marketdata.calendar import Session, TradingCalendar, step_ns

Record = tuple[int, int, float, float, float, float, float, float]
"One row of a BarBatch as a tuple: start, end, open, high, low, close, volume, vwap."

_START: Final = 0
_HIGH: Final = 3
_LOW: Final = 4
_CLOSE: Final = 5
_VOLUME: Final = 6


def aggregate(
    batch: BarBatch, timeframe: Timeframe, calendar: TradingCalendar, until: int | None = None
) -> BarBatch:
    """Bars of `timeframe` made of `batch`, which must be sorted.

    Only bars that are over are made: those that end at or before `until` (ns), by default the end
    of the last row.
    """
    kept = batch[calendar.is_regular(batch.start)]
    if not len(kept):
        return BarBatch.empty(batch.symbol, timeframe)
    starts, ends = calendar.bounds(timeframe, kept.start)
    first = np.flatnonzero(np.diff(starts, prepend=starts[0] - 1))
    rows = _fold(kept.rows, first)
    rows["start"], rows["end"] = starts[first], ends[first]
    over = rows["end"] <= (int(kept.end[-1]) if until is None else until)
    return BarBatch(batch.symbol, timeframe, rows[over])


def _fold(rows: Rows, first: Nanos | np.ndarray[tuple[int], np.dtype[np.intp]]) -> Rows:
    """One row for each group of consecutive rows; `first` holds where the groups begin."""
    last = np.append(first[1:], len(rows)) - 1
    group = np.repeat(np.arange(len(first)), last + 1 - first)
    folded = np.empty(len(first), dtype=BAR)
    folded["open"] = rows["open"][first]
    folded["high"] = np.maximum.reduceat(rows["high"], first)
    folded["low"] = np.minimum.reduceat(rows["low"], first)
    folded["close"] = rows["close"][last]
    # bincount adds one after the other, as a stream does and as the database does
    folded["volume"] = np.bincount(group, rows["volume"])
    traded = np.where(rows["volume"] > 0, rows["vwap"] * rows["volume"], 0.0)
    with np.errstate(invalid="ignore"):  # nothing traded: no average price
        folded["vwap"] = np.bincount(group, traded) / folded["volume"]
    return folded


class Aggregator:
    """The bar of one series that is being made, and how to take it once it is over.

    Rows must come in order. A row of a later bar may only come after `take`.
    """

    def __init__(self, symbol: str, timeframe: Timeframe, calendar: TradingCalendar) -> None:
        self.symbol = symbol
        self.timeframe = timeframe
        self._calendar = calendar
        self._step = step_ns(timeframe)
        self._session: Session | None = None
        self._rows: list[Record] = []
        self._start = 0
        self.end: int | None = None
        "When the bar in the making is over (ns); None when there is none."

    def add(self, row: Record) -> None:
        """Fold one bar of regular hours in; any other is ignored."""
        session = self._session_of(row[_START])
        if session is None:
            return
        if not self._rows:
            self._start, self.end = self._bounds(session, row[_START])
        self._rows.append(row)

    def take(self, now: int) -> Bar | None:
        """The bar, if it is over at `now` (ns)."""
        if self.end is None or self.end > now:
            return None
        rows, start, end = self._rows, self._start, self.end
        self._rows, self.end = [], None
        volumes = np.array([row[_VOLUME] for row in rows])
        return Bar(
            self.symbol,
            self.timeframe,
            to_datetime(start),
            to_datetime(end),
            rows[0][2],
            max(row[_HIGH] for row in rows),
            min(row[_LOW] for row in rows),
            rows[-1][_CLOSE],
            # one after the other, for the same last bit as in _fold
            float(np.add.accumulate(volumes)[-1]),
        )

    def _session_of(self, ts: int) -> Session | None:
        session = self._session
        if session is None or not session.day_start <= ts < session.day_end:
            session = self._session = self._calendar.session_at(ts)
        return session if session is not None and session.open <= ts < session.close else None

    def _bounds(self, session: Session, ts: int) -> tuple[int, int]:
        if self.timeframe is Timeframe.D1:
            return session.open, session.close
        start = session.open + (ts - session.open) // self._step * self._step
        return start, min(start + self._step, session.close)
