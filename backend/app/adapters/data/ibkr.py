"""Interactive Brokers: bars, live prices, names, sectors and option contracts by TWS or Gateway.

What to prepare, and what the account must have subscribed to, is in docs/data/ibkr.md.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import numpy as np

from app.adapters.clients.ibkr import IbkrSession, shared_session
from app.adapters.clients.ibkr_contracts import day, our_symbol, wanted_options
from app.adapters.clients.ibkr_errors import NAME, is_about_permission
from app.adapters.clients.ibkr_lines import LiveLines
from app.adapters.clients.ibkr_options import IbkrOptions
from app.adapters.clients.ibkr_ticks import pages, prints, tops
from app.core.errors import FeedRefused, NotFound
from app.domain.market import Timeframe
from app.marketdata.aggregation import aggregate
from app.marketdata.batch import BarBatch, QuoteBatch, TickBatch, to_ns
from app.marketdata.calendar import TradingCalendar, trading_calendar
from app.marketdata.ports import (
    Channel,
    Heartbeat,
    LiveItem,
    OptionSnapshot,
    Profile,
    ProviderSetup,
    Subscription,
)

QUIET_SECONDS: Final = 15.0
"So often a connection on which nothing comes is asked whether it lives."
DELAYED_SECONDS: Final = 1_200.0
"IBKR's delayed prices are 15 to 20 minutes late."
CHUNKS_UNASKED: Final = 4
"For more requests than this, IBKR is first asked where its history begins."
EXCHANGES: Final = {
    "AMEX": "XASE",
    "ARCA": "ARCX",
    "BATS": "BATS",
    "IEX": "IEXG",
    "NASDAQ": "XNAS",
    "NYSE": "XNYS",
    "PINK": "OTCM",
}
"MIC by IBKR's name of an exchange."
SECTORS: Final = {
    "Basic Materials": "Basic Materials",
    "Communications": "Communication Services",
    "Consumer, Cyclical": "Consumer Cyclical",
    "Consumer, Non-cyclical": "Consumer Defensive",
    "Energy": "Energy",
    "Financial": "Financial Services",
    "Industrial": "Industrials",
    "Technology": "Technology",
    "Utilities": "Utilities",
}
"The names that our other providers use, by IBKR's industry."
CATEGORIES: Final = {
    "Biotechnology": "Healthcare",
    "Healthcare-Products": "Healthcare",
    "Healthcare-Services": "Healthcare",
    "Pharmaceuticals": "Healthcare",
    "REITS": "Real Estate",
    "Real Estate": "Real Estate",
}
"IBKR's categories that are sectors of their own elsewhere."
_DAY: Final = timedelta(days=1)
_LONGEST_SECONDS: Final = 86_400
"A duration in seconds may not be longer."
_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How bars of a timeframe are asked for: IBKR wants a few thousand bars a request at most."""

    name: str
    reach: timedelta
    "How far back the longest request surely goes: its weeks and months may be shorter."
    longest: str = "86400 S"
    regular: bool = False
    is_small: bool = False
    "Whether the strict pacing rules hold."

    def duration(self, span: timedelta) -> str:
        """Of a request for `span`. Days may be trading days, so one more is asked for."""
        seconds = math.ceil(span.total_seconds())
        if self.regular:
            days = math.ceil(span / _DAY) + 1
            return f"{days} D" if span < self.reach else self.longest
        if span > self.reach or seconds > _LONGEST_SECONDS:
            return self.longest
        return f"{max(seconds, 60)} S"


_SIZES: Final = {
    Timeframe.S1: Size(name="1 secs", reach=timedelta(minutes=30), longest="1800 S", is_small=True),
    Timeframe.M1: Size(name="1 min", reach=_DAY),
    Timeframe.M5: Size(name="5 mins", reach=6 * _DAY, longest="1 W"),
    Timeframe.M15: Size(name="15 mins", reach=6 * _DAY, longest="1 W"),
    # IBKR's hours begin on the full hour, ours at the open: they are folded from half hours.
    Timeframe.H1: Size(name="30 mins", reach=27 * _DAY, longest="1 M"),
    Timeframe.D1: Size(name="1 day", reach=360 * _DAY, longest="1 Y", regular=True),
}


class Adapter:
    """One Gateway's data, over the session that the broker uses too."""

    name = NAME
    channels = frozenset({Channel.TRADES, Channel.QUOTES})

    def __init__(
        self,
        setup: ProviderSetup,
        options: IbkrOptions | None = None,
        session: IbkrSession | None = None,
    ) -> None:
        self._clock = setup.clock
        self._calendar: TradingCalendar = trading_calendar(setup.exchange)
        self._session = session or shared_session(options)
        self._session.join()
        self._refused: set[str] = set()
        "Symbols whose live prices this account may not see."

    @property
    def delay_seconds(self) -> float:
        """How late the feed is."""
        return DELAYED_SECONDS if self._session.options.market_data == "delayed" else 0.0

    async def close(self) -> None:
        await self._session.leave()

    # -------------------------------------------------------------------------- history

    async def history(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> BarBatch:
        """Bars that are over; extended hours are among those up to 15 minutes long."""
        await self._session.details(symbol)
        seen = self._clock.now() - timedelta(seconds=self.delay_seconds)
        parts = await self._parts(symbol, _SIZES[timeframe], start, _until(timeframe, end, seen))
        batch = self._batch(symbol, timeframe, parts)
        over = batch[batch.end <= to_ns(seen)]
        if timeframe is Timeframe.H1:
            over = aggregate(over, timeframe, self._calendar, to_ns(seen))
        return over.between(to_ns(start), to_ns(end))

    async def _parts(self, symbol: str, size: Size, start: datetime, end: datetime) -> list[Any]:
        """The library's bars, by start, of as many requests as it takes: from the end backwards."""
        if end - start > CHUNKS_UNASKED * size.reach:
            start = max(start, await self._oldest(symbol, end))
        found: dict[Any, Any] = {}
        cursor = end
        while cursor > start:
            begin = max(start, cursor - size.reach)
            bars: Sequence[Any] = ()
            if not self._is_closed(begin, cursor):
                bars = await self._ask(symbol, size, cursor, cursor - begin)
            found.update((bar.date, bar) for bar in bars)
            cursor = min(begin, bars[0].date) if bars and not size.regular else begin
        return [found[key] for key in sorted(found)]

    async def _ask(self, symbol: str, size: Size, end: datetime, span: timedelta) -> Sequence[Any]:
        """One request; empty where nothing was traded."""
        contract = await self._session.contract(symbol)
        until, duration = _stamp(end), size.duration(span)
        try:
            bars: Sequence[Any] = await self._session.ask_history(
                lambda client, number: client.reqHistoricalData(
                    number, contract, until, duration, size.name, "TRADES", size.regular, 2,
                    False, [],
                ),
                (symbol, until, duration, size.name),
                symbol,
                is_small=size.is_small,
            )  # fmt: skip
        except NotFound as error:
            if error.context.get("no_data"):
                return ()
            raise
        return bars

    async def _oldest(self, symbol: str, end: datetime) -> datetime:
        """Where IBKR's history of a symbol begins; `end` where it has none."""
        contract = await self._session.contract(symbol)
        try:
            at = await self._session.ask_history(
                lambda client, number: client.reqHeadTimeStamp(
                    number, contract, "TRADES", False, 2
                ),
                (symbol, "head"),
                symbol,
                is_small=False,
            )
        except NotFound as error:
            if error.context.get("no_data"):
                return end
            raise
        oldest: datetime = at if at.tzinfo else at.replace(tzinfo=UTC)
        return oldest

    def _is_closed(self, start: datetime, end: datetime) -> bool:
        """Whether no trading day touches the span: a request would find nothing."""
        first, last = to_ns(start), to_ns(end)
        calendar = self._calendar
        return not (
            calendar.session_at(first)
            or calendar.session_at(last - 1)
            or calendar.sessions(first, last)
        )

    def _batch(self, symbol: str, timeframe: Timeframe, bars: Sequence[Any]) -> BarBatch:
        """On our grid; half hours for hours. Minutes without a trade are no bars."""
        traded = [bar for bar in bars if bar.volume > 0 or bar.barCount != 0]
        if not traded:
            return BarBatch.empty(symbol, timeframe)
        values = {
            "open": [bar.open for bar in traded],
            "high": [bar.high for bar in traded],
            "low": [bar.low for bar in traded],
            "close": [bar.close for bar in traded],
            "volume": [max(bar.volume, 0.0) for bar in traded],
            "vwap": [bar.average if bar.average > 0 else math.nan for bar in traded],
        }
        columns = {name: np.array(column, dtype=np.float64) for name, column in values.items()}
        dates = [bar.date for bar in traded]
        starts, ends = self._bounds(timeframe, dates)
        batch = BarBatch.of(symbol, timeframe, starts, ends, **columns)
        return batch[self._calendar.is_regular(starts)] if timeframe is Timeframe.D1 else batch

    def _bounds(
        self, timeframe: Timeframe, dates: Sequence[Any]
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        if timeframe is Timeframe.D1:
            starts = self._calendar.daily_starts(np.array(dates, dtype="datetime64[D]"))
            return self._calendar.bounds(timeframe, starts)
        starts = np.array([to_ns(at) for at in dates], dtype=np.int64)
        if timeframe is Timeframe.H1:
            return starts, starts + 1_800 * _NS
        return self._calendar.bounds(timeframe, starts)

    # ----------------------------------------------------------------- prints and quotes

    async def ticks(self, symbol: str, start: datetime, end: datetime) -> AsyncGenerator[TickBatch]:
        """Prints, a thousand a request: IBKR allows 60 requests in ten minutes."""
        async with aclosing(pages(self._session, symbol, "TRADES", start, end)) as found:
            async for page in found:
                yield prints(symbol, page)

    async def quotes(
        self, symbol: str, start: datetime, end: datetime
    ) -> AsyncGenerator[QuoteBatch]:
        """Every change of the top of book, a thousand a request."""
        async with aclosing(pages(self._session, symbol, "BID_ASK", start, end)) as found:
            async for page in found:
                yield tops(symbol, page)

    # ------------------------------------------------------------- names and contracts

    async def profile(self, symbol: str) -> Profile:
        """Name, primary exchange and sector, from the contract's details."""
        said = await self._session.details(symbol)
        sector = CATEGORIES.get(said.category) or SECTORS.get(said.industry, said.industry)
        exchange = EXCHANGES.get(said.contract.primaryExchange)
        return Profile(symbol, said.longName, exchange, sector or None)

    async def chain(self, underlying: str, expiry: date | None = None) -> list[OptionSnapshot]:
        """The listed contracts, without prices: each would cost a market data line for seconds.

        A request an expiry.
        """
        days = [expiry] if expiry else await self._expiries(underlying)
        now = self._clock.now()
        found = [s for day in days for s in await self._listed(underlying, day)]
        if not found:
            when = f" that expires on {expiry}" if expiry else ""
            raise NotFound(f"IBKR lists no option on {underlying}{when}.", underlying=underlying)
        return [OptionSnapshot(symbol=symbol, at=now) for symbol in sorted(found)]

    async def _expiries(self, underlying: str) -> list[date]:
        stock = await self._session.contract(underlying)
        name, number = stock.symbol, stock.conId
        chains = await self._session.ask(
            lambda client, request: client.reqSecDefOptParams(request, name, "", "STK", number),
            f"about options on {underlying}",
            symbol=underlying,
        )
        return sorted({day(text) for chain in chains for text in chain.expirations})

    async def _listed(self, underlying: str, expiry: date) -> list[str]:
        contract = wanted_options(self._session.wire.module, underlying, expiry)
        try:
            found = await self._session.ask(
                lambda client, number: client.reqContractDetails(number, contract),
                f"about options on {underlying}",
                symbol=underlying,
            )
        except NotFound:
            return []
        return sorted({our_symbol(one.contract) for one in found})

    # ----------------------------------------------------------------------------- live

    async def live(self, subscription: Subscription) -> AsyncGenerator[LiveItem]:
        """Prints and quotes; see `LiveLines` for which symbols get every one of them."""
        session = self._session
        await session.connect()
        if not session.servers_are_there:
            raise session.lost("The Gateway has lost IBKR's servers.")
        contracts = await self._contracts(subscription.symbols)
        lines = LiveLines(session, self._clock, contracts, subscription.channels & self.channels)
        try:
            lines.open()
            await session.probe()
            yield Heartbeat(self._clock.now())
            while True:
                if not await lines.wait(QUIET_SECONDS):
                    await self._verify()
                    yield Heartbeat(self._clock.now())
                for item in self._taken(lines, subscription.symbols):
                    yield item
        finally:
            lines.close()

    async def _contracts(self, symbols: Sequence[str]) -> dict[str, Any]:
        """What IBKR calls each symbol. Raises NotFound for the first that it does not know."""
        asked = [self._session.details(symbol) for symbol in symbols]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return {symbol: await self._session.contract(symbol) for symbol in symbols}

    async def _verify(self) -> None:
        """Nothing came for a while. Raises FeedLost when nobody is there, or prices cannot come."""
        await self._session.probe()
        if self._session.broken_farms:
            names = ", ".join(sorted(self._session.broken_farms))
            raise self._session.lost(f"The Gateway has no connection to IBKR's farms {names}.")

    def _taken(self, lines: LiveLines, symbols: Sequence[str]) -> Sequence[LiveItem]:
        """What came. A symbol that the account may not see is left out; if it is the last, all."""
        try:
            return lines.items()
        except FeedRefused as error:
            if not is_about_permission(error):
                raise
            symbol = str(error.context["symbol"])
            self._refused.add(symbol)
            if self._refused.issuperset(symbols):
                raise
            raise NotFound(error.message, remedy=error.remedy, symbol=symbol) from None


def _until(timeframe: Timeframe, end: datetime, seen: datetime) -> datetime:
    """Where a request ends that has whole the last bar that begins before `end`."""
    if timeframe in (Timeframe.H1, Timeframe.D1):
        return min(end + timeframe.duration, seen)
    step = to_ns(end) % (int(timeframe.duration.total_seconds()) * _NS)
    whole = end if not step else end + timeframe.duration - timedelta(microseconds=step // 1_000)
    return min(whole, seen)


def _stamp(at: datetime) -> str:
    """In UTC, to the second, rounded up: the end of a span is not in it."""
    whole = at.astimezone(UTC)
    if whole.microsecond:
        whole = whole.replace(microsecond=0) + timedelta(seconds=1)
    return f"{whole:%Y%m%d-%H:%M:%S}"
