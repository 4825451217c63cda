"""The event bus: publishing, queueing and handling, against the figures that were asked for."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
import structlog

from app.core.clock import now, system
from app.core.tasks import end
from app.domain.events import Event, FeedConnected
from app.domain.ports import Entry
from app.events.bus import CommittedEvent, EventBus, EventHandler
from app.events.publishers import Publisher
from app.repositories.handler_deliveries import HandlerDeliveries
from app.repositories.journal import SharedJournal
from benchmarks.measure import Result, at_least, at_most, percentile, scratch_pool

KEY: Final = b"k" * 32
MANY: Final = 100_000
STEADY: Final = 1_000
PAUSE_SECONDS: Final = 0.004
KEYS: Final = 50


class Counting(EventHandler):
    """Keeps a row a key, as a fold does."""

    name = "benchmark"
    types = frozenset({"feed_connected"})

    def key(self, event: CommittedEvent) -> str:
        return str(event.payload["feed"])

    async def handle(self, event: CommittedEvent, db: asyncpg.Connection) -> None:
        await db.execute(
            "INSERT INTO counted VALUES ($1, 1) ON CONFLICT (key) DO UPDATE SET n = counted.n + 1",
            self.key(event),
        )


class Batched(Counting):
    """The same, many in one transaction."""

    name = "benchmark in batches"
    batch = 100


class Unlike(Counting):
    """Wants nothing of what comes."""

    name = "benchmark of no concern"
    types = frozenset({"trading_halted"})


def event_bus() -> list[Result]:
    """On a server of its own."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    return asyncio.run(_measure())


async def _measure() -> list[Result]:
    async with scratch_pool() as pool:
        await pool.execute("CREATE TABLE counted (key text PRIMARY KEY, n bigint)")
        published = await _publish(pool)
        steady = await _steadily(pool)
        return [*published, *steady, await _at_once(pool)]


def _event(number: int) -> Event:
    return FeedConnected(feed=f"feed {number % KEYS}", at=now())


async def _publish(pool: asyncpg.Pool) -> list[Result]:
    """Handing over, and until all of it is durable."""
    publisher = Publisher(SharedJournal(pool, KEY))
    publisher.start()
    taken: list[float] = []
    began = time.perf_counter()
    for number in range(MANY):
        event, before = _event(number), time.perf_counter()
        publisher.publish(event)
        taken.append(1000 * (time.perf_counter() - before))
        if number % 500 == 0:
            await asyncio.sleep(0)
    await publisher.flush()
    seconds = time.perf_counter() - began
    await publisher.stop()
    return [
        at_most("event bus: publish", percentile(taken, 0.99), "ms p99", 1.0),
        at_least("event bus: published and durable", MANY / seconds, "events/s", 20_000),
    ]


@asynccontextmanager
async def _running(pool: asyncpg.Pool, *handlers: EventHandler) -> AsyncIterator[EventBus]:
    """A bus whose handlers all have begun."""
    address = pool._connect_args[0]
    deliveries = HandlerDeliveries(pool, SharedJournal(pool, KEY), system)

    async def connect() -> asyncpg.Connection:
        return await asyncpg.connect(address)

    bus = EventBus(deliveries, handlers, connect)
    task = asyncio.create_task(bus.run())
    try:
        await _until(lambda: len(bus.statistics()) == len(handlers))
        await _until(lambda: all(one["is_current"] for one in bus.statistics().values()))
        yield bus
    finally:
        await end([task])


async def _until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110 - nobody sets an event
        await asyncio.sleep(0.005)


async def _steadily(pool: asyncpg.Pool) -> list[Result]:
    """Events one by one, as trading makes them, to three handlers."""
    journal = SharedJournal(pool, KEY)
    async with _running(pool, Counting(), Batched(), Unlike()) as bus:
        for number in range(STEADY):
            await journal.append([Entry(_event(number))])
            await asyncio.sleep(PAUSE_SECONDS)
        await _until(lambda: bus.statistics()["benchmark"]["handled"] >= STEADY)
        told = bus.statistics()["benchmark"]
    handling, queueing, delay = (told[name]["p99_ms"] for name in ("handling", "queueing", "delay"))
    return [
        at_most("event bus: handle an event, with its transaction", handling, "ms p99", 10.0),
        at_most("event bus: queue operation", queueing, "ms p99", 5.0),
        at_most("event bus: from commit to handled", delay, "ms p99", 20.0),
    ]


async def _at_once(pool: asyncpg.Pool) -> Result:
    """A handler that was away catches up, exactly once, in batches of a key."""
    await HandlerDeliveries(pool, SharedJournal(pool, KEY), system).enroll(Batched())
    journal = SharedJournal(pool, KEY)
    for _ in range(40):
        await journal.append([Entry(_event(number)) for number in range(500)])
    began = time.perf_counter()
    async with _running(pool, Batched()) as bus:
        await _until(lambda: bus.statistics()[Batched.name]["handled"] >= 20_000)
    seconds = time.perf_counter() - began
    return at_least("event bus: caught up with", 20_000 / seconds, "events/s", 2_000)
