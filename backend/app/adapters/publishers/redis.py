"""Live prices to Redis: published to whoever listens, and remembered, in one pipeline a round."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import Any, Final

import msgspec
import numpy as np
import orjson

from app.adapters.clients.market_keys import (
    AWAY,
    STAMP_SECONDS,
    WARM,
    bars_key,
    connected,
    document_key,
    new_stamp,
    outdate,
    quote_key,
    stamp_key,
)
from app.adapters.clients.newest import Key, Newest
from app.core.config import CacheOptions
from app.core.logging import get_logger
from app.core.tasks import end
from app.domain.market import Timeframe
from app.marketdata.batch import BarBatch, QuoteBatch, TickBatch, to_datetime
from app.marketdata.cache import Kind, Remembered

MOST_BARS: Final = 20_000
"Bars kept while Redis is away; older ones are dropped."
MOST_SAVED: Final = 2_000
"Prices handed out at once to be stored: the others come next time."
_AT_ONCE: Final = 500
"Bars, and prices, of one round: encoding them must not hold up the engine."
_LINGER_SECONDS: Final = 0.02
"Between two rounds: what changes twice in it is sent once."
_PAUSE_SECONDS: Final = 0.25
_BEAT_SECONDS: Final = 1.0
LEASE_MS: Final = 3_000
"""Recent bars that we keep fresh outlive us, or a Redis that stood still, by no more than this."""
_REDIS_SECONDS: Final = 2.0

_MADE_OF: Final = {
    Timeframe.M1: (Timeframe.M5, Timeframe.M15, Timeframe.H1, Timeframe.D1),
}
"Timeframes whose bars are made of others when they are read."

log = get_logger("trading")


class Round(msgspec.Struct):
    """What one pipeline carries."""

    bars: list[tuple[str, BarBatch]] = []
    prices: list[Key] = []
    chains: dict[Key, tuple[bytes, datetime]] = {}
    restored: list[Remembered] = []
    suspect: set[Key] = set()

    def __bool__(self) -> bool:
        return bool(self.bars or self.prices or self.chains or self.restored or self.suspect)


class Adapter:
    """Publishes in the background. Redis may be away for as long as it likes."""

    def __init__(self, url: str, options: CacheOptions | None = None) -> None:
        self._redis = connected(url, _REDIS_SECONDS)
        self._options = options or CacheOptions()
        self._newest = Newest()
        self._bars: deque[tuple[str, BarBatch]] = deque()
        self._rows = 0
        self._prices: dict[Key, None] = {}
        self._chains: dict[Key, tuple[bytes, datetime]] = {}
        self._restored: list[Remembered] = []
        self._suspect: set[Key] = set()
        "Series of which the cache may hold something wrong: forgotten with the next round."
        self._tails: dict[tuple[str, str, Timeframe], bytes] = {}
        "The last bar that was appended to a list."
        self._unsaved: dict[tuple[Kind, Key], None] = {}
        self._chain_bodies: dict[Key, tuple[bytes, datetime]] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._sent = self._failures = self.dropped = 0
        self.is_connected = True
        self.first_failure = asyncio.Event()
        "Set once Redis could not be reached."
        self.is_cold = asyncio.Event()
        "Set when Redis is found empty: `restore` fills it."

    # ------------------------------------------------------------------------------- taking

    def offer(self, dataset: str, bars: Sequence[BarBatch]) -> None:
        """Queue bars to be published and appended, and the last close of each as its price."""
        for batch in bars:
            if len(batch):
                self._bars.append((dataset, batch))
                self._rows += len(batch)
                self._changed(self._newest.bar(dataset, batch))
        while self._rows > MOST_BARS and len(self._bars) > 1:
            lost_dataset, lost = self._bars.popleft()
            self._rows -= len(lost)
            self.dropped += len(lost)
            self._suspect.add((lost_dataset, lost.symbol))
        self._go()

    def offer_quotes(self, dataset: str, quotes: QuoteBatch) -> None:
        """Remember and publish the newest of each symbol."""
        self._changed(self._newest.quotes(dataset, quotes))
        self._go()

    def offer_prints(self, dataset: str, ticks: TickBatch) -> None:
        """Remember and publish the newest print of each symbol."""
        self._changed(self._newest.prints(dataset, ticks))
        self._go()

    def offer_chain(self, dataset: str, underlying: str, body: bytes, at: datetime) -> None:
        """Remember a chain."""
        key = dataset, underlying
        self._chains[key] = self._chain_bodies[key] = body, at
        self._unsaved[Kind.OPTION_CHAIN, key] = None
        self._go()

    def restore(self, rows: Sequence[Remembered]) -> None:
        """Fill an empty Redis; what is there already stays."""
        self._restored += rows
        self._go()

    def unsaved(self) -> list[Remembered]:
        """Some of what changed since it was asked for last, to be stored for an empty Redis."""
        taken = list(islice(self._unsaved, MOST_SAVED))
        for one in taken:
            del self._unsaved[one]
        return [self._remembered(kind, key) for kind, key in taken]

    def figures(self) -> dict[str, float]:
        """What waits, was sent, dropped and failed since the start."""
        waiting = len(self._prices) + self._rows + len(self._chains) + len(self._restored)
        return {
            "publisher_waiting": waiting,
            "publisher_sent_total": self._sent,
            "publisher_dropped_total": self.dropped,
            "publisher_failures_total": self._failures,
        }

    async def close(self) -> None:
        """Stop publishing and disconnect; what waits is dropped."""
        await end([self._task])
        await self._redis.aclose()

    def _changed(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self._prices[key] = None
            self._unsaved[Kind.QUOTE, key] = None

    def _remembered(self, kind: Kind, key: Key) -> Remembered:
        if kind is Kind.QUOTE:
            at = to_datetime(self._newest.at(key))
            return Remembered(*key, kind, self._newest.body(key), at)
        return Remembered(*key, kind, *self._chain_bodies[key])

    def _go(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="publish prices")
        self._wake.set()

    # ------------------------------------------------------------------------------ sending

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        beat = loop.time()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(beat):
                    await self._wake.wait()
            self._wake.clear()
            is_due = loop.time() >= beat
            if is_due:
                beat = loop.time() + _BEAT_SECONDS
            work = self._take()
            if work or is_due:
                await self._send(work, keep_alive=is_due)
                await asyncio.sleep(_LINGER_SECONDS)

    def _take(self) -> Round:
        work = Round()
        rows = 0
        while self._bars and rows < _AT_ONCE:
            dataset, batch = self._bars.popleft()
            some = batch[: _AT_ONCE - rows]
            if len(some) < len(batch):
                self._bars.appendleft((dataset, batch[len(some) :]))
            work.bars.append((dataset, some))
            rows += len(some)
        self._rows -= rows
        work.prices = list(islice(self._prices, _AT_ONCE))
        for key in work.prices:
            del self._prices[key]
        if self._bars or self._prices:
            self._wake.set()
        work.chains, self._chains = self._chains, {}
        work.restored, self._restored = self._restored, []
        work.suspect, self._suspect = self._suspect, set()
        return work

    async def _send(self, work: Round, *, keep_alive: bool) -> None:
        """One pipeline, which also finds out whether Redis was emptied meanwhile."""
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.set(WARM, "1", nx=True)
                if keep_alive:
                    self._keep_alive(pipeline)
                self._remember(pipeline, work)
                messages = self._tell(pipeline, work)
                answers = await pipeline.execute()
        except AWAY as error:
            self._put_back(work)
            if self.is_connected:
                log.warning("prices_not_published", error=str(error))
            self.is_connected = False
            self._failures += 1
            self.first_failure.set()
            await asyncio.sleep(_PAUSE_SECONDS)
            return
        self.is_connected = True
        self._sent += messages
        if answers[0]:
            self.is_cold.set()

    def _keep_alive(self, pipeline: Any) -> None:  # noqa: ANN401 - untyped there
        for dataset, symbol, timeframe in self._tails:
            for one in (timeframe, *_MADE_OF.get(timeframe, ())):
                pipeline.pexpire(bars_key(dataset, symbol, one), LEASE_MS)

    def _remember(self, pipeline: Any, work: Round) -> None:  # noqa: ANN401 - untyped there
        for key in work.suspect:
            outdate(pipeline, *key)
        for dataset, batch in work.bars:
            self._append(pipeline, dataset, batch)
        for key, (body, _) in work.chains.items():
            pipeline.set(stamp_key(*key), new_stamp(), ex=STAMP_SECONDS)
            seconds = self._options.chain_seconds
            pipeline.set(document_key(Kind.OPTION_CHAIN, *key), body, ex=seconds)
        for row in work.restored:
            self._restore(pipeline, row)

    def _tell(self, pipeline: Any, work: Round) -> int:  # noqa: ANN401 - untyped there
        """After the cache has it: who hears it finds it remembered. Returns how many messages."""
        told = 0
        for dataset, batch in work.bars:
            channel = f"bars:{dataset}:{batch.symbol}:{batch.timeframe}"
            for index in range(len(batch)):
                pipeline.publish(channel, _bar_body(dataset, batch, index))
                told += 1
        for key in work.prices:
            body = self._newest.body(key)
            pipeline.set(quote_key(*key), body, ex=self._options.quote_seconds)
            pipeline.publish(f"quotes:{key[0]}:{key[1]}", body)
            told += 1
        return told

    def _append(self, pipeline: Any, dataset: str, batch: BarBatch) -> None:  # noqa: ANN401
        """Bars behind those that are remembered. Older ones that changed something were announced
        by who stored them; those of another account on this data set changed nothing."""
        series = dataset, batch.symbol, batch.timeframe
        tail = self._tails.get(series)
        fresh = batch if tail is None else batch[batch.start > _start_of(tail)].sorted()
        if not len(fresh):
            return
        rows = [row.tobytes() for row in fresh.rows[-max(self._options.bars, 1) :]]
        self._tails[series] = rows[-1]
        pipeline.set(stamp_key(dataset, batch.symbol), new_stamp(), ex=STAMP_SECONDS)
        key = bars_key(*series)
        if tail is None:  # nobody knows what the list holds
            pipeline.unlink(key)
        else:
            pipeline.rpushx(key, *rows)
            pipeline.ltrim(key, -self._options.bars, -1)
        if made := _MADE_OF.get(batch.timeframe):
            pipeline.unlink(*(bars_key(dataset, batch.symbol, one) for one in made))

    def _restore(self, pipeline: Any, row: Remembered) -> None:  # noqa: ANN401 - untyped there
        if row.kind is Kind.QUOTE:
            seconds = self._options.quote_seconds
            pipeline.set(quote_key(row.dataset, row.symbol), row.payload, ex=seconds, nx=True)
        else:
            key = document_key(row.kind, row.dataset, row.symbol)
            pipeline.set(key, row.payload, ex=self._options.chain_seconds, nx=True)

    def _put_back(self, work: Round) -> None:
        """For the next attempt; the lists are suspect, since nobody knows how far this one came."""
        self._bars.extendleft(reversed(work.bars))
        self._rows += sum(len(batch) for _, batch in work.bars)
        self._prices = dict.fromkeys(work.prices) | self._prices
        self._chains = work.chains | self._chains
        self._restored = work.restored + self._restored
        self._suspect |= work.suspect
        self._suspect |= {(dataset, symbol) for dataset, symbol, _ in self._tails}
        self._wake.set()


def _start_of(row: bytes) -> int:
    return int.from_bytes(row[:8], "little", signed=True)


def _bar_body(dataset: str, batch: BarBatch, index: int) -> bytes:
    start, end_, *values = batch.rows[index].item()
    names = ("open", "high", "low", "close", "volume")
    body: dict[str, Any] = {
        "symbol": batch.symbol,
        "dataset": dataset,
        "timeframe": str(batch.timeframe),
        "start": to_datetime(start),
        "end": to_datetime(end_),
        **dict(zip(names, values, strict=False)),
        "vwap": None if np.isnan(values[-1]) else values[-1],
    }
    return orjson.dumps(body, option=orjson.OPT_UTC_Z)
