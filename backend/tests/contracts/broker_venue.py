"""Brokers with a market behind them: one line in VENUES, and the contract runs on an adapter."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any, Final, Protocol
from weakref import WeakValueDictionary

import pytest

from app.adapters.brokers.alpaca import Adapter as Alpaca
from app.adapters.brokers.paper import Adapter as Paper
from app.adapters.clients.alpaca import AlpacaOptions
from app.core.tasks import end
from app.domain.market import SliceOpened
from app.domain.ports import Broker, BrokerLink, BrokerSetup
from tests.contracts.ibkr_broker import ibkr_account
from tests.trading import DAY, OPEN
from tests.vendors.alpaca import KEY, SECRET
from tests.vendors.alpaca_trading import AlpacaTrading
from tests.vendors.loopback import until


class BrokerVenue(Protocol):
    """A broker that is connected; AAPL can be traded there."""

    broker: Broker
    heard: list[Any]
    "What `reports` told, and what `observe` did."

    async def print(self, price: float, size: int | None = None) -> None:
        """One trade of the market in AAPL; what it fills is in `heard` soon."""
        ...


class PaperVenue:
    """The simulated broker sees opens."""

    def __init__(self) -> None:
        self.broker: Broker = Paper(BrokerSetup(account_id=1))
        self.heard: list[Any] = []
        self._at = OPEN

    async def print(self, price: float, size: int | None = None) -> None:
        seen = SliceOpened(self._at, DAY, {"AAPL": price})
        self.heard += self.broker.observe(seen)
        self._at += timedelta(minutes=1)


class AlpacaVenue:
    """The real protocol, on this machine."""

    def __init__(self, server: AlpacaTrading, broker: Broker) -> None:
        self.broker = broker
        self.server = server
        self.heard: list[Any] = []

    async def listen(self) -> None:
        async for report in self.broker.reports():
            self.heard.append(report)

    async def print(self, price: float, size: int | None = None) -> None:
        await self.server.print("AAPL", price, size)


@asynccontextmanager
async def paper(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[BrokerVenue]:
    yield PaperVenue()


@asynccontextmanager
async def alpaca(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[BrokerVenue]:
    monkeypatch.setattr("app.adapters.clients.budget._shared", WeakValueDictionary())
    async with AlpacaTrading() as server:
        options = AlpacaOptions(api_key=KEY, secret_key=SECRET, base_url=server.http)
        venue = AlpacaVenue(server, Alpaca(BrokerSetup(account_id=1), options))
        listening = asyncio.create_task(venue.listen())
        try:
            await until(lambda: any(isinstance(h, BrokerLink) and h.is_up for h in venue.heard))
            yield venue
        finally:
            await end([listening])
            await venue.broker.close()


@asynccontextmanager
async def ibkr(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[BrokerVenue]:
    async with ibkr_account() as account:
        yield account


VENUES: Final[
    dict[str, Callable[[pytest.MonkeyPatch], AbstractAsyncContextManager[BrokerVenue]]]
] = {
    "alpaca": alpaca,
    "ibkr": ibkr,
    "paper": paper,
}
