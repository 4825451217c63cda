"""A journal to append to, handlers that note what they did in PostgreSQL, and a bus that runs."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg

from app.core.clock import now, system
from app.core.tasks import end
from app.domain.events import BrokerDisconnected, Event, FeedConnected
from app.domain.ports import Entry
from app.events.bus import CommittedEvent, EventBus, EventHandler
from app.repositories.handler_deliveries import HandlerDeliveries
from app.repositories.journal import SharedJournal
from tests.waiting import until

KEY = b"k" * 32
PATIENCE = 90.0
"Seconds: a busy machine is no failure, and what was missed is looked for once a minute."


class Noting(EventHandler):
    """Its effect is a row a handled event; `trouble` may raise or hang before."""

    name = "noting"
    types = frozenset({"feed_connected", "broker_disconnected"})
    first_wait_seconds = 0.01
    longest_wait_seconds = 0.02

    def __init__(self, **settings: object) -> None:
        self.tried: list[str] = []
        self.cured = False
        self.__dict__.update(settings)

    def key(self, event: CommittedEvent) -> str:
        return str(event.payload.get("feed", event.stream))

    async def trouble(self, event: CommittedEvent) -> None:
        """What a test makes of it."""

    async def handle(self, event: CommittedEvent, db: asyncpg.Connection) -> None:
        self.tried.append(event.id)
        await db.execute(
            "INSERT INTO noted (handler, key, seq) VALUES ($1, $2, $3)",
            self.name,
            self.key(event),
            event.seq,
        )
        await self.trouble(event)


class BusWorld:
    """One database with a journal."""

    def __init__(self, pool: asyncpg.Pool, url: str) -> None:
        self.pool = pool
        self.url = url
        self.journal = SharedJournal(pool, KEY)
        self.deliveries = HandlerDeliveries(pool, self.journal, system)

    async def prepare(self) -> None:
        await self.pool.execute(
            "CREATE TABLE noted (id bigserial, handler text, key text, seq bigint)"
        )

    async def append(self, *feeds: str) -> int:
        """Events of the system stream, one a feed; the last seq."""
        return await self.journal.append([Entry(connected(feed)) for feed in feeds])

    async def connect(self) -> asyncpg.Connection:
        return await asyncpg.connect(self.url)

    def bus(self, *handlers: EventHandler) -> EventBus:
        return EventBus(self.deliveries, handlers, self.connect)

    @asynccontextmanager
    async def running(self, *handlers: EventHandler) -> AsyncIterator[EventBus]:
        """A bus with these handlers, each begun."""
        bus = self.bus(*handlers)
        task = asyncio.create_task(bus.run())
        try:
            await until(lambda: is_current(bus, len(handlers)), PATIENCE)
            yield bus
        finally:
            await end([task])

    async def noted(self, handler: str = "noting", key: str | None = None) -> list[int]:
        """Seqs in the order of their effects."""
        rows = await self.pool.fetch(
            "SELECT seq FROM noted WHERE handler = $1 AND ($2::text IS NULL OR key = $2)"
            " ORDER BY id",
            handler,
            key,
        )
        return [row["seq"] for row in rows]

    async def has_noted(self, count: int, handler: str = "noting") -> None:
        async def enough() -> bool:
            return len(await self.noted(handler)) >= count

        await until(enough, PATIENCE)

    async def status(self, seq: int, handler: str = "noting") -> str | None:
        found: str | None = await self.pool.fetchval(
            "SELECT status FROM handler_deliveries WHERE handler = $1 AND seq = $2", handler, seq
        )
        return found

    async def is_dead(self, seq: int, handler: str = "noting") -> None:
        async def dead() -> bool:
            return await self.status(seq, handler) == "dead"

        await until(dead, PATIENCE)

    async def alert(self, handler: str = "noting") -> asyncpg.Record | None:
        return await self.pool.fetchrow(
            "SELECT * FROM alerts WHERE key = $1 AND resolved_at IS NULL", f"dead_letters:{handler}"
        )


def connected(feed: str) -> Event:
    return FeedConnected(feed=feed, at=now())


def lost(broker: str) -> Event:
    return BrokerDisconnected(broker=broker, reason="test", at=now())


async def is_current(bus: EventBus, count: int) -> bool:
    told = bus.statistics()
    return len(told) == count and all(one["is_current"] for one in told.values())


Make = Callable[..., Noting]
