"""Two accounts on one connection to a vendor: each gets its own symbols, nobody is left behind."""

import asyncio
import gc
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import pytest

from app.core.errors import FeedLost, FeedRefused, NotFound
from app.core.tasks import end
from app.ingest.shared_source import _HUBS, Hub, SharedSource, shared
from app.marketdata.batch import BarBatch, TickBatch
from app.marketdata.ports import Channel, Heartbeat, LiveItem, Subscription
from tests.factories import make_batch, utc
from tests.ticks import make_ticks

BEAT = Heartbeat(utc("2024-03-01 14:30"))


class Vendor:
    """A vendor that allows one connection at a time."""

    name = "vendor"
    channels = frozenset({Channel.TRADES, Channel.BARS})
    replays = False

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.open = 0
        self.said: asyncio.Queue[LiveItem | Exception] = asyncio.Queue()

    async def live(self, subscription: Subscription) -> AsyncGenerator[LiveItem]:
        assert not self.open, "a second connection"
        self.open += 1
        self.asked.append(subscription.symbols)
        try:
            yield BEAT
            while True:
                item = await self.said.get()
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self.open -= 1


class Account:
    """Listens, and comes back when it lost the connection."""

    def __init__(self, vendor: Vendor, hub: Hub, *symbols: str) -> None:
        self.heard: list[LiveItem] = []
        self.lost: list[Exception] = []
        self._source = SharedSource(vendor, hub)
        self._wanted = Subscription(symbols=symbols, channels=vendor.channels)
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            try:
                async with aclosing(self._source.live(self._wanted)) as items:
                    async for item in items:
                        self.heard.append(item)
            except FeedLost as error:
                self.lost.append(error)
            except (FeedRefused, NotFound) as error:
                self.lost.append(error)
                return

    async def hears(self, count: int) -> list[LiveItem]:
        async with asyncio.timeout(60):
            while len(self.heard) < count:  # noqa: ASYNC110 - lists set no event
                await asyncio.sleep(0.005)
        return self.heard


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    made = Vendor()
    yield made
    assert made.open == 0


async def test_who_wants_what_is_carried_already_joins_and_gets_its_part(vendor: Vendor) -> None:
    hub = Hub()
    one = Account(vendor, hub, "AAPL", "SPY")
    await one.hears(1)
    other = Account(vendor, hub, "SPY")
    assert isinstance((await other.hears(1))[0], Heartbeat)
    both = TickBatch(("AAPL", "SPY"), make_ticks([(0, 100), (1, 101), (2, 400)]).rows)
    both.rows["symbol"] = [0, 0, 1]
    for item in (both, make_batch([100.0]), make_batch([400.0], symbol="SPY")):
        vendor.said.put_nowait(item)
    await one.hears(4)
    ticks, bars = (await other.hears(3))[1:]
    assert isinstance(ticks, TickBatch)
    assert ticks.rows["price"].tolist() == [400.0]
    assert isinstance(bars, BarBatch)
    assert bars.symbol == "SPY"
    assert one.lost == []
    await end([one.task, other.task])


async def test_more_symbols_make_the_connection_anew_once_for_everybody(vendor: Vendor) -> None:
    hub = Hub()
    one = Account(vendor, hub, "AAPL")
    await one.hears(1)
    other = Account(vendor, hub, "SPY")
    await other.hears(1)
    await one.hears(2)
    assert vendor.asked == [("AAPL",), ("AAPL", "SPY")]
    assert [str(error) for error in one.lost] == [
        "The connection is made anew for another account."
    ]
    assert other.lost == []
    await end([other.task])  # its adapter carried the connection
    await one.hears(3)
    assert vendor.asked[2:] == [("AAPL",)]
    await end([one.task])


async def test_a_broken_connection_is_told_to_all_and_made_once(vendor: Vendor) -> None:
    hub = Hub()
    accounts = [Account(vendor, hub, "AAPL"), Account(vendor, hub, "AAPL")]
    for account in accounts:
        await account.hears(1)
    vendor.said.put_nowait(FeedLost("It broke.", api_name="vendor"))
    for account in accounts:
        await account.hears(2)
        assert [str(error) for error in account.lost] == ["It broke."]
    assert len(vendor.asked) == 2
    await end([account.task for account in accounts])


async def test_an_unknown_symbol_concerns_who_asked_for_it(vendor: Vendor) -> None:
    hub = Hub()
    one = Account(vendor, hub, "AAPL", "ZZZZ")
    await one.hears(1)
    other = Account(vendor, hub, "AAPL")
    await other.hears(1)
    vendor.said.put_nowait(NotFound("No ZZZZ.", symbol="ZZZZ"))
    await other.hears(2)
    assert [type(error) for error in one.lost] == [NotFound]
    assert [type(error) for error in other.lost] == [FeedLost]
    await end([one.task, other.task])


async def test_who_does_not_take_in_what_comes_loses_the_connection_alone(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.ingest.shared_source.AHEAD", 2)
    hub = Hub()
    one = Account(vendor, hub, "AAPL")
    await one.hears(1)
    source = SharedSource(vendor, hub)
    wanted = Subscription(symbols=("AAPL",), channels=vendor.channels)
    async with aclosing(source.live(wanted)) as slow:
        await anext(slow)
        for number in range(4):
            vendor.said.put_nowait(BEAT)
            await one.hears(2 + number)
        with pytest.raises(FeedLost, match="wait to be taken in"):
            _ = [item async for item in slow]
    assert one.lost == []
    await end([one.task])


async def test_accounts_share_by_vendor_and_exchange_and_who_replays_does_not(
    vendor: Vendor,
) -> None:
    first, second = shared(vendor, "XNYS"), shared(vendor, "XNYS")
    assert isinstance(first, SharedSource)
    assert isinstance(second, SharedSource)
    assert first._hub is second._hub
    assert shared(vendor, "XLON") is not first
    vendor.replays = True
    assert shared(vendor, "XNYS") is vendor
    del first, second
    gc.collect()
    assert ("vendor", "XNYS") not in _HUBS
