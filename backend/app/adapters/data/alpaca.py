"""Alpaca: bars, prints, quotes, names, corporate actions and option chains of US stocks."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, date, datetime, timedelta
from typing import Final

from app.adapters.clients.alpaca import AlpacaOptions, AlpacaSession, Query
from app.adapters.clients.alpaca_actions import (
    EARLIEST_DAYS,
    LONGEST_WAIT_DAYS,
    ActionsPage,
    actions,
)
from app.adapters.clients.alpaca_stream import Stream, frames
from app.adapters.clients.alpaca_wire import (
    Asset,
    BarRow,
    BarsPage,
    Cancel,
    ChainPage,
    Correction,
    Message,
    MinuteBar,
    OptionTradesPage,
    OptionView,
    Quote,
    QuotesPage,
    StockView,
    Trade,
    TradeRow,
    TradesPage,
    as_print,
    bars,
    instants,
    minute_bars,
    quotes,
    ticks,
)
from app.core.errors import APIError, FeedRefused, NotFound
from app.domain.market import Timeframe
from app.domain.options import is_occ
from app.marketdata.aggregation import aggregate
from app.marketdata.batch import BarBatch, QuoteBatch, TickBatch, to_datetime, to_ns
from app.marketdata.calendar import trading_calendar
from app.marketdata.ports import (
    Action,
    Channel,
    Heartbeat,
    LiveItem,
    OptionSnapshot,
    Profile,
    ProviderSetup,
    Subscription,
)

PAGE: Final = 10_000
"Rows of a page of bars, prints and quotes; the most that Alpaca allows, as below."
ACTIONS_PAGE: Final = 1_000
CHAIN_PAGE: Final = 1_000
DELAY: Final = timedelta(minutes=15, seconds=5)
"All exchanges' prices of the last quarter of an hour cost money."
QUIET_SECONDS: Final = 20.0
"Minute bars alone leave a stream quiet for a minute: so often it is asked whether it lives."
MOST_LOOKUPS: Final = 100
"Symbols that a connection looks up: half of a minute's allowance."
MOST_OPTIONS_FREE: Final = 200
MOST_OPTIONS_PAID: Final = 1_000
"Option quotes that a connection may follow, by Alpaca's table of plans."
EXCHANGES: Final = {
    "AMEX": "XASE",
    "ARCA": "ARCX",
    "BATS": "BATS",
    "NASDAQ": "XNAS",
    "NYSE": "XNYS",
    "NYSEARCA": "ARCX",
    "OTC": "OTCM",
}
"MIC by Alpaca's name of an exchange."
_OPTION_TRADES: Final = "/v1beta1/options/trades"
_TIMEFRAMES: Final = {
    Timeframe.M1: "1Min",
    Timeframe.M5: "5Min",
    Timeframe.M15: "15Min",
    # Alpaca's hours begin on the full hour, ours at the open: they are folded from half hours.
    Timeframe.H1: "30Min",
    Timeframe.D1: "1Day",
}
_REACH: Final = {Timeframe.H1: timedelta(hours=1), Timeframe.D1: timedelta(days=1)}
"How far around the asked span the vendor's bars may lie: days are stamped with their midnight."


class Adapter:
    """One account's data. `sip` and `opra` need a paid plan; see docs/data/alpaca.md."""

    name = "alpaca"
    channels = frozenset({Channel.TRADES, Channel.QUOTES, Channel.BARS})

    def __init__(
        self,
        setup: ProviderSetup,
        options: AlpacaOptions | None = None,
        session: AlpacaSession | None = None,
    ) -> None:
        self._clock = setup.clock
        self._calendar = trading_calendar(setup.exchange)
        self._session = session or AlpacaSession(options)
        self._options = self._session.options
        self._known: set[str] = set()

    @property
    def delay_seconds(self) -> float:
        """How late the feed is."""
        return DELAY.total_seconds() if self._options.feed == "delayed_sip" else 0.0

    @property
    def most_options(self) -> int:
        """Contracts whose quotes the plan streams."""
        return MOST_OPTIONS_PAID if self._options.option_feed == "opra" else MOST_OPTIONS_FREE

    async def close(self) -> None:
        await self._session.close()

    # -------------------------------------------------------------------------- history

    async def history(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> BarBatch:
        """Bars that are over; extended hours are among those up to 15 minutes long."""
        if timeframe not in _TIMEFRAMES:
            raise NotFound(
                f"Alpaca has no bars of {timeframe}.", remedy="Import prints, or ask for 1m."
            )
        rows = await self._bar_rows(symbol, timeframe, start, end)
        if not rows:
            await self._insist(symbol)
            return BarBatch.empty(symbol, timeframe)
        seen = to_ns(self._seen())
        if timeframe is Timeframe.H1:
            halves = self._half_hours(symbol, rows, seen)
            batch = aggregate(halves, timeframe, self._calendar, seen)
        else:
            batch = bars(symbol, timeframe, rows, self._calendar)
        return batch[batch.end <= seen].between(to_ns(start), to_ns(end))

    async def _bar_rows(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> list[BarRow]:
        reach = _REACH.get(timeframe, timedelta())
        span = self._span(start - reach, end + reach)
        if span is None:
            return []
        kind: Query = {"adjustment": "raw"}
        path = "/v2/stocks/bars"
        if is_occ(symbol):
            path, kind = "/v1beta1/options/bars", {"feed": None}
        asked: Query = {"symbols": symbol, "timeframe": _TIMEFRAMES[timeframe], "limit": PAGE}
        pages = self._session.pages(path, BarsPage, {**span, **asked, **kind})
        return [row async for page in pages for row in (page.bars or {}).get(symbol, [])]

    def _half_hours(self, symbol: str, rows: Sequence[BarRow], seen: int) -> BarBatch:
        """Half hours that are over, on the vendor's own half hours."""
        batch = bars(symbol, Timeframe.M15, rows, self._calendar)
        batch.rows["end"] = batch.start + 1_800_000_000_000
        return batch[batch.end <= seen]

    def _seen(self) -> datetime:
        """Until when the feed shows everything."""
        now = self._clock.now()
        return now - DELAY if self._options.feed == "delayed_sip" else now

    def _span(self, start: datetime, end: datetime) -> dict[str, str] | None:
        """The feed and what of the span it may show; None when that is nothing."""
        end = min(end, self._seen())
        if start >= end:
            return None
        feed = self._options.feed.removeprefix("delayed_")
        return {"feed": feed, "start": _stamp(start), "end": _stamp(end), "sort": "asc"}

    async def _insist(self, symbol: str) -> None:
        """Alpaca gives unknown symbols nothing, as it does to empty spans: ask which it is."""
        if is_occ(symbol):
            return
        try:
            await self.profile(symbol)
        except FeedRefused:
            return  # a key of the other trading address: it can tell us nothing
        except NotFound:
            raise NotFound(f"Alpaca knows no stock {symbol!r}.", symbol=symbol) from None

    # ----------------------------------------------------------------- prints and quotes

    async def ticks(self, symbol: str, start: datetime, end: datetime) -> AsyncGenerator[TickBatch]:
        """Prints of a stock or an option, corrected and cancelled ones labelled so."""
        span = self._span(start, end)
        if span is None:
            return
        async with aclosing(self._prints(symbol, {**span, "limit": PAGE})) as pages:
            async for rows in pages:
                batch = ticks(rows, [symbol] * len(rows))
                yield batch[batch.rows["at"] < to_ns(end)]

    async def _prints(self, symbol: str, query: Query) -> AsyncGenerator[list[TradeRow]]:
        """Pages that have rows."""
        if is_occ(symbol):
            asked = {**query, "symbols": symbol, "feed": None}
            async for told in self._session.pages(_OPTION_TRADES, OptionTradesPage, asked):
                if rows := (told.trades or {}).get(symbol):
                    yield rows
            return
        async for page in self._session.pages(f"/v2/stocks/{symbol}/trades", TradesPage, query):
            if page.trades:
                yield page.trades

    async def quotes(
        self, symbol: str, start: datetime, end: datetime
    ) -> AsyncGenerator[QuoteBatch]:
        """Tops of book of a stock; Alpaca keeps none of options."""
        if is_occ(symbol):
            raise NotFound("Alpaca keeps no quotes of options.", symbol=symbol)
        span = self._span(start, end)
        if span is None:
            return
        path = f"/v2/stocks/{symbol}/quotes"
        async for page in self._session.pages(path, QuotesPage, {**span, "limit": PAGE}):
            if page.quotes:
                batch = quotes(page.quotes, [symbol] * len(page.quotes))
                yield batch[batch.rows["at"] < to_ns(end)]

    # ------------------------------------------------------- names, actions and chains

    async def profile(self, symbol: str) -> Profile:
        """From the trading address; Alpaca knows no sectors."""
        self._session.vendor.require()
        asset = await self._session.trading.get(f"/v2/assets/{symbol}", Asset)
        return Profile(symbol, asset.name, EXCHANGES.get(asset.exchange))

    async def actions(self, symbol: str, start: date, end: date) -> list[Action]:
        """Alpaca sorts by the day it acts on, so more is asked for than is given."""
        query: Query = {
            "symbols": symbol,
            "start": str(start - timedelta(days=EARLIEST_DAYS)),
            "end": str(end + timedelta(days=LONGEST_WAIT_DAYS)),
            "limit": ACTIONS_PAGE,
        }
        pages = self._session.pages("/v1/corporate-actions", ActionsPage, query)
        found = [action async for page in pages for action in actions(page.corporate_actions)]
        wanted = [a for a in found if a.symbol == symbol and start <= a.ex_date < end]
        return sorted(wanted, key=lambda action: (action.ex_date, action.kind))

    async def chain(self, underlying: str, expiry: date | None = None) -> list[OptionSnapshot]:
        """Newest quote, last print and Alpaca's implied volatility of each contract."""
        query: Query = {
            "feed": self._options.option_feed,
            "limit": CHAIN_PAGE,
            "expiration_date": str(expiry) if expiry else None,
        }
        path = f"/v1beta1/options/snapshots/{underlying}"
        pages = self._session.pages(path, ChainPage, query)
        views = [item async for page in pages for item in (page.snapshots or {}).items()]
        if not views:
            raise NotFound(f"Alpaca shows no options of {underlying}.", underlying=underlying)
        price = await self._price(underlying)
        return [_snapshot(symbol, view, price, self._clock.now()) for symbol, view in views]

    async def _price(self, symbol: str) -> float | None:
        path = f"/v2/stocks/{symbol}/snapshot"
        try:
            view = await self._session.data.get(path, StockView, {"feed": self._options.feed})
        except (FeedRefused, NotFound):
            return None  # indices have options, but no prices here
        return view.latest_trade.p if view.latest_trade else None

    # ----------------------------------------------------------------------------- live

    async def live(self, subscription: Subscription) -> AsyncGenerator[LiveItem]:
        """Stocks and options come by a socket each; when one breaks, both end."""
        streams = self._streams(subscription)
        ticking = subscription.channels & {Channel.TRADES, Channel.QUOTES}
        quiet = None if ticking else QUIET_SECONDS
        async with aclosing(frames(self._session, streams, quiet_seconds=quiet)) as arriving:
            async for said in arriving:
                if not said:
                    await self._verify(subscription.symbols)
                    yield Heartbeat(self._clock.now())
                for item in self._items(said):
                    yield item

    async def _verify(self, symbols: Sequence[str]) -> None:
        """The stream takes any symbol and stays silent about one that is none: look them up.

        Raises NotFound. Each is looked up once; what cannot be asked now is taken for known.
        """
        unknown = [s for s in symbols if s not in self._known and not is_occ(s)]
        for symbol in unknown[:MOST_LOOKUPS]:
            self._known.add(symbol)
            try:
                await self._session.trading.send("GET", f"/v2/assets/{symbol}")
            except NotFound:
                self._known.discard(symbol)
                raise NotFound(f"Alpaca knows no stock {symbol!r}.", symbol=symbol) from None
            except APIError:
                return

    def _streams(self, subscription: Subscription) -> list[Stream]:
        wanted = subscription.channels
        options = [symbol for symbol in subscription.symbols if is_occ(symbol)]
        stocks = [symbol for symbol in subscription.symbols if not is_occ(symbol)]
        ticking = [c.value for c in (Channel.TRADES, Channel.QUOTES) if c in wanted]
        if options and not ticking:
            raise NotFound("Alpaca streams no bars of options.", symbol=options[0])
        channels = [*ticking, *(["bars", "updatedBars"] if Channel.BARS in wanted else [])]
        url, feeds = self._options.stream_url, self._options
        streams = []
        if stocks:
            topics = dict.fromkeys(channels, stocks)
            streams.append(Stream(url=f"{url}/v2/{feeds.feed}", topics=topics))
        if options:
            topics = dict.fromkeys(ticking, options)
            url = f"{url}/v1beta1/{feeds.option_feed}"
            streams.append(Stream(url=url, topics=topics, packed=True))
        return streams

    def _items(self, said: Sequence[Message]) -> list[LiveItem]:
        """Prints, quotes, then bars: a bar comes after the prints that it is made of."""
        prints = [as_print(m) for m in said if isinstance(m, Trade | Correction | Cancel)]
        tops = [m for m in said if isinstance(m, Quote)]
        items: list[LiveItem] = []
        # texts and msgpack's timestamps cannot be told apart within one column
        for packed in (False, True):
            some = [m for m in prints if isinstance(m.t, str) is not packed]
            if some:
                items.append(ticks(some, [m.S for m in some]))
            shown = [m for m in tops if isinstance(m.t, str) is not packed]
            if shown:
                items.append(quotes(shown, [m.S for m in shown]))
        over = [m for m in said if isinstance(m, MinuteBar)]
        return [*items, *minute_bars(over, self._calendar)]


def _snapshot(symbol: str, view: OptionView, price: float | None, now: datetime) -> OptionSnapshot:
    quote, trade, day = view.latest_quote, view.latest_trade, view.daily_bar
    times = [seen.t for seen in (quote, trade) if seen is not None]
    return OptionSnapshot(
        symbol=symbol,
        at=to_datetime(int(instants(times).max())) if times else now,
        bid=(quote.bp or None) if quote else None,
        ask=(quote.ap or None) if quote else None,
        last=trade.p if trade else None,
        volume=day.volume if day else None,
        implied_volatility=view.implied_volatility,
        underlying_price=price,
    )


def _stamp(at: datetime) -> str:
    """RFC 3339 in UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
