"""What the market shows us: timeframes, bars, quotes, and the slices the engine is fed."""

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec


class Timeframe(StrEnum):
    """Length of a bar. Intraday bars are anchored at the session's open; `1d` is one session."""

    S1 = "1s"
    M1 = "1m"
    M5 = "5m"
    M15 = "15m"
    H1 = "1h"
    D1 = "1d"

    @property
    def duration(self) -> timedelta:
        """Nominal length. A session's last bar, and every daily bar, may be shorter."""
        return DURATIONS[self]


DURATIONS: Final = {
    Timeframe.S1: timedelta(seconds=1),
    Timeframe.M1: timedelta(minutes=1),
    Timeframe.M5: timedelta(minutes=5),
    Timeframe.M15: timedelta(minutes=15),
    Timeframe.H1: timedelta(hours=1),
    Timeframe.D1: timedelta(days=1),
}


def stamp(at: datetime) -> str:
    """An instant in UTC for use in ids, to the second: `20240301T143000`."""
    # Every signal and fill has an id: this takes a tenth of strftime's time.
    day, second = at.year * 10_000 + at.month * 100 + at.day, at.minute * 100 + at.second
    return f"{day}T{at.hour * 10_000 + second:06}"


class Bar(msgspec.Struct, frozen=True, gc=False):
    """OHLCV over [start, end), both UTC. Prices are raw floats, volume in shares."""

    symbol: str
    timeframe: Timeframe
    start: datetime
    end: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float


class Quote(msgspec.Struct, frozen=True, gc=False):
    """Best bid and ask at an instant; sizes in shares."""

    symbol: str
    at: datetime
    bid: float
    bid_size: float
    ask: float
    ask_size: float


class SliceOpened(msgspec.Struct, frozen=True, gc=False):
    """The first prints of the bars that start at `at`: when market orders meet the market.

    Only a simulated broker listens; the engine does not learn anything from it.
    """

    at: datetime
    session: date
    opens: dict[str, float]
