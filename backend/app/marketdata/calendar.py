"""When exchanges trade: sessions, bar grids and column blocks, vectorised over int64 ns UTC."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache, partial
from types import ModuleType
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from app.core.errors import InvalidInput
from app.domain.market import Timeframe
from app.marketdata.batch import Flags, Floats, Nanos, to_datetime

FX: Final = "24/5"
"Code of the currency market: Monday to Friday, each day from 17:00 New York of the day before."
DEFAULT: Final = "XNYS"

FIRST_YEAR: Final = 1990
LAST_YEAR: Final = 2034
"Years built at first. A calendar grows by itself when it is asked about others, within limits:"
EARLIEST_YEAR: Final = 1960
LATEST_YEAR: Final = 2098
_MARGIN_YEARS: Final = 5

_NS: Final = 1_000_000_000
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()

Days = NDArray[np.datetime64]
_Hours = tuple[Days, Nanos, Nanos, tuple[Nanos, Nanos]]
"Sessions, opens, closes, and the local midnights around each session."


def step_ns(timeframe: Timeframe) -> int:
    """Nominal length of a bar in ns."""
    return int(timeframe.duration.total_seconds()) * _NS


@dataclass(frozen=True, slots=True)
class Session:
    """One trading day: regular hours [open, close) and the local calendar day around them."""

    day: date
    open: int
    close: int
    day_start: int
    day_end: int


@dataclass(frozen=True, slots=True)
class _Table:
    """All sessions of some years, as columns."""

    first_year: int
    last_year: int
    days: Days
    open: Nanos
    close: Nanos
    day_start: Nanos
    day_end: Nanos
    blocks: dict[Timeframe, Nanos]

    def day_index(self, ts: Nanos) -> Nanos:
        at = np.searchsorted(self.day_start, ts, side="right") - 1
        inside = (at >= 0) & (ts < self.day_end[np.maximum(at, 0)])
        return np.where(inside, at, -1)

    def session(self, index: int) -> Session:
        columns = (self.open, self.close, self.day_start, self.day_end)
        return Session(self.days[index].item(), *(int(column[index]) for column in columns))


class TradingCalendar:
    """The sessions of one exchange. Midday breaks are part of the session.

    Times outside 1960 to 2098 belong to no session.
    """

    def __init__(self, exchange: str) -> None:
        self.exchange = exchange
        self._table = _build(exchange, FIRST_YEAR, LAST_YEAR)

    # ------------------------------------------------------------------------- sessions

    def day_index(self, ts: Nanos) -> Nanos:
        """Session whose local calendar day holds each instant, -1 where none does."""
        return self._covering(ts).day_index(ts)

    def is_regular(self, ts: Nanos) -> Flags:
        """Whether each instant lies in regular hours [open, close)."""
        table = self._covering(ts)
        at = np.searchsorted(table.open, ts, side="right") - 1
        return (at >= 0) & (ts < table.close[np.maximum(at, 0)])

    def session_days(self, ts: Nanos) -> Days:
        """Trading day (datetime64[D]) of each instant, NaT outside every trading day."""
        table = self._covering(ts)
        index = table.day_index(ts)
        return np.where(index >= 0, table.days[np.maximum(index, 0)], np.datetime64("NaT"))

    def ordinals(self, ts: Nanos) -> Floats:
        """`date.toordinal()` of each instant's trading day, or of the last one before it."""
        table = self._covering(ts)
        at = np.maximum(np.searchsorted(table.day_start, ts, side="right") - 1, 0)
        return table.days[at].astype(np.int64).astype(np.float64) + _EPOCH_ORDINAL

    def session_at(self, ts: int) -> Session | None:
        """Session whose local calendar day holds `ts`: pre-market and after-hours included."""
        instant = np.array([ts])
        table = self._covering(instant)
        index = int(table.day_index(instant)[0])
        return table.session(index) if index >= 0 else None

    def session_on(self, day: date) -> Session | None:
        """The session of the calendar day `day`, None on a day without trading."""
        noon = int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()) * _NS
        table = self._covering(np.array([noon]))
        index = int(np.searchsorted(table.days, np.datetime64(day)))
        found = index < len(table.days) and table.days[index] == np.datetime64(day)
        return table.session(index) if found else None

    def daily_starts(self, days: Days) -> Nanos:
        """Open of the session of each calendar day; noon UTC of a day without trading."""
        noons = days.astype("datetime64[ns]").astype(np.int64) + 12 * 3600 * _NS
        table = self._covering(noons)
        at = np.minimum(np.searchsorted(table.days, days), len(table.days) - 1)
        return np.where(table.days[at] == days.astype("datetime64[D]"), table.open[at], noons)

    def next_session(self, ts: int) -> Session:
        """First session that opens after `ts`."""
        table = self._covering(np.array([ts, ts + 30 * 86_400 * _NS]))
        return table.session(int(np.searchsorted(table.open, ts, side="right")))

    def sessions(self, start: int, end: int) -> list[Session]:
        """Sessions that open in [start, end)."""
        table = self._covering(np.array([start, end]))
        first, last = np.searchsorted(table.open, [start, end])
        return [table.session(i) for i in range(int(first), int(last))]

    # ------------------------------------------------------------------------ bar grids

    def grid(self, session: Session, timeframe: Timeframe) -> tuple[Nanos, Nanos]:
        """Starts and ends of all bars of a session; the last may be shorter."""
        if timeframe is Timeframe.D1:
            return np.array([session.open]), np.array([session.close])
        step = step_ns(timeframe)
        starts = np.arange(session.open, session.close, step, dtype=np.int64)
        return starts, np.minimum(starts + step, session.close)

    def bounds(self, timeframe: Timeframe, ts: Nanos) -> tuple[Nanos, Nanos]:
        """Start and end of the bar that holds each instant.

        In regular hours the grid is anchored at the open and cut at the close; around them it goes
        on in whole steps. A daily bar runs from open to close. Where there is no trading day the
        grid is that of the last session.
        """
        table = self._covering(ts)
        at = np.maximum(np.searchsorted(table.day_start, ts, side="right") - 1, 0)
        opened, closed = table.open[at], table.close[at]
        if timeframe is Timeframe.D1:
            return opened, closed
        step = step_ns(timeframe)
        start = opened + (ts - opened) // step * step
        # After hours start afresh at the close, so that no bar crosses it.
        start = np.where(ts >= closed, closed + (ts - closed) // step * step, start)
        return start, np.where(start < closed, np.minimum(start + step, closed), start + step)

    # -------------------------------------------------------------------- column blocks

    def block_starts(self, timeframe: Timeframe, ts: Nanos) -> Nanos:
        """Start of the column block that holds each instant (see `block_start`)."""
        table = self._covering(ts)
        at = np.maximum(np.searchsorted(table.day_start, ts, side="right") - 1, 0)
        return table.blocks[timeframe][at]

    def block_start(self, timeframe: Timeframe, ts: int) -> int:
        """Where the columns of a bar that starts at `ts` are anchored, by the calendar alone.

        The local midnight (ns) of the first session of: the session for 1s and 1m, the ISO week for
        5m and 15m, the month for 1h, the year for 1d. Every bar of a block starts at or after it.
        """
        return int(self.block_starts(timeframe, np.array([ts]))[0])

    # -------------------------------------------------------------------------- helpers

    def _covering(self, ts: Nanos) -> _Table:
        """The table, grown first when some instant lies outside its years."""
        if len(ts):
            first, last = _year(int(ts.min())), _year(int(ts.max()))
            table = self._table
            if first < table.first_year or last > table.last_year:
                self._grow(first - _MARGIN_YEARS, last + _MARGIN_YEARS)
        return self._table

    def _grow(self, first: int, last: int) -> None:
        table = self._table
        first = max(min(first, table.first_year), EARLIEST_YEAR)
        last = min(max(last, table.last_year), LATEST_YEAR)
        if (first, last) != (table.first_year, table.last_year):
            self._table = _build(self.exchange, first, last)


@cache
def trading_calendar(exchange: str = DEFAULT) -> TradingCalendar:
    """The calendar of an exchange by MIC or alias (XNYS, NASDAQ, "24/5"), built once a process.

    Raises InvalidInput for an exchange that nobody knows.
    """
    if exchange == FX:
        return TradingCalendar(FX)
    library = _library()
    if exchange not in library.get_calendar_names(include_aliases=True):
        raise InvalidInput(
            f"No trading calendar is known for the exchange {exchange!r}.",
            field="exchange",
            remedy="Use a market identifier code such as XNYS or XNAS, or 24/5 for currencies.",
        )
    canonical: str = library.resolve_alias(exchange)
    return TradingCalendar(exchange) if canonical == exchange else trading_calendar(canonical)


def _library() -> ModuleType:
    # pandas comes with it: a second that only those pay who ask for a calendar
    import exchange_calendars  # noqa: PLC0415

    library: ModuleType = exchange_calendars
    return library


def _build(exchange: str, first_year: int, last_year: int) -> _Table:
    """About 0.15 s for 45 years, nearly all of it the library's."""
    hours = _currency_hours if exchange == FX else partial(_exchange_hours, exchange)
    days, opens, closes, midnights = hours(f"{first_year}-01-01", f"{last_year}-12-31")
    day_start = np.minimum(midnights[0], opens)
    day_end = np.maximum(midnights[1], closes)
    blocks = {timeframe: _first_of(key(days), day_start) for timeframe, key in _BLOCKS.items()}
    return _Table(first_year, last_year, days, opens, closes, day_start, day_end, blocks)


def _exchange_hours(exchange: str, first: str, last: str) -> _Hours:
    source = _library().get_calendar(exchange, start=first, end=last)
    days = source.sessions.to_numpy().astype("datetime64[D]")
    opens, closes = np.asarray(source.opens_nanos), np.asarray(source.closes_nanos)
    zone = ZoneInfo(str(source.tz))
    return days, opens, closes, (_at(days, 0, zone), _at(days + 1, 0, zone))


def _currency_hours(first: str, last: str) -> _Hours:
    # Not the library's 24/5: that one begins on Monday 00:00 UTC, after the market has opened.
    days = np.arange(first, last, dtype="datetime64[D]")
    days = days[np.is_busday(days)]
    zone = ZoneInfo("America/New_York")
    opens, closes = _at(days - 1, 17, zone), _at(days, 17, zone)
    return days, opens, closes, (opens, closes)


def _at(days: Days, hour: int, zone: ZoneInfo) -> Nanos:
    """The local `hour` of each day, in ns UTC."""
    instants = (datetime(d.year, d.month, d.day, hour, tzinfo=zone) for d in days.tolist())
    return np.array([int(instant.timestamp()) * _NS for instant in instants], dtype=np.int64)


def _first_of(keys: Nanos, starts: Nanos) -> Nanos:
    """For each session the start of the first session with the same key."""
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    return starts[first[inverse]]


def _iso_week(days: Days) -> Nanos:
    # 1970-01-01 was a Thursday: three days on, weeks begin on Mondays
    return (days.astype(np.int64) + 3) // 7


def _unit(code: str) -> Callable[[Days], Nanos]:
    return lambda days: days.astype(f"datetime64[{code}]").astype(np.int64)


_BLOCKS: Final[dict[Timeframe, Callable[[Days], Nanos]]] = {
    Timeframe.S1: _unit("D"),
    Timeframe.M1: _unit("D"),
    Timeframe.M5: _iso_week,
    Timeframe.M15: _iso_week,
    Timeframe.H1: _unit("M"),
    Timeframe.D1: _unit("Y"),
}


def _year(ns: int) -> int:
    """Calendar year of `ns`, kept within what a datetime can hold."""
    return to_datetime(max(min(ns, 4_102_444_800 * _NS), -315_619_200 * _NS)).year
