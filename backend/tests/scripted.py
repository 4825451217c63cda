"""A floor whose broker stumbles where a test says so."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from app.domain.events import (
    BrokerReport,
)
from app.domain.orders import Order, OrderStatus
from tests.floor import Floor
from tests.venue import VenueBroker

D = Decimal
S = OrderStatus


class Scripted(VenueBroker):
    """A venue whose next answers are errors that the test names, by kind of request."""

    def __init__(self, venue: Any) -> None:
        super().__init__(venue)
        self.errors: dict[str, list[Exception]] = {"submit": [], "cancel": [], "replace": []}
        self.hang: dict[str, asyncio.Event] = {}

    async def submit(self, order: Order, at: datetime) -> Sequence[BrokerReport]:
        await self._stumble("submit", order.client_order_id)
        return await super().submit(order, at)

    async def cancel(self, client_order_id: str, at: datetime) -> Sequence[BrokerReport]:
        await self._stumble("cancel", client_order_id)
        return await super().cancel(client_order_id, at)

    async def replace(self, order: Order, at: datetime) -> Sequence[BrokerReport]:
        await self._stumble("replace", order.client_order_id)
        return await super().replace(order, at)

    async def _stumble(self, kind: str, identity: str) -> None:
        if self.errors[kind]:
            self.venue.requests.append((f"{kind} failed", identity))
            raise self.errors[kind].pop(0)
        if kind in self.hang:
            self.venue.requests.append((f"{kind} hangs", identity))
            await self.hang[kind].wait()


def scripted(**given: Any) -> Floor:
    floor = Floor(**given)
    floor.broker = floor.driver.broker = Scripted(floor.venue)
    return floor


def resting(**more: Any) -> dict[str, Any]:
    return {"type": "limit", "limit_price": 90, "time_in_force": "gtc", **more}


def replace_by_hand(floor: Floor, identity: str, **values: float) -> Any:
    texts = {name: str(value) for name, value in values.items()}
    return floor.ask("order_replace", client_order_id=identity, **texts)
