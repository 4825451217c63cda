"""What a vendor's loopback must do to join the contract of live sources; the registry of those."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Protocol

import pytest

from app.adapters.data import twelve_data
from app.core.clock import Clock, system
from app.marketdata.batch import BarBatch
from app.marketdata.ports import DataProvider, LiveSource, ProviderSetup
from tests.contracts.alpaca_vendor import alpaca_vendor
from tests.contracts.databento_vendor import databento_vendor
from tests.contracts.ibkr_vendor import ib_insync_vendor, ibkr_vendor
from tests.vendors.loopback import until
from tests.vendors.twelve_data import TwelveDataLoopback

KNOWN = ("AAPL", "SPY")
UNKNOWN = "ZZZZ"


class Source(DataProvider, LiveSource, Protocol):
    """An adapter with history and a live feed."""


class LiveVendor(Protocol):
    """An adapter, and the loopback that it talks to. AAPL and SPY are known there, ZZZZ is not."""

    @property
    def source(self) -> Source: ...

    @property
    def key_variable(self) -> str | None: ...

    @property
    def connections(self) -> int:
        """Live connections that were let in so far."""
        ...

    def add_history(self, batch: BarBatch) -> None:
        """Minute bars that history answers with from now on."""
        ...

    async def print(self, symbol: str, price: float, size: float, at: datetime) -> None:
        """A trade, to everybody who is subscribed. Not called where there is no TRADES channel."""
        ...

    async def minute(self, batch: BarBatch) -> None:
        """Minute bars that are just over. Not called where there is no BARS channel."""
        ...

    async def subscribed(self, symbols: Sequence[str]) -> None:
        """Return once a live connection has asked for all of `symbols`."""
        ...

    async def drop(self) -> None:
        """Cut live connections; new ones are welcome."""
        ...

    async def kill(self) -> None:
        """Take everything away: nobody answers, neither live nor history."""
        ...

    async def start(self) -> None:
        """Serve again, at the same address."""
        ...

    def mute(self, on: bool = True) -> None:
        """Live connections stay open, and nothing comes, not even a heartbeat."""
        ...

    async def garbage(self) -> None:
        """Send every live connection what cannot be understood."""
        ...

    def refuse(self) -> None:
        """The key is refused from now on."""
        ...


Make = Callable[[pytest.MonkeyPatch, Clock], AbstractAsyncContextManager[LiveVendor]]


class TwelveData:
    """Prices by WebSocket, history by REST."""

    key_variable = "TWELVE_DATA_API_KEY"

    def __init__(self, loopback: TwelveDataLoopback, clock: Clock) -> None:
        self.loopback = loopback
        self.source = twelve_data.Adapter(ProviderSetup(clock=clock))
        for symbol in KNOWN:
            loopback.know(symbol)

    @property
    def connections(self) -> int:
        return self.loopback.connections

    def add_history(self, batch: BarBatch) -> None:
        self.loopback.hold(batch)

    async def print(self, symbol: str, price: float, size: float, at: datetime) -> None:
        await self.loopback.trade(symbol, price, size, at)

    async def minute(self, batch: BarBatch) -> None:
        raise NotImplementedError("Twelve Data streams no bars")

    async def subscribed(self, symbols: Sequence[str]) -> None:
        await until(lambda: set(symbols) <= self.loopback.subscribed())

    async def drop(self) -> None:
        self.loopback.drop()

    async def kill(self) -> None:
        await self.loopback.kill()

    async def start(self) -> None:
        await self.loopback.start()

    def mute(self, on: bool = True) -> None:
        self.loopback.mute(on)

    async def garbage(self) -> None:
        await self.loopback.garbage()

    def refuse(self) -> None:
        self.loopback.expire_key()


@asynccontextmanager
async def twelve(
    monkeypatch: pytest.MonkeyPatch, clock: Clock = system
) -> AsyncIterator[LiveVendor]:
    async with TwelveDataLoopback() as loopback:
        for name, value in loopback.variables.items():
            monkeypatch.setenv(name, value)
        vendor = TwelveData(loopback, clock)
        yield vendor
        await vendor.source.close()


VENDORS: dict[str, Make] = {
    "alpaca": alpaca_vendor,
    "databento": databento_vendor,
    "ibkr": ibkr_vendor,
    "twelve_data": twelve,
}
"""Every vendor with a live feed and a loopback, by the name of its adapter."""

OTHER_CLIENTS: dict[str, Make] = {"ib_insync": ib_insync_vendor}
"""Vendors by another client library: held to the contract, spared the slow tests of faults."""
