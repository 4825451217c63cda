"""What Alpaca's pages and streams say, and the batches that we make of it."""

import struct
from collections.abc import Sequence
from itertools import groupby
from typing import Final

import msgspec
import numpy as np
from msgspec.msgpack import Ext

from app.domain.market import Timeframe
from app.marketdata.batch import (
    QUOTE,
    TICK,
    BarBatch,
    Floats,
    Nanos,
    QuoteBatch,
    TickBatch,
    TickLabel,
)
from app.marketdata.calendar import TradingCalendar

NOT_FOR_BARS: Final = frozenset("479CGHIMNPQRUVZ")
"""Conditions, on every tape, of prints that Alpaca leaves out of prices: derivatively priced, QCT,
corrected close, cash, bunched sold, price variation, odd lot, official close and open, next day,
prior reference, seller, out of sequence, contingent. Form T (`T`) alone makes bars after hours."""
NOT_FOR_OPTION_BARS: Final = frozenset("ABCDEGH")
"OPRA's conditions of prints that are cancelled, late or out of sequence."
AVERAGE_PRICE: Final = {"A": "B", "B": "B", "C": "W"}
"The code of an average price print, by tape."
VOID: Final = ("canceled", "incorrect")
"Updates of a print after which it is no longer valid."
CORRECTED_LATE: Final = "corrected late"
"Our word for a correction that was streamed: the wrong print had already made a bar."
SHARES_SINCE: Final = 1_762_128_000_000_000_000
"2025-11-03: quote sizes are shares since then, and were round lots before."
_LOT: Final = 100
_NS: Final = 1_000_000_000
_MASK: Final = (1 << 62) - 1

Instant = str | Ext


class BarRow(msgspec.Struct):
    """One bar of a page; `t` is its start, New York's midnight for a day."""

    t: str
    open: float = msgspec.field(name="o")
    high: float = msgspec.field(name="h")
    low: float = msgspec.field(name="l")
    close: float = msgspec.field(name="c")
    volume: float = msgspec.field(name="v")
    vwap: float = msgspec.field(name="vw", default=float("nan"))


class TradeRow(msgspec.Struct):
    """One print, of a page."""

    t: str
    p: float
    s: float
    i: int = 0
    x: str = ""
    c: list[str] | str | None = None
    z: str = ""
    u: str = ""


class QuoteRow(msgspec.Struct):
    """One top of book, of a page; a price of 0 means that there is none."""

    t: str
    bp: float = 0.0
    bs: float = 0.0
    ap: float = 0.0
    ask_size: float = msgspec.field(name="as", default=0.0)


class BarsPage(msgspec.Struct):
    bars: dict[str, list[BarRow]] | None = None
    next_page_token: str | None = None


class TradesPage(msgspec.Struct):
    trades: list[TradeRow] | None = None
    next_page_token: str | None = None


class OptionTradesPage(msgspec.Struct):
    trades: dict[str, list[TradeRow]] | None = None
    next_page_token: str | None = None


class QuotesPage(msgspec.Struct):
    quotes: list[QuoteRow] | None = None
    next_page_token: str | None = None


class OptionTradeRow(msgspec.Struct):
    """The last print of a contract."""

    t: str
    p: float
    s: float = 0.0


class OptionView(msgspec.Struct, rename="camel"):
    """One contract of a chain."""

    latest_quote: QuoteRow | None = None
    latest_trade: OptionTradeRow | None = None
    daily_bar: BarRow | None = None
    implied_volatility: float | None = None


class ChainPage(msgspec.Struct):
    snapshots: dict[str, OptionView] | None = None
    next_page_token: str | None = None


class StockView(msgspec.Struct, rename="camel"):
    """What a stock shows now."""

    latest_trade: TradeRow | None = None


class Asset(msgspec.Struct):
    """A row of the list of assets."""

    symbol: str
    name: str = ""
    exchange: str = ""


# ------------------------------------------------------------------------------ streams


class _Said(msgspec.Struct, tag_field="T"):
    """A message of a stream; `S` is the symbol, `t` a text or, in msgpack, a timestamp."""


class Told(_Said, tag="success"):
    msg: str = ""


class Refused(_Said, tag="error"):
    code: int = 0
    msg: str = ""


class Subscribed(_Said, tag="subscription"):
    trades: list[str] = []
    quotes: list[str] = []
    bars: list[str] = []


class Trade(_Said, tag="t"):
    S: str
    t: Instant
    p: float
    s: float
    i: int = 0
    x: str = ""
    c: list[str] | str | None = None
    z: str = ""
    u: str = ""


class Quote(_Said, tag="q"):
    S: str
    t: Instant
    bp: float = 0.0
    bs: float = 0.0
    ap: float = 0.0
    ask_size: float = msgspec.field(name="as", default=0.0)


class MinuteBar(_Said, tag="b"):
    S: str
    t: str
    open: float = msgspec.field(name="o")
    high: float = msgspec.field(name="h")
    low: float = msgspec.field(name="l")
    close: float = msgspec.field(name="c")
    volume: float = msgspec.field(name="v")
    vwap: float = msgspec.field(name="vw", default=float("nan"))


class UpdatedBar(MinuteBar, tag="u"):
    """A minute again, half a minute later, because prints came late."""


class Correction(_Said, tag="c"):
    """A print was wrong; `t` is when the correction was said, not when the print was made."""

    S: str
    t: Instant
    cp: float
    cs: float
    ci: int = 0
    x: str = ""
    cc: list[str] | None = None
    z: str = ""


class Cancel(_Said, tag="x"):
    """A print is void; `t` is when that was said."""

    S: str
    t: Instant
    p: float
    s: float
    i: int = 0
    x: str = ""
    z: str = ""


class DailyBar(_Said, tag="d"):
    """The day so far: nothing that is over."""


class Status(_Said, tag="s"):
    """A halt or its end."""


class Band(_Said, tag="l"):
    """Limit up, limit down."""


Message = (
    Told
    | Refused
    | Subscribed
    | Trade
    | Quote
    | MinuteBar
    | UpdatedBar
    | Correction
    | Cancel
    | DailyBar
    | Status
    | Band
)
Frame = list[Message]


def instants(times: Sequence[Instant]) -> Nanos:
    """RFC 3339 texts in UTC, or msgpack's timestamps, as ns."""
    if times and isinstance(times[0], str):
        texts = [text.removesuffix("Z") for text in times if isinstance(text, str)]
        return np.array(texts, dtype="datetime64[ns]").astype(np.int64)
    return np.array([_unpacked(bytes(t.data)) for t in times if isinstance(t, Ext)], dtype=np.int64)


def _unpacked(content: bytes) -> int:
    """A msgpack timestamp: seconds; or 30 bits of ns and 34 of seconds; or ns and seconds."""
    if len(content) == 4:
        return int.from_bytes(content, "big") * _NS
    if len(content) == 8:
        whole = int.from_bytes(content, "big")
        return (whole & (1 << 34) - 1) * _NS + (whole >> 34)
    nanos, seconds = struct.unpack(">Iq", content)
    return int(seconds) * _NS + int(nanos)


def bars(
    symbol: str,
    timeframe: Timeframe,
    rows: Sequence[BarRow | MinuteBar],
    calendar: TradingCalendar,
) -> BarBatch:
    """On our grid: a day runs from its session's open to its close."""
    starts, ends = calendar.bounds(timeframe, instants([row.t for row in rows]))
    values: dict[str, Floats] = {
        name: np.array([getattr(row, name) for row in rows], dtype=np.float64)
        for name in ("open", "high", "low", "close", "volume", "vwap")
    }
    return BarBatch.of(symbol, timeframe, starts, ends, **values).sorted()


def minute_bars(said: Sequence[MinuteBar], calendar: TradingCalendar) -> list[BarBatch]:
    """Bars of a stream, a batch a symbol; where one came twice, the last counts."""
    newest = {(bar.S, bar.t): bar for bar in said}
    ordered = sorted(newest.values(), key=lambda bar: bar.S)
    return [
        bars(symbol, Timeframe.M1, list(rows), calendar)
        for symbol, rows in groupby(ordered, lambda bar: bar.S)
    ]


def ticks(rows: Sequence[Trade | TradeRow], symbols: Sequence[str]) -> TickBatch:
    """Prints as columns; `symbols` has one entry a row."""
    names = {name: index for index, name in enumerate(dict.fromkeys(symbols))}
    labels: dict[tuple[str, str, str, str], int] = {}
    made = np.empty(len(rows), dtype=TICK)
    made["at"] = instants([row.t for row in rows])
    made["symbol"] = [names[name] for name in symbols]
    made["sequence"] = [_sequence(row.i, row.x) for row in rows]
    made["price"] = [row.p for row in rows]
    made["size"] = [row.s for row in rows]
    made["label"] = [
        labels.setdefault((row.x, "".join(row.c or ()), row.z, row.u), len(labels)) for row in rows
    ]
    return TickBatch(tuple(names), made, tuple(_label(*key) for key in labels))


def as_print(said: Trade | Correction | Cancel) -> Trade:
    """A correction and a cancel are told as prints that make no bars: `u` bars mend those."""
    if isinstance(said, Correction):
        return Trade(
            S=said.S, t=said.t, p=said.cp, s=said.cs, i=said.ci, x=said.x, c=said.cc, z=said.z,
            u=CORRECTED_LATE,
        )  # fmt: skip
    if isinstance(said, Cancel):
        return Trade(
            S=said.S, t=said.t, p=said.p, s=said.s, i=said.i, x=said.x, z=said.z, u=VOID[0]
        )
    return said


def quotes(rows: Sequence[Quote | QuoteRow], symbols: Sequence[str]) -> QuoteBatch:
    """Tops of book as columns; `symbols` has one entry a row. Sizes are in shares or contracts."""
    names = {name: index for index, name in enumerate(dict.fromkeys(symbols))}
    made = np.zeros(len(rows), dtype=QUOTE)
    made["at"] = instants([row.t for row in rows])
    made["symbol"] = [names[name] for name in symbols]
    lots = np.where(made["at"] < SHARES_SINCE, _LOT, 1)
    for side, prices, sizes in (
        ("bid", [row.bp for row in rows], [row.bs for row in rows]),
        ("ask", [row.ap for row in rows], [row.ask_size for row in rows]),
    ):
        price = np.array(prices, dtype=np.float64)
        there = price > 0
        made[side] = np.where(there, price, np.nan)
        made[f"{side}_size"] = np.where(there, np.array(sizes, dtype=np.float64) * lots, 0.0)
    return QuoteBatch(tuple(names), made)


def _sequence(number: int, exchange: str) -> int:
    """Numbers are an exchange's own: two exchanges may use one at the same instant."""
    return (number * 37 + ord(exchange[:1] or "\0")) & _MASK


def _label(exchange: str, conditions: str, tape: str, update: str) -> TickLabel:
    said = conditions.replace("@", "").replace(" ", "")
    # only stocks have a tape
    excluded = NOT_FOR_BARS.union(AVERAGE_PRICE.get(tape, "")) if tape else NOT_FOR_OPTION_BARS
    counts = not excluded.intersection(said) and update not in (*VOID, CORRECTED_LATE)
    named = " ".join(filter(None, (said, update)))
    return TickLabel(exchange or None, named or None, counts)
