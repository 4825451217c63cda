"""One connection to a vendor for all accounts of the process: most plans allow no second one."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final
from weakref import WeakValueDictionary

import numpy as np

from app.core.clock import Clock, system
from app.core.errors import FeedLost, NotFound
from app.core.tasks import end
from app.ingest.link import Delayed, Replaying
from app.marketdata.batch import BarBatch, Flags, QuoteBatch, TickBatch
from app.marketdata.ports import (
    Channel,
    ContractsDefined,
    Heartbeat,
    LiveItem,
    LiveSource,
    Subscription,
)

AHEAD: Final = 10_000
"Items that an account may be behind; then it loses the connection, and catches up."


class _Member:
    """An account that listens."""

    def __init__(self, source: LiveSource, subscription: Subscription) -> None:
        self.source = source
        self.symbols = frozenset(subscription.symbols)
        self.channels = subscription.channels
        self.queue: asyncio.Queue[LiveItem | Exception] = asyncio.Queue()

    def give(self, item: LiveItem) -> bool:
        """Its part of what came; False when it is too far behind."""
        part = _part(item, self.symbols)
        if part is not None:
            self.queue.put_nowait(part)
        return self.queue.qsize() <= AHEAD


class Hub:
    """A vendor's only connection, for the symbols of everybody who listens.

    It is made anew when somebody wants more than it carries, or leaves whose adapter it used: the
    others then lose it, come back, and fetch what they missed.
    """

    def __init__(self, clock: Clock = system) -> None:
        self._clock = clock
        self._members: list[_Member] = []
        self._owner: _Member | None = None
        self._carried: tuple[frozenset[str], frozenset[Channel]] = frozenset(), frozenset()
        self._is_up = False
        self._task: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()

    async def listen(
        self, source: LiveSource, subscription: Subscription
    ) -> AsyncGenerator[LiveItem]:
        """What comes for one account. Raises as `LiveSource.live`."""
        member = _Member(source, subscription)
        try:
            async with self._turn:
                await self._join(member)
            while True:
                item = await member.queue.get()
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            await self._leave(member)

    async def _join(self, member: _Member) -> None:
        is_running = self._task is not None and not self._task.done()
        symbols, channels = self._carried
        if is_running and member.symbols <= symbols and member.channels <= channels:
            self._members.append(member)
            if self._is_up:
                member.queue.put_nowait(Heartbeat(self._clock.now()))
            return
        others, self._members = self._members, []
        everybody = [member, *others]
        self._carried = (
            frozenset[str]().union(*(one.symbols for one in everybody)),
            frozenset[Channel]().union(*(one.channels for one in everybody)),
        )
        self._owner, self._is_up = None, False
        self._lose(others, member.source.name)  # they wait for their turn, and find this one
        await end([self._task])
        self._owner, self._members = member, [member]
        self._task = asyncio.create_task(self._pump(member.source), name="shared connection")

    async def _leave(self, member: _Member) -> None:
        if member in self._members:
            self._members.remove(member)
        if member is self._owner:
            self._owner = None
            await end([self._task])
            others, self._members = self._members, []
            self._lose(others, member.source.name)

    @staticmethod
    def _lose(members: list[_Member], name: str) -> None:
        for one in members:
            error = FeedLost("The connection is made anew for another account.", api_name=name)
            one.queue.put_nowait(error)

    async def _pump(self, source: LiveSource) -> None:
        symbols, channels = self._carried
        wanted = Subscription(symbols=tuple(sorted(symbols)), channels=channels)
        error: Exception = FeedLost("The connection ended.", api_name=source.name)
        try:
            async with aclosing(source.live(wanted)) as items:
                async for item in items:
                    self._is_up = True
                    self._give(item, source.name)
        except Exception as broken:  # noqa: BLE001 - an adapter may fail in any way: all hear of it
            error = broken
        members, self._members = self._members, []
        for member in members:
            member.queue.put_nowait(self._meant_for(member, error, source.name))

    def _give(self, item: LiveItem, name: str) -> None:
        for member in [one for one in self._members if not one.give(item)]:
            self._members.remove(member)
            error = FeedLost(f"{AHEAD} items wait to be taken in.", api_name=name)
            member.queue.put_nowait(error)

    @staticmethod
    def _meant_for(member: _Member, error: Exception, name: str) -> Exception:
        """A symbol that the vendor does not know concerns those who asked for it."""
        if isinstance(error, NotFound) and error.context.get("symbol") not in member.symbols:
            return FeedLost("Another account asked for an unknown symbol.", api_name=name)
        return error


class SharedSource:
    """A live source whose connection all accounts of the process share."""

    def __init__(self, source: LiveSource, hub: Hub) -> None:
        self.name = source.name
        self.channels = source.channels
        self.delay_seconds = source.delay_seconds if isinstance(source, Delayed) else 0.0
        self._source = source
        self._hub = hub

    def live(self, subscription: Subscription) -> AsyncGenerator[LiveItem]:
        """As the source itself, on everybody's connection."""
        return self._hub.listen(self._source, subscription)


_HUBS: WeakValueDictionary[tuple[str, str], Hub] = WeakValueDictionary()


def shared(source: LiveSource, exchange: str) -> LiveSource:
    """The source on the process's connection to its vendor; one that replays keeps its own."""
    if isinstance(source, Replaying) and source.replays:
        return source
    key = source.name, exchange
    hub = _HUBS.get(key)
    if hub is None:
        hub = _HUBS[key] = Hub()
    return SharedSource(source, hub)


def _part(item: LiveItem, symbols: frozenset[str]) -> LiveItem | None:
    if isinstance(item, Heartbeat | ContractsDefined):
        return item
    if isinstance(item, BarBatch):
        return item if item.symbol in symbols else None
    if symbols.issuperset(item.symbols):
        return item
    return _rows(item, symbols)


def _rows(item: TickBatch | QuoteBatch, symbols: frozenset[str]) -> TickBatch | QuoteBatch | None:
    wanted = np.array([symbol in symbols for symbol in item.symbols], dtype=np.bool_)
    chosen: Flags = wanted[item.rows["symbol"]]
    return item[chosen] if chosen.any() else None
