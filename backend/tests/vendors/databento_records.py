"""DBN records and heads as Databento's own library writes them, from plain values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import SimpleNamespace
from typing import Any, Final

import databento_dbn
from databento_dbn import UNDEF_PRICE, UNDEF_TIMESTAMP

dbn: Any = databento_dbn
"Untyped: its stubs say that enumerations are texts and numbers, and that levels are lists."

VENUE: Final = 2
"Publisher: XNAS.ITCH of Nasdaq."
INSTRUMENTS: Final[dict[str, int]] = {
    "AAPL": 32,
    "SPY": 15144,
    "AAPL  261218C00250000": 1_100_000_001,
    "AAPL  270115P00200000": 1_100_000_002,
}
"""What the loopback knows, by raw symbol."""
_DELAY: Final = 1_000
ROLLED: Final = date(2000, 1, 1), date(2100, 1, 1)


def fixed(price: float | None) -> int:
    return UNDEF_PRICE if price is None else round(price * 1e9)


@dataclass(frozen=True, slots=True)
class Event:
    """Something of one symbol, as each schema shows it (bytes by schema)."""

    symbol: str
    "Raw."
    at: int
    shown: Mapping[str, bytes]
    delay: int = 0
    "From when it happened until it was received, which is what the history is asked by."

    @property
    def received(self) -> int:
        return self.at + self.delay


def trade(symbol: str, price: float, size: int, at: int, sequence: int = 1) -> Event:
    """A print: in `trades`, and beside the book in `mbp-1`."""
    shared = {
        "publisher_id": VENUE,
        "instrument_id": INSTRUMENTS[symbol],
        "ts_event": at,
        "price": fixed(price),
        "size": size,
        "action": dbn.Action.TRADE,
        "side": dbn.Side.BID,
        "depth": 0,
        "ts_recv": at + _DELAY,
        "flags": 130,
        "sequence": sequence,
    }
    levels = _level(price - 0.01, 100, price + 0.01, 200)
    shown = {
        "trades": bytes(dbn.TradeMsg(**shared)),
        "mbp-1": bytes(dbn.MBP1Msg(**shared, levels=levels)),
    }
    return Event(symbol, at, shown, _DELAY)


def quote(
    symbol: str,
    bid: float | None,
    ask: float | None,
    at: int,
    *,
    sizes: tuple[int, int] = (100, 200),
    sequence: int = 1,
) -> Event:
    """A top of book: every change in `mbp-1`, by the second in `bbo-1s` and `cbbo-1s`."""
    head = {"publisher_id": VENUE, "instrument_id": INSTRUMENTS[symbol]}
    level = _level(bid, sizes[0], ask, sizes[1])
    change = dbn.MBP1Msg(
        **head, ts_event=at, price=fixed(bid), size=sizes[0], action=dbn.Action.ADD,
        side=dbn.Side.BID, depth=0, ts_recv=at + _DELAY, sequence=sequence, levels=level,
    )  # fmt: skip
    second = {
        **head, "ts_event": UNDEF_TIMESTAMP, "price": UNDEF_PRICE, "size": 0,
        "side": dbn.Side.NONE, "ts_recv": at,
    }  # fmt: skip
    shown = {
        "mbp-1": bytes(change),
        "bbo-1s": bytes(dbn.BBOMsg(rtype=195, **second, levels=level)),
        "cbbo-1s": bytes(dbn.CBBOMsg(rtype=192, **second, levels=_consolidated(level))),
    }
    return Event(symbol, at, shown)


def bar(symbol: str, schema: str, at: int, values: tuple[float, float, float, float, int]) -> Event:
    """A bar that begins at `at`: open, high, low, close, volume."""
    rtype = {"ohlcv-1s": 32, "ohlcv-1m": 33, "ohlcv-1h": 34, "ohlcv-1d": 35}[schema]
    opened, high, low, close = map(fixed, values[:4])
    message = dbn.OHLCVMsg(
        rtype=rtype, publisher_id=VENUE, instrument_id=INSTRUMENTS[symbol], ts_event=at,
        open=opened, high=high, low=low, close=close, volume=values[4],
    )  # fmt: skip
    return Event(symbol, at, {schema: bytes(message)})


def definition(symbol: str, underlying: str, at: int, action: str = "ADD") -> Event:
    """An option as it is defined every morning; `action` DELETE takes it away."""
    right = dbn.InstrumentClass.CALL if symbol[12] == "C" else dbn.InstrumentClass.PUT
    message = dbn.InstrumentDefMsg(
        publisher_id=30, instrument_id=INSTRUMENTS[symbol], ts_event=at, ts_recv=at,
        min_price_increment=10_000_000, display_factor=10**9, raw_symbol=symbol,
        asset=underlying, security_type="OPT", instrument_class=right,
        security_update_action=getattr(dbn.SecurityUpdateAction, action),
        strike_price=int(symbol[13:]) * 10**6, underlying=underlying, exchange="OPRA",
    )  # fmt: skip
    return Event(symbol, at, {"definition": bytes(message)})


def mapping(symbol: str, at: int, parent: str | None = None) -> bytes:
    """What a live session says of a symbol before its first record; `parent` is what was asked."""
    return bytes(
        dbn.SymbolMappingMsg(
            publisher_id=VENUE, instrument_id=INSTRUMENTS[symbol], ts_event=at,
            stype_in=dbn.SType.PARENT if parent else dbn.SType.RAW_SYMBOL,
            stype_in_symbol=parent or symbol,
            stype_out=dbn.SType.RAW_SYMBOL, stype_out_symbol=symbol,
            start_ts=UNDEF_TIMESTAMP, end_ts=UNDEF_TIMESTAMP,
        )
    )  # fmt: skip


def system(text: str, code: Any, at: int) -> bytes:
    return bytes(dbn.SystemMsg(ts_event=at, msg=text, code=code))


def error(text: str, code: Any, at: int) -> bytes:
    return bytes(dbn.ErrorMsg(ts_event=at, err=text, code=code))


def live_head(dataset: str, at: int) -> bytes:
    """What a live stream begins with."""
    return bytes(
        dbn.Metadata(
            dataset=dataset, start=at, stype_in=None, stype_out=dbn.SType.INSTRUMENT_ID,
            schema=None, version=3,
        )
    )  # fmt: skip


def history_head(dataset: str, schema: str, symbols: list[str], span: tuple[int, int]) -> bytes:
    """What an answer of the history API begins with."""
    mappings = [
        SimpleNamespace(
            raw_symbol=symbol,
            intervals=[
                SimpleNamespace(
                    start_date=ROLLED[0], end_date=ROLLED[1], symbol=str(INSTRUMENTS[symbol])
                )
            ],
        )
        for symbol in symbols
    ]
    return bytes(
        dbn.Metadata(
            dataset=dataset, start=span[0], end=span[1], stype_in=dbn.SType.RAW_SYMBOL,
            stype_out=dbn.SType.INSTRUMENT_ID, schema=dbn.Schema.from_str(schema),
            symbols=symbols, mappings=mappings, version=3,
        )
    )  # fmt: skip


def _level(bid: float | None, bid_size: int, ask: float | None, ask_size: int) -> Any:
    return dbn.BidAskPair(
        bid_px=fixed(bid), ask_px=fixed(ask), bid_sz=bid_size, ask_sz=ask_size, bid_ct=1, ask_ct=1
    )


def _consolidated(level: dbn.BidAskPair) -> Any:
    return dbn.ConsolidatedBidAskPair(
        bid_px=level.bid_px, ask_px=level.ask_px, bid_sz=level.bid_sz, ask_sz=level.ask_sz,
        bid_pb=VENUE, ask_pb=VENUE,
    )  # fmt: skip
