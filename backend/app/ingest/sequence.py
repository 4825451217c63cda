"""Live bars of several sources put into one order: each once, first prints after what came before.

What comes out keeps the promise of a `Feed`: `SliceOpened(at)` follows every bar that ended by
`at`, or the time that such a bar was given to come. Pure: the time is an argument.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import numpy as np

from app.core.clock import to_ns
from app.domain.market import SliceOpened, Timeframe
from app.marketdata.batch import BarBatch, to_datetime
from app.marketdata.calendar import Session, TradingCalendar, step_ns

REMEMBERED: Final = 2_000
"Bars of a symbol whose values are kept, to tell a repetition from a correction."
_NEVER: Final = -(2**62)
_DOUBTED: Final = ""
"Instead of a provider: its bar may lack something, and whoever has it whole corrects it."

Row = tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class SourcedBars(BarBatch):
    """Bars that know which provider gave them."""

    source: str


Item = SourcedBars | SliceOpened


class Sequencer:
    """Bars and prints in, a feed's items out. One instance a feed; times in ns UTC."""

    def __init__(
        self,
        symbols: Iterable[str],
        timeframe: Timeframe,
        calendar: TradingCalendar,
        *,
        after: datetime | None = None,
        extended_hours: bool = False,
    ) -> None:
        """`after`: the end of the last slice that was handled; older bars are not given again."""
        self.repeated = 0
        "Bars that were given before, by the same source or another."
        self._timeframe = timeframe
        self._step = step_ns(timeframe)
        self._calendar = calendar
        self._extended = extended_hours
        self._begin = to_ns(after) if after else _NEVER
        self._given: dict[str, dict[int, tuple[str, Row]]] = {symbol: {} for symbol in symbols}
        self._last = dict.fromkeys(self._given, self._begin)
        self._promised = self._begin
        self._doubted: dict[str, int] = {}
        "The oldest bar of a symbol that may lack something."
        self._prints: dict[int, dict[str, float]] = {}
        self._printed = dict.fromkeys(self._given, _NEVER)
        self._held: list[SourcedBars] | None = None

    @property
    def is_held(self) -> bool:
        return self._held is not None

    def last(self, symbol: str) -> int:
        """End of the newest bar that was given, `after` at first."""
        return self._last[symbol]

    def giver(self, symbol: str, start: int) -> str | None:
        """Who gave a bar; nothing where it is doubted, None where there is none."""
        found = self._given.get(symbol, {}).get(start)
        return None if found is None else found[0]

    def doubt(self, source: str, since: int) -> None:
        """Bars of `source` from `since` on may lack prints: from anybody they are corrections."""
        for symbol, known in self._given.items():
            starts = [s for s, (giver, _) in known.items() if s >= since and giver == source]
            for start in starts:
                known[start] = _DOUBTED, known[start][1]
            if starts:
                oldest = min(starts)
                self._doubted[symbol] = min(self._doubted.get(symbol, oldest), oldest)

    def take_missing(self, symbol: str) -> int:
        """Since when bars are missing or doubted; who asks sees to it that they are fetched."""
        last = self._last[symbol]
        return min(self._doubted.pop(symbol, last), last)

    @property
    def promised(self) -> int:
        """Bars that ended by then are late from now on."""
        return self._promised

    # ------------------------------------------------------------------------------- input

    def bars(self, batch: BarBatch, source: str) -> list[Item]:
        """Bars of one provider: new ones and corrections are given on, repetitions are not."""
        if batch.symbol not in self._given:
            return []
        fresh = self._fresh(batch.sorted(), source)
        if not len(fresh):
            return []
        if self._held is not None:
            self._held.append(fresh)
            return []
        return [fresh, *self._complete()]

    def first_print(self, symbol: str, price: float, at: int) -> list[Item]:
        """A trade; the first of its bar is what market orders meet."""
        start = at - at % self._step
        if start <= self._printed.get(symbol, start):
            return []
        self._printed[symbol] = start
        if start > self._promised:
            self._prints.setdefault(start, {})[symbol] = price
            return []
        # What was promised may have been promised again since: such a print came too late.
        return self._opened(start, {symbol: price}) if start == self._promised else []

    def advance(self, now: int) -> list[Item]:
        """Promise what ended by `now`, which is the wall clock less the grace."""
        if self._held is not None:
            return []
        end = self._bounded(now - now % self._step)
        return [] if end is None else self._promise(end)

    def hold(self) -> None:
        """Keep bars back: older ones are being fetched."""
        if self._held is None:
            self._held = []

    def release(self) -> list[Item]:
        """Give what was kept back, and what was fetched meanwhile, in the order of time."""
        held, self._held = self._held or [], None
        single = [
            (int(batch.end[i]), batch.symbol, SourcedBars(*_parts(batch, i), batch.source))
            for batch in held
            for i in range(len(batch))
        ]
        single.sort(key=lambda one: one[:2])
        return [*(batch for _, _, batch in single), *self._complete()]

    # ------------------------------------------------------------------------------ inside

    def _fresh(self, batch: BarBatch, source: str) -> SourcedBars:
        known = self._given[batch.symbol]
        keep = np.zeros(len(batch), dtype=np.bool_)
        for i, row in enumerate(batch.rows.tolist()):
            start, end, *values = row
            before = known.get(start)
            is_new = before is None and end > self._begin
            is_owner = before is not None and before[0] in (source, _DOUBTED)
            keep[i] = is_new or (before is not None and is_owner and not _same(before[1], values))
            if keep[i] or is_owner:
                known[start] = source, tuple(values)
                self._last[batch.symbol] = max(self._last[batch.symbol], end)
        self.repeated += len(batch) - int(keep.sum())
        while len(known) > REMEMBERED:
            del known[next(iter(known))]
        return SourcedBars(batch.symbol, batch.timeframe, batch.rows[keep], source)

    def _complete(self) -> list[Item]:
        """Every symbol has reported: the promise need not wait for the clock."""
        end = min(self._last.values(), default=_NEVER)
        return self._promise(end) if end > self._promised else []

    def _promise(self, end: int) -> list[Item]:
        if end <= self._promised:
            return []
        self._promised = end
        opens = self._prints.pop(end, {})
        self._prints = {start: p for start, p in self._prints.items() if start > end}
        return self._opened(end, opens)

    def _opened(self, at: int, opens: dict[str, float]) -> list[Item]:
        day = self._day(at)
        return [] if day is None else [SliceOpened(to_datetime(at), day, opens)]

    def _day(self, at: int) -> date | None:
        session = self._calendar.session_at(at - 1)
        return session.day if session is not None else None

    def _bounded(self, end: int) -> int | None:
        """The last instant at or before `end` at which a bar could end."""
        session = self._calendar.session_at(end - 1)
        if session is None:
            return None
        first, last = self._hours(session)
        return min(end, last) if end > first else None

    def _hours(self, session: Session) -> tuple[int, int]:
        if self._extended:
            return session.day_start, session.day_end
        return session.open, session.close


def _same(known: Row, values: list[float]) -> bool:
    """Equal, where an average price that nobody knows (NaN) equals itself."""
    return all(a == b or (a != a and b != b) for a, b in zip(known, values, strict=True))


def _parts(batch: BarBatch, index: int) -> tuple[str, Timeframe, np.ndarray]:
    return batch.symbol, batch.timeframe, batch.rows[index : index + 1]
