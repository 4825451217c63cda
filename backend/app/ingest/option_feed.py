"""Live quotes of options beside the bars of stocks: chains followed over their own connections."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date
from math import inf
from typing import Final

import asyncpg
import msgspec

from app.core.clock import Clock, system, to_ns
from app.core.errors import ConfigurationError, FeedRefused, NotFound, TradewrightError
from app.core.live import LiveOptions
from app.core.logging import get_logger
from app.core.tasks import end
from app.ingest.chain import Chain
from app.ingest.connections import Connections, Tell
from app.ingest.hours import Hours
from app.ingest.link import Link, LinkReport
from app.ingest.option_lookup import OptionLookup
from app.ingest.option_queue import MOST, OptionQueue
from app.ingest.option_writer import root_of
from app.ingest.options import OptionIngest, split_options
from app.marketdata.batch import QuoteBatch
from app.marketdata.calendar import TradingCalendar
from app.marketdata.option_choice import OptionLimits
from app.marketdata.ports import (
    ChainSource,
    Channel,
    ContractsDefined,
    DataProvider,
    LiveItem,
    OptionSource,
)
from app.repositories.journal import LOST_CONNECTION

BEAT_SECONDS: Final = 0.2
LOOK_AGAIN_SECONDS: Final = 60.0
"Chains that could not be looked up are asked for again so often."
_NS: Final = 1_000_000_000
log = get_logger("trading")

MakeIngest = Callable[[str], OptionIngest]
"For a provider: what judges, values and stores the quotes of options that it sends."
Refused = Callable[[str, TradewrightError], Awaitable[None]]
"Who gives nothing, and why: a person must act."


class OptionFollowed(msgspec.Struct, frozen=True, kw_only=True):
    """What an account follows."""

    underlyings: tuple[str, ...]
    limits: OptionLimits = OptionLimits()


class OptionFeed:
    """Follows chains for ever. It shares nothing with the feed of bars but the prices of stocks.

    Contracts are looked up at the start and at the begin of every session. Quotes pass a bounded
    queue in front of the database; what is too much for it is shed there, and counted.
    """

    def __init__(
        self,
        chain: Sequence[DataProvider],
        calendar: TradingCalendar,
        followed: OptionFollowed,
        pool: asyncpg.Pool,
        dataset: str,
        make: MakeIngest,
        *,
        options: LiveOptions | None = None,
        tell: Tell | None = None,
        refused: Refused | None = None,
        most_waiting: int = MOST,
        clock: Clock = system,
        beat_seconds: float = BEAT_SECONDS,
    ) -> None:
        """`chain`: the account's providers, the best first; those without options are left out.

        Quotes beyond `most_waiting` for each provider are shed.
        """
        # contracts may well be without a quote for long: that says nothing about the feed
        self._options = (options or LiveOptions()).model_copy(update={"symbol_silent_seconds": inf})
        self._calendar = calendar
        self._followed = followed
        self._clock = clock
        self._beat = beat_seconds
        self.links = _links(chain)
        self._behind = len(chain)
        self._queues = {
            link.name: OptionQueue(make(link.provider.name), most=most_waiting)
            for link in self.links
        }
        self._hours = Hours(calendar, self._options.lead_seconds)
        most = min((_most(link) for link in self.links), default=0)
        self._lookup = OptionLookup(
            [one for one in chain if isinstance(one, ChainSource)],
            pool,
            dataset,
            _shared(followed, most),
            clock,
        )
        self._connections = Connections(
            self._chain(()),
            self._options,
            clock,
            begins=lambda _: None,
            is_up=lambda _: None,
            take=self._take,
            tell=tell,
            refused=refused,
            beat_seconds=beat_seconds,
        )
        self._refused = refused
        self._is_due = False
        "Whether chains that wait need not wait longer: an underlying has its first price."
        self._news: set[str] = set()
        "Roots on which contracts were defined since the chains were looked up."
        self._prices: dict[str, float] = {}
        self._contracts: dict[str, tuple[str, ...]] = {}
        self._problems: dict[str, str] = {}

    @property
    def contracts(self) -> Mapping[str, tuple[str, ...]]:
        """The contracts that are followed, by underlying."""
        return self._contracts

    def underlying(self, symbol: str, price: float) -> None:
        """The newest price of a stock, from whoever reads it."""
        if symbol in self._followed.underlyings and price > 0:
            self._is_due |= symbol not in self._prices
            self._prices[symbol] = price
            for queue in self._queues.values():
                queue.ingest.underlying(symbol, price)

    def price(self, symbol: str) -> float | None:
        """The newest price of an underlying that was said."""
        return self._prices.get(symbol)

    def quotes(self, provider: str, batch: QuoteBatch) -> None:
        """Quotes of options that came over a provider's connection for stocks."""
        for link in self.links:
            if link.provider.name == provider:
                self._queues[link.name].put(batch)

    async def run(self) -> None:
        """Look up, subscribe, store, until cancelled; what breaks is begun anew."""
        while True:
            try:
                await self._work()
            except Exception as error:
                log.error("option_feed_broke", exc_info=error)
            await asyncio.sleep(self._options.first_wait_seconds)

    async def close(self) -> None:
        """Store what waits. The providers belong to who gave them."""
        for queue in self._queues.values():
            await queue.close()

    def report(self) -> list[LinkReport]:
        """Every provider of option quotes as it is now, in the order of the chain."""
        return [self._report(link) for link in self.links]

    # -------------------------------------------------------------------------- work

    async def _work(self) -> None:
        works = [self._connections.keep(link) for link in self.links]
        works += [queue.run() for queue in self._queues.values()]
        works += [self._follow(), self._watch()]
        tasks = [asyncio.create_task(work, name="option feed") for work in works]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await end(tasks)

    async def _watch(self) -> None:
        """Every beat: see who is silent, no longer needed, or lacks contracts."""
        while True:
            await asyncio.sleep(self._beat)
            now = self._clock.now()
            for link in self.links:
                self._connections.chain.judge(link, now)

    async def _take(self, link: Link, item: LiveItem) -> None:
        """Never waits: a flood of quotes ends in the queue."""
        if isinstance(item, QuoteBatch):
            _, quotes = split_options(item)
            self._queues[link.name].put(quotes)
            link.failed_at, link.failures = None, 0
        elif isinstance(item, ContractsDefined):
            self._news |= self._lookup.defined(item.symbols)

    # -------------------------------------------------------------------------- contracts

    async def _follow(self) -> None:
        """Look all chains up now and at each session's begin; those that failed now and then."""
        session, due, waited = None, set(self._followed.underlyings), 0.0
        while True:
            now = self._session()
            if now is not None and now != session:
                due = set(self._followed.underlyings)
            session = now or session
            if self._news:
                due |= {one for one in self._followed.underlyings if root_of(one) in self._news}
                self._news.clear()
                self._is_due = True
            if due and (self._is_due or self._clock.monotonic() >= waited):
                self._is_due = False
                due = await self._look_up(sorted(due), now or self._clock.now().date())
                waited = self._clock.monotonic() + LOOK_AGAIN_SECONDS
            await asyncio.sleep(self._beat)

    def _session(self) -> date | None:
        """The session that has begun, or is about to."""
        ahead = to_ns(self._clock.now()) + int(self._options.lead_seconds * _NS)
        session = self._calendar.session_at(ahead)
        return session.day if session is not None and session.open <= ahead else None

    async def _look_up(self, underlyings: Sequence[str], today: date) -> set[str]:
        """Subscribe to what there is; returns those that another try may find."""
        again = set()
        for symbol in underlyings:
            try:
                found = await self._lookup.contracts(symbol, self._prices.get(symbol), today)
            except (TradewrightError, asyncpg.PostgresError, *LOST_CONNECTION) as error:
                again |= await self._not_found(symbol, error)
                continue
            self._problems.pop(symbol, None)
            self._contracts[symbol] = tuple(one.symbol for one in found)
            log.info("options_followed", symbol=symbol, contracts=len(found))
        wanted = tuple(one for some in self._contracts.values() for one in some)
        for link in self.links:
            link.unknown.clear()
        self._connections.chain = self._chain(wanted)
        return again

    async def _not_found(self, symbol: str, error: Exception) -> set[str]:
        """Say why a chain is not followed; `symbol` if it is to be asked for again this session."""
        sentence = str(error) or type(error).__name__
        is_new = self._problems.get(symbol) != sentence
        self._problems[symbol] = sentence
        if is_new:
            log.warning("options_not_followed", symbol=symbol, error=sentence)
        if not isinstance(error, FeedRefused | NotFound | ConfigurationError):
            return {symbol}
        if is_new and self._refused is not None:
            await self._refused(f"The chain of {symbol}", error)
        return set()

    def _chain(self, contracts: Sequence[str]) -> Chain:
        return Chain(self.links, self._options, self._hours, self._clock, contracts)

    def _report(self, link: Link) -> LinkReport:
        queue = self._queues[link.name]
        return msgspec.structs.replace(
            link.report(()),
            kind="options",
            place=self._behind + link.place,
            queue=queue.waiting,
            shed=queue.figures.shed,
            refused=queue.figures.refused,
            quotes=queue.figures.quotes,
            stored=queue.figures.stored,
            problem=link.problem or " ".join(self._problems.values()) or None,
        )


def _links(chain: Sequence[DataProvider]) -> list[Link]:
    """A link to each provider that carries quotes of options."""
    found: list[Link] = []
    for provider in chain:
        if isinstance(provider, OptionSource):
            link = Link(len(found), provider, provider, frozenset({Channel.QUOTES}))
            link.name = f"{provider.name} options"
            found.append(link)
    return found


def _most(link: Link) -> int:
    return link.source.most_options if isinstance(link.source, OptionSource) else 0


def _shared(followed: OptionFollowed, most: int) -> OptionLimits:
    """The limits, so that all chains together fit into every provider's connection."""
    each = max(most // max(len(followed.underlyings), 1), 1)
    contracts = min(followed.limits.contracts, each)
    return msgspec.structs.replace(followed.limits, contracts=contracts)
