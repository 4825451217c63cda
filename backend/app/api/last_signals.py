"""Makes the cache forget an account's last signal of a symbol when there is a newer one."""

import asyncio
from collections.abc import Callable

import orjson

from app.core.tasks import end
from app.events.hub import Hub, Subscription
from app.events.outbox import Message, Outbox
from app.marketdata.cache import MarketCache

TOPIC = "events:signal_raised"


class LastSignals:
    """Hears every signal that is committed, whichever process raised it."""

    def __init__(self, hub: Hub, cache: MarketCache) -> None:
        self._hub = hub
        self._cache = cache
        self._newer: set[tuple[str, str]] = set()
        self._wake = asyncio.Event()
        self._subscription = Subscription(TOPIC, _Ear(self._heard), lambda _: True)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Listen, and forget in the background."""
        self._hub.subscribe(self._subscription)
        self._task = asyncio.create_task(self._run(), name="last signals")

    async def stop(self) -> None:
        """Listen no more."""
        self._hub.unsubscribe(self._subscription)
        await end([self._task])

    def _heard(self, message: Message) -> None:
        signal = orjson.loads(message.text)["data"]["signal"]
        self._newer.add((str(message.stream), signal["symbol"]))
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            newer, self._newer = self._newer, set()
            for account, symbol in newer:
                await self._cache.forget_signal(account, symbol)


class _Ear(Outbox):
    """In place of a client's way out."""

    def __init__(self, heard: Callable[[Message], None]) -> None:
        super().__init__()
        self._heard = heard

    def add(self, message: Message) -> None:
        self._heard(message)
