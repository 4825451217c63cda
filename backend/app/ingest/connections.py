"""Keeping providers connected: waits, reconnection, refusals, and who is told of them."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import datetime

from app.core.clock import Clock
from app.core.errors import APIError, FeedRefused, NotFound
from app.core.live import LiveOptions
from app.core.logging import get_logger
from app.core.tasks import end
from app.domain.events import FeedConnected, FeedDisconnected
from app.ingest.chain import Chain, ending
from app.ingest.link import Link, LinkState
from app.marketdata.ports import LiveItem, Subscription

Begins = Callable[[Link], datetime | None]
"A connection begins: from when on the provider should replay, None for not at all."
Take = Callable[[Link, LiveItem], Awaitable[None]]
Tell = Callable[[FeedConnected | FeedDisconnected], Awaitable[None]]
Refused = Callable[[str, FeedRefused], Awaitable[None]]
log = get_logger("trading")


class Connections:
    """Connects each link of a chain while it is wanted, again and again. Nothing it meets raises.

    `chain` says who is wanted; whoever changes it lets `Chain.judge` interrupt what must be anew.
    """

    def __init__(
        self,
        chain: Chain,
        options: LiveOptions,
        clock: Clock,
        *,
        begins: Begins,
        is_up: Callable[[Link], None],
        take: Take,
        tell: Tell | None = None,
        refused: Refused | None = None,
        beat_seconds: float,
    ) -> None:
        """`is_up` hears of the first item of each connection, `take` gets every item."""
        self.chain = chain
        self._options = options
        self._clock = clock
        self._begins = begins
        self._on_up = is_up
        self._take = take
        self._tell_others = tell
        self._alarm = refused
        self._beat = beat_seconds
        self._random = random.SystemRandom()

    async def keep(self, link: Link) -> None:
        """Connect, read, and connect again, for ever or until the vendor refuses."""
        while True:
            await self._until_wanted(link)
            if link.state is LinkState.REFUSED:
                await asyncio.Event().wait()
            error = await self._connection(link)
            if isinstance(error, FeedRefused):
                await self._out_of_chain(link, error)
            elif isinstance(error, NotFound):
                self._forget(link, error)
            elif error is not None:
                await self._lost(link, error)

    async def _until_wanted(self, link: Link) -> None:
        """Wait while the market is closed, or better providers serve every symbol."""
        while link.state is not LinkState.REFUSED:
            if not self.chain.is_open(self._clock.now()):
                link.state = LinkState.CLOSED
            elif self.chain.wanted(link):
                return
            else:
                link.state = LinkState.STANDBY
            await asyncio.sleep(self._beat)

    async def _connection(self, link: Link) -> Exception | None:
        """One connection's life; the error that ended it, None when we did."""
        link.why, link.subscribed = None, self.chain.wanted(link)
        link.began = link.last_item = self._clock.monotonic()
        link.is_taking = False
        if link.state is not LinkState.DOWN:
            link.state = LinkState.CONNECTING
        subscription = Subscription(
            symbols=tuple(sorted(link.subscribed)),
            channels=link.channels,
            after=self._begins(link),
        )
        link.reading = asyncio.create_task(self._read(link, subscription), name=f"read {link.name}")
        try:
            await asyncio.wait([link.reading])
        finally:
            await end([link.reading])
        return ending(link, link.reading)

    async def _read(self, link: Link, subscription: Subscription) -> None:
        async with aclosing(link.source.live(subscription)) as items:
            async for item in items:
                link.last_item, link.last_item_at = self._clock.monotonic(), self._clock.now()
                if link.state is not LinkState.UP:
                    await self._is_up(link)
                link.is_taking = True
                await self._take(link, item)
                link.is_taking, link.last_item = False, self._clock.monotonic()

    async def _is_up(self, link: Link) -> None:
        if link.problem is not None or not link.was_up:
            log.info("feed_up", feed=link.name, symbols=len(link.subscribed))
            await self._tell(FeedConnected(feed=link.name, at=self._clock.now()))
        link.reconnects += link.was_up and link.problem is not None
        link.state, link.problem, link.was_up = LinkState.UP, None, True
        self._on_up(link)

    async def _lost(self, link: Link, error: Exception) -> None:
        """Say so once an outage, wait, longer each time, and let the next provider act."""
        now = self._clock.monotonic()
        if link.failed_at is None:
            link.failed_at = now
        sentence = str(error) if isinstance(error, APIError) else f"{type(error).__name__}: {error}"
        if link.problem is None:
            is_ours = None if isinstance(error, APIError | OSError) else error
            log.warning("feed_lost", feed=link.name, error=sentence, exc_info=is_ours)
            at = self._clock.now()
            await self._tell(FeedDisconnected(feed=link.name, reason=sentence, at=at))
        link.state, link.problem, link.subscribed = LinkState.DOWN, sentence, frozenset()
        wait = self._options.first_wait_seconds * 2 ** min(link.failures, 20)
        link.failures += 1
        longest = min(wait, self._options.longest_wait_seconds)
        await asyncio.sleep(longest * self._random.uniform(0.5, 1.0))

    async def _out_of_chain(self, link: Link, error: FeedRefused) -> None:
        """The vendor will not have us: a person must act."""
        link.state, link.problem, link.subscribed = LinkState.REFUSED, str(error), frozenset()
        log.error("feed_refused", feed=link.name, error=str(error))
        at = self._clock.now()
        await self._tell(FeedDisconnected(feed=link.name, reason=str(error), at=at))
        if self._alarm is not None:
            await self._alarm(link.name, error)

    def _forget(self, link: Link, error: NotFound) -> None:
        """This provider does not know a symbol; it is asked for the others."""
        symbol = str(error.context.get("symbol", ""))
        log.warning("symbol_unknown", feed=link.name, symbol=symbol, error=str(error))
        link.unknown |= {symbol} if symbol in link.subscribed else link.subscribed
        link.subscribed = frozenset()

    async def _tell(self, event: FeedConnected | FeedDisconnected) -> None:
        if self._tell_others is not None:
            await self._tell_others(event)
