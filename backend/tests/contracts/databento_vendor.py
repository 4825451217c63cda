"""Databento and its loopback, as the contracts of live sources and of histories want them."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import count

import pytest

from app.adapters.data.databento import Adapter
from app.core.clock import Clock, system, to_ns
from app.domain.market import Timeframe
from app.marketdata.aggregation import aggregate
from app.marketdata.batch import BarBatch
from app.marketdata.calendar import trading_calendar
from app.marketdata.ports import ProviderSetup
from tests.vendors import databento_records as records
from tests.vendors.databento import DatabentoLoopback, raw
from tests.vendors.databento_records import Event
from tests.vendors.loopback import until

_DAY_NS = 86_400 * 10**9


class DatabentoVendor:
    """One adapter on one loopback. History is what was added; a live session can replay a day."""

    key_variable: str | None = "DATABENTO_API_KEY"

    def __init__(self, loopback: DatabentoLoopback, clock: Clock = system) -> None:
        self.loopback = loopback
        self.source = self.provider = Adapter(ProviderSetup(clock=clock))
        self._sequence = count(1)

    def add_history(self, batch: BarBatch) -> None:
        self.loopback.history.add(*_minutes(batch), *_days(batch))

    def throttle(self) -> None:
        self.loopback.history.throttle(retry_after=0.2)

    def refuse(self) -> None:
        self.loopback.expire_key()

    @property
    def requests(self) -> int:
        return len(self.loopback.history.asked)

    # ----------------------------------------------------------------------------- live

    @property
    def connections(self) -> int:
        return self.loopback.connections

    async def print(self, symbol: str, price: float, size: float, at: datetime) -> None:
        number = next(self._sequence)
        self.loopback.publish(records.trade(raw(symbol), price, int(size), to_ns(at), number))

    async def minute(self, batch: BarBatch) -> None:
        self.loopback.publish(*_minutes(batch))

    async def subscribed(self, symbols: Sequence[str]) -> None:
        wanted = {raw(symbol) for symbol in symbols}

        def asked() -> set[str]:
            streaming = [session for session in self.loopback.sessions if session.streaming]
            return {symbol for session in streaming for symbol in session.symbols}

        await until(lambda: wanted <= asked())

    async def drop(self) -> None:
        self.loopback.drop()

    async def kill(self) -> None:
        await self.loopback.kill()
        await self.loopback.history.stop()

    async def start(self) -> None:
        await self.loopback.history.start()
        await self.loopback.start()

    def mute(self, on: bool = True) -> None:
        self.loopback.mute(on)

    async def garbage(self) -> None:
        self.loopback.garbage()


@asynccontextmanager
async def databento_vendor(
    monkeypatch: pytest.MonkeyPatch, clock: Clock = system
) -> AsyncIterator[DatabentoVendor]:
    """Settings point at the loopback until the end of the block."""
    async with DatabentoLoopback() as loopback:
        for name, value in loopback.environment.items():
            monkeypatch.setenv(name, value)
        vendor = DatabentoVendor(loopback, clock)
        try:
            yield vendor
        finally:
            await vendor.source.close()


def _minutes(batch: BarBatch) -> Iterator[Event]:
    for start, _, *values in batch.rows.tolist():
        yield _bar(batch.symbol, "ohlcv-1m", start, values)


def _days(batch: BarBatch) -> Iterator[Event]:
    """The vendor's days of these minutes, which begin at midnight UTC."""
    for start, _, *values in aggregate(batch, Timeframe.D1, trading_calendar()).rows.tolist():
        yield _bar(batch.symbol, "ohlcv-1d", start // _DAY_NS * _DAY_NS, values)


def _bar(symbol: str, schema: str, start: int, values: list[float]) -> Event:
    opened, high, low, close, volume = values[:5]
    return records.bar(raw(symbol), schema, start, (opened, high, low, close, int(volume)))
