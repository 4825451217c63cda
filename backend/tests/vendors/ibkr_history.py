"""Historical bars of a loopback Gateway: durations, bar sizes and dates as the TWS API has them."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Final, Self
from zoneinfo import ZoneInfo

from app.core.clock import to_ns
from app.domain.market import Timeframe
from app.marketdata.batch import BarBatch, to_datetime
from app.marketdata.calendar import trading_calendar
from tests.vendors.ibkr_wire import Fields, instant

Row = tuple[object, float, float, float, float, float, float, int]
"Date, open, high, low, close, volume, average and count."
Held = tuple[int, float, float, float, float, float]

SIZES: Final = {
    "1 secs": 1,
    "1 min": 60,
    "5 mins": 300,
    "15 mins": 900,
    "30 mins": 1800,
    "1 hour": 3600,
    "1 day": 86_400,
}
LONGEST: Final = {
    1: timedelta(seconds=2000),
    60: timedelta(days=1),
    300: timedelta(days=7),
    900: timedelta(days=7),
    1800: timedelta(days=31),
    3600: timedelta(days=31),
    86_400: timedelta(days=366),
}
"A request asks for a few thousand bars at most."
_UNITS: Final = {"S": 0, "D": 1, "W": 7, "M": 30, "Y": 365}
_NEW_YORK: Final = ZoneInfo("America/New_York")
_NS: Final = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Request:
    """What reqHistoricalData asks for."""

    end: datetime
    seconds: int
    duration: str
    regular: bool
    what: str
    is_unix: bool

    @classmethod
    def read(cls, fields: Fields, now: datetime) -> Self:
        """The fields behind the contract."""
        fields.skip(1)
        end, size, duration = fields.text(), fields.text(), fields.text()
        return cls(
            end=instant(end) if end else now,
            seconds=SIZES[size],
            duration=duration,
            regular=fields.flag(),
            what=fields.text(),
            is_unix=fields.text() == "2",
        )

    @property
    def begin(self) -> datetime:
        """Where the duration begins. Days are those of the exchange, and only trading days count.

        Raises ValueError for a duration that cannot be read or is too long.
        """
        found = re.fullmatch(r"(\d+) ([SDWMY])", self.duration)
        if found is None or (found[2] == "S" and int(found[1]) > 86_400):
            raise ValueError("Historical data query: invalid duration")
        count, unit = int(found[1]), found[2]
        length = timedelta(seconds=count) if unit == "S" else timedelta(days=count * _UNITS[unit])
        if length > LONGEST[self.seconds]:
            raise ValueError("Time length exceed max.")
        if unit != "D":
            return self.end - length
        past = trading_calendar().sessions(
            to_ns(self.end - 3 * length - timedelta(days=10)), to_ns(self.end)
        )
        day = past[-min(count, len(past))].day
        return datetime(day.year, day.month, day.day, tzinfo=_NEW_YORK).astimezone(UTC)


@dataclass
class Bars:
    """Bars of a minute and of a second by symbol; longer ones are made of minutes."""

    held: dict[tuple[str, bool], dict[int, Held]] = field(default_factory=dict)

    def add(self, symbol: str, batch: BarBatch) -> None:
        known = self.held.setdefault((symbol, batch.timeframe is Timeframe.S1), {})
        for start, _, *values in batch.rows.tolist():
            known[start] = (start, *values[:5])

    def oldest(self, symbol: str) -> int | None:
        starts = [min(known) for (name, _), known in self.held.items() if name == symbol and known]
        return min(starts, default=None)

    def answer(self, symbol: str, asked: Request) -> list[Row]:
        """Bars of the span that has trades, oldest first; ended early by the end of the span."""
        first, last = to_ns(asked.begin), to_ns(asked.end)
        known = self.held.get((symbol, asked.seconds == 1), {})
        rows = [known[start] for start in sorted(known) if first <= start < last]
        if asked.regular:
            calendar = trading_calendar()
            sessions = calendar.sessions(first - 86_400 * _NS, last)
            rows = [r for r in rows if any(s.open <= r[0] < s.close for s in sessions)]
        return list(_folded(rows, asked))


def _folded(rows: Iterable[Held], asked: Request) -> Iterator[Row]:
    step = asked.seconds * _NS

    def of_day(row: Held) -> str:
        return f"{to_datetime(row[0]).astimezone(_NEW_YORK):%Y%m%d}"

    def of_grid(row: Held) -> int:
        return row[0] // step * step // _NS

    for begin, group in groupby(rows, of_day if asked.seconds == 86_400 else of_grid):
        part = list(group)
        volume = sum(row[5] for row in part)
        high, low = max(row[2] for row in part), min(row[3] for row in part)
        shown: object = begin
        if isinstance(begin, int) and not asked.is_unix:
            shown = f"{to_datetime(begin * _NS):%Y%m%d %H:%M:%S} UTC"
        yield shown, part[0][1], high, low, part[-1][4], volume, part[0][4], len(part)
