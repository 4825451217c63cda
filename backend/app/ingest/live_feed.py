"""Live bars over a chain of providers: reconnection, silence, fail-over, and catching up."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Final

import msgspec

from app.core.clock import Clock, system, to_ns
from app.core.errors import InvalidInput
from app.core.live import LiveOptions
from app.core.tasks import end
from app.domain.events import DataGapDetected, FeedConnected, FeedDisconnected
from app.domain.market import Timeframe
from app.ingest.catch_up import CatchUp
from app.ingest.chain import Chain
from app.ingest.connections import Connections, Refused
from app.ingest.hours import Hours
from app.ingest.late_bars import LateBars
from app.ingest.link import Link, LinkReport, LinkState, MakePrints, Polled
from app.ingest.option_feed import OptionFeed
from app.ingest.options import split_options
from app.ingest.sequence import Item, Sequencer
from app.ingest.ticks import Taken
from app.marketdata.batch import BarBatch, QuoteBatch, TickBatch, to_datetime
from app.marketdata.calendar import TradingCalendar
from app.marketdata.ports import (
    Channel,
    DataProvider,
    Feed,
    LiveItem,
    LiveSource,
    PricePublisher,
)

BEAT_SECONDS: Final = 0.2
"How often the clock is looked at."
AHEAD: Final = 1_024
"Items that wait for the database before providers have to wait too."
_MANY: Final = 3
"Symbols that hardly ever all go without a trade for a minute."
_HOLES_SECONDS: Final = 300.0
"Between two questions about silent minutes outside the regular session: they cost allowance."
_NS: Final = 1_000_000_000
_MINUTE: Final = 60 * _NS
Share = Callable[[LiveSource], LiveSource]
Told = FeedConnected | FeedDisconnected | DataGapDetected
Tell = Callable[[Told], Awaitable[None]]


class LiveFeed:
    """A `BarStream` that outlives its providers' connections. One `stream` at a time.

    Each symbol is asked of the best provider that serves it; one that is lost, silent or does not
    know the symbol is replaced by the next, and takes it back once it recovered. A bar is given
    once, whoever sends it first. What was missed is fetched by `history`.
    """

    name = "live"

    def __init__(
        self,
        chain: Sequence[DataProvider],
        dataset: str,
        calendar: TradingCalendar,
        *,
        options: LiveOptions | None = None,
        prints: MakePrints | None = None,
        publisher: PricePublisher | None = None,
        contracts: OptionFeed | None = None,
        tell: Tell | None = None,
        refused: Refused | None = None,
        share: Share | None = None,
        extended_hours: bool = False,
        clock: Clock = system,
        beat_seconds: float = BEAT_SECONDS,
    ) -> None:
        """`chain`: the best provider first. `prints` None: prints and quotes are not stored.

        `contracts` gets the prices of stocks, and quotes of options if any come here.
        """
        self.options = options or LiveOptions()
        self._dataset = dataset
        self._calendar = calendar
        self._publisher = publisher
        self._make_prints = prints
        self.contracts = contracts
        self._tell_others = tell
        self._share = share
        self.extended_hours = extended_hours
        "Whether bars outside the regular session are wanted; from the next `stream` on."
        self._clock = clock
        self._beat = beat_seconds
        channels = frozenset(map(Channel, self.options.channels))
        self.links = [
            Link(place, provider, self._live(provider), channels)
            for place, provider in enumerate(chain)
        ]
        self._symbols: tuple[str, ...] = ()
        self._timeframe = Timeframe.M1
        self._source_of: dict[str, str] = {}
        self._sequencer = Sequencer((), Timeframe.M1, calendar)
        self._connections = Connections(
            Chain(self.links, self.options, Hours(calendar, 0.0), clock),
            self.options,
            clock,
            begins=self._begins,
            is_up=self._is_up,
            take=self._take,
            tell=tell,
            refused=refused,
            beat_seconds=beat_seconds,
        )
        self._catch_up = CatchUp(self.links, clock, calendar)
        self._late = {link.name: LateBars(link.name, clock) for link in self.links}
        self._doubted: dict[str, datetime] = {}
        "By provider, the last item of the connection whose last bars were doubted."
        self._held_since: float | None = None
        self._hole_at = -_HOLES_SECONDS
        self._out: asyncio.Queue[Item] = asyncio.Queue()
        self._room = asyncio.Event()

    def _live(self, provider: DataProvider) -> LiveSource:
        if isinstance(provider, LiveSource) and provider.channels:
            return provider if self._share is None else self._share(provider)
        return Polled(provider, self._clock, self.options.poll_seconds)

    # ---------------------------------------------------------------------------- as a stream

    async def stream(
        self, symbols: Sequence[str], timeframe: Timeframe, after: datetime | None = None
    ) -> Feed:
        """Bars of `symbols` that end beyond `after`, for ever; raises nothing that passes.

        Raises InvalidInput for a timeframe other than minutes, and for seconds where a provider
        gives no prints.
        """
        self._begin(symbols, timeframe, after)
        tasks = [
            asyncio.create_task(self._connections.keep(link), name=link.name) for link in self.links
        ]
        tasks.append(asyncio.create_task(self._watch(), name="live feed"))
        tasks.append(asyncio.create_task(self._make_again(), name="late bars"))
        try:
            while True:
                yield await self._next(tasks)
        finally:
            await end([*tasks, *self._catch_up.tasks])

    async def close(self) -> None:
        """Store the prints and quotes that wait, and give back the providers' sessions."""
        for link in self.links:
            if link.prints is not None:
                await link.prints.close()
                link.prints = None
            await link.provider.close()

    def report(self) -> list[LinkReport]:
        """Every provider as it is now, in the order of the chain."""
        serving: dict[str, list[str]] = {}
        for symbol, source in sorted(self._source_of.items()):
            serving.setdefault(source, []).append(symbol)
        return [
            msgspec.structs.replace(
                link.report(serving.get(link.name, []), self.waiting),
                remade=self._late[link.name].corrected,
            )
            for link in self.links
        ]

    @property
    def waiting(self) -> int:
        """Items that nobody has taken yet."""
        return self._out.qsize()

    def _begin(self, symbols: Sequence[str], timeframe: Timeframe, after: datetime | None) -> None:
        if timeframe is not Timeframe.M1:
            raise InvalidInput(
                f"Live feeds give bars of 1m, not of {timeframe}.",
                field="base",
                remedy="Leave the account's base at 1m; longer bars are made of minutes.",
            )
        self._symbols, self._timeframe = tuple(symbols), timeframe
        self._out, self._room = asyncio.Queue(), asyncio.Event()
        self._room.set()
        self._held_since = None
        self._sequencer = Sequencer(
            symbols,
            timeframe,
            self._calendar,
            after=after or self._clock.now(),
            extended_hours=self.extended_hours,
        )
        extended = self.extended_hours
        hours = Hours(self._calendar, self.options.lead_seconds, extended_hours=extended)
        chain = Chain(self.links, self.options, hours, self._clock, self._symbols)
        self._connections.chain = chain
        self._catch_up = CatchUp(self.links, self._clock, self._calendar, extended_hours=extended)
        self._late = {link.name: LateBars(link.name, self._clock) for link in self.links}
        self._doubted.clear()
        for link in self.links:
            self._make_ready(link)

    def _make_ready(self, link: Link) -> None:
        if link.state is not LinkState.REFUSED:
            link.state = LinkState.STANDBY
        link.failed_at, link.failures, link.subscribed = None, 0, frozenset()
        link.silent.clear()
        if self._make_prints is not None and link.prints is None:
            made_here = () if link.makes_bars else (self._timeframe,)
            link.prints = self._make_prints(link.name, made_here)

    async def _next(self, tasks: Sequence["asyncio.Task[None]"]) -> Item:
        """The next item, or the error of a task that must not have one."""
        getting = asyncio.ensure_future(self._out.get())
        try:
            await asyncio.wait([getting, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
            return await getting
        finally:
            getting.cancel()
            if self._out.qsize() < AHEAD:
                self._room.set()

    def _give(self, items: Sequence[Item]) -> None:
        for item in items:
            self._out.put_nowait(item)
        if self._out.qsize() >= AHEAD:
            self._room.clear()

    # ------------------------------------------------------------------------- one provider

    def _begins(self, link: Link) -> datetime | None:
        """A connection begins; bars made of prints lack what came before it."""
        for one in self.links:
            if one is link or one.state is not LinkState.UP:
                self._doubt(one)
        link.complete_from = 0 if link.makes_bars else to_ns(self._clock.now())
        if link.prints is not None:
            link.prints.resumed()
        if not link.replays:
            return None
        return to_datetime(min(self._sequencer.last(symbol) for symbol in link.subscribed))

    def _doubt(self, link: Link) -> None:
        """Its last bar, if made of prints, may hold only what came before its connection died."""
        last = link.last_item_at
        if not link.makes_bars and last is not None and self._doubted.get(link.name) != last:
            self._doubted[link.name] = last
            self._sequencer.doubt(link.name, to_ns(last) - to_ns(last) % _MINUTE)

    def _is_up(self, link: Link) -> None:
        if not link.makes_bars:  # the subscription stands only now
            link.complete_from = to_ns(self._clock.now())
        if not (link.replays and link.makes_bars):
            self._fetch(link)

    # ------------------------------------------------------------------------- what comes

    async def _take(self, link: Link, item: LiveItem) -> None:
        if isinstance(item, BarBatch):
            self._bars(link, item)
        elif isinstance(item, TickBatch | QuoteBatch) and link.prints is not None:
            item = self._of_stocks(link, item)
            now = None if self._is_old(item) else to_ns(self._clock.now())
            taken = await link.prints.take(item, now)
            self._made(link, taken)
            if self._publisher is not None and taken.good is not None and len(taken.good):
                offer(self._publisher, self._dataset, taken.good)
        await self._room.wait()

    def _of_stocks(self, link: Link, item: TickBatch | QuoteBatch) -> TickBatch | QuoteBatch:
        """`item` without quotes of options: they have a table of their own."""
        if isinstance(item, TickBatch):
            return item
        stocks, options = split_options(item)
        if len(options) and self.contracts is not None:
            self.contracts.quotes(link.name, options)
        return stocks

    def _is_old(self, item: TickBatch | QuoteBatch) -> bool:
        """Whether it is a replay of what was missed: rules about the wall clock do not hold."""
        age = to_ns(self._clock.now()) - int(item.rows["at"][-1]) if len(item) else 0
        return age > self.options.silent_seconds * _NS

    def _made(self, link: Link, taken: Taken) -> None:
        if not link.makes_bars:
            for batch in taken.bars:
                whole = batch[batch.start >= link.complete_from]
                self._bars(link, whole)
                self._late[link.name].made(whole)
            self._late[link.name].note(taken.late)
        for symbol, print_ in taken.prices.items():
            self._give(self._sequencer.first_print(symbol, print_.price, print_.at))
            self._price(symbol, print_.price)
        for quote in taken.quotes:
            self._price(quote.symbol, (quote.bid + quote.ask) / 2)

    def _price(self, symbol: str, price: float) -> None:
        """What the options on a stock are compared with; NaN says nothing."""
        if self.contracts is not None:
            self.contracts.underlying(symbol, price)

    def _bars(self, link: Link, batch: BarBatch) -> None:
        if batch.timeframe is not self._timeframe or not len(batch):
            return
        now = self._clock.now()
        link.heard[batch.symbol] = self._clock.monotonic()
        link.silent.discard(batch.symbol)
        link.bars += len(batch)
        newest = to_datetime(int(batch.end.max()))
        link.last_bar_end = max(link.last_bar_end or newest, newest)
        link.lag_seconds = max((now - newest).total_seconds(), 0.0)
        link.failed_at, link.failures = None, 0
        self._price(batch.symbol, float(batch.rows["close"][-1]))
        self._notice_hole(link, int(batch.start.min()))
        given = self._sequencer.bars(batch, link.name)
        if given or self._sequencer.is_held:
            self._source_of[batch.symbol] = link.name
        self._give(given)

    # ------------------------------------------------------------------------- the clock

    async def _watch(self) -> None:
        """Every beat: finish bars, promise slices, and see who is silent or no longer needed."""
        while True:
            await asyncio.sleep(self._beat)
            now = self._clock.now()
            for link in self.links:
                if link.prints is not None and link.state is LinkState.UP:
                    self._made(link, link.prints.advance(to_ns(now)))
            await self._collect()
            grace = self.options.grace_seconds + self._slowest()
            self._give(self._sequencer.advance(to_ns(now) - int(grace * _NS)))
            for link in self.links:
                self._connections.chain.judge(link, now)

    async def _make_again(self) -> None:
        """Minutes for which prints came late, beside everything else."""
        while True:
            await asyncio.sleep(self._beat)
            for link in self.links:
                late = self._late[link.name]
                if link.prints is None or not late.is_due:
                    continue
                for batch in await late.remade(link.prints, partial(self._is_of, link.name)):
                    self._give(self._sequencer.bars(batch, link.name))

    def _is_of(self, source: str, symbol: str, start: int) -> bool:
        """Whether the bar that everybody has is of that provider."""
        return self._sequencer.giver(symbol, start) == source

    def _slowest(self) -> float:
        serving = [link.delay_seconds for link in self.links if link.subscribed]
        return max(serving, default=0.0)

    # ------------------------------------------------------------------------- catching up

    def _fetch(self, link: Link) -> None:
        """Ask for what was missed; new bars wait for it where nobody else feeds us.

        Where bars are made of prints, the minute of the connection is missed too.
        """
        now = to_ns(self._clock.now())
        until = now - now % _MINUTE + (0 if link.makes_bars else _MINUTE)
        is_dark = self._is_dark(link, now)
        take = self._sequencer.take_missing
        missing = {symbol: (take(symbol), until) for symbol in link.subscribed}
        if self._catch_up.begin(missing) and is_dark:
            self._hold()

    def _notice_hole(self, link: Link, start: int) -> None:
        """Minutes in which no symbol had a bar, though no connection broke: were we not told?

        Where many symbols were silent at once what comes now waits for the answer.
        """
        newest = max(self._sequencer.last(symbol) for symbol in self._symbols)
        if start <= newest or self._sequencer.is_held or not self._may_ask(start):
            return
        missing = {symbol: (self._sequencer.last(symbol), start) for symbol in link.subscribed}
        if self._catch_up.begin(missing) and len(self._symbols) >= _MANY:
            self._hold()

    def _may_ask(self, start: int) -> bool:
        """Before the open and after the close minutes without a trade are common: asked rarely."""
        session, now = self._calendar.session_at(start), self._clock.monotonic()
        is_regular = session is not None and session.open <= start < session.close
        if not is_regular and now - self._hole_at < _HOLES_SECONDS:
            return False
        self._hole_at = now
        return True

    def _hold(self) -> None:
        self._sequencer.hold()
        self._held_since = self._clock.monotonic()

    def _is_dark(self, link: Link, now: int) -> bool:
        """Whether a minute is missing: the last, where nobody else may still bring it."""
        newest = max((self._sequencer.last(s) for s in self._symbols), default=0)
        others = any(one.state is LinkState.UP for one in self.links if one is not link)
        return now - newest > (2 * _MINUTE if others else _MINUTE)

    async def _collect(self) -> None:
        """Give what was fetched; let new bars pass when all is there, or has taken too long."""
        for symbol, (start, until) in self._catch_up.unanswered():
            await self._tell(
                DataGapDetected(
                    dataset=self._dataset,
                    symbol=symbol,
                    timeframe=self._timeframe,
                    start=to_datetime(start),
                    end=to_datetime(until),
                    at=self._clock.now(),
                )
            )
        for batch, source in self._catch_up.fetched():
            for late in self._late.values():
                late.replaced(batch.symbol, batch.start)
            given = self._sequencer.bars(batch, source)
            if given or self._sequencer.is_held:
                self._source_of.setdefault(batch.symbol, source)
            self._give(given)
        self._catch_up.try_again()
        if self._sequencer.is_held:
            waited = self._clock.monotonic() - (self._held_since or 0.0)
            if not self._catch_up.is_busy or waited > self.options.hold_seconds:
                self._give(self._sequencer.release())

    async def _tell(self, event: Told) -> None:
        if self._tell_others is not None:
            await self._tell_others(event)


def offer(publisher: PricePublisher, dataset: str, item: TickBatch | QuoteBatch) -> None:
    """Tell whoever looks at prices now."""
    if isinstance(item, QuoteBatch):
        publisher.offer_quotes(dataset, item)
    else:
        publisher.offer_prints(dataset, item)
