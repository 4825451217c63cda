"""An adapter of Alpaca that is connected to the loopback, and what it was told."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from app.adapters.brokers.alpaca import Adapter
from app.adapters.clients.alpaca import AlpacaOptions
from app.core.retry import RetryConfig
from app.core.tasks import end
from app.domain.events import (
    OrderFilled,
)
from app.domain.orders import Order, OrderType
from app.domain.ports import BrokerLink, BrokerSetup
from tests.trading import make_order
from tests.vendors.alpaca import KEY, SECRET
from tests.vendors.alpaca_trading import AlpacaTrading
from tests.vendors.alpaca_venue_orders import VenueOrder
from tests.vendors.loopback import until

QUICK = RetryConfig(attempts=2, first_wait_seconds=0.01, jitter_seconds=0.01)
MINE = "1-manual-AAPL-c1-e1"
T = TypeVar("T")


def options(server: AlpacaTrading, **more: Any) -> AlpacaOptions:
    return AlpacaOptions(api_key=KEY, secret_key=SECRET, base_url=server.http, **more)


def adapter(server: AlpacaTrading, **given: Any) -> Adapter:
    how: dict[str, Any] = {
        "retry": QUICK, "read_seconds": 0.5, "ping_seconds": 0.2, "first_pause_seconds": 0.01,
    }  # fmt: skip
    settings = given.pop("settings", {})
    setup = BrokerSetup(account_id=given.pop("account_id", 1), settings=settings)
    return Adapter(setup, options(server), **{**how, **given})


@dataclass
class Joined:
    """A broker whose reports are collected."""

    broker: Adapter
    heard: list[Any] = field(default_factory=list)

    async def listen(self) -> None:
        async for report in self.broker.reports():
            self.heard.append(report)

    def of(self, kind: type[T]) -> list[T]:
        return [report for report in self.heard if isinstance(report, kind)]

    def names(self) -> list[str]:
        return [type(report).__name__ for report in self.heard]

    @property
    def links(self) -> list[bool]:
        return [link.is_up for link in self.of(BrokerLink)]


@asynccontextmanager
async def joined(server: AlpacaTrading, **given: Any) -> AsyncIterator[Joined]:
    """An adapter that is connected and listens."""
    it = Joined(adapter(server, **given))
    listening = asyncio.create_task(it.listen())
    try:
        await until(lambda: it.links)
        yield it
    finally:
        await end([listening])
        await it.broker.close()


def limit(price: float = 100, quantity: float = 10, **given: Any) -> Order:
    return make_order(type=OrderType.LIMIT, limit_price=price, quantity=quantity, **given)


def the_order(server: AlpacaTrading) -> VenueOrder:
    (order,) = server.venue.orders.values()
    return order


def by_hand(server: AlpacaTrading, price: float = 100, **more: Any) -> VenueOrder:
    """An order that somebody placed on Alpaca's own page."""
    asked = {"symbol": "AAPL", "qty": "10", "side": "buy", "type": "limit", "time_in_force": "gtc",
             "limit_price": str(price), **more}  # fmt: skip
    return server.venue.place(asked)


async def closed(server: AlpacaTrading, broker: Adapter) -> list[Any]:
    return list((await broker.book()).closed_orders)


async def fill_in_parts(server: AlpacaTrading, sizes: Sequence[int] = (4, 3, 3)) -> None:
    for size in sizes:
        server.venue.print("AAPL", 99, size)
    await server.tell()


def identities(it: Joined) -> set[str]:
    return {report.execution.execution_id.split(":")[1] for report in it.of(OrderFilled)}
