"""Live bars and quotes from Redis to the subscribers of a symbol."""

import asyncio
from collections import defaultdict
from contextlib import suppress
from typing import Final, Protocol

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from app.core.logging import get_logger
from app.core.tasks import end
from app.events.outbox import Message

_WAITS: Final = (0.1, 0.2, 0.5, 1.0, 2.0)
_AWAY: Final = (RedisError, OSError, TimeoutError)
REFRESH_SECONDS: Final = 1.0
"Until the limit `market_data_refresh_seconds` was read."
log = get_logger("api")


class Sink(Protocol):
    """Where a price goes: an outbox."""

    def put_price(self, topic: str, message: Message) -> None: ...


class Prices:
    """One Redis subscription a process, shared by all clients; channels come and go with them."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._topics: dict[str, set[tuple[str, Sink]]] = defaultdict(set)
        self._pubsub: PubSub | None = None
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._every = REFRESH_SECONDS
        self._sent_at: dict[str, float] = {}
        self._waiting: dict[str, str] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self.is_connected = False
        self.conflated = 0
        "Quotes that gave way to a newer one, since screens are not refreshed so often."

    @property
    def every(self) -> float:
        """Seconds between two quotes of a symbol."""
        return self._every

    def refresh_every(self, seconds: float) -> None:
        """From now on send a quote of a symbol at most so often; what waits is sent at once."""
        if seconds == self._every:
            return
        self._every = seconds
        for channel in list(self._timers):
            self._timers.pop(channel).cancel()
            self._flush(channel)

    def start(self) -> None:
        """Listen in the background, for ever."""
        self._task = asyncio.create_task(self._run(), name="prices")

    async def stop(self) -> None:
        """Stop listening."""
        await end([self._task])
        for timer in self._timers.values():
            timer.cancel()

    async def subscribe(self, channel: str, topic: str, sink: Sink) -> None:
        """Send each price of a channel to `sink`, under the topic that the client named."""
        fresh = channel not in self._topics
        self._topics[channel].add((topic, sink))
        if fresh:
            await self._tell("subscribe", channel)
        self._wake.set()

    async def unsubscribe(self, channel: str, topic: str, sink: Sink) -> None:
        """Send no more of it."""
        listeners = self._topics.get(channel, set())
        listeners.discard((topic, sink))
        if not listeners and self._topics.pop(channel, None) is not None:
            self._sent_at.pop(channel, None)
            await self._tell("unsubscribe", channel)

    async def _tell(self, action: str, channel: str) -> None:
        if self._pubsub is not None and self.is_connected:
            with suppress(*_AWAY):
                await getattr(self._pubsub, action)(channel)

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                await self._listen()
                failures = 0
            except _AWAY as error:
                log.warning("prices_wait_for_redis", error=str(error))
            self.is_connected = False
            await asyncio.sleep(_WAITS[min(failures, len(_WAITS) - 1)])
            failures += 1

    async def _listen(self) -> None:
        """One connection's life: it begins with every channel that somebody wants."""
        while not self._topics:
            self._wake.clear()
            await self._wake.wait()
        async with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:
            self._pubsub = pubsub
            asked: set[str] = set()
            while missing := self._topics.keys() - asked:
                await pubsub.subscribe(*missing)
                asked |= missing
            # From here on, without an await in between, `subscribe` speaks for itself.
            self.is_connected = True
            while True:
                if not pubsub.subscribed:
                    return
                message = await pubsub.get_message(timeout=5.0)
                if message is not None:
                    self._give(message["channel"], message["data"])

    def _give(self, channel: bytes | str, data: bytes | str) -> None:
        """A closed bar goes on at once; so does a quote, unless one was sent just before."""
        name = channel.decode() if isinstance(channel, bytes) else channel
        body = data.decode() if isinstance(data, bytes) else data
        if not name.startswith("quotes:"):
            self._send(name, body)
            return
        self.conflated += name in self._waiting
        self._waiting[name] = body
        if name in self._timers:
            return
        loop = asyncio.get_running_loop()
        due = self._sent_at.get(name, -self._every) + self._every
        if due <= loop.time():
            self._flush(name)
        else:
            self._timers[name] = loop.call_at(due, self._strike, name)

    def _strike(self, channel: str) -> None:
        del self._timers[channel]
        self._flush(channel)

    def _flush(self, channel: str) -> None:
        body = self._waiting.pop(channel)
        if channel in self._topics:
            self._sent_at[channel] = asyncio.get_running_loop().time()
            self._send(channel, body)

    def _send(self, channel: str, body: str) -> None:
        messages: dict[str, Message] = {}
        for topic, sink in self._topics.get(channel, ()):
            if topic not in messages:
                messages[topic] = Message(price_text(topic, body))
            sink.put_price(topic, messages[topic])


def price_text(topic: str, body: str) -> str:
    """The message of a price topic."""
    kind = "quote" if topic.startswith("quotes:") else "bar"
    return f'{{"topic":"{topic}","type":"{kind}","data":{body}}}'
