"""Market data as columns: structured arrays of bars, quotes and ticks, times in int64 ns UTC."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.core.clock import to_ns as to_ns
from app.domain.market import Bar, Timeframe
from app.marketdata.fingerprint import Fingerprint

Nanos = NDArray[np.int64]
"Instants in nanoseconds since 1970 UTC."
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Rows = NDArray[np.void]
"A structured array of one of the types below."

BAR: Final = np.dtype(
    [
        ("start", "<i8"),
        ("end", "<i8"),
        ("open", "<f8"),
        ("high", "<f8"),
        ("low", "<f8"),
        ("close", "<f8"),
        ("volume", "<f8"),
        ("vwap", "<f8"),
    ]
)
"One bar over [start, end); `vwap` is NaN where the source does not say."
TICK: Final = np.dtype(
    [
        ("at", "<i8"),
        ("symbol", "<i4"),
        ("sequence", "<i8"),
        ("price", "<f8"),
        ("size", "<f8"),
        ("label", "<i4"),
    ]
)
"""One print. `symbol` and `label` are positions in the batch's `symbols` and `labels`; `sequence`
is the vendor's order among prints of one instant (0 where it has none)."""
QUOTE: Final = np.dtype(
    [
        ("at", "<i8"),
        ("symbol", "<i4"),
        ("sequence", "<i8"),
        ("bid", "<f8"),
        ("bid_size", "<f8"),
        ("ask", "<f8"),
        ("ask_size", "<f8"),
    ]
)
"One top of book; a side that is absent is NaN with size 0."

PRICES: Final = ("open", "high", "low", "close")
VALUES: Final = (*PRICES, "volume")
"The columns that a strategy sees."

_SECOND: Final = 1_000_000_000


def to_datetime(ns: int) -> datetime:
    """The instant `ns` in UTC, truncated to microseconds."""
    seconds, rest = divmod(int(ns), _SECOND)
    instant = datetime.fromtimestamp(seconds, UTC)
    return instant.replace(microsecond=rest // 1_000) if rest else instant


def to_datetimes(ns: Nanos) -> list[datetime]:
    """Every instant of `ns` as a datetime in UTC."""
    return [to_datetime(value) for value in ns.tolist()]


@dataclass(frozen=True, slots=True, eq=False)
class BarBatch:
    """Bars of one symbol and timeframe as columns; belongs to no data set until it is stored."""

    symbol: str
    timeframe: Timeframe
    rows: Rows

    @classmethod
    def empty(cls, symbol: str, timeframe: Timeframe) -> "BarBatch":
        return cls(symbol, timeframe, np.empty(0, dtype=BAR))

    @classmethod
    def of(
        cls, symbol: str, timeframe: Timeframe, start: Nanos, end: Nanos, **values: Floats | float
    ) -> "BarBatch":
        """From columns: open, high, low, close, volume and optionally vwap."""
        rows = np.empty(len(start), dtype=BAR)
        rows["start"], rows["end"], rows["vwap"] = start, end, np.nan
        for name in VALUES:
            rows[name] = values.pop(name)
        for name, column in values.items():
            rows[name] = column
        return cls(symbol, timeframe, rows)

    @classmethod
    def from_bars(cls, bars: Sequence[Bar]) -> "BarBatch":
        """From domain bars of one series. Raises ValueError when empty or of several series."""
        series = {(bar.symbol, bar.timeframe) for bar in bars}
        if len(series) != 1:
            raise ValueError(f"a batch holds one series, not {len(series)}")
        ((symbol, timeframe),) = series
        rows: list[Any] = [
            (to_ns(b.start), to_ns(b.end), b.open, b.high, b.low, b.close, b.volume, np.nan)
            for b in bars
        ]
        return cls(symbol, timeframe, np.array(rows, dtype=BAR))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: slice | Flags | NDArray[np.intp]) -> "BarBatch":
        """The rows chosen by a slice, a mask or positions, as a batch."""
        return BarBatch(self.symbol, self.timeframe, self.rows[index])

    @property
    def start(self) -> Nanos:
        return self.rows["start"]

    @property
    def end(self) -> Nanos:
        return self.rows["end"]

    def columns(self) -> dict[str, Floats]:
        """open, high, low, close, volume as contiguous arrays: what `Strategy.prepare` takes."""
        return {name: np.ascontiguousarray(self.rows[name]) for name in VALUES}

    def bar(self, index: int) -> Bar:
        """Row `index` as a domain bar."""
        start, end, *values = self.rows[index].item()
        return Bar(self.symbol, self.timeframe, to_datetime(start), to_datetime(end), *values[:5])

    def bars(self) -> list[Bar]:
        """Every row as a domain bar."""
        symbol, timeframe = self.symbol, self.timeframe
        return [
            Bar(symbol, timeframe, to_datetime(start), to_datetime(end), o, h, low, c, v)
            for start, end, o, h, low, c, v, _ in self.rows.tolist()
        ]

    def sorted(self) -> "BarBatch":
        """The same rows by start; rows with equal starts keep their order."""
        if np.all(self.start[1:] >= self.start[:-1]):
            return self
        return self[np.argsort(self.start, kind="stable")]

    def between(self, start: int, end: int) -> "BarBatch":
        """Rows with start <= row.start < end (ns); the batch must be sorted."""
        first, last = np.searchsorted(self.start, [start, end])
        return self[slice(int(first), int(last))]

    def fingerprint(self) -> str:
        """SHA-256 of the series, its starts and values: equal bars, equal print, on any machine."""
        whole = Fingerprint(self.symbol, self.timeframe)
        whole.add(self.rows)
        return whole.hexdigest()


@dataclass(frozen=True, slots=True)
class TickLabel:
    """Where and how a print traded: what prints of one batch have in common is said once."""

    exchange: str | None = None
    conditions: str | None = None
    counts: bool = True
    "Whether it makes bars: not when the vendor marks it as cancelled, official or suspicious."
    volume_only: bool = False
    """Of those that count: whether only its size does, because its price is not the market's then
    (average price, derivatively priced, out of sequence; odd lots where the tape says so).
    """


@dataclass(frozen=True, slots=True, eq=False)
class TickBatch:
    """Prints of any number of symbols as columns, in the order in which they came."""

    symbols: tuple[str, ...]
    rows: Rows
    labels: tuple[TickLabel, ...] = (TickLabel(),)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: slice | Flags | NDArray[np.intp]) -> "TickBatch":
        """The rows chosen by a slice, a mask or positions, as a batch."""
        return TickBatch(self.symbols, self.rows[index], self.labels)


@dataclass(frozen=True, slots=True, eq=False)
class QuoteBatch:
    """Tops of book of any number of symbols (stocks, or options by OCC symbol) as columns."""

    symbols: tuple[str, ...]
    rows: Rows
    partial: bool = False
    "A side that is NaN has not changed since the row before (else: nobody bids, or asks)."

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: slice | Flags | NDArray[np.intp]) -> "QuoteBatch":
        """The rows chosen by a slice, a mask or positions, as a batch."""
        return QuoteBatch(self.symbols, self.rows[index], self.partial)


def concatenate(batches: Iterable[BarBatch]) -> BarBatch:
    """One batch of the rows of all, in the order given; all must be of one series."""
    parts = list(batches)
    series = {(part.symbol, part.timeframe) for part in parts}
    if len(series) != 1:
        raise ValueError(f"a batch holds one series, not {len(series)}")
    return BarBatch(parts[0].symbol, parts[0].timeframe, np.concatenate([p.rows for p in parts]))
