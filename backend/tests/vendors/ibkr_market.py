"""Contracts and prices of a loopback Gateway: what is known, held and sold, history and live."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from app.core.clock import to_ns
from app.marketdata.batch import BarBatch
from tests.vendors.ibkr_history import Bars, Request
from tests.vendors.ibkr_wire import Fields, Wanted, instant

if TYPE_CHECKING:
    from tests.vendors.ibkr import Caller, IbkrLoopback

MOST_LINES: Final = 100
MOST_TICK_STREAMS: Final = 3
LIVE, DELAYED = 1, 3
LAST, ALL_LAST, BID_ASK = 1, 2, 3
_STREAMS: Final = {"Last": LAST, "AllLast": ALL_LAST, "BidAsk": BID_ASK}
_NS: Final = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Stock:
    """What contract details say."""

    con_id: int
    symbol: str
    name: str = "EXAMPLE INC"
    exchange: str = "NASDAQ"
    industry: str = "Technology"
    category: str = "Computers"


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One option contract."""

    con_id: int
    underlying: str
    expiry: date
    right: str
    strike: float
    root: str

    @property
    def symbol(self) -> str:
        return f"{self.root}{self.expiry:%y%m%d}{self.right}{round(self.strike * 1000):08}"


@dataclass
class Line:
    """A subscription of one client."""

    symbol: str
    stream: int | None = None
    "Which tick-by-tick stream; None: a market data line."
    generic: frozenset[str] = frozenset()
    kind: int = LIVE
    bars: bool = False
    "Bars of five seconds."


@dataclass
class Market:
    """AAPL, SPY and BRK B are known from the start."""

    server: "IbkrLoopback"
    stocks: dict[str, Stock] = field(default_factory=dict)
    options: list[Listed] = field(default_factory=list)
    bars: Bars = field(default_factory=Bars)
    ticks: dict[str, list[tuple[int, float, float, str, str]]] = field(default_factory=dict)
    "Prints that history has: second, price, size, exchange, conditions."
    tops: dict[str, list[tuple[int, float, float, float, float]]] = field(default_factory=dict)
    "Tops of book that history has: second, bid, ask, their sizes."
    unsold: set[str] = field(default_factory=set)
    "Symbols whose prices this account did not subscribe to."
    lent: dict[str, float] = field(default_factory=dict)
    "How easy a symbol is to borrow: above 2.5 there are shares, above 1.5 they are looked for."
    sold: dict[str, float] = field(default_factory=dict)
    "Shares of each symbol so far today."
    kinds: dict[int, int] = field(default_factory=dict)
    "Type of market data by client id."

    def __post_init__(self) -> None:
        self.know("AAPL", name="APPLE INC")
        self.know("SPY", name="SS SPDR S&P 500 ETF TRUST", exchange="ARCA", industry="")
        self.know("BRK B", name="BERKSHIRE HATHAWAY INC-CL B", exchange="NYSE")

    def handlers(self) -> "dict[int, Callable[[Caller, Fields], None]]":
        """By message id of the request."""
        return {
            1: self._market_data,
            2: _forget,
            9: self._details,
            20: self._history,
            25: lambda _, __: None,
            49: lambda caller, _: caller.answer(49, 1, int(self.server.now().timestamp())),
            50: self._five_seconds,
            51: _forget,
            59: self._kind,
            78: self._chain,
            81: self._matching,
            87: self._head,
            90: lambda _, __: None,
            96: self._ticks,
            97: self._tick_by_tick,
            98: _forget,
        }

    # ------------------------------------------------------------------------ what there is

    def know(self, symbol: str, **said: Any) -> Stock:
        """A stock, as IBKR writes it (BRK B)."""
        known = Stock(con_id=265598 + len(self.stocks), symbol=symbol, **said)
        self.stocks[symbol] = known
        return known

    def list_options(self, underlying: str, expiry: date, strikes: Iterable[float]) -> None:
        """Calls and puts."""
        for strike in strikes:
            for right in "CP":
                number = 700_000 + len(self.options)
                listed = Listed(
                    con_id=number, underlying=underlying, expiry=expiry,
                    right=right, strike=strike, root=underlying,
                )  # fmt: skip
                self.options.append(listed)
                self.server.orders.exchange.multipliers[listed.symbol] = Decimal(100)

    def option(self, symbol: str) -> Listed | None:
        return next((one for one in self.options if one.symbol == symbol), None)

    def is_known(self, symbol: str) -> bool:
        return symbol in self.stocks or self.option(symbol) is not None

    def hold(self, batch: BarBatch) -> None:
        """Bars of a minute or a second that history answers with."""
        self.bars.add(batch.symbol.replace(".", " "), batch)

    def lines(self) -> "Iterator[tuple[Caller, int, Line]]":
        """Every subscription of every client."""
        for caller in list(self.server.callers):
            for request, line in list(caller.lines.items()):
                yield caller, request, line

    def subscribed(self) -> set[str]:
        return {line.symbol for _, _, line in self.lines()}

    # ------------------------------------------------------------------------------- news

    def trade(
        self, symbol: str, price: float, size: float, at: datetime,
        *, exchange: str = "NASDAQ", conditions: str = "", unreported: bool = False,
    ) -> None:  # fmt: skip
        """A print, to every client that is subscribed in one way or another."""
        self.sold[symbol] = total = self.sold.get(symbol, 0.0) + size
        second, mask = int(at.timestamp()), 2 if unreported else 0
        for caller, request, line in self.lines():
            if line.symbol != symbol or line.bars:
                continue
            if line.stream in (LAST, ALL_LAST):
                print_ = (price, size, mask, exchange, conditions)
                caller.say(99, request, line.stream, second, *print_)
            elif line.kind == DELAYED:
                caller.say(46, 6, request, 88, second)
                caller.say(1, 6, request, 68, price, size, 0)
                caller.say(2, 6, request, 71, size)
                caller.say(2, 6, request, 74, total)
            elif line.stream is None:
                caller.say(1, 6, request, 4, price, size, 0)
                caller.say(2, 6, request, 8, total)
                if "233" in line.generic:
                    stamp = to_ns(at) // 1_000_000
                    volume = f"{price};{size};{stamp};{total};{price};true"
                    caller.say(46, 6, request, 48, volume)

    def quote(
        self, symbol: str, bid: float, bid_size: float, ask: float, ask_size: float, at: datetime
    ) -> None:
        """A top of book; -1 and no size for a side that nobody takes."""
        for caller, request, line in self.lines():
            if line.symbol != symbol or line.bars:
                continue
            if line.stream == BID_ASK:
                top = (bid, ask, bid_size, ask_size, 0)
                caller.say(99, request, BID_ASK, int(at.timestamp()), *top)
            elif line.stream is None:
                bids, asks = (66, 67) if line.kind == DELAYED else (1, 2)
                caller.say(1, 6, request, bids, bid, bid_size, 1)
                caller.say(1, 6, request, asks, ask, ask_size, 1)

    def five(self, symbol: str, at: datetime, price: float, volume: float) -> None:
        """A bar of five seconds."""
        for caller, request, line in self.lines():
            if line.symbol == symbol and line.bars:
                prices = (price, price, price, price, volume, price, 1)
                caller.say(50, 3, request, int(at.timestamp()), *prices)

    # ------------------------------------------------------------------------- contracts

    def _stock(self, caller: "Caller", request: int, wanted: Wanted) -> str | None:
        """The symbol of a contract; says error 200 when there is none."""
        for known in self.stocks.values():
            named = wanted.con_id in (0, known.con_id) and wanted.symbol in ("", known.symbol)
            if named and wanted.kind in ("", "STK"):
                return known.symbol
        for one in self.options:
            if one.con_id == wanted.con_id or self._is(one, wanted):
                return one.symbol
        said = "No security definition has been found for the request"
        caller.error(request, 200, said)
        return None

    def _is(self, one: Listed, wanted: Wanted) -> bool:
        return (
            wanted.kind == "OPT"
            and one.underlying == wanted.symbol
            and wanted.expiry in ("", f"{one.expiry:%Y%m%d}")
            and wanted.right[:1] in ("", one.right)
            and wanted.strike in (0.0, one.strike)
        )

    def _details(self, caller: "Caller", fields: Fields) -> None:
        fields.skip(1)
        request, wanted = fields.whole(), fields.contract()
        if wanted.kind == "OPT":
            found = [one for one in self.options if self._is(one, wanted)]
            for one in found:
                _option_details(caller, request, one)
            if not found:
                said = "No security definition has been found for the request"
                caller.error(request, 200, said)
                return
        else:
            symbol = self._stock(caller, request, wanted)
            if symbol is None:
                return
            _stock_details(caller, request, self.stocks[symbol])
        caller.answer(52, 1, request)

    def _matching(self, caller: "Caller", fields: Fields) -> None:
        request, pattern = fields.whole(), fields.text()
        found = [s for s in self.stocks.values() if s.symbol.startswith(pattern)]
        said: list[object] = []
        for stock in found:
            said += [stock.con_id, stock.symbol, "STK", stock.exchange, "USD", 1, "OPT"]
            said += [stock.name, ""] if caller.version >= 176 else []
        caller.answer(79, request, len(found), *said)

    def _chain(self, caller: "Caller", fields: Fields) -> None:
        request, underlying = fields.whole(), fields.text()
        mine = [one for one in self.options if one.underlying == underlying]
        for exchange in ("SMART", "CBOE") if mine else ():
            expiries = sorted({f"{one.expiry:%Y%m%d}" for one in mine})
            strikes = sorted({one.strike for one in mine})
            number = self.stocks[underlying].con_id
            head = (75, request, exchange, number, mine[0].root, 100)
            caller.answer(*head, len(expiries), *expiries, len(strikes), *strikes)
        caller.answer(76, request)

    # --------------------------------------------------------------------------- history

    def _history(self, caller: "Caller", fields: Fields) -> None:
        request, wanted = fields.whole(), fields.contract()
        symbol = self._stock(caller, request, wanted)
        if symbol is None:
            return
        asked = Request.read(fields, self.server.now())
        if self._refused(caller, request, symbol):
            return
        try:
            found = self.bars.answer(symbol, asked)
        except ValueError as error:
            caller.error(request, 321, f"Error validating request.-'bW' : cause - {error}")
            return
        if not found:
            said = f"HMDS query returned no data: {symbol}@SMART Trades"
            caller.error(request, 162, f"Historical Market Data Service error message:{said}")
            return
        span = [f"{at:%Y%m%d %H:%M:%S} UTC" for at in (asked.begin, asked.end)]
        rows = [value for row in found for value in row]
        caller.answer(17, request, *span, len(found), *rows)

    def _refused(self, caller: "Caller", request: int, symbol: str) -> bool:
        if symbol in self.unsold:
            said = "Historical Market Data Service error message:No market data permissions for"
            caller.error(request, 162, f"{said} ISLAND STK. Requested data requires subscription.")
        return symbol in self.unsold

    def _head(self, caller: "Caller", fields: Fields) -> None:
        request, wanted = fields.whole(), fields.contract()
        symbol = self._stock(caller, request, wanted)
        if symbol is None:
            return
        oldest = self.bars.oldest(symbol)
        if oldest is None:
            said = f"HMDS query returned no data: {symbol}@SMART Trades"
            caller.error(request, 162, f"Historical Market Data Service error message:{said}")
        else:
            caller.answer(88, request, oldest // _NS)

    def _ticks(self, caller: "Caller", fields: Fields) -> None:
        """Prints from an instant on: at most so many, but all of the last second."""
        request, wanted = fields.whole(), fields.contract()
        symbol = self._stock(caller, request, wanted)
        if symbol is None:
            return
        fields.skip(1)
        start = instant(fields.text()).timestamp()
        fields.skip(1)
        most, what = fields.whole(), fields.text()
        held: Sequence[tuple[Any, ...]] = (self.ticks if what == "TRADES" else self.tops).get(
            symbol, ()
        )
        found = [row for row in held if row[0] >= start]
        if len(found) > most:
            found = [row for row in found if row[0] <= found[most - 1][0]]
        rows = [(at, 0, *values) for at, *values in found]
        kind = 98 if what == "TRADES" else 97
        caller.answer(kind, request, len(rows), *(v for row in rows for v in row), 1)

    # ------------------------------------------------------------------------------ live

    def _kind(self, caller: "Caller", fields: Fields) -> None:
        fields.skip(1)
        self.kinds[caller.client_id] = fields.whole()

    def _market_data(self, caller: "Caller", fields: Fields) -> None:
        fields.skip(1)
        request, wanted = fields.whole(), fields.contract()
        symbol = self._stock(caller, request, wanted)
        if symbol is None:
            return
        if symbol in self.unsold:
            caller.error(request, 354, "Requested market data is not subscribed.")
            return
        if sum(line.stream is None for line in caller.lines.values()) >= MOST_LINES:
            caller.error(request, 101, "Max number of tickers has been reached")
            return
        fields.skip(1)
        generic = frozenset(fields.text().split(","))
        kind = self.kinds.get(caller.client_id, LIVE)
        self._feed(caller, request, Line(symbol, generic=generic, kind=kind))
        caller.answer(81, request, 0.01, "9c0001", 3)
        caller.answer(58, 1, request, kind)
        if "236" in generic and symbol in self.lent:
            caller.answer(45, 6, request, 46, self.lent[symbol])

    def _tick_by_tick(self, caller: "Caller", fields: Fields) -> None:
        request, wanted = fields.whole(), fields.contract()
        symbol = self._stock(caller, request, wanted)
        if symbol is None:
            return
        if symbol in self.unsold:
            said = "Failed to request tick-by-tick data.No market data permissions for NYSE STK"
            caller.error(request, 10189, said)
        elif sum(line.stream is not None for line in caller.lines.values()) >= MOST_TICK_STREAMS:
            said = "Max number of tick-by-tick requests has been reached."
            caller.error(request, 10190, said)
        else:
            self._feed(caller, request, Line(symbol, stream=_STREAMS[fields.text()]))

    def _five_seconds(self, caller: "Caller", fields: Fields) -> None:
        fields.skip(1)
        request, wanted = fields.whole(), fields.contract()
        symbol = self._stock(caller, request, wanted)
        if symbol is not None:
            self._feed(caller, request, Line(symbol, bars=True))

    def _feed(self, caller: "Caller", request: int, line: Line) -> None:
        self.server.feeds += not caller.lines
        caller.lines[request] = line


def _forget(caller: "Caller", fields: Fields) -> None:
    """A cancellation; the request id is the last field."""
    caller.lines.pop(int(fields.values[-1]), None)


def _stock_details(caller: "Caller", request: int, stock: Stock) -> None:
    head = (stock.symbol, "STK", "", 0, "", "SMART", "USD", stock.symbol, "NMS", "NMS")
    hours = ("US/Eastern", "20240301:0400-20240301:2000", "20240301:0930-20240301:1600", "", 0)
    about = (stock.exchange, "", stock.industry, stock.category, "")
    caller.answer(
        10, request, *head, stock.con_id, 0.01, "", "LMT,MKT", "SMART,NASDAQ,ARCA", 1, 0,
        stock.name, *about, *hours, 0, 1, "", "", "26,26", "", "COMMON", 0.0001, 0.0001, 100,
    )  # fmt: skip


def _option_details(caller: "Caller", request: int, one: Listed) -> None:
    day = f"{one.expiry:%Y%m%d}"
    local = f"{one.root:<6}{day[2:]}{one.right}{round(one.strike * 1000):08}"
    head = (one.underlying, "OPT", day, one.strike, one.right, "SMART", "USD", local)
    hours = ("US/Eastern", "", "", "", 0)
    caller.answer(
        10, request, *head, one.root, one.root, one.con_id, 0.01, 100, "LMT,MKT", "SMART,CBOE", 1,
        265598, "EXAMPLE INC", "", day[:6], "", "", "", *hours, 0, 2, one.underlying, "STK",
        "32,32", day, "", 1, 1, 1,
    )  # fmt: skip
