"""Live prices of one connection to the Gateway: its market data lines, as batches.

Few symbols may be followed tick by tick: they give every print, with the exchange's second. The
others are followed by market data lines, which IBKR samples four times a second: their prints carry
what was sold since the sample before, so that volumes are whole although prices are not.
"""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from app.adapters.clients.ibkr import IbkrSession
from app.adapters.clients.ibkr_errors import (
    NO_SUCH_SUBSCRIPTION,
    SHOWN_DELAYED,
    failure,
    is_about_symbol,
)
from app.core.clock import Clock, to_ns
from app.core.errors import FeedLost
from app.domain.options import is_occ
from app.marketdata.batch import QUOTE, TICK, QuoteBatch, TickBatch, TickLabel
from app.marketdata.ports import Channel

MOST_WAITING: Final = 250_000
"Rows that may wait to be taken: beyond them the connection is given up, and bars are fetched."
SAME_SYMBOL_SECONDS: Final = 15.0
"A symbol may be asked for tick by tick once in this time."
RT_VOLUME: Final = "233"
"Generic tick: last print, time, volume so far and its average."
UNPRICED: Final = frozenset("479CGHIMNPQRUVZ")
"Sale conditions of prints that do not move the last price, as consolidated tapes have it."
_RT_VOLUME_TICK, _DELAYED_TIME_TICK = 48, 88
_BIDS, _ASKS = frozenset({1, 66}), frozenset({2, 67})
_BID_SIZES, _ASK_SIZES = frozenset({0, 69}), frozenset({3, 70})
_DELAYED_LAST: Final = 68
_DELAY_NS: Final = 15 * 60 * 10**9
_NS: Final = 1_000_000_000
_WARNINGS: Final = range(2100, 2200)


class LiveLines:
    """`open`, then `items` whenever `arrived` is set, then `close`."""

    def __init__(
        self,
        session: IbkrSession,
        clock: Clock,
        contracts: Mapping[str, Any],
        channels: frozenset[Channel],
    ) -> None:
        """`contracts`: what IBKR calls each of our symbols."""
        self.arrived = asyncio.Event()
        self.clock = clock
        self._session = session
        self._contracts = dict(contracts)
        self._symbols = tuple(contracts)
        self._channels = channels
        self._error: Exception | None = None
        self._prints: list[tuple[int, int, int, float, float, int]] = []
        self._quotes: list[tuple[int, int, int, float, float, float, float]] = []
        self._tops: dict[int, Snapshots] = {}
        self._labels: dict[TickLabel, int] = {}
        self._open: dict[int, bool] = {}
        "Request ids; True: tick by tick."
        self._unwatch = session.watch(self.fail)

    def open(self) -> None:
        """Subscribe. Raises FeedLost."""
        left = 0 if self._session.options.market_data == "delayed" else self._allowance
        for number, symbol in enumerate(self._symbols):
            streamed = left > 0 and self._may_stream(symbol)
            if streamed:
                left -= 1
                self._stream(number, symbol)
            rest = self._channels - {self._stream_channel} if streamed else self._channels
            if rest:
                self.snapshots(number, rest)

    def close(self) -> None:
        """Give every line back."""
        self._unwatch()
        for number, ticking in self._open.items():
            if ticking:
                self._session.unsubscribe(number, lambda c, n: c.cancelTickByTickData(n))
            else:
                self._session.unsubscribe(number, lambda c, n: c.cancelMktData(n))
        self._open.clear()

    async def wait(self, seconds: float) -> bool:
        """Whether something came within `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self.arrived.wait()
        except TimeoutError:
            return False
        return True

    def items(self) -> Sequence[TickBatch | QuoteBatch]:
        """What came since the last time. Raises what ended the connection, after the last of it."""
        self.arrived.clear()
        items: list[TickBatch | QuoteBatch] = [*self._taken_prints(), *self._taken_quotes()]
        if items or self._error is None:
            if self._error is not None:
                self.arrived.set()
            return items
        raise self._error

    # ---------------------------------------------------------------------- from lines

    def print(
        self, number: int, at: int, price: float, size: float, label: TickLabel | None = None
    ) -> None:
        """A print of symbol `number`."""
        known = self._labels.setdefault(label or TickLabel(), len(self._labels))
        if self._has_room():
            self._prints.append((at, number, 0, price, size, known))

    def quote(
        self, number: int, at: int, bid: float, bid_size: float, ask: float, ask_size: float
    ) -> None:
        """A top of book; a price that is not above zero is a side that nobody takes."""
        if self._has_room():
            self._quotes.append((at, number, 0, *side(bid, bid_size), *side(ask, ask_size)))

    def changed(self, number: int, top: "Snapshots") -> None:
        """The top of book of a sampled symbol moved: it is read when items are taken."""
        self._tops[number] = top
        self.arrived.set()

    def fail(self, error: Exception | FeedLost) -> None:
        """End the connection; the first error counts."""
        self._error = self._error or error
        self.arrived.set()

    def complain(self, number: int, code: int, said: str, *, ticking: bool) -> None:
        """A message about a line. Without tick by tick, the symbol is followed by snapshots."""
        if code in NO_SUCH_SUBSCRIPTION or code == SHOWN_DELAYED or code in _WARNINGS:
            return
        if ticking and is_about_symbol(code):
            self.snapshots(number, frozenset({self._stream_channel}))
            return
        self.fail(failure(code, said, self._symbols[number], self._session.outage()))

    def snapshots(self, number: int, channels: frozenset[Channel]) -> None:
        """Follow a symbol by a market data line."""
        contract = self._contracts[self._symbols[number]]
        ticks = RT_VOLUME if Channel.TRADES in channels else ""
        line = Snapshots(self, number, channels)
        opened = self._session.subscribe(
            line,
            lambda client, request: client.reqMktData(request, contract, ticks, False, False, []),
        )
        self._open[opened] = False

    # ------------------------------------------------------------------------- helpers

    def _has_room(self) -> bool:
        """Whether another row may wait. The socket is read on: orders come by it too."""
        if self._error is None and len(self._prints) + len(self._quotes) >= MOST_WAITING:
            self.fail(self._session.lost(f"{MOST_WAITING} prices of IBKR wait to be stored."))
        self.arrived.set()
        return self._error is None

    @property
    def _allowance(self) -> int:
        return self._session.options.tick_streams

    @property
    def _stream_channel(self) -> Channel:
        """One stream a symbol: prints, or quotes where no prints are wanted."""
        return Channel.TRADES if Channel.TRADES in self._channels else Channel.QUOTES

    def _may_stream(self, symbol: str) -> bool:
        """Options have no ticks; a symbol that was just asked for must wait."""
        last = self._session.tick_streams.get(symbol)
        now = self._session.monotonic()
        return not is_occ(symbol) and (last is None or now - last >= SAME_SYMBOL_SECONDS)

    def _stream(self, number: int, symbol: str) -> None:
        contract = self._contracts[symbol]
        kind = "AllLast" if self._stream_channel is Channel.TRADES else "BidAsk"
        self._session.tick_streams[symbol] = self._session.monotonic()
        opened = self._session.subscribe(
            Ticks(self, number),
            lambda client, request: client.reqTickByTickData(request, contract, kind, 0, False),
        )
        self._open[opened] = True

    def _taken_prints(self) -> list[TickBatch]:
        if not self._prints:
            return []
        rows = np.array(self._prints, dtype=TICK)
        self._prints.clear()
        return [TickBatch(self._symbols, rows, tuple(self._labels))]

    def _taken_quotes(self) -> list[QuoteBatch]:
        now = to_ns(self.clock.now())
        for number, top in self._tops.items():
            self._quotes.append((now, number, 0, *top.sides()))
        self._tops.clear()
        if not self._quotes:
            return []
        rows = np.array(self._quotes, dtype=QUOTE)
        self._quotes.clear()
        return [QuoteBatch(self._symbols, rows)]


class Ticks:
    """Every print, or every top of book, of one symbol."""

    def __init__(self, lines: LiveLines, number: int) -> None:
        self._lines = lines
        self._number = number

    def hear(self, what: str, *said: Any) -> None:  # noqa: ANN401 - each message has its own fields
        if what == "tickByTickAllLast":
            _, at, price, size, attributes, exchange, conditions = said
            label = print_label(exchange, conditions, counts=not attributes.unreported)
            self._lines.print(self._number, at * _NS, price, size, label)
        elif what == "tickByTickBidAsk":
            at, bid, ask, bid_size, ask_size, _ = said
            self._lines.quote(self._number, at * _NS, bid, bid_size, ask, ask_size)
        elif what == "error":
            self._lines.complain(self._number, said[0], said[1], ticking=True)


class Snapshots:
    """A market data line: samples of the last print, and of the top of book."""

    def __init__(self, lines: LiveLines, number: int, channels: frozenset[Channel]) -> None:
        self.bid = self.ask = math.nan
        self.bid_size = self.ask_size = 0.0
        self._lines = lines
        self._number = number
        self._channels = channels
        self._sold: float | None = None
        "Shares of the day, when the last print came."
        self._delayed_at: int | None = None
        self._hears: dict[str, Callable[..., None]] = {
            "priceSizeTick": self._price,
            "tickSize": self._size,
            "tickString": self._text,
            "error": self._error,
        }

    def hear(self, what: str, *said: Any) -> None:  # noqa: ANN401 - each message has its own fields
        if (hear := self._hears.get(what)) is not None:
            hear(*said)

    def sides(self) -> tuple[float, float, float, float]:
        """Bid, its size, ask, its size."""
        return *side(self.bid, self.bid_size), *side(self.ask, self.ask_size)

    def _price(self, kind: int, price: float, size: float) -> None:
        if kind in _BIDS:
            self.bid, self.bid_size = price, size
        elif kind in _ASKS:
            self.ask, self.ask_size = price, size
        elif kind == _DELAYED_LAST:
            self._print(self._delayed_instant(), price, size, None)
            return
        else:
            return
        self._moved()

    def _size(self, kind: int, size: float) -> None:
        if kind in _BID_SIZES and size != self.bid_size:
            self.bid_size = size
        elif kind in _ASK_SIZES and size != self.ask_size:
            self.ask_size = size
        else:
            return
        self._moved()

    def _text(self, kind: int, text: str) -> None:
        if kind == _DELAYED_TIME_TICK:
            self._delayed_at = int(text) * _NS
        elif kind == _RT_VOLUME_TICK:
            price, size, at, sold, *_ = text.split(";")
            if price:
                self._print(int(at) * 1_000_000, float(price), float(size), float(sold))

    def _error(self, code: int, said: str) -> None:
        self._lines.complain(self._number, code, said, ticking=False)

    def _print(self, at: int, price: float, size: float, sold: float | None) -> None:
        """A sampled print stands for what was sold since the one before."""
        if Channel.TRADES not in self._channels:
            return
        if sold is not None:
            if self._sold is not None:
                size = max(size, sold - self._sold)
            self._sold = max(sold, self._sold or 0.0)
        if size > 0:
            self._lines.print(self._number, at, price, size)

    def _moved(self) -> None:
        if Channel.QUOTES in self._channels:
            self._lines.changed(self._number, self)

    def _delayed_instant(self) -> int:
        if self._delayed_at is not None:
            return self._delayed_at
        return to_ns(self._lines.clock.now()) - _DELAY_NS


def side(price: float, size: float) -> tuple[float, float]:
    """Price and size, or those of a side that nobody takes."""
    return (price, size) if price > 0 else (math.nan, 0.0)


def print_label(exchange: str, conditions: str, *, counts: bool) -> TickLabel:
    """Where and how a print traded; `counts`: whether it was reported."""
    said = conditions.replace(" ", "")
    return TickLabel(
        exchange=exchange or None,
        conditions=said or None,
        counts=counts,
        volume_only=not UNPRICED.isdisjoint(said),
    )
