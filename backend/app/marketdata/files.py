"""Files of bars, CSV or Parquet, plain or gzip, read in chunks of bounded size."""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np

from app.core.errors import InvalidInput
from app.domain.market import Timeframe
from app.marketdata.batch import BAR, VALUES, BarBatch, Flags, Nanos, concatenate
from app.marketdata.calendar import TradingCalendar
from app.marketdata.shapes import (
    Hints,
    Shape,
    TimeKind,
    TimeReading,
    infer_timeframe,
    read_times,
    recognise,
)
from app.marketdata.validation import Verdict, validate

if TYPE_CHECKING:
    import pandas as pd

CHUNK_ROWS: Final = 100_000
_PARQUET: Final = b"PAR1"
_GZIP: Final = b"\x1f\x8b"
_BLOCK: Final = 1 << 20
_SYMBOL: Final = re.compile(r"[A-Z0-9][A-Z0-9.\-/^=]{0,31}")
_EXTRA: Final = "extra"
_OTHERS: Final = re.compile(r"\.(quote|quotes|factors|actions|tick|ticks)\.", re.IGNORECASE)
_ENDINGS: Final = (".csv", ".csv.gz", ".parquet", ".txt", ".txt.gz")


def normal_symbol(text: str) -> str:
    """A symbol as it is stored. Raises InvalidInput for what cannot be one."""
    symbol = text.strip().upper()
    if not _SYMBOL.fullmatch(symbol):
        raise InvalidInput(
            f"{text!r} is no symbol.",
            field="symbol",
            remedy="Use up to 32 letters, digits, and . - / as in AAPL or BRK.B.",
        )
    return symbol


def symbol_in_name(path: Path) -> str | None:
    """The symbol that a file's name begins with: SPY.trade.csv.gz, AAPL_2004_2018.csv."""
    first = re.split(r"[._ ]", path.name, maxsplit=1)[0].upper()
    return first if _SYMBOL.fullmatch(first) else None


def bar_files(path: Path) -> dict[str, Path]:
    """Files of bars by the symbol in their names: one file, or a folder's (quotes left out).

    Raises InvalidInput when there is none, or two claim one symbol.
    """
    if not path.exists():
        raise InvalidInput(f"There is no file or folder {path}.", field="path")
    listed = sorted(path.iterdir()) if path.is_dir() else [path]
    files: dict[str, Path] = {}
    for file in listed:
        symbol = symbol_in_name(file)
        if path.is_dir() and (not file.name.endswith(_ENDINGS) or _OTHERS.search(file.name)):
            continue
        if symbol is None:
            raise InvalidInput(f"The name of {file.name} does not begin with a symbol.")
        if symbol in files:
            raise InvalidInput(f"{files[symbol].name} and {file.name} are both of {symbol}.")
        files[symbol] = file
    if not files:
        raise InvalidInput(
            f"There are no bars in {path}.",
            field="path",
            remedy="Files are named by their symbol: SPY.csv, SPY.trade.csv.gz, SPY.parquet.",
        )
    return files


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Some rows of one symbol as read, not judged yet."""

    batch: BarBatch
    malformed: Flags
    table: "pd.DataFrame"
    header: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.batch)

    def __getitem__(self, index: slice) -> "Chunk":
        batch, malformed = self.batch[index], self.malformed[index]
        return Chunk(batch, malformed, self.table.iloc[index], self.header)

    def after(self, earlier: "Chunk | None") -> "Chunk":
        """This chunk with the rows of an earlier one before it."""
        import pandas as pd  # noqa: PLC0415

        if earlier is None or not len(earlier):
            return self
        return Chunk(
            concatenate([earlier.batch, self.batch]),
            np.concatenate([earlier.malformed, self.malformed]),
            pd.concat([earlier.table, self.table]),
            self.header,
        )

    def record(self, position: int) -> dict[str, str]:
        """Row `position` as it stands in the file."""
        values = self.table.iloc[position].tolist()
        names = (*self.header, _EXTRA)
        present = zip(names, values, strict=False)
        return {name or "time": str(value) for name, value in present if value == value}


class BarFile:
    """One file of bars. Opening it reads its beginning and decides how the rest is read.

    Raises InvalidInput for what is no file of bars, and for what a hint must tell.
    """

    def __init__(self, path: Path, calendar: TradingCalendar, hints: Hints | None = None) -> None:
        self.path = path
        self.calendar = calendar
        self.hints = hints or Hints()
        self._reader = open_table(path)
        self.shape: Shape = recognise(self._reader.header)
        first = next(self._reader.tables(CHUNK_ROWS), None)
        if first is None or first.empty:
            raise InvalidInput(f"{path.name} has a header but no rows.", field="path")
        time = self._time_column(first)
        self.times: TimeReading = read_times(time, self._time_name(), self.hints)
        self.timeframe = self._choose_timeframe(time)
        self._symbol = normal_symbol(self.hints.symbol) if self.hints.symbol else None
        if self._symbol is None and "symbol" not in self.shape.columns:
            raise self._nameless()

    @property
    def rows(self) -> int:
        """About how many rows there are, for progress."""
        return self._reader.rows

    def chunks(self, size: int = CHUNK_ROWS) -> Iterator[Chunk]:
        """The rows in the order of the file, one symbol a chunk."""
        for table in self._reader.tables(size):
            if "symbol" in self.shape.columns and self._symbol is None:
                column = table.iloc[:, self.shape.columns["symbol"]].astype("string")
                for symbol, part in table.groupby(column.str.strip().str.upper(), sort=True):
                    yield self._chunk(normal_symbol(str(symbol)), part)
            else:
                yield self._chunk(self._symbol or "", table)

    # -------------------------------------------------------------------------- helpers

    def _chunk(self, symbol: str, table: "pd.DataFrame") -> Chunk:
        rows = np.empty(len(table), dtype=BAR)
        rows["start"], rows["end"] = self._bounds(*self.times.instants(self._time_column(table)))
        rows["vwap"] = np.nan
        for name in (*VALUES, "vwap"):
            if name in self.shape.columns:
                rows[name] = floats(table.iloc[:, self.shape.columns[name]])
        extra = len(table.columns) > len(self.shape.header)
        malformed = table[_EXTRA].notna().to_numpy() if extra else np.zeros(len(table), np.bool_)
        return Chunk(BarBatch(symbol, self.timeframe, rows), malformed, table, self.shape.header)

    def _bounds(self, times: Nanos, bad: Flags) -> tuple[Nanos, Nanos]:
        starts = self._daily(times) if self.timeframe is Timeframe.D1 else times
        ends = self.calendar.bounds(self.timeframe, starts)[1]
        # A day without trading has no close; whatever the end, the row will be quarantined.
        ends = np.maximum(ends, starts + 1)
        return np.where(bad, 0, starts), np.where(bad, 0, ends)

    def _daily(self, times: Nanos) -> Nanos:
        """Opens of the sessions that daily rows are dated with."""
        days = times.astype("datetime64[ns]").astype("datetime64[D]")
        at_midnight = bool((times % (86_400 * 10**9) == 0).all())
        if self.times.kind is not TimeKind.DATE and not at_midnight:
            local = self.calendar.session_days(times)
            days = np.where(np.isnat(local), days, local)
        return self.calendar.daily_starts(days)

    def _time_column(self, table: "pd.DataFrame") -> "pd.Series":
        columns = [table.iloc[:, position] for position in self.shape.time]
        if len(columns) == 1:
            return columns[0]
        day, clock = (column.astype("string").str.strip() for column in columns)
        return day + " " + clock

    def _time_name(self) -> str:
        return " ".join(self.shape.header[i] for i in self.shape.time)

    def _choose_timeframe(self, time: "pd.Series") -> Timeframe:
        starts, bad = self.times.instants(time)
        given = self.hints.timeframe
        if given is None:
            return infer_timeframe(starts[~bad], self.times.kind)
        if self.times.kind is TimeKind.DATE and given is not Timeframe.D1:
            raise InvalidInput(
                f"The rows of {self.path.name} have dates without a time of day.",
                field="timeframe",
                remedy="They are daily bars: --timeframe 1d.",
            )
        return given

    def _nameless(self) -> InvalidInput:
        guess = symbol_in_name(self.path) or "AAPL"
        return InvalidInput(
            f"{self.path.name} does not say whose bars these are.",
            field="symbol",
            remedy=f"Name the symbol, for example --symbol {guess}.",
        )


def judge_file(path: Path, calendar: TradingCalendar, hints: Hints) -> Verdict:
    """All rows of a file of one symbol, judged at once."""
    parts = list(BarFile(path, calendar, hints).chunks())
    whole = concatenate(part.batch for part in parts)
    malformed = np.concatenate([part.malformed for part in parts])
    return validate(whole, calendar, malformed=malformed)


def read_bars(path: Path, calendar: TradingCalendar, hints: Hints) -> BarBatch:
    """All believable bars of a file of one symbol, sorted; the rest is left out."""
    return judge_file(path, calendar, hints).good.sorted()


# ------------------------------------------------------------------------------ readers


class _Csv:
    """A CSV file, perhaps in gzip, as tables of unnamed columns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._zipped = _starts_with(path, _GZIP)
        self.rows = max(_count_lines(path, self._zipped) - 1, 0)
        with self._stream() as stream:
            line = stream.readline()
        if not line.strip():
            raise InvalidInput(f"{path.name} is empty.", field="path")
        self._separator = max(",;\t|", key=line.count)
        fields = next(csv.reader([line], delimiter=self._separator))
        self.header = tuple(field.strip() for field in fields)

    def tables(self, size: int, text: Sequence[int] = ()) -> Iterator["pd.DataFrame"]:
        """Some rows at a time; the columns at the places `text` are never taken for numbers."""
        import pandas as pd  # noqa: PLC0415

        # one column more than the header names: a row that fills it has too many fields
        names = [*(str(i) for i in range(len(self.header))), _EXTRA]
        with self._stream() as stream:
            stream.readline()
            try:
                yield from pd.read_csv(
                    _Headed(self._separator.join(names), stream),
                    sep=self._separator,
                    index_col=False,
                    dtype={str(place): "string" for place in text},
                    chunksize=size,
                    low_memory=False,
                    skipinitialspace=True,
                )
            except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
                raise _not_a_table(self._path, str(error)) from None

    @contextmanager
    def _stream(self) -> Iterator[IO[str]]:
        opened: Any = gzip.open if self._zipped else open
        try:
            with opened(self._path, "rt", encoding="utf-8-sig", newline="") as stream:
                yield stream
        except UnicodeDecodeError:
            raise _not_a_table(self._path, "it is not text in UTF-8") from None


class _Headed(io.TextIOBase):
    """A stream with another first line."""

    def __init__(self, header: str, rest: IO[str]) -> None:
        self._first = f"{header}\n"
        self._rest = rest

    def read(self, size: int | None = -1) -> str:
        if self._first:
            first, self._first = self._first, ""
            return first
        return self._rest.read(-1 if size is None else size)

    def readable(self) -> bool:
        return True


class _Parquet:
    """A Parquet file as tables of unnamed columns."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa  # noqa: PLC0415
        import pyarrow.parquet as pq  # noqa: PLC0415

        try:
            self._file = pq.ParquetFile(path)
        except pa.ArrowException as error:
            raise _not_a_table(path, str(error)) from None
        self.rows = self._file.metadata.num_rows
        self.header = tuple(self._file.schema_arrow.names)

    def tables(self, size: int, text: Sequence[int] = ()) -> Iterator["pd.DataFrame"]:
        """Some rows at a time; columns have the types of the file, whatever `text` says."""
        for part in self._file.iter_batches(size):
            table = part.to_pandas(ignore_metadata=True)
            table.columns = [str(i) for i in range(len(self.header))]
            yield table


def open_table(path: Path) -> _Csv | _Parquet:
    """A file as tables of unnamed columns under its `header`. Raises InvalidInput."""
    if not path.is_file():
        raise InvalidInput(f"There is no file {path}.", field="path")
    return _Parquet(path) if _starts_with(path, _PARQUET) else _Csv(path)


def _starts_with(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


def _count_lines(path: Path, zipped: bool) -> int:
    """Read a file to its end once, so that a damaged one is found before anything is stored."""
    lines, last = 0, b"\n"
    opened: Any = gzip.open if zipped else open
    try:
        with opened(path, "rb") as file:
            while block := file.read(_BLOCK):
                if b"\0" in block:
                    raise _not_a_table(path, "it holds binary data")
                lines += block.count(b"\n")
                last = block[-1:]
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InvalidInput(
            f"{path.name} is damaged or cut off ({error}); nothing was imported.",
            field="path",
            remedy="Get the file again.",
        ) from None
    return lines + (last != b"\n")


def _not_a_table(path: Path, why: str) -> InvalidInput:
    return InvalidInput(
        f"{path.name} cannot be read as a table: {why}.",
        field="path",
        remedy="Give a CSV (plain or gzip) or Parquet file.",
    )


def floats(column: "pd.Series") -> np.ndarray:
    """A column as numbers, NaN for what is none."""
    import pandas as pd  # noqa: PLC0415

    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
