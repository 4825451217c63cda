"""Files of prints and quotes, CSV or Parquet: which column is which, read in chunks."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from app.core.errors import InvalidInput
from app.marketdata.batch import QUOTE, TICK, Flags, Nanos, QuoteBatch, Rows, TickBatch, TickLabel
from app.marketdata.conditions import of_bits, of_letters
from app.marketdata.files import CHUNK_ROWS, floats, normal_symbol, open_table, symbol_in_name
from app.marketdata.shapes import Hints, TimeKind, read_times

if TYPE_CHECKING:
    import pandas as pd

_TIMES: Final = (
    "ts_utc", "timestamp", "timestamp_utc", "datetime", "ts_event", "sip_timestamp",
    "participant_timestamp", "date_time", "time", "ts", "t", "date", "index", "",
)  # fmt: skip
_COMMON: Final = {
    "symbol": ("symbol", "ticker", "sym", "s_symbol"),
    "sequence": ("sequence", "seq", "sequence_number", "trade_id", "tradeid", "id"),
}
_TICK: Final = _COMMON | {
    "price": ("price", "p", "trade_price", "last_price", "px", "last"),
    "size": ("size", "s", "qty", "quantity", "trade_size", "volume", "vol", "amount", "last_size"),
    "exchange": ("exchange", "ex", "x", "venue", "exchange_code"),
    "bits": ("sale_condition_hex",),
    "letters": ("conditions", "condition", "sale_condition", "sale_conditions", "cond", "c"),
    "suspicious": ("suspicious",),
}
_QUOTE: Final = _COMMON | {
    "bid": ("bid", "bid_price", "bp", "bid_px", "bidprice", "bid_px_00", "best_bid"),
    "bid_size": ("bid_size", "bs", "bid_sz", "bidsize", "bid_sz_00", "bid_qty"),
    "ask": ("ask", "ask_price", "ap", "ask_px", "askprice", "ask_px_00", "best_ask", "offer"),
    "ask_size": ("ask_size", "as", "ask_sz", "asksize", "ask_sz_00", "ask_qty", "offer_size"),
}
_NEEDED: Final = {"ticks": ("price", "size"), "quotes": ("bid", "bid_size", "ask", "ask_size")}


class Kind(StrEnum):
    """What a file holds."""

    TICKS = "ticks"
    QUOTES = "quotes"


@dataclass(frozen=True, slots=True, eq=False)
class TickChunk:
    """Some rows of a file as read, not judged yet, in the order of the file."""

    batch: TickBatch | QuoteBatch
    timeless: Flags
    "Rows whose time could not be read."
    malformed: Flags
    "Rows with more fields than the header names."
    table: "pd.DataFrame"
    header: tuple[str, ...]

    def record(self, position: int) -> dict[str, str]:
        """Row `position` as it stands in the file."""
        import pandas as pd  # noqa: PLC0415

        present = zip((*self.header, "extra"), self.table.iloc[position].tolist(), strict=False)
        return {name or "time": str(value) for name, value in present if pd.notna(value)}


class TickFile:
    """One file of prints or quotes. Opening it decides how the rest is read.

    Raises InvalidInput for what is no such file, and for what a hint must tell.
    """

    def __init__(self, path: Path, kind: Kind, hints: Hints | None = None) -> None:
        self.path = path
        self.kind = kind
        hints = hints or Hints()
        self._reader = open_table(path)
        header = self._reader.header
        names = [name.strip().strip("<>").lower().replace(" ", "_") for name in header]
        self._columns = _find(names, _TICK if kind is Kind.TICKS else _QUOTE)
        self._time = _time_of(names)
        _demand(self._columns, self._time, kind, header)
        # conditions such as 1e5 are hexadecimal
        spoken = ("bits", "letters", "exchange", "symbol")
        self._texts = [place for name, place in self._columns.items() if name in spoken]
        first = next(self._reader.tables(CHUNK_ROWS, self._texts), None)
        if first is None or first.empty:
            raise InvalidInput(f"{path.name} has a header but no rows.", field="path")
        self._times = read_times(first.iloc[:, self._time], header[self._time], hints)
        if self._times.kind is TimeKind.DATE:
            raise InvalidInput(
                f"The rows of {path.name} have dates without a time of day.",
                field="time",
                remedy=f"Files of {kind} need the instant of each row.",
            )
        self._symbol = normal_symbol(hints.symbol) if hints.symbol else None
        if self._symbol is None and "symbol" not in self._columns:
            raise InvalidInput(
                f"{path.name} does not say whose {kind} these are.",
                field="symbol",
                remedy=f"Name the symbol, for example --symbol {symbol_in_name(path) or 'AAPL'}.",
            )

    @property
    def rows(self) -> int:
        """About how many rows there are, for progress."""
        return self._reader.rows

    @property
    def ignored(self) -> list[str]:
        """Names of the columns that nothing is made of."""
        used = {*self._columns.values(), self._time}
        return [name for i, name in enumerate(self._reader.header) if i not in used]

    def chunks(self, size: int = CHUNK_ROWS) -> Iterator[TickChunk]:
        """The rows in the order of the file."""
        for table in self._reader.tables(size, self._texts):
            at, timeless = self._times.instants(table.iloc[:, self._time])
            symbols, numbers = self._symbols(table)
            rows = np.zeros(len(table), dtype=TICK if self.kind is Kind.TICKS else QUOTE)
            rows["at"], rows["symbol"] = at, numbers
            if "sequence" in self._columns:
                rows["sequence"] = _integers(self._column(table, "sequence"))
            extra = len(table.columns) > len(self._reader.header)
            malformed = (
                table.iloc[:, -1].notna().to_numpy() if extra else np.zeros(len(table), np.bool_)
            )
            batch = self._batch(table, symbols, rows)
            yield TickChunk(batch, timeless, malformed, table, self._reader.header)

    # -------------------------------------------------------------------------- helpers

    def _batch(
        self, table: "pd.DataFrame", symbols: tuple[str, ...], rows: Rows
    ) -> TickBatch | QuoteBatch:
        for name in _NEEDED[self.kind]:
            rows[name] = floats(self._column(table, name))
        if self.kind is Kind.TICKS:
            labels, rows["label"] = self._labels(table)
            return TickBatch(symbols, rows, labels)
        # in files a side that is not there has not changed
        return QuoteBatch(symbols, rows, partial=True)

    def _column(self, table: "pd.DataFrame", name: str) -> "pd.Series":
        return table.iloc[:, self._columns[name]]

    def _symbols(self, table: "pd.DataFrame") -> tuple[tuple[str, ...], np.ndarray]:
        if self._symbol is not None:
            return (self._symbol,), np.zeros(len(table), dtype=np.int32)
        names, numbers = _factorised(self._column(table, "symbol"))
        return tuple(normal_symbol(name or "") for name in names), numbers

    def _labels(self, table: "pd.DataFrame") -> tuple[tuple[TickLabel, ...], np.ndarray]:
        """Every combination of exchange and conditions once, and which one each row has."""
        import pandas as pd  # noqa: PLC0415  heavy, and only files need it

        made: Callable[..., TickLabel] = of_bits if "bits" in self._columns else of_letters
        chosen = "bits" if "bits" in self._columns else "letters"
        parts = [
            _text(self._column(table, name)) if name in self._columns else None
            for name in ("exchange", chosen, "suspicious")
        ]
        joined = pd.Series("", index=table.index, dtype="string")
        for part in parts:
            joined = joined + "\x1f" + (part.fillna("") if part is not None else "")
        names, numbers = _factorised(joined)
        labels = []
        for name in names:
            exchange, conditions, suspicious = (name or "\x1f\x1f\x1f").split("\x1f")[1:4]
            doubtful = suspicious.lower() in ("1", "true", "y", "yes")
            labels.append(made(exchange or None, conditions or None, suspicious=doubtful))
        return tuple(labels), numbers


def _find(names: Sequence[str], aliases: dict[str, tuple[str, ...]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for meaning, known in aliases.items():
        there = [alias for alias in known if alias in names]
        if there:
            found[meaning] = names.index(there[0])
    return found


def _time_of(names: Sequence[str]) -> int:
    return next((names.index(alias) for alias in _TIMES if alias in names), -1)


def _demand(found: dict[str, int], time: int, kind: Kind, header: Sequence[str]) -> None:
    missing = [name for name in _NEEDED[kind] if name not in found]
    if time < 0:
        missing.insert(0, "time")
    if missing:
        listed = ", ".join(repr(name) for name in header) or "none"
        raise InvalidInput(
            f"The file has no column for {', '.join(missing)}; its columns are {listed}.",
            field=missing[0],
            remedy=f"Files of {kind} name in their first line: a time, {', '.join(_NEEDED[kind])}.",
        )


def _text(column: "pd.Series") -> "pd.Series":
    return column.astype("string").str.strip().str.removesuffix(".0")


def _factorised(column: "pd.Series") -> tuple[list[str | None], np.ndarray]:
    """The different values, and which one each row has."""
    import pandas as pd  # noqa: PLC0415

    numbers, values = pd.factorize(column.astype("string").str.strip(" "), use_na_sentinel=False)
    return [None if value is pd.NA else str(value) for value in values], numbers.astype(np.int32)


def _integers(column: "pd.Series") -> Nanos:
    """Whole numbers; 0 where there is none, which means that a row has no sequence."""
    if column.dtype.kind == "i":
        return column.to_numpy(dtype=np.int64)
    values = floats(column)
    known = np.isfinite(values) & (np.abs(values) < 2**53)
    return np.where(known, values, 0).astype(np.int64)
