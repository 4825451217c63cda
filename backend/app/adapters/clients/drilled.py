"""A broker with faults that a drill asks for: on paper accounts that allow it, nowhere else."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from app.core import drills
from app.core.clock import Clock, system
from app.core.drills import Drill
from app.core.errors import BrokerUnavailable
from app.core.tasks import end
from app.domain.events import BrokerReport, OrderFilled
from app.domain.orders import BrokerOrder, Order
from app.domain.ports import Broker, BrokerAbilities, BrokerBook, BrokerLink

LOOK_SECONDS: Final = 0.1
AGAIN: Final = 3
KEPT: Final = 10
T = TypeVar("T")
News = BrokerReport | BrokerLink


class DrilledBroker:
    """Everything as the broker does it, but for the drill that is on."""

    def __init__(self, broker: Broker, account_id: int, home: Path, clock: Clock = system) -> None:
        self._broker, self._account_id, self._home = broker, account_id, home
        self._clock = clock
        self.name, self.is_simulated = broker.name, broker.is_simulated
        self._news: asyncio.Queue[News | Exception] = asyncio.Queue()
        self._link: BrokerLink | None = None
        self._fills: deque[OrderFilled] = deque(maxlen=KEPT)
        self._drill: Drill | None = None

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - what only this broker can do
        return getattr(self._broker, name)

    @property
    def abilities(self) -> BrokerAbilities:
        """They may change when the broker is joined."""
        return self._broker.abilities

    @abilities.setter
    def abilities(self, abilities: BrokerAbilities) -> None:
        self._broker.abilities = abilities

    # ------------------------------------------------------------------------------ requests

    async def submit(self, order: Order, at: datetime) -> Sequence[BrokerReport]:
        return await self._let(lambda: self._broker.submit(order, at))

    async def cancel(self, client_order_id: str, at: datetime) -> Sequence[BrokerReport]:
        return await self._let(lambda: self._broker.cancel(client_order_id, at))

    async def replace(self, order: Order, at: datetime) -> Sequence[BrokerReport]:
        return await self._let(lambda: self._broker.replace(order, at))

    async def find(self, client_order_id: str) -> BrokerOrder | None:
        return await self._let(lambda: self._broker.find(client_order_id))

    async def book(self, since: datetime | None = None) -> BrokerBook:
        return await self._let(lambda: self._broker.book(since))

    async def cancel_all(self) -> None:
        await self._let(self._broker.cancel_all)

    async def close(self) -> None:
        await self._broker.close()

    def observe(self, seen: Any) -> Iterable[BrokerReport]:  # noqa: ANN401 - the port's union
        return self._broker.observe(seen)

    async def _let(self, request: Callable[[], Awaitable[T]]) -> T:
        """Send it, unless the drill says that the broker cannot be had. Nothing was sent then."""
        drill = drills.asked(self._home, self._account_id)
        if drill is Drill.STORM:
            raise BrokerUnavailable("429 too many requests (a drill).", api_name=self.name)
        if drill is Drill.GATEWAY_RESTART:
            raise BrokerUnavailable("The gateway restarts (a drill).", api_name=self.name)
        return await request()

    # ---------------------------------------------------------------------------------- news

    async def reports(self) -> AsyncGenerator[News]:
        """The broker's, and what the drill makes of them."""
        listening = asyncio.create_task(self._listen())
        watching = asyncio.create_task(self._watch())
        try:
            while True:
                news = await self._news.get()
                if isinstance(news, Exception):
                    raise news
                yield news
        finally:
            await end([listening, watching])

    async def _listen(self) -> None:
        try:
            async for news in self._broker.reports():
                if isinstance(news, BrokerLink):
                    self._link = news
                elif isinstance(news, OrderFilled):
                    self._fills.append(news)
                if self._drill is not Drill.GATEWAY_RESTART:
                    self._news.put_nowait(news)
        except Exception as error:  # noqa: BLE001 - whatever it is, who reads must see it
            self._news.put_nowait(error)

    async def _watch(self) -> None:
        while True:
            wanted = drills.asked(self._home, self._account_id)
            if wanted is not self._drill:
                was, self._drill = self._drill, wanted
                self._turn(was, wanted)
            await asyncio.sleep(LOOK_SECONDS)

    def _turn(self, was: Drill | None, now: Drill | None) -> None:
        """A drill ends, another begins."""
        at = self._clock.now()
        if was is Drill.GATEWAY_RESTART and self._link is not None and self._link.is_up:
            self._news.put_nowait(BrokerLink(is_up=True, at=at))
        if now is Drill.GATEWAY_RESTART:
            reason = "The gateway restarts (a drill)."
            self._news.put_nowait(BrokerLink(is_up=False, reason=reason, at=at))
        if now is Drill.DUPLICATE_FILL:
            for fill in list(self._fills) * AGAIN:
                self._news.put_nowait(fill)
