"""Minutes of prints that broke off, or for which prints came late, are replaced by whole ones."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import datetime

import asyncpg
import numpy as np

from app.core.clock import ManualClock
from app.core.errors import FeedLost
from app.core.live import LiveOptions
from app.core.tasks import end
from app.domain.market import Timeframe
from app.ingest.live_feed import LiveFeed
from app.ingest.sequence import Item, SourcedBars
from app.ingest.ticks import TickIngest, TickSettings
from app.marketdata.batch import TICK, BarBatch, TickBatch
from app.marketdata.calendar import trading_calendar
from app.marketdata.ports import Channel, Heartbeat, LiveItem, Subscription
from tests.factories import make_batch, ns, utc

XNYS = trading_calendar("XNYS")
OPEN = "2024-03-01 14:30:00"
WHOLE = make_batch([100.0, 100.0, 100.0], volume=900)


class Vendor:
    """A vendor of prints; what it says, and when it breaks, is told."""

    channels = frozenset({Channel.TRADES})

    def __init__(self, name: str = "prints") -> None:
        self.name = name
        self.history_has = WHOLE
        self.connections = 0
        self.handled = 0
        "Items after which the next one was asked for."
        self.said: asyncio.Queue[LiveItem | None] = asyncio.Queue()

    async def live(self, subscription: Subscription) -> AsyncGenerator[LiveItem]:
        self.connections += 1
        while (item := await self.said.get()) is not None:
            yield item
            self.handled += 1
        raise FeedLost("It broke.", api_name=self.name)

    async def history(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> BarBatch:
        return self.history_has.between(ns(str(start)[:19]), ns(str(end)[:19]))

    async def close(self) -> None: ...


def prints(at: str, *sizes: float, price: float = 100.0, sequence: int = 1) -> TickBatch:
    rows = np.zeros(len(sizes), dtype=TICK)
    rows["at"] = ns(at) + np.arange(len(sizes)) * 1_000_000
    rows["price"], rows["size"] = price, sizes
    rows["sequence"] = sequence + np.arange(len(sizes))
    return TickBatch(("AAPL",), rows)


class World:
    """A feed of vendors of prints, on a clock that is moved."""

    def __init__(self, pool: asyncpg.Pool, at: str, *vendors: Vendor) -> None:
        self.clock = ManualClock(utc(at))
        self.vendors = vendors
        self.items: list[Item] = []
        self.feed = LiveFeed(
            vendors,
            "live",
            XNYS,
            options=LiveOptions(first_wait_seconds=0.01, longest_wait_seconds=0.02),
            prints=lambda source, made: TickIngest(
                pool, "live", XNYS, source=source, clock=self.clock,
                settings=TickSettings(timeframes=made),
            ),
            clock=self.clock,
            beat_seconds=0.01,
        )  # fmt: skip

    async def run(self, after: str) -> None:
        async with aclosing(self.feed.stream(("AAPL",), Timeframe.M1, utc(after))) as items:
            async for item in items:
                self.items.append(item)

    def volumes(self) -> list[tuple[int, float]]:
        """Minute and volume of every bar that was given, corrections among them."""
        return [
            (row[0] // 60_000_000_000 % 60, row[6])
            for item in self.items
            if isinstance(item, SourcedBars)
            for row in item.rows.tolist()
        ]

    async def comes(self, *volumes: tuple[int, float]) -> None:
        async with asyncio.timeout(30):
            while self.volumes() != list(volumes):  # noqa: ASYNC110 - lists set no event
                await asyncio.sleep(0.01)

    async def connects(self, times: int) -> None:
        async with asyncio.timeout(30):
            while self.vendors[0].connections < times:  # noqa: ASYNC110 - a number sets no event
                await asyncio.sleep(0.01)

    async def says(self, item: LiveItem | None, at: str, vendor: int = 0) -> None:
        """A vendor says something at `at`, and it is taken in; None: it breaks and reconnects."""
        self.clock.move_to(utc(at))
        who = self.vendors[vendor]

        def heard() -> int:
            return who.connections if item is None else who.handled

        if item is None:
            await self.connects(1)
        before = heard()
        who.said.put_nowait(item)
        async with asyncio.timeout(30):
            while heard() == before:  # noqa: ASYNC110 - a number sets no event
                await asyncio.sleep(0.01)


@asynccontextmanager
async def at_work(
    pool: asyncpg.Pool, at: str, *vendors: Vendor, after: str = OPEN
) -> AsyncIterator[World]:
    world = World(pool, at, *vendors)
    running = asyncio.create_task(world.run(after))
    try:
        yield world
    finally:
        await end([running])
        await world.feed.close()


def beat(at: str) -> Heartbeat:
    return Heartbeat(utc(at))


async def test_a_minute_that_a_dying_connection_left_short_is_replaced(pool: asyncpg.Pool) -> None:
    async with at_work(pool, "2024-03-01 14:29:50", Vendor()) as world:
        await world.says(beat(OPEN), "2024-03-01 14:29:51")
        await world.says(prints("2024-03-01 14:30:10", 60), "2024-03-01 14:30:10")
        world.clock.move_to(utc("2024-03-01 14:30:56"))  # silent, though connected
        await world.connects(2)
        await world.says(beat(OPEN), "2024-03-01 14:30:57")
        await world.says(prints("2024-03-01 14:30:59", 60, sequence=9), "2024-03-01 14:30:59")
        world.clock.move_to(utc("2024-03-01 14:31:06"))
        await world.comes((30, 900.0))


async def test_a_minute_given_before_its_silence_was_noticed_is_corrected(
    pool: asyncpg.Pool,
) -> None:
    async with at_work(pool, "2024-03-01 14:29:50", Vendor()) as world:
        await world.says(beat(OPEN), "2024-03-01 14:29:51")
        await world.says(prints("2024-03-01 14:30:30", 60), "2024-03-01 14:30:30")
        world.clock.move_to(utc("2024-03-01 14:31:03"))
        await world.comes((30, 60.0))
        await world.says(None, "2024-03-01 14:31:20")
        await world.says(beat(OPEN), "2024-03-01 14:31:22")
        await world.comes((30, 60.0), (30, 900.0))


async def test_a_minute_in_which_the_process_began_is_fetched(pool: asyncpg.Pool) -> None:
    async with at_work(pool, "2024-03-01 14:30:40", Vendor()) as world:
        await world.says(beat(OPEN), "2024-03-01 14:30:41")
        await world.says(prints("2024-03-01 14:30:50", 60), "2024-03-01 14:30:50")
        world.clock.move_to(utc("2024-03-01 14:31:03"))
        await asyncio.sleep(0.05)
        assert world.volumes() == []
        world.clock.move_to(utc("2024-03-01 14:31:06"))
        await world.comes((30, 900.0))


async def test_a_connection_that_took_long_to_stand_makes_no_short_minute(
    pool: asyncpg.Pool,
) -> None:
    async with at_work(pool, "2024-03-01 14:30:59", Vendor()) as world:
        await world.says(beat(OPEN), "2024-03-01 14:31:20")
        await world.comes((30, 900.0))
        await world.says(prints("2024-03-01 14:31:40", 60), "2024-03-01 14:31:40")
        world.clock.move_to(utc("2024-03-01 14:32:03"))
        await asyncio.sleep(0.05)
        assert world.volumes() == [(30, 900.0)]
        world.clock.move_to(utc("2024-03-01 14:32:06"))
        await world.comes((30, 900.0), (31, 900.0))


async def test_a_minute_is_made_again_for_its_late_prints(pool: asyncpg.Pool) -> None:
    async with at_work(pool, "2024-03-01 14:29:50", Vendor()) as world:
        await world.says(beat(OPEN), "2024-03-01 14:29:51")
        await world.says(prints("2024-03-01 14:30:30", 60), "2024-03-01 14:30:30")
        world.clock.move_to(utc("2024-03-01 14:31:03"))
        await world.comes((30, 60.0))
        late = prints("2024-03-01 14:30:58", 5, 7, price=101.0, sequence=8)
        await world.says(late, "2024-03-01 14:31:04")
        assert world.volumes() == [(30, 60.0)]
        world.clock.move_to(utc("2024-03-01 14:31:07"))
        await world.comes((30, 60.0), (30, 72.0))
        *_, last = (item for item in world.items if isinstance(item, SourcedBars))
        assert last.rows["close"].tolist() == [101.0]


async def test_a_minute_that_nobody_was_told_of_is_asked_for(pool: asyncpg.Pool) -> None:
    async with at_work(pool, "2024-03-01 14:29:50", Vendor()) as world:
        await world.says(beat(OPEN), "2024-03-01 14:29:51")
        await world.says(prints("2024-03-01 14:30:30", 60), "2024-03-01 14:30:30")
        await world.says(beat(OPEN), "2024-03-01 14:31:10")
        await world.says(beat(OPEN), "2024-03-01 14:31:50")
        await world.says(prints("2024-03-01 14:32:20", 70, sequence=5), "2024-03-01 14:32:20")
        world.clock.move_to(utc("2024-03-01 14:33:03"))
        await world.comes((30, 60.0), (32, 70.0), (31, 900.0))
        assert world.vendors[0].connections == 1


async def test_before_the_open_a_quiet_connection_is_renewed_and_what_it_did_not_say_fetched(
    pool: asyncpg.Pool,
) -> None:
    early = make_batch([100.0] * 2, volume=900)
    early.rows["start"] -= 4 * 3600 * 10**9
    early.rows["end"] -= 4 * 3600 * 10**9
    vendor = Vendor()
    vendor.history_has = early
    world = World(pool, "2024-03-01 10:29:50", vendor)
    world.feed.extended_hours = True
    running = asyncio.create_task(world.run("2024-03-01 10:29:00"))
    await world.says(beat(OPEN), "2024-03-01 10:29:51")
    world.clock.move_to(utc("2024-03-01 10:35:00"))
    await world.connects(2)
    await world.says(beat(OPEN), "2024-03-01 10:35:01")
    await world.comes((30, 900.0), (31, 900.0))
    assert world.feed.report()[0].reconnects == 0  # nothing was wrong
    await end([running])
    await world.feed.close()


async def test_providers_that_overlap_are_not_counted_twice(pool: asyncpg.Pool) -> None:
    best, next_ = Vendor("best"), Vendor("next")
    best.history_has = next_.history_has = WHOLE[:0]
    async with at_work(pool, "2024-03-01 14:28:00", best, next_) as world:
        await world.says(None, "2024-03-01 14:28:01")
        await world.says(beat(OPEN), "2024-03-01 14:28:30", vendor=1)
        await world.says(beat(OPEN), "2024-03-01 14:29:51")
        await world.says(beat(OPEN), "2024-03-01 14:29:52", vendor=1)  # else silent for too long
        await world.says(prints("2024-03-01 14:30:30", 60), "2024-03-01 14:30:30")
        await world.says(prints("2024-03-01 14:30:30", 60), "2024-03-01 14:30:31", vendor=1)
        twice = prints("2024-03-01 14:30:40", 9, sequence=5)
        await world.says(twice, "2024-03-01 14:30:41", vendor=1)
        world.clock.move_to(utc("2024-03-01 14:31:03"))
        await world.comes((30, 60.0))
        late = prints("2024-03-01 14:30:58", 5, sequence=8)
        await world.says(late, "2024-03-01 14:31:04")
        world.clock.move_to(utc("2024-03-01 14:31:08"))
        await world.comes((30, 60.0), (30, 65.0))
    assert await pool.fetchval("SELECT sum(size) FROM ticks") > 65.0
