"""Bars of one symbol as columns with their sessions, and the calendar blocks they fall into."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final, assert_never

import numpy as np
from numpy.typing import NDArray

from app.domain.market import Bar, Timeframe
from app.marketdata.adjustments import segments
from app.marketdata.batch import VALUES, BarBatch, to_datetime
from app.strategies.base import Array, Columns

Nanos = NDArray[np.int64]
NAMES: Final = (*VALUES, "session")
"The columns given to `prepare`; `session` is the ordinal of the exchange's trading day."


def block_key(timeframe: Timeframe, session: date) -> date:
    """First calendar date of the block of columns that holds `session`.

    1s and 1m: the session; 5m and 15m: its ISO week; 1h: its month; 1d: its year.
    """
    match timeframe:
        case Timeframe.S1 | Timeframe.M1:
            return session
        case Timeframe.M5 | Timeframe.M15:
            return session - timedelta(days=session.weekday())
        case Timeframe.H1:
            return session.replace(day=1)
        case Timeframe.D1:
            return session.replace(month=1, day=1)
        case _:
            assert_never(timeframe)


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Bars of one symbol and timeframe as columns, each with the session it belongs to."""

    symbol: str
    timeframe: Timeframe
    start: Nanos
    end: Nanos
    columns: Mapping[str, Array]

    @classmethod
    def of(cls, batch: BarBatch, session: Array) -> "Series":
        """`session`: ordinal of each bar's trading day (`TradingCalendar.ordinals`)."""
        start, end = np.ascontiguousarray(batch.start), np.ascontiguousarray(batch.end)
        columns = {**batch.columns(), "session": np.ascontiguousarray(session, np.float64)}
        return cls(batch.symbol, batch.timeframe, start, end, columns)

    def __len__(self) -> int:
        return len(self.start)

    def rows(self, first: int, last: int) -> "Series":
        """Rows first <= i < last."""
        return replace(
            self,
            start=self.start[first:last],
            end=self.end[first:last],
            columns={name: column[first:last] for name, column in self.columns.items()},
        )

    def bar(self, index: int) -> Bar:
        """Row `index` as a domain bar."""
        values = (float(self.columns[name][index]) for name in VALUES)
        ends = to_datetime(int(self.start[index])), to_datetime(int(self.end[index]))
        return Bar(self.symbol, self.timeframe, *ends, *values)


@dataclass(slots=True)
class Block:
    """Rows first <= i < last of a tape; its columns begin at row `base`, `lookback` earlier."""

    first: int
    last: int
    base: int
    columns: Columns | None = None
    origin: int = -1
    "First row of the calendar's block, where a corporate action has cut it in two."

    def __post_init__(self) -> None:
        if self.origin < 0:
            self.origin = self.first


def blocks_of(session: Array, timeframe: Timeframe, lookback: int) -> Iterator[Block]:
    """The blocks that rows with these sessions (ordinals, rising) fall into."""
    changes = np.flatnonzero(np.diff(session, prepend=np.nan) != 0)
    firsts: list[int] = []
    last: date | None = None
    for index in changes.tolist():
        key = block_key(timeframe, date.fromordinal(int(session[index])))
        if key != last:
            firsts.append(index)
            last = key
    for first, end in zip(firsts, [*firsts[1:], len(session)], strict=True):
        yield Block(first, end, max(first - lookback, 0))


def cut_blocks(blocks: Iterable[Block], session: Array, turns: Sequence[int]) -> list[Block]:
    """The blocks, cut where a session (one of `turns`) sees the rows before it otherwise.

    All parts begin at the base of the whole: the rows before the cut are only seen otherwise.
    """
    found: list[Block] = []
    for block in blocks:
        first = block.first
        for row in segments(session, block.first, block.last, turns):
            found.append(Block(first, row, block.base, origin=block.first))
            first = row
        found.append(Block(first, block.last, block.base, origin=block.first))
    return found
