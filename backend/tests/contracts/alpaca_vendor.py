"""Alpaca and its loopback, as the contracts of live sources and of histories want them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import pytest

from app.adapters.data.alpaca import Adapter
from app.core.clock import Clock, system, to_ns
from app.marketdata.batch import BarBatch
from app.marketdata.ports import ProviderSetup
from tests.vendors.alpaca import KEY, SECRET, AlpacaLoopback
from tests.vendors.loopback import until


class AlpacaVendor:
    """One adapter on one loopback; pages are small, so that every answer has several."""

    key_variable: str | None = "ALPACA_API_KEY"

    def __init__(self, server: AlpacaLoopback, clock: Clock) -> None:
        self.server = server
        self.source = self.provider = Adapter(ProviderSetup(clock=clock))
        server.know("SPY", exchange="ARCA")
        server.know("AAPL")
        server.largest_page = 500

    def add_history(self, batch: BarBatch) -> None:
        self.server.hold(batch)

    def throttle(self) -> None:
        self.server.throttle(Retry_After="0.2")

    def refuse(self) -> None:
        self.server.expire_key()

    @property
    def requests(self) -> int:
        return len(self.server.asked)

    # ----------------------------------------------------------------------------- live

    async def print(self, symbol: str, price: float, size: float, at: datetime) -> None:
        await self.server.trade(symbol, to_ns(at), price, int(size))

    async def minute(self, batch: BarBatch) -> None:
        await self.server.publish(batch)

    async def drop(self) -> None:
        self.server.drop()

    async def kill(self) -> None:
        await self.server.kill()

    async def start(self) -> None:
        await self.server.start()

    def mute(self, on: bool = True) -> None:
        self.server.mute(on)

    async def garbage(self) -> None:
        await self.server.garbage()

    async def subscribed(self, symbols: Sequence[str]) -> None:
        def asked() -> set[str]:
            topics = [socket.topics for socket in self.server.sockets]
            return {s for topic in topics for names in topic.values() for s in names}

        await until(lambda: set(symbols) <= asked())

    @property
    def connections(self) -> int:
        return self.server.accepted


@asynccontextmanager
async def alpaca_vendor(
    monkeypatch: pytest.MonkeyPatch, clock: Clock = system
) -> AsyncIterator[AlpacaVendor]:
    """Settings point at the loopback until the end of the block."""
    async with AlpacaLoopback() as server:
        for name, value in {
            "API_KEY": KEY, "SECRET_KEY": SECRET, "BASE_URL": server.http,
            "DATA_URL": server.http, "STREAM_URL": server.ws,
        }.items():  # fmt: skip
            monkeypatch.setenv(f"ALPACA_{name}", value)
        vendor = AlpacaVendor(server, clock)
        try:
            yield vendor
        finally:
            await vendor.source.close()
