"""IBKR's Gateway and its loopback, as the contracts of live sources and of histories want them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import pytest

from app.adapters.clients.ibkr import IbkrSession
from app.adapters.clients.ibkr_options import Library
from app.adapters.clients.ibkr_pacing import Pacing
from app.adapters.data.ibkr import Adapter
from app.core.clock import Clock, system
from app.marketdata.batch import BarBatch
from app.marketdata.ports import ProviderSetup
from tests.factories import utc
from tests.vendors.ibkr import IbkrLoopback
from tests.vendors.loopback import until

BRISK = Pacing(identical_seconds=0.0, pause_seconds=0.2)


class Workday:
    """Always Wednesday noon, so that no maintenance is due; seconds pass as on another clock."""

    def __init__(self, clock: Clock = system) -> None:
        self._clock = clock

    def now(self) -> datetime:
        return utc("2026-03-04 17:00")

    def monotonic(self) -> float:
        return self._clock.monotonic()


class IbkrVendor:
    """One adapter on one loopback."""

    key_variable: str | None = None

    def __init__(self, server: IbkrLoopback, clock: Clock) -> None:
        self.server = server
        self.session = IbkrSession(pacing=BRISK, clock=Workday(clock))
        self.source = self.provider = Adapter(ProviderSetup(clock=clock), session=self.session)

    def add_history(self, batch: BarBatch) -> None:
        self.server.market.hold(batch)

    def throttle(self) -> None:
        self.server.throttle()

    def refuse(self) -> None:
        raise NotImplementedError("the Gateway has no keys")

    @property
    def requests(self) -> int:
        return len(self.server.asked)

    # ----------------------------------------------------------------------------- live

    @property
    def connections(self) -> int:
        return self.server.feeds

    async def print(self, symbol: str, price: float, size: float, at: datetime) -> None:
        self.server.market.trade(symbol, price, size, at)

    async def minute(self, batch: BarBatch) -> None:
        raise NotImplementedError("the Gateway streams no minutes")

    async def subscribed(self, symbols: Sequence[str]) -> None:
        await until(lambda: set(symbols) <= self.server.market.subscribed())

    async def drop(self) -> None:
        self.server.drop()

    async def kill(self) -> None:
        await self.server.kill()

    async def start(self) -> None:
        await self.server.start()

    def mute(self, on: bool = True) -> None:
        self.server.mute(on)

    async def garbage(self) -> None:
        self.server.garbage()


@asynccontextmanager
async def ibkr_vendor(
    monkeypatch: pytest.MonkeyPatch, clock: Clock = system, library: Library = "ib_async"
) -> AsyncIterator[IbkrVendor]:
    """Settings point at the loopback until the end of the block."""
    async with IbkrLoopback() as server:
        server.now = clock.now
        for name, value in {**server.variables, "IBKR_CLIENT": library}.items():
            monkeypatch.setenv(name, value)
        vendor = IbkrVendor(server, clock)
        try:
            yield vendor
        finally:
            await vendor.source.close()


@asynccontextmanager
async def ib_insync_vendor(
    monkeypatch: pytest.MonkeyPatch, clock: Clock = system
) -> AsyncIterator[IbkrVendor]:
    """The same with the older library."""
    async with ibkr_vendor(monkeypatch, clock, "ib_insync") as vendor:
        yield vendor
