"""The cache on a realistic load: nine symbols, 1,000 updates a second, dashboards that read."""

import asyncio
import multiprocessing
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import numpy as np
import uvloop

from app.adapters.caches.redis import Adapter as Cache
from app.adapters.clients.market_keys import quote_key
from app.adapters.publishers.redis import Adapter as Publisher
from app.core.clock import from_ns
from app.core.config import NINE_SYMBOLS
from app.core.tasks import end
from app.db import home as home_folder
from app.db import migrations
from app.db.embedded import EmbeddedPostgres, EmbeddedRedis
from app.db.session import create_pool
from app.domain.market import Timeframe
from app.events.listener import Listener
from app.marketdata.batch import QUOTE, BarBatch, QuoteBatch, concatenate
from app.repositories import market_data_cache, stocks
from app.repositories.stock_data import Policy, StockData
from benchmarks.engine import market
from benchmarks.measure import Result, at_least, at_most, percentile, result, scratch_home

DATASET = "simulated"
SECONDS = 30.0
UPDATES_A_SECOND = 1_000
DASHBOARDS = 20
"Each reads the watch list and one chart a second."
BAR_SECONDS = 5.0
"Between two minutes of the market: twelve times as fast as the real one."
HISTORY = 2_000
CORRECTIONS = 30
CONTRACTS = 3_000
TIMEFRAMES = (Timeframe.M1, Timeframe.M5, Timeframe.M15, Timeframe.H1)


def cache() -> list[Result]:
    """Latency, hit ratio, how long an update takes to be seen, and memory."""
    with scratch_home() as home:
        home_folder.prepare(home)
        postgres, redis = EmbeddedPostgres(home), EmbeddedRedis(home)
        try:
            postgres.start()
            redis.start()
            migrations.upgrade(postgres.url)
            asyncio.run(_fill(postgres.url))
            return _under_load(postgres.url, redis.url)
        finally:
            redis.stop()
            postgres.stop()


def _under_load(database: str, redis: str) -> list[Result]:
    feed = multiprocessing.get_context("spawn").Process(
        target=_feed, args=(database, redis), daemon=True
    )
    feed.start()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:  # as the API runs
            found = loop.run(_read(database, redis))
    finally:
        feed.kill()
        feed.join()
    layer, bare = percentile(found["layer"], 0.99), percentile(found["bare"], 0.99)
    memory = found["figures"]["cache_memory_mb"]
    return [
        result("cache: a quote, p99", layer, "ms", limit=bare, against="p99 of bare GET",
               figure="under 1 ms", is_met=layer < 1),
        at_least("cache: hit ratio", 100 * found["ratio"], "%", 90),
        at_most("cache: a new bar is read after, p99", percentile(found["bars"], 0.99), "ms", 100),
        at_most("cache: a correction is read after, p99",
                percentile(found["corrections"], 0.99), "ms", 100),
        at_most("cache: Redis' memory", memory, "MB", 2_048),
    ]  # fmt: skip


async def _fill(database: str) -> None:
    pool = await create_pool(database)
    try:
        data = StockData(pool, DATASET)
        for symbol in NINE_SYMBOLS:
            await stocks.ensure(pool, symbol)
            await data.store([_series(symbol)[:HISTORY]], "bench")
    finally:
        await pool.close()


def _series(symbol: str) -> BarBatch:
    found: Any = market(HISTORY + 1_000, symbol)
    batch: BarBatch = found if isinstance(found, BarBatch) else concatenate(found)
    return batch


# ---------------------------------------------------------------------------- who writes


def _feed(database: str, redis: str) -> None:
    asyncio.run(_publish(database, redis))


async def _publish(database: str, redis: str) -> None:
    """Quotes at the rate, and bars of every symbol: durable first, as core does it."""
    pool, publisher = await create_pool(database), Publisher(redis)
    data = StockData(pool, DATASET)
    series = {symbol: _series(symbol) for symbol in NINE_SYMBOLS}
    chain = b"[" + b",".join([b'{"symbol":"AAPL261218C00250000","bid":1.25}'] * CONTRACTS) + b"]"
    began, sent, bar = time.monotonic(), 0, HISTORY
    while True:
        due = int((time.monotonic() - began) * UPDATES_A_SECOND)
        for number in range(sent, due):
            publisher.offer_quotes(DATASET, _quote(number))
        sent = due
        if time.monotonic() - began > BAR_SECONDS * (bar - HISTORY):
            bar += 1
            batches = [batch[bar : bar + 1] for batch in series.values()]
            await data.store(batches, "bench", is_told=True)
            for batch in batches:
                batch.rows["vwap"] = time.monotonic()  # when it was offered
            publisher.offer(DATASET, batches)
            publisher.offer_chain(DATASET, NINE_SYMBOLS[bar % 9], chain, from_ns(0))
        await asyncio.sleep(0.005)


def _quote(number: int) -> QuoteBatch:
    row = np.zeros(1, dtype=QUOTE)
    row["at"], row["bid"], row["ask"] = time.time_ns(), 100 + number % 7, 101 + number % 7
    return QuoteBatch((NINE_SYMBOLS[number % 9],), row)


# ----------------------------------------------------------------------------- who reads


async def _read(database: str, redis: str) -> dict[str, Any]:
    """The dashboards for some seconds, and beside them what is measured."""
    async with _reading(database, redis) as (pool, cache):
        reader, people = (Reader(StockData(pool, DATASET), one) for one in (cache, Cache(redis)))
        await reader.until_there_are_prices()
        tasks = [asyncio.create_task(people.dashboard(number)) for number in range(DASHBOARDS)]
        tasks.append(asyncio.create_task(reader.watch_bars()))
        found: dict[str, Any] = await reader.quotes(SECONDS)
        hits, misses = people.counted()
        found["ratio"] = hits / (hits + misses)
        found["corrections"] = await reader.corrections()
        await end(tasks)
        await people.close()
        return {**found, "bars": reader.seen, "figures": await cache.figures()}


@asynccontextmanager
async def _reading(database: str, redis: str) -> AsyncIterator[tuple[asyncpg.Pool, Cache]]:
    pool, cache = await create_pool(database), Cache(redis)
    listener = Listener(lambda: asyncpg.connect(database))
    listener.on(market_data_cache.CHANNEL, cache.heard)
    listener.on_connected(cache.catch_up)
    cache.start()
    listener.start()
    await listener.connected.wait()
    try:
        yield pool, cache
    finally:
        await listener.stop()
        await cache.stop()
        await pool.close()


class Reader:
    """One API process."""

    def __init__(self, data: StockData, cache: Cache) -> None:
        self._data = data
        self._cache = cache
        self.seen: list[float] = []
        "Milliseconds from a bar's offer until it was read."

    async def dashboard(self, number: int) -> None:
        """Watch list and one chart a second."""
        await asyncio.sleep(number / DASHBOARDS)
        symbol, timeframe = NINE_SYMBOLS[number % 9], TIMEFRAMES[number // 9 % 4]
        while True:
            await self._cache.quotes(DATASET, NINE_SYMBOLS, _nothing)
            await self._bars(symbol, timeframe, 500)
            await asyncio.sleep(1)

    async def until_there_are_prices(self) -> None:
        """The other process has begun."""
        while True:
            if len(await self._cache.quotes(DATASET, NINE_SYMBOLS, _nothing)) == len(NINE_SYMBOLS):
                return
            await asyncio.sleep(0.05)

    def counted(self) -> tuple[int, int]:
        """Hits and misses of this process alone."""
        counts = self._cache._totals
        hits = sum(number for name, number in counts.items() if name.endswith(":hit"))
        return hits, counts.total() - hits

    async def close(self) -> None:
        await self._cache.close()

    async def watch_bars(self) -> None:
        """Ask for the newest bar again and again, and note how old a new one is."""
        newest = 0
        while True:
            batch = await self._bars("AAPL", Timeframe.M1, 1)
            offered = float(batch.rows["vwap"][-1])
            if int(batch.start[-1]) > newest and newest and np.isfinite(offered):
                self.seen.append(1000 * (time.monotonic() - offered))
            newest = int(batch.start[-1])
            await asyncio.sleep(0.005)

    async def quotes(self, seconds: float) -> dict[str, list[float]]:
        """Milliseconds of a quote by the cache, and of a bare GET of the same key, in turn."""
        found: dict[str, list[float]] = {"layer": [], "bare": []}
        until = time.monotonic() + seconds
        redis = self._cache._redis
        while time.monotonic() < until:
            for symbol in NINE_SYMBOLS:
                began = time.perf_counter()
                await self._cache.quotes(DATASET, [symbol], _nothing)
                middle = time.perf_counter()
                await redis.get(quote_key(DATASET, symbol))
                found["layer"].append(1000 * (middle - began))
                found["bare"].append(1000 * (time.perf_counter() - middle))
            await asyncio.sleep(0.02)
        return found

    async def corrections(self) -> list[float]:
        """Milliseconds from the commit of a corrected bar until it is read."""
        found, series = [], _series("MSFT")
        for number in range(CORRECTIONS):
            batch = series[HISTORY - 1 : HISTORY]
            batch.rows["close"] += 0.01 * (number + 1)
            batch.rows["high"] = np.maximum(batch.rows["high"], batch.rows["close"])
            await self._bars("MSFT", Timeframe.M1, 500)
            await self._data.store([batch], f"correction {number}", Policy.CORRECT)
            began = time.perf_counter()
            while True:
                if batch.rows["close"][0] in await self._closes(int(batch.start[0])):
                    break
                await asyncio.sleep(0.001)
            found.append(1000 * (time.perf_counter() - began))
        return found

    async def _closes(self, start: int) -> list[float]:
        batch = await self._bars("MSFT", Timeframe.M1, 500)
        return [float(close) for close in batch.rows["close"][batch.start == start]]

    async def _bars(self, symbol: str, timeframe: Timeframe, limit: int) -> BarBatch:
        async def load(count: int) -> BarBatch:
            return await self._data.bars(symbol, timeframe, limit=count)

        return await self._cache.bars(DATASET, symbol, timeframe, limit, load)


async def _nothing(_: list[str]) -> dict[str, bytes]:
    return {}
