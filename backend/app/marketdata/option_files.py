"""Files of option chains, CSV or Parquet: which column is which, and what its rows say."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from app.core.errors import InvalidInput
from app.domain.options import (
    OptionContract,
    is_adjusted,
    occ_symbol,
    option_type_of,
    parse_occ,
    strike_of,
)
from app.marketdata.batch import Floats, Nanos
from app.marketdata.calendar import TradingCalendar
from app.marketdata.files import CHUNK_ROWS, floats, open_table
from app.marketdata.option_validation import Codes, OptionReason, bit
from app.marketdata.options import QUOTED, OptionBatch
from app.marketdata.shapes import Hints, TimeKind, TimeReading, read_times

if TYPE_CHECKING:
    import pandas as pd

_ALIASES: Final = {
    "symbol": ("symbol", "contract", "contract_symbol", "contractsymbol", "occ_symbol",
        "option_symbol", "optionsymbol", "osi", "raw_symbol", "contractname", "contractid"),
    "underlying": ("underlying", "underlying_symbol", "root", "root_symbol", "ticker", "act_symbol",
        "underlyingsymbol"),
    "expiry": ("expiry", "expiration", "expiration_date", "expirationdate", "expire_date",
        "exdate", "maturity"),
    "strike": ("strike", "strike_price", "strikeprice"),
    "type": ("right", "type", "option_type", "optiontype", "call_put", "callput", "cp_flag",
        "put_call", "cp"),
    "at": ("ts_utc", "timestamp", "timestamp_utc", "quote_datetime", "datetime", "ts_event", "at",
        "date", "quote_date", "quotedate", "data_date", "lasttradedate", "time"),
    "bid": ("bid", "bid_price", "best_bid", "bid_px_00", "bid_1545"),
    "ask": ("ask", "ask_price", "best_offer", "best_ask", "ask_px_00", "ask_1545"),
    "last": ("last", "last_price", "lastprice", "close", "mark", "price", "trade_price"),
    "volume": ("volume", "vol", "trade_volume", "totalvolume"),
    "open_interest": ("open_interest", "openinterest", "oi"),
    "underlying_price": ("underlying_price", "underlying_close", "underlying_last", "spot",
        "underlyingprice", "active_underlying_price_1545", "stock_price"),
    "implied_volatility": ("implied_volatility", "impliedvolatility", "iv", "impl_volatility",
        "mid_iv"),
}  # fmt: skip
"""Header names by meaning, lower case with underscores; the first that is there wins."""

_PARTS: Final = ("underlying", "expiry", "strike", "type")
_PRICES: Final = ("bid", "ask", "last")
_NOBODY: Final = OptionContract("NONE", date(2099, 1, 2), strike_of("1"), option_type_of("call"))
"Stands where a row names no contract."


@dataclass(frozen=True, slots=True, eq=False)
class OptionChunk:
    """Some rows of a file as read, not judged yet."""

    batch: OptionBatch
    codes: Codes
    "What is wrong with a row before anything is compared."
    said: Floats
    "Implied volatilities as the file has them, NaN where it has none."
    table: "pd.DataFrame"
    header: tuple[str, ...]

    def told(self, position: int) -> tuple[str, dict[str, str]]:
        """The contract of row `position` (empty where it names none), and the row as it stands."""
        contract = self.batch.contracts[int(self.batch.rows["contract"][position])]
        present = zip(self.header, self.table.iloc[position].tolist(), strict=False)
        record = {name: str(value) for name, value in present if value == value}
        return "" if contract is _NOBODY else contract.symbol, record


class OptionFile:
    """One file of option quotes. Opening it decides how it is read.

    Raises InvalidInput for what is no such file, and for what a hint must tell. A date without a
    time of day is the close of that session.
    """

    def __init__(self, path: Path, calendar: TradingCalendar, hints: Hints | None = None) -> None:
        self.path = path
        self._calendar = calendar
        self._hints = hints or Hints()
        self._reader = open_table(path)
        self.header: tuple[str, ...] = self._reader.header
        self.columns = recognise(self.header)
        if not self._hints.symbol and not self.columns.keys() & {"symbol", "underlying"}:
            raise InvalidInput(
                f"{path.name} does not say whose options these are.",
                field="symbol",
                remedy="Name the underlying, for example --symbol GOOG.",
            )
        first = next(self._reader.tables(CHUNK_ROWS), None)
        if first is None or first.empty:
            raise InvalidInput(f"{path.name} has a header but no rows.", field="path")
        self.times = self._reading(first)
        self._contracts: dict[tuple[object, ...], tuple[OptionContract, int]] = {}

    @property
    def rows(self) -> int:
        """About how many rows there are, for progress."""
        return self._reader.rows

    @property
    def ignored(self) -> list[str]:
        """Names of the columns that nothing is made of."""
        used = set(self.columns.values())
        return [name for i, name in enumerate(self.header) if i not in used]

    def chunks(self, size: int = CHUNK_ROWS) -> Iterator[OptionChunk]:
        """The rows in the order of the file."""
        for table in self._reader.tables(size):
            yield self._chunk(table)

    # -------------------------------------------------------------------------- helpers

    def _chunk(self, table: "pd.DataFrame") -> OptionChunk:
        contracts, places, codes = self._named(table)
        at, bad = self._instants(table)
        codes[bad] |= bit(OptionReason.BAD_TIME)
        values = {}
        for name in QUOTED:
            if name in self.columns:
                values[name], unreadable = _numbers(table.iloc[:, self.columns[name]])
                codes[unreadable] |= bit(OptionReason.NOT_A_NUMBER)
        for name in (*_PRICES, "underlying_price"):
            if name in values:
                values[name][values[name] == 0] = np.nan
        said = np.full(len(table), np.nan)
        if "implied_volatility" in self.columns:
            said = floats(table.iloc[:, self.columns["implied_volatility"]])
        batch = OptionBatch.of(contracts, at, places, **values)
        return OptionChunk(batch, codes, said, table, self.header)

    def _named(self, table: "pd.DataFrame") -> tuple[list[OptionContract], Any, Codes]:
        """Contracts of the rows, where each row's stands, and what is wrong with its name."""
        names = ("symbol",) if "symbol" in self.columns else _PARTS
        columns = [
            table.iloc[:, self.columns[name]].tolist()
            if name in self.columns
            else [self._hints.symbol] * len(table)
            for name in names
        ]
        contracts: dict[OptionContract, int] = {_NOBODY: 0}
        places = np.zeros(len(table), dtype=np.int32)
        codes = np.zeros(len(table), dtype=np.uint16)
        for row, cells in enumerate(zip(*columns, strict=True)):
            known = self._contracts.get(cells)
            if known is None:
                known = self._contracts[cells] = contract_of(cells)
            contract, codes[row] = known
            places[row] = contracts.setdefault(contract, len(contracts))
        return list(contracts), places, codes

    def _instants(self, table: "pd.DataFrame") -> tuple[Nanos, Any]:
        at, bad = self.times.instants(table.iloc[:, self.columns["at"]])
        if self.times.kind is TimeKind.DATE:
            closes = {int(day): self._close(int(day)) for day in np.unique(at[~bad]).tolist()}
            found = np.array([closes.get(one, 0) for one in at.tolist()], dtype=np.int64)
            bad = bad | (found == 0)
            at = found
        return np.where(bad, 0, at), bad

    def _close(self, midnight: int) -> int:
        day = np.datetime64(midnight, "ns").astype("datetime64[D]").astype(date)
        session = self._calendar.session_on(day)
        return session.close if session else 0

    def _reading(self, first: "pd.DataFrame") -> TimeReading:
        place = self.columns["at"]
        return read_times(first.iloc[:, place], self.header[place], self._hints)


def recognise(header: Sequence[str]) -> dict[str, int]:
    """Which column is which. Raises InvalidInput that names what is missing."""
    names = [name.strip().strip("<>[]").lower().replace(" ", "_") for name in header]
    found = {
        meaning: names.index(next(alias for alias in aliases if alias in names))
        for meaning, aliases in _ALIASES.items()
        if any(alias in names for alias in aliases)
    }
    if "symbol" not in found and not {"expiry", "strike", "type"} <= found.keys():
        raise _missing("which contracts the rows are of", "an OCC symbol, or expiry, strike and"
                       " right (C or P)", header)  # fmt: skip
    if "at" not in found:
        raise _missing("when its rows were true", "date or timestamp", header)
    if not found.keys() & set(_PRICES):
        raise _missing("what the contracts cost", "bid and ask, last or close", header)
    return found


def contract_of(cells: tuple[Any, ...]) -> tuple[OptionContract, int]:
    """The contract that a row names, by symbol or by its parts, and a code where it names none."""
    try:
        contract = parse_occ(str(cells[0])) if len(cells) == 1 else _assembled(*cells)
    except (InvalidInput, ValueError):
        return _NOBODY, int(bit(OptionReason.BAD_CONTRACT))
    if is_adjusted(contract.underlying):
        return contract, int(bit(OptionReason.ADJUSTED))
    return contract, 0


def _assembled(root: object, expiry: object, strike: object, right: object) -> OptionContract:
    day = date.fromisoformat(_day(str(expiry).strip()))
    name = str(root).strip().upper().replace(".", "").replace("-", "")
    number = strike_of(repr(strike) if isinstance(strike, float) else str(strike))
    return parse_occ(occ_symbol(name, day, option_type_of(str(right)), number))


def _day(text: str) -> str:
    """20160115, 2016-01-15 or 2016-01-15 00:00:00 as a date of ISO 8601."""
    digits = text.split("T")[0].split(" ")[0].removesuffix(".0")
    if len(digits) == 8 and digits.isdigit():
        return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
    return digits


def _numbers(column: "pd.Series") -> tuple[Floats, Any]:
    """A column as numbers, and which cells hold something that is none."""
    values = floats(column).copy()
    return values, np.isnan(values) & column.notna().to_numpy()


def _missing(what: str, wanted: str, header: Sequence[str]) -> InvalidInput:
    return InvalidInput(
        f"The file does not say {what}.",
        field="path",
        remedy=f"Name a column: {wanted}. It has {', '.join(header) or 'none'}.",
    )
