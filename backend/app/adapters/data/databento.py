"""Databento: bars, prints and quotes of US stocks and options, history and real time.

https://databento.com/docs; what it costs and where its data differ from ours is in
docs/data/databento.md.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from app.adapters.clients.databento import NAME, DatabentoHistory, DatabentoOptions, Query
from app.core.clock import to_ns
from app.core.errors import FeedLost, FeedRefused, NotFound
from app.core.retry import API_RETRY_CONFIG, RetryConfig
from app.domain.market import Timeframe
from app.domain.options import is_occ, parse_occ
from app.marketdata import dbn
from app.marketdata.aggregation import aggregate
from app.marketdata.batch import (
    BarBatch,
    Flags,
    QuoteBatch,
    Rows,
    TickBatch,
    concatenate,
    to_datetime,
)
from app.marketdata.calendar import TradingCalendar, trading_calendar
from app.marketdata.dbn_files import DbnData
from app.marketdata.ports import (
    Channel,
    LiveItem,
    OptionSnapshot,
    ProviderSetup,
    Subscription,
)

if TYPE_CHECKING:
    from app.adapters.clients.databento_live import Wanted

LONGEST_REPLAY: Final = timedelta(hours=23, minutes=45)
"The gateway replays a day; a little less, so that a request is not too old when it arrives."
MOST_OPTIONS: Final = 10_000
"The gateway sets no limit; so many contracts, each once a second, are no load yet."
_NATIVE: Final = (Timeframe.S1, Timeframe.M1, Timeframe.D1)
"Timeframes whose bars lie on our grid; those of an hour begin at the full hour, not at the open."
_DAY_NS: Final = 86_400 * 10**9
_SLACK_NS: Final = 10**9
"Records are found by when they were received, and kept by when they happened: a little before."
_DAYS_BACK: Final = 4
"Definitions are looked for so many days back: a long weekend has none."
_SPANS: Final[Mapping[Timeframe, int]] = {
    Timeframe.S1: 7 * _DAY_NS,
    Timeframe.M1: 366 * _DAY_NS,
    Timeframe.D1: 36_600 * _DAY_NS,
}
"How much of each a request may ask for: at most some 30 MB."

_STOCK_SCHEMAS: Final[Mapping[Channel, str]] = {
    Channel.TRADES: "trades",
    Channel.QUOTES: "mbp-1",
    Channel.BARS: "ohlcv-1m",
}
_OPTION_SCHEMAS: Final[Mapping[Channel, str]] = {
    Channel.TRADES: "trades",
    Channel.QUOTES: "cbbo-1s",
}
"Minute bars of options come a venue each; every change of every contract is more than is kept."


class Adapter:
    """Needs DATABENTO_API_KEY. Stocks and options go to their data sets in DATABENTO_DATASET."""

    name = NAME
    channels = frozenset(Channel)
    most_options = MOST_OPTIONS

    def __init__(
        self,
        setup: ProviderSetup,
        *,
        options: DatabentoOptions | None = None,
        retry: RetryConfig = API_RETRY_CONFIG,
    ) -> None:
        self._options = options or DatabentoOptions()
        self._setup = setup
        self._history = DatabentoHistory(self._options, setup.clock, retry)
        self._kept_since: datetime | None = None
        "When the gateway said that it did not keep what was asked for: less than a day at times."

    @property
    def _calendar(self) -> TradingCalendar:
        return trading_calendar(self._setup.exchange)

    # -------------------------------------------------------------------------- history

    async def history(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> BarBatch:
        """Bars of 5 m, 15 m and 1 h are made of minutes: the vendor's hours are not ours.

        A daily bar holds all trading of its UTC day at this venue, after hours too.
        """
        source = timeframe if timeframe in _NATIVE else Timeframe.M1
        first, last = to_ns(start), to_ns(end)
        bars = await self._bars(symbol, source, self._begin(timeframe, first), last)
        if source is not timeframe:
            over = min(last, to_ns(self._setup.clock.now()))
            bars = aggregate(bars, timeframe, self._calendar, until=over)
        return bars.between(first, last)

    async def ticks(self, symbol: str, start: datetime, end: datetime) -> AsyncGenerator[TickBatch]:
        """Every print of the venue, in pages."""
        query = self._query(symbol, "trades", start, end)
        async for page in self._history.pages(query, _only(frozenset({dbn.TRADES}))):
            batch = page.data.columns.ticks(page.rows)
            yield batch[_chosen(batch.rows, start, end)]

    async def quotes(
        self, symbol: str, start: datetime, end: datetime
    ) -> AsyncGenerator[QuoteBatch]:
        """The top of book at the end of every second in which it, or the last sale, changed."""
        schema = "cbbo-1s" if is_occ(symbol) else "bbo-1s"
        query = self._query(symbol, schema, start, end)
        async for page in self._history.pages(query, _only(dbn.INTERVAL_TOPS)):
            kind = int(page.rows["rtype"][0]) if len(page.rows) else min(dbn.INTERVAL_TOPS)
            batch = page.data.columns.quotes(page.rows, kind)
            yield batch[_chosen(batch.rows, start, end)]

    async def chain(self, underlying: str, expiry: date | None = None) -> list[OptionSnapshot]:
        """The contracts defined on the newest day; this API has no prices beside definitions."""
        dataset = self._options.dataset_of(options=True)
        now = to_ns(self._setup.clock.now())
        _, newest = await self._history.available(dataset, now)
        for back in range(_DAYS_BACK + 1):
            day = newest // _DAY_NS * _DAY_NS - back * _DAY_NS
            at = min(day + _DAY_NS, newest)
            symbols = await self._defined(dataset, underlying, day, at)
            if symbols:
                break
        chosen = [s for s in symbols if expiry is None or parse_occ(s).expiry == expiry]
        if not chosen:
            when = f" that expires on {expiry}" if expiry else ""
            raise NotFound(f"Databento knows no option on {underlying}{when}.", symbol=underlying)
        return [OptionSnapshot(symbol=symbol, at=to_datetime(at)) for symbol in chosen]

    # ----------------------------------------------------------------------------- live

    async def live(self, subscription: Subscription) -> AsyncGenerator[LiveItem]:
        """One connection for each data set; when one breaks, all of them are given up."""
        # the library takes most of a second to import, and history may never need this half
        from app.adapters.clients.databento_live import LiveSession, address  # noqa: PLC0415

        key = self._key()
        arrived = asyncio.Event()
        sessions: list[LiveSession] = []
        try:
            for wanted in self._wanted(subscription):
                session = LiveSession(wanted, self._history.vendor, self._calendar, arrived)
                sessions.append(session)
                await session.connect(*address(wanted.dataset, self._options.gateway), key)
            while True:
                await arrived.wait()
                arrived.clear()
                for session in sessions:
                    for item in session.items():
                        yield item
                await asyncio.sleep(0)  # a backlog is worked off without holding up the loop
        except FeedLost as error:
            if error.context.get("is_too_old"):  # the next connection must not ask for it again
                self._kept_since = self._setup.clock.now()
            raise
        finally:
            for session in sessions:
                session.close()

    async def close(self) -> None:
        """Nothing stays open between requests."""

    # -------------------------------------------------------------------------- helpers

    async def _bars(self, symbol: str, timeframe: Timeframe, begin: int, end: int) -> BarBatch:
        """The vendor's bars from `begin` on, sorted, in as many requests as it takes."""
        options, calendar = is_occ(symbol), self._calendar
        parts = [BarBatch.empty(symbol, timeframe)]
        for start in range(begin, end, _SPANS[timeframe]):
            query = Query(
                dataset=self._options.dataset_of(options=options),
                schema=f"ohlcv-{timeframe}",
                symbols=(dbn.raw_symbol(symbol),),
                start=start,
                end=min(start + _SPANS[timeframe], end),
            )
            found = await self._history.read(query, lambda data: list(data.bars(calendar)))
            parts += [BarBatch(symbol, timeframe, bars.rows) for bars, _ in found or ()]
        return _one_a_start(concatenate(parts).sorted())

    def _begin(self, timeframe: Timeframe, at: int) -> int:
        """Where records begin that make the bar of `timeframe` that holds `at`."""
        if timeframe is Timeframe.D1:
            return at // _DAY_NS * _DAY_NS
        return int(self._calendar.bounds(timeframe, np.array([at]))[0][0])

    def _query(self, symbol: str, schema: str, start: datetime, end: datetime) -> Query:
        return Query(
            dataset=self._options.dataset_of(options=is_occ(symbol)),
            schema=schema,
            symbols=(dbn.raw_symbol(symbol),),
            start=to_ns(start),
            end=to_ns(end) + _SLACK_NS,
        )

    async def _defined(self, dataset: str, underlying: str, start: int, end: int) -> list[str]:
        """Symbols of the contracts on `underlying` that were defined within a span, sorted."""
        query = Query(
            dataset=dataset,
            schema="definition",
            symbols=(f"{underlying}.OPT",),
            stype_in="parent",
            start=start,
            end=end,
        )
        found = await self._history.read(query, lambda data: list(data.definitions()))
        return sorted({one.symbol for one in found or () if is_occ(one.symbol)})

    def _wanted(self, subscription: Subscription) -> "list[Wanted]":
        """What each data set is asked for. Raises FeedRefused when there is nothing."""
        from app.adapters.clients.databento_live import Wanted  # noqa: PLC0415

        after = self._replayable(subscription.after)
        found = []
        for options in (False, True):
            symbols = tuple(s for s in subscription.symbols if is_occ(s) is options)
            schemas = _schemas(subscription.channels, options=options)
            if symbols and schemas:
                dataset = self._options.dataset_of(options=options)
                channels = subscription.channels
                roots = {parse_occ(symbol).underlying for symbol in symbols} if options else set()
                found.append(
                    Wanted(
                        dataset=dataset,
                        schemas=schemas,
                        symbols=symbols,
                        channels=channels,
                        after=after,
                        underlyings=tuple(sorted(roots)),
                    )
                )
        if not found:
            raise FeedRefused(
                "Databento has no live feed for these symbols and channels.",
                api_name=NAME,
                remedy="Ask for trades or quotes: minute bars are of stocks only.",
            )
        return found

    def _replayable(self, after: datetime | None) -> datetime | None:
        """`after`, or the instant nearest to it that the gateway still has; None for no replay."""
        if after is None or (self._kept_since is not None and after < self._kept_since):
            return None
        return max(after, self._setup.clock.now() - LONGEST_REPLAY)

    def _key(self) -> str:
        self._history.vendor.require()
        key = self._options.api_key
        return key.get_secret_value() if key is not None else ""


def _schemas(channels: frozenset[Channel], *, options: bool) -> tuple[str, ...]:
    """What a session subscribes to. Prints of stocks come with their quotes, where both are due."""
    names = _OPTION_SCHEMAS if options else _STOCK_SCHEMAS
    wanted = [channel for channel in names if channel in channels]
    if not options and Channel.QUOTES in wanted and Channel.TRADES in wanted:
        wanted.remove(Channel.TRADES)
    return tuple(names[channel] for channel in wanted)


def _only(kinds: frozenset[int]) -> Callable[[DbnData], Rows]:
    """Reads the records of some types, which must be laid out alike, as one array."""
    layout = dbn.LAYOUTS[min(kinds)]

    def read(data: DbnData) -> Rows:
        found = [rows for kind, rows in data.records() if kind in kinds]
        return np.concatenate(found) if found else np.empty(0, layout)

    return read


def _chosen(rows: Rows, start: datetime, end: datetime) -> Flags:
    """Rows with start <= at < end."""
    chosen: Flags = (rows["at"] >= to_ns(start)) & (rows["at"] < to_ns(end))
    return chosen


def _one_a_start(bars: BarBatch) -> BarBatch:
    """Sorted bars with those of one start (of several venues) made one, in the vendor's order."""
    first = np.flatnonzero(np.diff(bars.start, prepend=np.int64(-1)))
    if len(first) == len(bars):
        return bars
    rows = bars.rows[first].copy()
    rows["high"] = np.maximum.reduceat(bars.rows["high"], first)
    rows["low"] = np.minimum.reduceat(bars.rows["low"], first)
    rows["close"] = bars.rows["close"][np.append(first[1:], len(bars)) - 1]
    rows["volume"] = np.add.reduceat(bars.rows["volume"], first)
    return BarBatch(bars.symbol, bars.timeframe, rows)
