"""The cache on Redis: prices, recent bars, chains and signals, read through to the database."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar, cast

import numpy as np

from app.adapters.clients.market_keys import (
    AWAY,
    COMPLETE,
    COUNTS,
    FILL,
    STAMP_SECONDS,
    bars_key,
    connected,
    document_key,
    new_stamp,
    outdate,
    quote_key,
    stamp_key,
)
from app.core.config import CacheOptions
from app.core.logging import get_logger
from app.core.tasks import end
from app.domain.market import Timeframe
from app.marketdata.batch import BAR, BarBatch
from app.marketdata.cache import Kind, LoadBars, LoadDocument, LoadPrices

REDIS_SECONDS: Final = 0.25
"A read that takes longer is worth less than asking PostgreSQL."
RETRY_SECONDS: Final = 1.0
"""How long a Redis that failed is left alone. Longer than the publisher's pause, so that it has
brought everything up to date before we look again."""
LEAST_BARS: Final = 100
"Bars read and remembered at least: the next reader may want a few more."
_FLUSH_SECONDS: Final = 1.0
_SERIES: Final = ("quote:*", "bars.*", "stamp.*", "option_chain.*", "signal.*")
_SWEEP: Final = 500

T = TypeVar("T")
log = get_logger("api")


class Adapter:
    """One process's way to what is remembered. Redis may be away for as long as it likes."""

    def __init__(self, url: str, options: CacheOptions | None = None) -> None:
        self._redis = connected(url, REDIS_SECONDS)
        self._options = options or CacheOptions()
        self._fill = self._redis.register_script(FILL)
        self._seconds = {
            Kind.OPTION_CHAIN: self._options.chain_seconds,
            Kind.SIGNAL: self._options.signal_seconds,
        }
        self._loading: dict[tuple[str, int], asyncio.Future[Any]] = {}
        self._counts: Counter[str] = Counter()
        self._totals: Counter[str] = Counter()
        self._away_until = 0.0
        self._is_away = False
        self._failures = 0
        self._unforgotten: set[tuple[str, str]] = set()
        self._forget_everything = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Share the counts, and forget what could not be forgotten, in the background."""
        self._task = asyncio.create_task(self._run(), name="cache")

    async def stop(self) -> None:
        """Stop that, and disconnect."""
        await end([self._task, *self._loading.values()])
        await self.close()

    async def close(self) -> None:
        """Disconnect."""
        await self._redis.aclose()

    # ------------------------------------------------------------------------------ reading

    async def quotes(
        self, dataset: str, symbols: Sequence[str], load: LoadPrices
    ) -> dict[str, bytes]:
        """The newest prices, as JSON by symbol."""
        keys = [quote_key(dataset, symbol) for symbol in symbols]
        values: list[Any] | None = None
        if keys:
            values = await self._ask(lambda: self._redis.mget(keys))
        values = values or [None] * len(keys)
        found = {s: value for s, value in zip(symbols, values, strict=True) if value is not None}
        missing = [symbol for symbol in symbols if symbol not in found]
        self._count(Kind.QUOTE, len(found), len(missing))
        return found | await self._load_quotes(dataset, missing, load) if missing else found

    async def _load_quotes(
        self, dataset: str, symbols: list[str], load: LoadPrices
    ) -> dict[str, bytes]:
        stamps = await self._stamps(dataset, symbols)
        loaded = await load(symbols)
        seconds = self._options.bars_seconds
        for symbol, stamp in zip(symbols, stamps, strict=False):
            if (body := loaded.get(symbol)) is not None:
                key = quote_key(dataset, symbol)
                await self._keep((dataset, symbol), key, stamp, "new", seconds, [body])
        return loaded

    async def bars(
        self, dataset: str, symbol: str, timeframe: Timeframe, limit: int, load: LoadBars
    ) -> BarBatch:
        """The newest `limit` bars, oldest first."""
        if limit > self._options.bars:
            return await load(limit)
        key = bars_key(dataset, symbol, timeframe)
        values = await self._ask(lambda: cast(Any, self._redis.lrange(key, -limit, -1)))
        found = decoded(values, symbol, timeframe, limit) if values else None
        self._count(Kind.BARS, found is not None, found is None)
        if found is not None:
            return found
        count = min(max(limit, LEAST_BARS), self._options.bars)

        async def loaded() -> BarBatch:
            stamps = await self._stamps(dataset, [symbol])
            batch = await load(count)
            rows = [row.tobytes() for row in batch.rows]
            whole = [COMPLETE, *rows] if len(rows) < count else rows
            seconds = self._options.bars_seconds
            for stamp in stamps:
                await self._keep((dataset, symbol), key, stamp, "list", seconds, whole)
            return batch

        batch = await self._once((key, count), loaded)
        return batch[max(len(batch) - limit, 0) :]

    async def document(
        self, kind: Kind, names: tuple[str, str], load: LoadDocument
    ) -> bytes | None:
        """A chain by (dataset, underlying), or a signal by (account, symbol)."""
        key = document_key(kind, *names)
        found = await self._ask(lambda: self._redis.get(key))
        self._count(kind, found is not None, found is None)
        if found is not None:
            return cast(bytes, found)

        async def loaded() -> bytes | None:
            stamps = await self._stamps(names[0], [names[1]])
            body = await load()
            if stamps and body is not None:
                await self._keep(names, key, stamps[0], "text", self._seconds[kind], [body])
            return body

        return await self._once((key, 0), loaded)

    async def _once(self, key: tuple[str, int], load: Callable[[], Awaitable[T]]) -> T:
        """One load for all who miss the same thing at the same time."""
        loading = self._loading.get(key)
        if loading is None:
            loading = self._loading[key] = asyncio.ensure_future(load())
            loading.add_done_callback(lambda _: self._loading.pop(key, None))
        return cast(T, await asyncio.shield(loading))

    async def _stamps(self, owner: str, symbols: Sequence[str]) -> list[bytes]:
        """What must still stand there when we remember; nothing while Redis is away."""
        keys = [stamp_key(owner, symbol) for symbol in symbols]

        async def ask() -> list[Any]:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for key in keys:
                    pipeline.set(key, new_stamp(), nx=True, ex=STAMP_SECONDS)
                pipeline.mget(keys)
                return await pipeline.execute()

        answers = await self._ask(ask)
        return answers[-1] if answers else []

    async def _keep(
        self,
        names: tuple[str, str],
        key: str,
        stamp: bytes,
        kind: str,
        seconds: int,
        values: list[bytes],
    ) -> None:
        arguments: list[bytes | str | int] = [stamp, kind, seconds, *values]
        await self._ask(lambda: self._fill([stamp_key(*names), key], arguments))

    # ----------------------------------------------------------------------------- changing

    async def forget(self, dataset: str, symbol: str) -> None:
        """Bars and chain of a symbol changed in the database."""
        await self._forget({(dataset, symbol)})

    async def forget_signal(self, account: str, symbol: str) -> None:
        """An account has a newer signal of a symbol."""

        async def drop() -> bool:
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.set(stamp_key(account, symbol), new_stamp(), ex=STAMP_SECONDS)
                pipeline.unlink(document_key(Kind.SIGNAL, account, symbol))
                await pipeline.execute()
            return True

        await self._ask(drop)

    def heard(self, notice: str) -> None:
        """A notice `{dataset}|{symbol}` of the channel `market_data`."""
        dataset, _, symbol = notice.rpartition("|")
        if dataset:
            self._unforgotten.add((dataset, symbol))
            self._start_forgetting()

    def catch_up(self) -> None:
        """Notices may have been missed: forget everything that they are about."""
        self._forget_everything = True
        self._start_forgetting()

    def _start_forgetting(self) -> None:
        key = ("forgetting", 0)
        if key not in self._loading:
            task = asyncio.ensure_future(self._catch_up_forgetting())
            self._loading[key] = task
            task.add_done_callback(lambda _: self._loading.pop(key, None))

    async def _catch_up_forgetting(self) -> None:
        """Whatever failed is tried again by the next notice, or within a second."""
        while self._forget_everything or self._unforgotten:
            if self._forget_everything:
                if not await self._ask(self._drop_everything, patiently=True):
                    return
                self._forget_everything = False
            names, self._unforgotten = self._unforgotten, set()
            if not await self._forget(names):
                return

    async def _forget(self, names: set[tuple[str, str]]) -> bool:
        async def drop() -> bool:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for name in names:
                    outdate(pipeline, *name)
                await pipeline.execute()
            return True

        if names and not await self._ask(drop, patiently=True):
            self._unforgotten |= names
            return False
        return True

    async def _drop_everything(self) -> bool:
        for pattern in _SERIES:
            keys = [key async for key in self._redis.scan_iter(match=pattern, count=_SWEEP)]
            for first in range(0, len(keys), _SWEEP):
                await self._redis.unlink(*keys[first : first + _SWEEP])
        return True

    # ----------------------------------------------------------------------------- counting

    async def figures(self) -> dict[str, float]:
        """Hits, misses and ratio of all processes, as far as Redis knows them, and its memory."""
        await self._flush()
        shared = await self._ask(self._shared)
        counts, memory = shared or (self._totals, {})
        found: dict[str, float] = {
            "cache_memory_mb": memory.get("used_memory", 0) / 1024**2,
            "cache_memory_limit_mb": memory.get("maxmemory", 0) / 1024**2,
            "cache_failures_total": self._failures,
            "cache_available": shared is not None,
        }
        hits = misses = 0
        for kind in Kind:
            hit, miss = counts[f"{kind}:hit"], counts[f"{kind}:miss"]
            found |= {f"cache_{kind}_hits_total": hit, f"cache_{kind}_misses_total": miss}
            hits, misses = hits + hit, misses + miss
        found["cache_hit_ratio"] = hits / (hits + misses) if hits + misses else 1.0
        return found

    async def _shared(self) -> tuple[Counter[str], dict[str, Any]]:
        counts = await cast(Any, self._redis.hgetall(COUNTS))
        memory = await self._redis.info("memory")
        return Counter({name.decode(): int(value) for name, value in counts.items()}), memory

    def _count(self, kind: Kind, hits: int, misses: int) -> None:
        for name, number in ((f"{kind}:hit", hits), (f"{kind}:miss", misses)):
            if number:
                self._counts[name] += number
                self._totals[name] += number

    async def _flush(self) -> None:
        """Add our counts to everybody's."""
        taken, self._counts = self._counts, Counter()

        async def add() -> bool:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for name, number in taken.items():
                    pipeline.hincrby(COUNTS, name, number)
                await pipeline.execute()
            return True

        if taken and not await self._ask(add):
            self._counts += taken

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            await self._flush()
            if self._unforgotten or self._forget_everything:
                self._start_forgetting()

    # ---------------------------------------------------------------------------- weathering

    async def _ask(self, call: Callable[[], Awaitable[T]], *, patiently: bool = False) -> T | None:
        """The answer; None while Redis is away. Only `patiently` asks one that has just failed."""
        if not patiently and time.monotonic() < self._away_until:
            return None
        try:
            answer = await call()
        except AWAY as error:
            if not self._is_away:
                log.warning("cache_away", error=str(error))
            self._is_away = True
            self._away_until = time.monotonic() + RETRY_SECONDS
            self._failures += 1
            return None
        self._is_away = False
        return answer


def decoded(values: list[bytes], symbol: str, timeframe: Timeframe, limit: int) -> BarBatch | None:
    """The newest `limit` bars of a list; None where it is too short, or not in order."""
    is_complete = values[0] == COMPLETE
    rows = values[1:] if is_complete else values
    if not is_complete and len(rows) < limit:
        return None
    batch = BarBatch(symbol, timeframe, np.frombuffer(b"".join(rows), dtype=BAR))
    return batch if np.all(batch.start[1:] > batch.start[:-1]) else None
