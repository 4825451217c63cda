"""How whole a series is: the bars that its exchange's sessions promise and that are not there."""

import msgspec
import numpy as np

from app.marketdata.batch import BarBatch, Nanos
from app.marketdata.calendar import TradingCalendar


class Completeness(msgspec.Struct, frozen=True):
    """Bars of regular hours between the first and the last bar of a series."""

    expected: int
    found: int
    gaps: tuple[tuple[int, int], ...]
    "Missing stretches [start, end) in ns, each within one session."

    @property
    def share(self) -> float:
        """Found over expected; 1 for an empty series."""
        return self.found / self.expected if self.expected else 1.0


def completeness(batch: BarBatch, calendar: TradingCalendar) -> Completeness:
    """Compare a sorted series with its grid. Bars outside regular hours do not count."""
    regular = batch.start[calendar.is_regular(batch.start)]
    if not len(regular):
        return Completeness(0, 0, ())
    first, last = int(regular[0]), int(regular[-1])
    sessions = calendar.sessions(_open_of(calendar, first), last + 1)
    grids = [calendar.grid(session, batch.timeframe) for session in sessions]
    starts = np.concatenate([grid[0] for grid in grids])
    ends = np.concatenate([grid[1] for grid in grids])
    asked = (starts >= first) & (starts <= last)
    starts, ends = starts[asked], ends[asked]
    missing = ~np.isin(starts, regular)
    gaps = _stretches(starts[missing], ends[missing])
    return Completeness(len(starts), len(starts) - int(missing.sum()), gaps)


def _open_of(calendar: TradingCalendar, ts: int) -> int:
    session = calendar.session_at(ts)
    return session.open if session else ts


def _stretches(starts: Nanos, ends: Nanos) -> tuple[tuple[int, int], ...]:
    """Missing bars joined where one begins as the other ends."""
    if not len(starts):
        return ()
    breaks = np.flatnonzero(starts[1:] != ends[:-1])
    firsts = starts[np.concatenate([[0], breaks + 1])]
    lasts = ends[np.concatenate([breaks, [len(ends) - 1]])]
    return tuple(zip(firsts.tolist(), lasts.tolist(), strict=True))
