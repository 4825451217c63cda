"""Records of Databento's binary encoding (DBN) as our batches, whole arrays at once.

The layout is that of https://databento.com/docs/standards-and-conventions/databento-binary-encoding;
records of prints, tops of book and bars are the same in every version of it. Prices are integers in
1e-9 and 2**63 - 1 where there is none; times are ns UTC.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.market import Timeframe
from app.domain.options import is_occ, parse_occ
from app.marketdata.batch import (
    QUOTE,
    TICK,
    VALUES,
    BarBatch,
    Flags,
    Floats,
    Nanos,
    QuoteBatch,
    Rows,
    TickBatch,
    TickLabel,
)
from app.marketdata.calendar import TradingCalendar

_HEADER: Final = [
    ("length", "u1"),
    ("rtype", "u1"),
    ("publisher_id", "<u2"),
    ("instrument_id", "<u4"),
    ("ts_event", "<u8"),
]
_EVENT: Final = [
    *_HEADER,
    ("price", "<i8"),
    ("size", "<u4"),
    ("action", "S1"),
    ("side", "S1"),
    ("flags", "u1"),
    ("depth", "u1"),
    ("ts_recv", "<u8"),
    ("ts_in_delta", "<i4"),
    ("sequence", "<u4"),
]
TRADE: Final = np.dtype(_EVENT)
"One print."
TOP: Final = np.dtype(
    [
        *_EVENT,
        ("bid_px", "<i8"),
        ("ask_px", "<i8"),
        ("bid_sz", "<u4"),
        ("ask_sz", "<u4"),
        ("bid_ct", "<u4"),
        ("ask_ct", "<u4"),
    ]
)
"""A top of book: mbp-1, tbbo, bbo, and the consolidated cmbp-1, tcbbo and cbbo. Those differ in
fields that are not read here; `sequence` is zero where a record has none."""
BAR_RECORD: Final = np.dtype(
    [*_HEADER, *((name, "<i8") for name in ("open", "high", "low", "close")), ("volume", "<u8")]
)
"One bar; `ts_event` is its start."

TRADES: Final = 0
EVENT_TOPS: Final = frozenset({1, 177})
"mbp-1 (and tbbo) and cmbp-1: every event; action T is a print and the book before it."
PRINT_TOPS: Final = frozenset({194})
"tcbbo: a print and the book before it."
INTERVAL_TOPS: Final = frozenset({192, 193, 195, 196})
"cbbo and bbo by the second or minute; `ts_recv` is the end of the interval."
TOPS: Final = EVENT_TOPS | PRINT_TOPS | INTERVAL_TOPS
BARS: Final[Mapping[int, Timeframe]] = {
    32: Timeframe.S1,
    33: Timeframe.M1,
    34: Timeframe.H1,
    35: Timeframe.D1,
}
MAPPING: Final = np.dtype(
    [
        *_HEADER,
        ("stype_in", "u1"),
        ("asked", "S71"),
        ("stype_out", "u1"),
        ("given", "S71"),
        ("start", "<u8"),
        ("end", "<u8"),
    ]
)
"A live session's word on which instrument id a symbol has from now on."
MAPPING_TYPE: Final = 22
LAYOUTS: Final[Mapping[int, np.dtype[np.void]]] = {
    TRADES: TRADE,
    **dict.fromkeys(TOPS, TOP),
    **dict.fromkeys(BARS, BAR_RECORD),
}
"How records of each type that we store are laid out."
_OTHERS: Final = frozenset({10, 17, 18, 19, 20, 21, 22, 23, 24, 36, 160})
"Types that exist and are no columns here: definitions, mappings, system messages, …"

_UNIT: Final = 4
"A record's length is told in units of this many bytes."
_SHORTEST: Final = 16
_TS_OUT: Final = 8
"Bytes of the time of sending, which a live session may ask to have behind every record."
_UNDEFINED: Final = np.int64(2**63 - 1)
_SCALE: Final = 1e9
_DAY_NS: Final = np.uint64(86_400 * 10**9)
_LAST_DAY: Final = 2**31
_PRINT: Final = b"T"

_MARKS: Final[Mapping[int, str]] = {
    32: "snapshot",
    8: "bad receive time",
    4: "book may be incomplete",
}
"Flags of a record that a reader of a print may want to know."
_TOLD: Final = np.int32(sum(_MARKS))
_PUBLISHERS: Final = 1024
"There are about 150; those beyond share one label."
_SNAPSHOT: Final = 32


def our_symbol(raw: str) -> str:
    """Databento's raw symbol as we write it: options without blanks."""
    raw = raw.strip()
    return parse_occ(raw).symbol if is_occ(raw) else raw


def raw_symbol(symbol: str) -> str:
    """Our symbol as Databento writes it: an option's root is filled up to six characters."""
    return parse_occ(symbol).padded if is_occ(symbol) else symbol


# ------------------------------------------------------------------------------ records


@dataclass(frozen=True, slots=True)
class Cut:
    """A piece of a stream taken apart."""

    rows: Mapping[int, Rows]
    "Records of the types in LAYOUTS, in their order."
    others: list[bytes]
    "Records of other types, one by one: they are rare."
    rest: bytes
    "The beginning of a record that is not whole yet."


def cut(data: bytes) -> Cut:
    """Take a piece of a DBN stream, without its metadata, apart by record type.

    Raises ValueError for what cannot be DBN.
    """
    if not data:
        return Cut({}, [], b"")
    offsets, end = _offsets(data)
    octets = np.frombuffer(data, np.uint8)
    types = octets[offsets + 1]
    rows: dict[int, Rows] = {}
    others: list[bytes] = []
    for kind in np.unique(types).tolist():
        chosen = offsets[types == kind] if len(offsets) and (types != kind).any() else offsets
        if kind in LAYOUTS:
            rows[kind] = _gather(data, octets, chosen, kind)
        elif kind in _OTHERS:
            others += [data[at : at + data[at] * _UNIT] for at in chosen.tolist()]
        else:
            raise ValueError(f"{kind} is no type of record")
    return Cut(rows, others, data[end:])


def _offsets(data: bytes) -> tuple[Nanos, int]:
    """Where the whole records begin, and where the last of them ends."""
    if len(data) < _UNIT:
        return np.empty(0, np.int64), 0
    size = _length(data, 0)
    count = len(data) // size
    lengths = np.frombuffer(data, np.uint8)[: count * size : size]
    end = count * size
    if (lengths != data[0]).any():
        return _walk(data)
    if end < len(data) and _length(data, end) <= len(data) - end:  # a shorter one at the end
        return _walk(data)
    return np.arange(count, dtype=np.int64) * size, end  # as in nearly every piece


def _walk(data: bytes) -> tuple[Nanos, int]:
    """As `_offsets` for records of different lengths: each tells where the next begins."""
    at, found, total = 0, [], len(data)
    while at < total:
        step = data[at] * _UNIT
        if step < _SHORTEST:
            _length(data, at)
        if at + step > total:
            break
        found.append(at)
        at += step
    return np.array(found, dtype=np.int64), at


def _length(data: bytes, at: int) -> int:
    size = data[at] * _UNIT
    if size < _SHORTEST:
        raise ValueError(f"a record cannot be {size} bytes long")
    return size


def _gather(data: bytes, octets: NDArray[np.uint8], offsets: Nanos, kind: int) -> Rows:
    """The records at `offsets` as one array."""
    layout = LAYOUTS[kind]
    size = layout.itemsize
    lengths = octets[offsets].astype(np.int64) * _UNIT
    extra = int(lengths[0]) - size if len(lengths) else 0
    if extra not in (0, _TS_OUT) or (lengths != size + extra).any():
        raise ValueError(f"a record of type {kind} has {size} bytes")
    if not extra and len(offsets) and offsets[-1] - offsets[0] == size * (len(offsets) - 1):
        return np.frombuffer(data, layout, len(offsets), int(offsets[0]))
    # every four bytes could begin a record: take those that do
    places = (len(data) - size) // _UNIT + 1
    everywhere: Rows = np.ndarray((places,), layout, data, strides=(_UNIT,))
    return everywhere[offsets // _UNIT]


# ---------------------------------------------------------------------------- columns


class Instruments:
    """Which symbol an instrument id stands for, and on which days (UTC)."""

    def __init__(self) -> None:
        self.unnamed: set[int] = set()
        "Ids of records that nobody had explained."
        self._symbols: tuple[str, ...] = ()
        self._places: dict[str, int] = {}
        self._spans: dict[tuple[int, int], tuple[int, int]] = {}
        self._table: tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.int32]] | None = None

    def add(
        self, instrument: int, raw: str, first: date | None = None, end: date | None = None
    ) -> None:
        """`instrument` is `raw` from `first` to before `end`; None leaves a side open."""
        place = self._places.setdefault(our_symbol(raw), len(self._places))
        day = _day_number(first, 0)
        self._spans[instrument, day] = _day_number(end, _LAST_DAY), place
        self._table = None

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every symbol that is known, ours; positions never change."""
        if len(self._symbols) != len(self._places):
            self._symbols = tuple(self._places)
        return self._symbols

    def positions(self, ids: NDArray[np.uint32], at: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Positions in `symbols` of instruments at instants (ns).

        An id that nobody explained stands for itself, as `#id`: validation knows no such symbol.
        """
        found = self._look_up(ids, at)
        unknown = found < 0
        if unknown.any():
            for instrument in np.unique(ids[unknown]).tolist():
                self.unnamed.add(instrument)
                self.add(instrument, f"#{instrument}")
            found = self._look_up(ids, at)
        return found

    def _look_up(self, ids: NDArray[np.uint32], at: NDArray[np.uint64]) -> NDArray[np.int32]:
        keys, ends, positions = self._table or self._build()
        if not len(keys):
            return np.full(len(ids), -1, np.int32)
        wanted = _key(ids, at // _DAY_NS)
        place = np.maximum(np.searchsorted(keys, wanted, side="right") - 1, 0)
        found = (keys[place] <= wanted) & (wanted < ends[place])
        return np.where(found, positions[place], np.int32(-1))

    def _build(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.int32]]:
        rows = [(i, first, end, p) for (i, first), (end, p) in sorted(self._spans.items())]
        ids, first, end, positions = np.array(rows, np.uint64).reshape(-1, 4).T
        self._table = _key(ids, first), _key(ids, end), positions.astype(np.int32)
        return self._table


def _day_number(day: date | None, default: int) -> int:
    return default if day is None else (day - date(1970, 1, 1)).days


def _key(ids: NDArray[np.unsignedinteger], days: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Instrument and day in one number."""
    return (ids.astype(np.uint64) << np.uint64(32)) | np.minimum(days, np.uint64(2**32 - 1))


class Columns:
    """Turns records into batches; symbols and labels are learned as they come."""

    def __init__(self, venues: Mapping[int, str] | None = None) -> None:
        """`venues` names publishers' exchanges; one that is absent shows by its number."""
        self.instruments = Instruments()
        self._venues = venues or {}
        self._labels: tuple[TickLabel, ...] = ()
        self._known = np.full(_PUBLISHERS << 8, -1, np.int32)
        "Position of the label of each publisher and flags."

    def ticks(self, records: Rows) -> TickBatch:
        """The prints among records of prints or of tops of book."""
        records = records[records["action"] == _PRINT]
        at = records["ts_event"]
        rows = np.empty(len(records), TICK)
        rows["at"], rows["sequence"] = at, records["sequence"]
        rows["symbol"] = self.instruments.positions(records["instrument_id"], at)
        rows["price"], rows["size"] = prices(records["price"]), records["size"]
        rows["label"] = self._label(records)
        return TickBatch(self.instruments.symbols, rows, self._labels or (TickLabel(),))

    def quotes(self, records: Rows, kind: int, *, with_prints: bool = False) -> QuoteBatch:
        """Tops of book of records of one type.

        The book beside a print is the one before it, and the change follows: such records are left
        out unless `with_prints` (tbbo has no others). Of several records of one message of the
        exchange, as of an order that is replaced, the last is the book that it left.
        """
        if kind in EVENT_TOPS and not with_prints:
            records = records[records["action"] != _PRINT]
            records = records[_ends_message(records)]
        at = records["ts_recv" if kind in INTERVAL_TOPS else "ts_event"]
        rows = np.empty(len(records), QUOTE)
        rows["at"], rows["sequence"] = at, records["sequence"]
        rows["symbol"] = self.instruments.positions(records["instrument_id"], at)
        for side, price in (("bid", "bid_px"), ("ask", "ask_px")):
            rows[side] = prices(records[price])
            rows[f"{side}_size"] = np.where(np.isnan(rows[side]), 0, records[f"{side}_sz"])
        return QuoteBatch(self.instruments.symbols, rows)

    def bars(
        self, records: Rows, kind: int, calendar: TradingCalendar
    ) -> Iterator[tuple[BarBatch, Rows]]:
        """Bars of records of one type, a batch a symbol, each with the records it is made of.

        Daily bars are of the session on their UTC day.
        """
        timeframe, at = BARS[kind], records["ts_event"]
        positions = self.instruments.positions(records["instrument_id"], at)
        for position in np.unique(positions).tolist():
            chosen = records[positions == position]
            symbol = self.instruments.symbols[position]
            yield _bars(symbol, timeframe, chosen, calendar), chosen

    def learn(self, record: bytes) -> None:
        """Take note of what a record of another type says of symbols."""
        if record[1] == MAPPING_TYPE and len(record) == MAPPING.itemsize:
            said = np.frombuffer(record, MAPPING)[0]
            self.instruments.add(int(said["instrument_id"]), said["asked"].decode())

    def _label(self, records: Rows) -> NDArray[np.int32]:
        publishers = np.minimum(records["publisher_id"].astype(np.int32), _PUBLISHERS - 1)
        codes = (publishers << 8) | (records["flags"] & _TOLD)
        found: NDArray[np.int32] = self._known[codes]
        if (found < 0).any():
            for code in np.unique(codes[found < 0]).tolist():
                self._known[code] = self._position(self._describe(code >> 8, code & 255))
            found = self._known[codes]
        return found

    def _position(self, label: TickLabel) -> int:
        if label not in self._labels:
            self._labels = (*self._labels, label)
        return self._labels.index(label)

    def _describe(self, publisher: int, flags: int) -> TickLabel:
        marks = [text for bit, text in _MARKS.items() if flags & bit]
        return TickLabel(
            exchange=self._venues.get(publisher, str(publisher)),
            conditions=", ".join(marks) or None,
            counts=not flags & _SNAPSHOT,
        )


def _ends_message(records: Rows) -> Flags:
    """Whether each record is the last of its instrument, instant and sequence."""
    ends = np.ones(len(records), np.bool_)
    same = records["sequence"][1:] != 0
    for name in ("instrument_id", "ts_event", "sequence"):
        same &= records[name][1:] == records[name][:-1]
    ends[:-1] = ~same
    return ends


def prices(fixed: NDArray[np.int64]) -> Floats:
    """Fixed-point prices as floats: the nearest to the decimal; NaN where there is none."""
    return np.where(fixed == _UNDEFINED, np.nan, fixed / _SCALE)


def _bars(symbol: str, timeframe: Timeframe, records: Rows, calendar: TradingCalendar) -> BarBatch:
    start: Nanos = records["ts_event"].astype(np.int64)
    if timeframe is Timeframe.D1:
        start = calendar.daily_starts(start.astype("datetime64[ns]").astype("datetime64[D]"))
    end = np.maximum(calendar.bounds(timeframe, start)[1], start + 1)
    values = {name: prices(records[name]) for name in VALUES if name != "volume"}
    volume: Floats = records["volume"].astype(np.float64)
    return BarBatch.of(symbol, timeframe, start, end, **values, volume=volume)
