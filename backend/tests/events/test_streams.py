"""Redis killed, emptied and paused while events flow: the reader gets each once, in order."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from redis.asyncio import Redis

from app.core.tasks import end
from app.db import home as home_folder
from app.db.embedded import EmbeddedRedis
from app.db.session import create_pool
from app.domain.ports import Entry
from app.events.streams import StreamPublisher, StreamReader, key_of
from app.repositories.events import JournalReads
from app.repositories.journal import SharedJournal
from tests.events.bus_world import KEY, BusWorld, Noting, lost
from tests.redis_faults import kill, pause, resume
from tests.waiting import until

HASTE = 0.5
"Seconds after which a Redis that is paused is given up."
PATIENCE = 10.0
"Of a test itself, which only ever asks a Redis that is well."


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """A Redis that may be killed."""
    home = tmp_path_factory.mktemp("redis")
    home_folder.prepare(home)
    server = EmbeddedRedis(home)
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def bus_world(database_url: str) -> AsyncIterator[BusWorld]:
    pool = await create_pool(database_url, max_size=12)
    world = BusWorld(pool, database_url)
    await world.prepare()
    yield world
    await pool.close()


def client(server: EmbeddedRedis, seconds: float) -> Redis:
    return Redis.from_url(server.url, socket_timeout=seconds, socket_connect_timeout=seconds)


@pytest.fixture
async def redis(server: EmbeddedRedis) -> AsyncIterator[Redis]:
    async with client(server, PATIENCE) as redis:
        await redis.flushall()
        yield redis


@pytest.fixture
async def hasty(server: EmbeddedRedis) -> AsyncIterator[Redis]:
    async with client(server, HASTE) as redis:
        yield redis


@pytest.fixture
def journal(bus_world: BusWorld) -> JournalReads:
    return JournalReads(bus_world.pool)


@asynccontextmanager
async def publishing(
    redis: Redis, journal: JournalReads, most: int = 100
) -> AsyncIterator[StreamPublisher]:
    publisher = StreamPublisher(redis, journal, most)
    task = asyncio.create_task(publisher.run())
    try:
        yield publisher
    finally:
        await end([task])


@asynccontextmanager
async def reading(reader: StreamReader) -> AsyncIterator[list[int]]:
    """Seqs of `system` as they come."""
    seqs: list[int] = []

    async def read() -> None:
        async for event in reader.events():
            seqs.append(event["seq"])  # noqa: PERF401 - looked at while it goes on

    task = asyncio.create_task(read())
    try:
        yield seqs
    finally:
        await end([task])


async def came(seqs: list[int], count: int) -> None:
    async def enough() -> bool:
        return len(seqs) >= count

    await until(enough, 30)


Act = Callable[[EmbeddedRedis], None]


def nothing(server: EmbeddedRedis) -> None:
    """It is well."""


@pytest.mark.parametrize(
    ("fail", "heal"),
    [(kill, EmbeddedRedis.start), (pause, resume), (nothing, nothing)],
    ids=["killed", "paused", "emptied"],
)
async def test_whatever_becomes_of_redis_nothing_is_lost_and_order_is_kept(
    bus_world: BusWorld,
    redis: Redis,
    hasty: Redis,
    journal: JournalReads,
    server: EmbeddedRedis,
    fail: Act,
    heal: Act,
) -> None:
    reader = StreamReader(hasty, journal, {"system": 0})
    handler = Noting()
    async with (
        publishing(hasty, journal) as publisher,
        reading(reader) as seqs,
        bus_world.running(handler),
    ):
        await bus_world.append(*"abc")
        await came(seqs, 3)
        fail(server)
        await bus_world.append(*"abc")
        if fail is nothing:
            await redis.flushall()
        await came(seqs, 6)
        await bus_world.has_noted(6)  # handlers do not notice at all
        heal(server)
        last = await bus_world.append(*"abc")
        await came(seqs, last)

        async def is_back() -> bool:
            return reader.is_connected and publisher.is_connected and publisher.told()["lag"] == 0

        await until(is_back, 30)
        last = await bus_world.append("a")
        await came(seqs, last)
    assert seqs == list(range(1, last + 1))
    assert reader.positions == {"system": last}


async def test_two_publishers_add_every_event_once(
    bus_world: BusWorld, redis: Redis, journal: JournalReads
) -> None:
    async with publishing(redis, journal) as one, publishing(redis, journal) as two:
        last = await bus_world.append(*"abcdefgh")

        async def are_done() -> bool:
            return (
                one.told()["lag"] == two.told()["lag"] == 0
                and await redis.xlen(key_of("system")) == last
            )

        await until(are_done, 30)
        entries = await redis.xrange(key_of("system"))
    assert [name for name, _ in entries or ()] == [
        f"{seq}-0".encode() for seq in range(1, last + 1)
    ]
    assert one.published + two.published == last


async def test_what_redis_does_not_keep_comes_from_the_journal(
    bus_world: BusWorld, redis: Redis, journal: JournalReads
) -> None:
    last = await bus_world.append(*("a" * 40))
    async with publishing(redis, journal, most=5):
        await until(lambda: redis.exists(key_of("system")))
        assert await redis.xlen(key_of("system")) < last
        async with reading(StreamReader(redis, journal, {"system": 2})) as seqs:
            await came(seqs, last - 2)
    assert seqs == list(range(3, last + 1))


async def test_a_publisher_that_begins_again_goes_on_where_redis_is(
    bus_world: BusWorld, redis: Redis, journal: JournalReads
) -> None:
    for _ in range(2):
        last = await bus_world.append(*"ab")
        async with publishing(redis, journal) as publisher:

            async def is_there(of: StreamPublisher = publisher, seq: int = last) -> bool:
                # An entry can be seen before it is counted, and the lag is 0 after that.
                return await redis.xlen(key_of("system")) == seq and of.told()["lag"] == 0

            await until(is_there, 30)
            assert publisher.published == 2


async def test_without_any_publisher_the_reader_has_the_journal(
    bus_world: BusWorld, redis: Redis, journal: JournalReads
) -> None:
    await bus_world.append("a")
    async with reading(await StreamReader.from_now(redis, journal)) as seqs:
        await bus_world.append("b", "c")
        await came(seqs, 2)
        other = SharedJournal(bus_world.pool, KEY, "account:7")
        await other.append([Entry(lost("paper"))])
        await came(seqs, 3)
    assert seqs == [2, 3, 1]


async def test_the_reader_and_the_publisher_outlive_the_database(
    bus_world: BusWorld, redis: Redis
) -> None:
    class Shaky(JournalReads):
        is_away = True

        async def heads(self) -> dict[str, int]:
            if self.is_away:
                self.is_away = False
                raise asyncpg.InterfaceError("away")
            return await super().heads()

    await bus_world.append("a")
    reader = StreamReader(redis, Shaky(bus_world.pool), {})
    async with publishing(redis, Shaky(bus_world.pool)), reading(reader) as seqs:
        await came(seqs, 1)
        await until(lambda: redis.exists(key_of("system")))
    assert seqs == [1]
