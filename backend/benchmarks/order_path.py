"""From a bar to its order's intent on disk, one bar at a time, against a bare one-row commit."""

import asyncio
import time
from collections.abc import Sequence

import asyncpg

from app.domain.events import OrderApproved, SliceClosed
from app.domain.ports import Entry
from app.engine.driver import Driver
from app.engine.engine import AccountSetup, Engine
from app.engine.history import Windows
from app.engine.paper import PaperBroker
from app.repositories.journal import PostgresJournal, stream_of
from app.repositories.projection import Projection
from app.research.market import Market, series_of
from benchmarks.accounts import CASH, SYMBOL, add_account
from benchmarks.engine import CALENDAR, LIMITS, items, make, market, start_command
from benchmarks.measure import Result, percentile, repeated, result, scratch_pool

BARS = 12_000
WARM = 50
"Intents that are not counted: the first ones prepare statements and fill caches."


class Watch:
    """A journal that notes when an approved order was committed."""

    def __init__(self, inner: PostgresJournal) -> None:
        self.inner = inner
        self.committed: float | None = None

    async def append(self, entries: Sequence[Entry]) -> int:
        seq = await self.inner.append(entries)
        if self.committed is None and any(isinstance(e.event, OrderApproved) for e in entries):
            self.committed = time.perf_counter()
        return seq


def order_path() -> list[Result]:
    return asyncio.run(_measure())


async def _measure() -> list[Result]:
    async with scratch_pool() as pool:
        account_id = await add_account(pool)
        await pool.execute("CREATE TABLE bare (id bigint PRIMARY KEY, at timestamptz)")
        before = await _commits(pool, 0)
        intents = (await _intents(pool, account_id))[WARM:]
        bare = sorted([*before, *await _commits(pool, 1)])
    p50, p99 = percentile(intents, 0.5), percentile(intents, 0.99)
    limit, slow = percentile(bare, 0.5), percentile(bare, 0.99)
    return [
        result(
            "order path: bar to durable intent, p50", p50, "ms", limit=limit,
            against="one bare commit", figure="at most 3 bare commits", is_met=p50 <= 3 * limit,
        ),
        result(
            "order path: bar to durable intent, p99", p99, "ms", limit=slow,
            against="the p99 of one bare commit",
            figure="at most 10 ms where a bare commit's p99 is at most 2 ms", is_met=p99 <= 10,
        ),
    ]  # fmt: skip


async def _intents(pool: asyncpg.Pool, account_id: int) -> list[float]:
    """Milliseconds from handing a closed slice to the driver until its order is committed."""
    stream = stream_of(account_id)
    folds = Projection(account_id, stream)
    writer = await PostgresJournal(
        pool, stream, account_id, 0, b"k" * 32, folds, intents_first=True
    ).open()
    watch = Watch(writer)
    engine = Engine(
        AccountSetup(account_id=account_id, cash=CASH, limits=LIMITS),
        strategies=make,
        histories=Windows(),
    )
    driver = Driver(engine, PaperBroker(), watch)
    seen = Market([series_of(market(BARS, SYMBOL), CALENDAR)], CALENDAR)
    await driver.step(start_command(SYMBOL, seen.days[0].open))
    found: list[float] = []
    for item in items(seen):
        watch.committed, began = None, time.perf_counter()
        await driver.step(item)
        if watch.committed is not None and isinstance(item, SliceClosed):
            found.append(1000 * (watch.committed - began))
    await writer.close()
    return found


async def _commits(pool: asyncpg.Pool, part: int, times: int = 500) -> list[float]:
    async with pool.acquire() as db:
        insert = await db.prepare("INSERT INTO bare VALUES ($1, now())")
        numbers = iter(range(part * times, (part + 1) * times))
        return await repeated(lambda: insert.fetchval(next(numbers)), times)
