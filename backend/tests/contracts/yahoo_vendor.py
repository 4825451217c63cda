"""Yahoo and its loopback, as the contract of histories wants them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from app.adapters.data.yfinance import Adapter
from app.marketdata.batch import BarBatch
from app.marketdata.ports import ProviderSetup
from tests.vendors.yahoo import YahooLoopback


class YahooVendor:
    """One adapter on one loopback, through the real library."""

    key_variable: str | None = None

    def __init__(self, server: YahooLoopback) -> None:
        self.server = server
        self.provider = Adapter(ProviderSetup())

    def add_history(self, batch: BarBatch) -> None:
        self.server.hold(batch)

    def throttle(self) -> None:
        self.server.throttle(Retry_After="0.2")

    def refuse(self) -> None:
        raise NotImplementedError("Yahoo has no keys")

    @property
    def requests(self) -> int:
        return sum("/v8/" in asked.path for asked in self.server.asked)


@asynccontextmanager
async def yahoo_vendor(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[YahooVendor]:
    """Settings point at the loopback until the end of the block."""
    async with YahooLoopback() as server:
        monkeypatch.setenv("YFINANCE_BASE_URL", server.http)
        monkeypatch.setenv("YFINANCE_REQUESTS_PER_MINUTE", "600")
        vendor = YahooVendor(server)
        try:
            yield vendor
        finally:
            await vendor.provider.close()
