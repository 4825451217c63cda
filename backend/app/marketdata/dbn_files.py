"""Files in Databento's binary encoding (DBN), plain or zstd: bars, prints, quotes, definitions."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal, cast

import msgspec
import numpy as np

from app.core.errors import InvalidInput
from app.domain.market import Timeframe
from app.marketdata import dbn
from app.marketdata.batch import BarBatch, QuoteBatch, Rows, TickBatch
from app.marketdata.calendar import TradingCalendar
from app.marketdata.files import Chunk
from app.marketdata.shapes import Hints, Shape

if TYPE_CHECKING:
    from databento import DBNStore
    from databento.common.dbnstore import DataSource

Kind = Literal["bars", "ticks", "quotes", "definitions"]

_MAGIC: Final = b"DBN"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_PIECE: Final = 1 << 20
"Bytes that are taken apart at once."

KINDS: Final[Mapping[str, tuple[Kind, ...]]] = {
    "trades": ("ticks",),
    "tbbo": ("ticks", "quotes"),
    "tcbbo": ("ticks", "quotes"),
    "mbp-1": ("quotes", "ticks"),
    "cmbp-1": ("quotes", "ticks"),
    "bbo-1s": ("quotes",),
    "bbo-1m": ("quotes",),
    "cbbo-1s": ("quotes",),
    "cbbo-1m": ("quotes",),
    "ohlcv-1s": ("bars",),
    "ohlcv-1m": ("bars",),
    "ohlcv-1h": ("bars",),
    "ohlcv-1d": ("bars",),
    "definition": ("definitions",),
}
"What is in files of each schema, the usual first."
_PRINTS_ONLY: Final = ("tbbo", "tcbbo")
_TIMEFRAMES: Final = {f"ohlcv-{timeframe}": timeframe for timeframe in Timeframe}


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument as the vendor defines it; None where it does not say."""

    symbol: str
    "Ours: options as OCC symbol without blanks, which tells expiry, right and strike."
    underlying: str | None = None
    exchange: str | None = None
    "MIC of the venue that published it, which need not be where it is listed."


class DbnData:
    """Records of one schema, and the symbols they are about: a file, or an answer of the API."""

    def __init__(self, store: "DBNStore", name: str) -> None:
        self.name = name
        self._store = store
        self.dataset: str = store.dataset
        self.schema = str(store.schema) if store.schema is not None else None
        self.kinds: tuple[Kind, ...] = KINDS.get(self.schema or "", ())
        self.columns = dbn.Columns(venues())
        self._learn(store.metadata.mappings)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Ours, of everything that the file's head names."""
        return self.columns.instruments.symbols

    def records(self) -> Iterator[tuple[int, Rows]]:
        """Records by type, piece by piece. Raises InvalidInput where the file is damaged."""
        rest = b""
        try:
            reader = self._store.reader
            head = reader.read(8)
            reader.read(int.from_bytes(head[4:], "little"))
            while data := reader.read(_PIECE):
                piece = dbn.cut(rest + data)
                rest = piece.rest
                for other in piece.others:
                    self.columns.learn(other)
                yield from piece.rows.items()
        except damage() as error:
            raise _damaged(self.name, str(error)) from None
        finally:
            self.close()
        if rest:
            raise _damaged(self.name, "its last record is not whole")

    def ticks(self) -> Iterator[TickBatch]:
        """The prints in the order of the file, a piece of it a batch."""
        for kind, rows in self.records():
            if kind == dbn.TRADES or kind in dbn.TOPS - dbn.INTERVAL_TOPS:
                yield self.columns.ticks(rows)

    def quotes(self) -> Iterator[QuoteBatch]:
        """The tops of book in the order of the file, a piece of it a batch."""
        for kind, rows in self.records():
            if kind in dbn.TOPS:
                with_prints = self.schema in _PRINTS_ONLY
                yield self.columns.quotes(rows, kind, with_prints=with_prints)

    def bars(self, calendar: TradingCalendar) -> Iterator[tuple[BarBatch, Rows]]:
        """The bars, a batch a symbol and piece, each with the records it was made of."""
        for kind, rows in self.records():
            if kind in dbn.BARS:
                yield from self.columns.bars(rows, kind, calendar)

    def definitions(self) -> Iterator[Definition]:
        """The instruments that are defined; a later definition of one replaces an earlier."""
        try:
            for record in self._store:
                if hasattr(record, "strike_price"):
                    yield _definition(record)
        finally:
            self.close()

    def close(self) -> None:
        """Give back the file, if there is one; reading opens it again."""

    # -------------------------------------------------------------------------- helpers

    def _learn(self, mappings: Mapping[str, list[Any]]) -> None:
        """Symbols of instrument ids by day, whichever of the two was asked for."""
        for asked, spans in mappings.items():
            for span in spans:
                given = str(span["symbol"])
                number, raw = (given, asked) if given.isdigit() else (asked, given)
                if raw and number.isdigit():
                    first, end = span["start_date"], span["end_date"]
                    self.columns.instruments.add(int(number), raw, first, end)


class DbnFile(DbnData):
    """A DBN file. Raises InvalidInput for what is none, and for schemas that are not stored."""

    def __init__(self, path: Path) -> None:
        from databento import DBNStore  # noqa: PLC0415 - most of a second

        self.path = path
        self._source = _Source(path)
        try:
            store = DBNStore(cast("DataSource", self._source))
        except damage() as error:
            raise _damaged(path.name, str(error)) from None
        finally:
            self._source.close()
        super().__init__(store, path.name)
        if not self.kinds:
            raise InvalidInput(
                f"{path.name} holds the schema {self.schema or 'of a mixed stream'}, which"
                " Tradewright does not store.",
                field="path",
                remedy=f"What is stored: {', '.join(KINDS)}.",
            )

    def close(self) -> None:
        self._source.close()

    @property
    def kind(self) -> Kind:
        """What the file holds; of two things the usual one."""
        return self.kinds[0]

    def require(self, kind: str) -> None:
        """Raises InvalidInput when there is nothing of `kind` in the file."""
        if kind not in self.kinds:
            raise InvalidInput(
                f"{self.name} holds {self.schema}, not {kind}.",
                field="kind",
                remedy=" or ".join(f"--kind {known}" for known in self.kinds) + ".",
            )

    @property
    def rows(self) -> int:
        """About how many records there are, for progress: an answer in zstd is some 4:1."""
        size = self.path.stat().st_size
        packed = 4 if self.path.read_bytes()[:4] == _ZSTD else 1
        return max(packed * size // dbn.TOP.itemsize, 1)


class _Source:
    """A file for the library to read, which its own class would leave open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self.name = path.name

    @property
    def nbytes(self) -> int:
        return self._path.stat().st_size

    @property
    def reader(self) -> BinaryIO:
        """The file from its beginning."""
        self.close()
        self._file = self._path.open("rb")
        return self._file

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class DbnBars:
    """Bars of a DBN file with what an import asks of a `BarFile`."""

    def __init__(self, path: Path, calendar: TradingCalendar, hints: Hints | None = None) -> None:
        self._data = DbnFile(path)
        self._data.require("bars")
        self._hints = hints or Hints()
        self.path = path
        self.calendar = calendar
        self.timeframe = _TIMEFRAMES[self._data.schema or ""]
        self.shape = Shape(columns={}, time=(), header=())
        self._refuse_hints()

    @property
    def rows(self) -> int:
        return self._data.rows

    def chunks(self, size: int = 0) -> Iterator[Chunk]:
        """The bars in the order of the file, one symbol a chunk, with the records behind them."""
        import pandas as pd  # noqa: PLC0415

        for batch, records in self._data.bars(self.calendar):
            columns = {name: records[name] for name in records.dtype.names or ()}
            # a column of text: rows of numbers alone would come out as floats
            table = pd.DataFrame({"symbol": batch.symbol, **columns})
            malformed = np.zeros(len(batch), np.bool_)
            yield Chunk(batch, malformed, table, tuple(map(str, table.columns)))

    def _refuse_hints(self) -> None:
        given, symbol = self._hints.timeframe, self._hints.symbol
        if given not in (None, self.timeframe):
            raise InvalidInput(
                f"{self.path.name} holds {self.timeframe} bars.",
                field="timeframe",
                remedy="A DBN file says its timeframe: leave the option out.",
            )
        if symbol and self._data.symbols and symbol.upper() not in self._data.symbols:
            raise InvalidInput(
                f"{self.path.name} is about {', '.join(self._data.symbols)}, not {symbol}.",
                field="symbol",
                remedy="A DBN file names its symbols: leave the option out.",
            )


def is_dbn(path: Path) -> bool:
    """Whether a file is DBN by its first bytes, or is named so and packed in zstd."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(4)
    return head[:3] == _MAGIC or (head == _ZSTD and ".dbn" in path.name.lower())


@cache
def venues() -> Mapping[int, str]:
    """Market identifier codes by Databento's number of the publisher."""
    from databento import Publisher  # noqa: PLC0415

    return {publisher.to_int(): str(publisher.venue) for publisher in Publisher}


def _definition(record: Any) -> Definition:  # noqa: ANN401 - one of three record versions
    return Definition(
        symbol=dbn.our_symbol(record.raw_symbol),
        underlying=record.underlying.strip() or None,
        exchange=record.exchange.strip() or None,
    )


def damage() -> tuple[type[Exception], ...]:
    """What the library and those below it raise for a file that is damaged."""
    from databento import BentoError  # noqa: PLC0415
    from databento_dbn import DBNError  # noqa: PLC0415
    from zstandard import ZstdError  # noqa: PLC0415

    return BentoError, DBNError, ZstdError, OSError, ValueError


def _damaged(name: str, why: str) -> InvalidInput:
    return InvalidInput(
        f"{name} cannot be read as DBN: {why}.",
        field="path",
        remedy="Give a .dbn or .dbn.zst file as Databento delivers it.",
    )
