"""Live prices on Redis: published to whoever listens, the last one of each symbol remembered."""

import asyncio
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Any, Final

import numpy as np
import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.core.logging import get_logger
from app.core.tasks import end
from app.marketdata.batch import BarBatch, to_datetime

_WAITING: Final = 20_000
"Messages kept while Redis is away; older ones are dropped."
_AT_ONCE: Final = 500
_PAUSE_SECONDS: Final = 1.0
_REMEMBERED_SECONDS: Final = 86_400
_AWAY: Final = (RedisError, OSError, TimeoutError)

log = get_logger("trading")

Message = tuple[str, str, bytes]
"Channel, key to remember the body under (or empty), body."


class Adapter:
    """Publishes in the background. Redis may be away for as long as it likes."""

    def __init__(self, url: str) -> None:
        self._redis: Redis = Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)
        self._waiting: deque[Message] = deque(maxlen=_WAITING)
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.dropped = 0
        self.is_connected = True
        self.first_failure = asyncio.Event()
        "Set once Redis could not be reached."

    def offer(self, dataset: str, bars: Sequence[BarBatch]) -> None:
        """Queue bars to be published, and the last close of each symbol as its price."""
        for batch in bars:
            for index in range(len(batch)):
                self._queue(_bar_message(dataset, batch, index))
            if len(batch):
                self._queue(_price_message(dataset, batch))
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="publish prices")
        self._wake.set()

    async def close(self) -> None:
        """Stop publishing and disconnect; what waits is dropped."""
        await end([self._task])
        await self._redis.aclose()

    def _queue(self, message: Message) -> None:
        self.dropped += len(self._waiting) == _WAITING
        self._waiting.append(message)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._send(list(islice(self._waiting, _AT_ONCE)))

    async def _send(self, messages: list[Message]) -> None:
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for channel, key, body in messages:
                    pipeline.publish(channel, body)
                    if key:
                        pipeline.set(key, body, ex=_REMEMBERED_SECONDS)
                await pipeline.execute()
        except _AWAY as error:
            if self.is_connected:
                log.warning("prices_not_published", error=str(error))
            self.is_connected = False
            self.first_failure.set()
            await asyncio.sleep(_PAUSE_SECONDS)
            return
        self.is_connected = True
        for _ in range(min(len(messages), len(self._waiting))):
            self._waiting.popleft()


def _bar_message(dataset: str, batch: BarBatch, index: int) -> Message:
    start, end, *values = batch.rows[index].item()
    names = ("open", "high", "low", "close", "volume")
    body: dict[str, Any] = {
        "symbol": batch.symbol,
        "dataset": dataset,
        "timeframe": str(batch.timeframe),
        "start": to_datetime(start),
        "end": to_datetime(end),
        **dict(zip(names, values, strict=False)),
        "vwap": None if np.isnan(values[-1]) else values[-1],
    }
    channel = f"bars:{dataset}:{batch.symbol}:{batch.timeframe}"
    return channel, "", _encode(body)


def _price_message(dataset: str, batch: BarBatch) -> Message:
    body = {
        "symbol": batch.symbol,
        "dataset": dataset,
        "at": to_datetime(int(batch.end[-1])),
        "bid": None,
        "bid_size": None,
        "ask": None,
        "ask_size": None,
        "last": float(batch.rows["close"][-1]),
        "source": "bar",
    }
    series = f"{dataset}:{batch.symbol}"
    return f"quotes:{series}", f"quote:{series}", _encode(body)


def _encode(body: dict[str, Any]) -> bytes:
    return orjson.dumps(body, option=orjson.OPT_UTC_Z)
