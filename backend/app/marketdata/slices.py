"""Series merged into slices: all bars with one end time, in the order in which they happened."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime

import numpy as np

from app.domain.events import BarLate, BarsCorrected, SessionClosed, SessionOpened, SliceClosed
from app.domain.market import Bar, SliceOpened, Timeframe
from app.marketdata.aggregation import Aggregator, Record
from app.marketdata.batch import BarBatch, to_datetime, to_ns
from app.marketdata.calendar import Session, TradingCalendar, step_ns

Moment = SessionOpened | SliceOpened | SliceClosed | SessionClosed | BarLate | BarsCorrected
"What a slicer gives: in the order of time, ready for the engine (SliceOpened: for the broker)."


class Slicer:
    """Bars of several symbols in, moments out. Pure: it never looks at a clock.

    A slice closes when every subscribed symbol has reported; when something later arrives and the
    provider keeps time order (`in_order`); or when `flush` says that its time is over. Longer
    `timeframes` are aggregated from `base` bars and join the slice in which they end.
    """

    def __init__(
        self,
        symbols: Iterable[str],
        base: Timeframe,
        calendar: TradingCalendar,
        *,
        timeframes: Iterable[Timeframe] = (),
        extended_hours: bool = False,
        in_order: bool = True,
        after: datetime | None = None,
        open_session: date | None = None,
        warm_up_until: datetime | None = None,
    ) -> None:
        """Go on `after` the end of the last slice, inside `open_session`, where a run stopped.

        Slices that end at or before `warm_up_until` are marked as warm-up.
        """
        self.symbols = frozenset(symbols)
        self.base = base
        self._calendar = calendar
        self._extended = extended_hours
        self._in_order = in_order
        self._closed_until = to_ns(after) if after else -(2**62)
        self._warm_up_until = to_ns(warm_up_until) if warm_up_until else -(2**62)
        self._session = calendar.session_on(open_session) if open_session else None
        self._day: Session | None = None
        self._pending: dict[int, dict[str, Record]] = {}
        self._opened: dict[str, int] = {}
        longer = sorted({*timeframes} - {base}, key=lambda t: t.duration)
        self._aggregators = [
            Aggregator(symbol, timeframe, calendar)
            for timeframe in longer
            for symbol in sorted(self.symbols)
        ]

    def prime(self, batches: Iterable[BarBatch]) -> None:
        """Let longer bars in the making know earlier `base` bars, after a restart."""
        for batch in batches:
            makers = [a for a in self._aggregators if a.symbol == batch.symbol]
            for row in batch.rows.tolist():
                for maker in makers:
                    maker.take(row[0])
                    maker.add(row)
        for maker in self._aggregators:
            maker.take(self._closed_until)

    def push(self, item: BarBatch | SliceOpened) -> list[Moment]:
        """What follows from one thing that the provider gave."""
        return self._first_prints(item) if isinstance(item, SliceOpened) else self._bars(item)

    def warm_up(self, until: datetime) -> None:
        """Slices that end at or before `until` only warm up: they come too late to act on."""
        self._warm_up_until = max(self._warm_up_until, to_ns(until))

    def flush(self, now: datetime) -> list[Moment]:
        """Close what ended at or before `now`, complete or not, and the session if it is over.

        Whoever waits two seconds for stragglers passes a `now` two seconds back.
        """
        moments = self._close_until(to_ns(now))
        self._closed_until = max(self._closed_until, to_ns(now))
        return moments

    # ---------------------------------------------------------------------------- input

    def _first_prints(self, item: SliceOpened) -> list[Moment]:
        at = to_ns(item.at)
        moments = self._close_until(at) if self._in_order else []
        opens = {symbol: price for symbol, price in item.opens.items() if symbol in self.symbols}
        session = self._session_of(at)
        if session is None or not opens or self._end_of(session, at) <= self._closed_until:
            return moments
        moments += self._enter(session, at)
        moments.append(SliceOpened(item.at, session.day, opens))
        self._opened.update(dict.fromkeys(opens, at))
        return moments

    def _bars(self, batch: BarBatch) -> list[Moment]:
        if batch.timeframe is not self.base:
            raise ValueError(f"bars of {batch.timeframe} in a slicer of {self.base}")
        moments: list[Moment] = []
        if batch.symbol not in self.symbols:
            return moments
        for row in batch.rows.tolist():
            if self._session_of(row[0]) is None:
                continue
            if row[1] <= self._closed_until:
                moments.append(self._late(batch.symbol, row))
                continue
            self._pending.setdefault(row[1], {})[batch.symbol] = row
        return moments + self._close_complete()

    def _late(self, symbol: str, row: Record) -> BarLate:
        return BarLate(bar=self._bar(symbol, row), at=to_datetime(self._closed_until))

    # --------------------------------------------------------------------------- output

    def _close_complete(self) -> list[Moment]:
        moments: list[Moment] = []
        for end in sorted(self._pending):
            complete = len(self._pending[end]) == len(self.symbols)
            if not complete and not (self._in_order and end < max(self._pending)):
                break
            moments += self._close_until(end)
        return moments

    def _close_until(self, now: int) -> list[Moment]:
        """Every slice and session that ends at or before `now`, oldest first."""
        moments: list[Moment] = []
        while (end := self._next_end(now)) is not None:
            moments += self._close(end)
        return moments + self._leave_before(now + 1)

    def _next_end(self, now: int) -> int | None:
        ends = [end for end in self._pending if end <= now]
        ends += [a.end for a in self._aggregators if a.end is not None and a.end <= now]
        return min(ends, default=None)

    def _close(self, end: int) -> list[Moment]:
        rows = self._pending.pop(end, {})
        moments = self._leave_before(end) + self._open_late(rows)
        bars = [self._bar(symbol, rows[symbol]) for symbol in sorted(rows)]
        for maker in self._aggregators:
            if maker.symbol in rows:
                maker.add(rows[maker.symbol])
            if (longer := maker.take(end)) is not None:
                bars.append(longer)
        moments.append(self._slice(end, bars))
        self._closed_until = end
        return moments + self._leave_before(end + 1)

    def _slice(self, end: int, bars: list[Bar]) -> SliceClosed:
        session = self._session_of(end - 1)
        assert session is not None, "rows outside every session were left out"
        return SliceClosed(
            end=to_datetime(end),
            session=session.day,
            base=self.base,
            bars=tuple(bars),
            warm_up=end <= self._warm_up_until,
        )

    def _open_late(self, rows: Mapping[str, Record]) -> list[Moment]:
        """First prints of bars that no SliceOpened announced: a market order meets them still."""
        unseen: dict[int, dict[str, float]] = {}
        for symbol in sorted(rows):
            start, price = rows[symbol][0], rows[symbol][2]
            if self._opened.get(symbol, start - 1) < start:
                unseen.setdefault(start, {})[symbol] = price
        moments: list[Moment] = []
        for start, opens in sorted(unseen.items()):
            if (session := self._session_of(start)) is not None:
                moments += self._enter(session, start)
                moments.append(SliceOpened(to_datetime(start), session.day, opens))
        return moments

    # -------------------------------------------------------------------------- session

    def _enter(self, session: Session, at: int) -> list[Moment]:
        if self._session is not None and self._session.day == session.day:
            return []
        moments: list[Moment] = [] if self._session is None else [self._leave(self._session)]
        if session.open <= at < session.close:
            self._session = session
            moments.append(SessionOpened(session=session.day, at=to_datetime(session.open)))
        return moments

    def _leave_before(self, ts: int) -> list[Moment]:
        """End the open session if it closed before `ts`."""
        session = self._session
        return [self._leave(session)] if session is not None and session.close < ts else []

    def _leave(self, session: Session) -> SessionClosed:
        self._session = None
        return SessionClosed(session=session.day, at=to_datetime(session.close))

    def _session_of(self, ts: int) -> Session | None:
        """The trading day whose slices hold `ts`, None where no slice is formed."""
        day = self._day
        if day is None or not day.day_start <= ts < day.day_end:
            day = self._day = self._calendar.session_at(ts)
        if day is None or self._extended or day.open <= ts < day.close:
            return day
        return None

    def _end_of(self, session: Session, start: int) -> int:
        return session.close if self.base is Timeframe.D1 else start + step_ns(self.base)

    def _bar(self, symbol: str, row: Record) -> Bar:
        start, end, *values = row
        return Bar(symbol, self.base, to_datetime(start), to_datetime(end), *values[:5])


def in_time_order(
    batches: Sequence[BarBatch], calendar: TradingCalendar
) -> Iterator[SliceOpened | BarBatch]:
    """History as a provider would have streamed it: first prints, then the bars, end by end.

    One batch a symbol and end; symbols in alphabetical order.
    """
    series = sorted((batch for batch in batches if len(batch)), key=lambda batch: batch.symbol)
    if not series:
        return
    end = np.concatenate([batch.end for batch in series])
    start = np.concatenate([batch.start for batch in series])
    owner = np.repeat(np.arange(len(series)), [len(batch) for batch in series])
    row = np.concatenate([np.arange(len(batch)) for batch in series])
    order = np.lexsort((owner, start, end))
    end, start, owner, row = end[order], start[order], owner[order], row[order]
    days = calendar.session_days(start)
    days = np.where(np.isnat(days), start.astype("datetime64[ns]").astype("datetime64[D]"), days)
    changes = np.flatnonzero((np.diff(end) != 0) | (np.diff(start) != 0)) + 1
    for group in np.split(np.arange(len(order)), changes):
        parts = [series[owner[i]][int(row[i]) : int(row[i]) + 1] for i in group]
        opens = {part.symbol: float(part.rows["open"][0]) for part in parts}
        yield SliceOpened(to_datetime(start[group[0]]), days[group[0]].item(), opens)
        yield from parts
