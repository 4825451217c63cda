"""What a table of bars means: which column is which, and how its times are to be read."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import numpy as np

from app.core.errors import InvalidInput
from app.domain.market import Timeframe
from app.marketdata.batch import VALUES, Flags, Nanos
from app.marketdata.calendar import step_ns

if TYPE_CHECKING:
    import pandas as pd

_ALIASES: Final = {
    "time": (
        "ts_utc", "timestamp", "timestamp_utc", "datetime", "date", "time", "start", "ts_event",
        "open_time", "date_time", "ts", "t", "index", "unnamed:_0", "__index_level_0__", "",
    ),
    "open": ("open", "o", "open_price", "1._open", "first"),
    "high": ("high", "h", "high_price", "2._high", "max"),
    "low": ("low", "l", "low_price", "3._low", "min"),
    "close": ("close", "c", "close_price", "4._close", "last"),
    "volume": ("volume", "v", "vol", "5._volume", "6._volume", "volume_(shares)"),
    "vwap": ("vwap", "vw", "wap", "average"),
    "symbol": ("symbol", "ticker", "sym"),
}  # fmt: skip
"""Header names by meaning, lower case with underscores; the first that is there wins."""

_EPOCH_UNITS: Final = ((1e11, "s"), (1e14, "ms"), (1e17, "us"), (1e20, "ns"))
_PER_UNIT: Final = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_PLAIN_FORMATS: Final = ("%Y%m%d", "%Y%m%d %H:%M:%S", "%Y%m%d %H%M%S", "%Y%m%d %H:%M", "%d-%b-%Y")
_CLOCKS: Final = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_SAMPLE: Final = 1_000
_NO_TIME: Final = np.iinfo(np.int64).min
_NAT: Final = np.datetime64("NaT")
_OLDEST: Final = np.datetime64("1900-01-01")
_NEWEST: Final = np.datetime64("2200-01-01")
_FARTHEST: Final = 7.2e18
"Instants beyond these are mistakes, and would overflow nanoseconds."


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """What the caller knows about a file; None lets the file speak."""

    symbol: str | None = None
    timeframe: Timeframe | None = None
    tz: str | None = None
    date_format: str | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """Positions of the columns by meaning; `time` may be two (a date and a time of day)."""

    columns: dict[str, int]
    time: tuple[int, ...]
    header: tuple[str, ...]

    @property
    def ignored(self) -> list[str]:
        """Names of the columns that nothing is made of."""
        used = {*self.columns.values(), *self.time}
        return [name for i, name in enumerate(self.header) if i not in used]


def recognise(header: Sequence[str]) -> Shape:
    """Which column is which. Raises InvalidInput that names the missing one."""
    names = [name.strip().strip("<>").lower().replace(" ", "_") for name in header]
    found: dict[str, int] = {}
    for meaning, aliases in _ALIASES.items():
        known = [alias for alias in aliases if alias in names]
        if known:
            found[meaning] = names.index(known[0])
    _refuse_options(names)
    _demand(found, header, names)
    time: tuple[int, ...] = (found.pop("time"),)
    if "date" in names and "time" in names:
        time = (names.index("date"), names.index("time"))
    return Shape(found, time, tuple(header))


def _refuse_options(names: Sequence[str]) -> None:
    """A chain has many contracts at one instant; as bars of one symbol all but one would clash."""
    if "strike" in names:
        raise InvalidInput(
            "The file holds prices of options (it has a column 'strike'), and bars are wanted.",
            field="file",
            remedy="Say so: --kind options.",
        )


def _demand(found: dict[str, int], header: Sequence[str], names: Sequence[str]) -> None:
    missing = [meaning for meaning in ("time", *VALUES) if meaning not in found]
    if not missing:
        return
    listed = ", ".join(repr(name) for name in header) or "none"
    quotes = " These look like quotes, and bars are wanted." if "bid_open" in names else ""
    raise InvalidInput(
        f"The file has no column for {', '.join(missing)}; its columns are {listed}.{quotes}",
        field=missing[0],
        remedy="The first line must name the columns: a time, open, high, low, close, volume.",
    )


class TimeKind(StrEnum):
    DATE = "date"
    EPOCH = "epoch"
    AWARE = "aware"
    NAIVE = "naive"


@dataclass(frozen=True, slots=True)
class TimeReading:
    """How the time column of one file is read."""

    kind: TimeKind
    unit: str = "ns"
    format: str = "ISO8601"
    zone: str | None = None

    def instants(self, column: "pd.Series") -> tuple[Nanos, Flags]:
        """Times in ns (dates as midnight UTC) and which of them could not be read."""
        parsed = self._parse(column)
        bad = parsed == _NO_TIME
        return np.where(bad, 0, parsed), bad

    def _parse(self, column: "pd.Series") -> Nanos:
        import pandas as pd  # noqa: PLC0415  heavy, and only files need it

        if self.kind is TimeKind.EPOCH:
            return _epochs(column, self.unit)
        text = _text(column) if self.format != "ISO8601" else column
        utc = self.kind is not TimeKind.NAIVE
        times = pd.to_datetime(text, format=self.format, errors="coerce", utc=utc)
        if self.kind is TimeKind.NAIVE and self.zone:
            localized = times.dt.tz_localize(self.zone, ambiguous="NaT", nonexistent="NaT")
            times = localized.dt.tz_convert("UTC")
        plain = times.dt.tz_localize(None) if times.dt.tz is not None else times
        exact = plain.to_numpy()
        sane = (exact > _OLDEST) & (exact < _NEWEST)
        return np.where(sane, exact, _NAT).astype("datetime64[ns]").astype(np.int64)


def read_times(column: "pd.Series", name: str, hints: Hints) -> TimeReading:
    """How to read the times of a file, judged by its first rows.

    Raises InvalidInput for what the file does not say: the time zone, or day before month.
    """
    sample = column.dropna().head(_SAMPLE)
    if not len(sample):
        raise InvalidInput(f"The time column {name!r} is empty.", field="time")
    if sample.dtype.kind == "M":
        return _of_datetimes(sample, name, hints)
    numbers = _numbers(sample)
    if hints.date_format is None and np.isfinite(numbers).mean() > 0.5:
        return _of_numbers(numbers[np.isfinite(numbers)])
    return _of_text(_text(sample), name, hints)


def _of_datetimes(sample: "pd.Series", name: str, hints: Hints) -> TimeReading:
    if sample.dt.tz is not None:
        return TimeReading(TimeKind.AWARE)
    return _naive(sample, name, hints, "ISO8601")


def _of_numbers(numbers: np.ndarray) -> TimeReading:
    typical = float(np.median(numbers))
    if 19_000_101 <= typical <= 21_001_231:
        return TimeReading(TimeKind.DATE, format="%Y%m%d")
    for limit, unit in _EPOCH_UNITS:
        if 0 < typical < limit:
            return TimeReading(TimeKind.EPOCH, unit=unit)
    raise InvalidInput(
        f"The times (such as {typical:.0f}) are no epoch that is known.", field="time"
    )


def _of_text(text: "pd.Series", name: str, hints: Hints) -> TimeReading:
    import pandas as pd  # noqa: PLC0415

    chosen = hints.date_format or _format_of(text)
    if (
        chosen == "ISO8601"
        and text.str.contains(r"\d(?:Z|[+-]\d\d:?\d\d)$", regex=True).mean() > 0.5
    ):
        return TimeReading(TimeKind.AWARE)
    times = pd.to_datetime(text, format=chosen, errors="coerce")
    if times.isna().mean() > 0.5:
        raise _unreadable(text)
    if times.dt.tz is not None:
        return TimeReading(TimeKind.AWARE, format=chosen)
    return _naive(times, name, hints, chosen)


def _naive(times: "pd.Series", name: str, hints: Hints, chosen: str) -> TimeReading:
    known = times.dropna()
    if (known == known.dt.normalize()).all():
        return TimeReading(TimeKind.DATE, format=chosen)
    zone = hints.tz or ("UTC" if "utc" in name.lower() else None)
    if zone is None:
        raise InvalidInput(
            f"The times in column {name!r} (such as {known.iloc[0]}) do not say their time zone.",
            field="tz",
            remedy="Name it: --tz UTC, or --tz America/New_York for the exchange's own time.",
        )
    return TimeReading(TimeKind.NAIVE, format=chosen, zone=_zone(zone))


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        near = get_close_matches(name, available_timezones(), n=1, cutoff=0.5)
        raise InvalidInput(
            f"There is no time zone {name!r}.",
            field="tz",
            remedy=f"Use --tz {near[0] if near else 'America/New_York'}.",
        ) from None
    return name


def _format_of(text: "pd.Series") -> str:
    """The one format that reads the sample. Raises InvalidInput when two could."""
    if _reads(text, "ISO8601"):
        return "ISO8601"
    for candidate in _PLAIN_FORMATS:
        if _reads(text, candidate):
            return candidate
    slashed = [f"{day}{clock}" for day in ("%m/%d/%Y", "%d/%m/%Y") for clock in _CLOCKS]
    fitting = [candidate for candidate in slashed if _reads(text, candidate)]
    if len(fitting) > 1:
        raise InvalidInput(
            f"In {text.iloc[0]!r} either number may be the day.",
            field="date_format",
            remedy=f'Say which: --date-format "{fitting[0]}" or --date-format "{fitting[1]}".',
        )
    if not fitting:
        raise _unreadable(text)
    return fitting[0]


def _reads(text: "pd.Series", chosen: str) -> bool:
    """Whether a format reads nearly all of the sample: a few bad rows are no reason to give up."""
    import pandas as pd  # noqa: PLC0415

    times = pd.to_datetime(text, format=chosen, errors="coerce", utc=True)
    return bool(times.notna().mean() > 0.9)


def _unreadable(text: "pd.Series") -> InvalidInput:
    return InvalidInput(
        f"The times (such as {text.iloc[0]!r}) cannot be read.",
        field="time",
        remedy='Describe them, for example --date-format "%d.%m.%Y %H:%M".',
    )


def _text(column: "pd.Series") -> "pd.Series":
    return column.astype("string").str.strip().str.removesuffix(".0")


def _numbers(column: "pd.Series") -> np.ndarray:
    import pandas as pd  # noqa: PLC0415

    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)


def _epochs(column: "pd.Series", unit: str) -> Nanos:
    scale = _PER_UNIT[unit]
    numbers = _numbers(column)
    with np.errstate(invalid="ignore"):
        known = np.abs(numbers) * scale < _FARTHEST
    ns = np.full(len(numbers), _NO_TIME)
    if column.dtype.kind == "i":  # exact: a float has no room for nanoseconds
        ns[known] = column.to_numpy()[known] * scale
        return ns
    whole = np.floor(numbers[known])
    fraction = np.round((numbers[known] - whole) * scale)
    ns[known] = whole.astype(np.int64) * scale + fraction.astype(np.int64)
    return ns


def infer_timeframe(starts: Nanos, kind: TimeKind) -> Timeframe:
    """The timeframe that the first rows show. Raises InvalidInput where they leave a doubt."""
    steps = np.diff(np.unique(starts))
    shortest = int(steps.min()) if len(steps) else 0
    if kind is TimeKind.DATE:
        fits = shortest == 0 or shortest <= 4 * step_ns(Timeframe.D1)
        found = Timeframe.D1 if fits else None
    else:
        known = {step_ns(timeframe): timeframe for timeframe in Timeframe}
        common = len(steps) > 1 and np.mean(steps == shortest) >= 0.5
        found = known.get(shortest) if common else None
    if found is None:
        raise InvalidInput(
            "The times of the rows do not tell the timeframe.",
            field="timeframe",
            remedy=f"Name it with --timeframe: {', '.join(Timeframe)}.",
        )
    return found
