"""What every live source promises: a first word, what trades, and the right error at the end."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from app.core.clock import now, system
from app.core.errors import FeedLost, FeedRefused, NotFound, TradewrightError
from app.marketdata.batch import BarBatch, TickBatch
from app.marketdata.ports import Channel, Heartbeat, LiveItem, LiveSource, Subscription
from tests.contracts.live_vendor import (
    KNOWN,
    OTHER_CLIENTS,
    UNKNOWN,
    VENDORS,
    LiveVendor,
)
from tests.factories import make_batch

PATIENCE = 10


@pytest.fixture(params=[*VENDORS, *OTHER_CLIENTS])
async def vendor(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[LiveVendor]:
    async with (VENDORS | OTHER_CLIENTS)[request.param](monkeypatch, system) as made:
        yield made


def live(vendor: LiveVendor, *symbols: str) -> AsyncGenerator[LiveItem]:
    subscription = Subscription(symbols=symbols or KNOWN, channels=vendor.source.channels)
    return vendor.source.live(subscription)


async def something(items: AsyncGenerator[LiveItem]) -> LiveItem:
    async with asyncio.timeout(PATIENCE):
        return await anext(items)


async def opened(vendor: LiveVendor) -> AsyncGenerator[LiveItem]:
    """A connection that has said its first word."""
    items = live(vendor)
    await something(items)
    await vendor.subscribed(KNOWN)
    return items


async def failure(items: AsyncGenerator[LiveItem]) -> TradewrightError:
    """The error that ends a connection; what comes before it is passed over."""
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(TradewrightError) as caught:
            async for _ in items:
                pass
    return caught.value


def test_it_is_a_live_source(vendor: LiveVendor) -> None:
    assert isinstance(vendor.source, LiveSource)
    assert vendor.source.channels


async def test_it_says_that_it_is_subscribed_before_anything_trades(vendor: LiveVendor) -> None:
    items = live(vendor)
    assert isinstance(await something(items), Heartbeat)
    await items.aclose()


async def test_what_trades_is_yielded(vendor: LiveVendor) -> None:
    items = await opened(vendor)
    if Channel.TRADES in vendor.source.channels:
        at = datetime.now(UTC).replace(microsecond=0)
        await vendor.print("SPY", 512.5, 100, at)
        while not isinstance(item := await something(items), TickBatch):
            pass
        assert item.symbols[item.rows["symbol"][0]] == "SPY"
        assert (item.rows["price"][0], item.rows["at"][0]) == (512.5, at.timestamp() * 1e9)
    if Channel.BARS in vendor.source.channels:
        await vendor.minute(make_batch([170.25], symbol="AAPL"))
        while not isinstance(bars := await something(items), BarBatch):
            pass
        assert (bars.symbol, bars.rows["close"].tolist()) == ("AAPL", [170.25])
    await items.aclose()


async def test_a_broken_connection_is_a_lost_feed(vendor: LiveVendor) -> None:
    items = await opened(vendor)
    await vendor.drop()
    assert isinstance(await failure(items), FeedLost)


async def test_nobody_there_is_a_lost_feed_until_somebody_is(vendor: LiveVendor) -> None:
    await vendor.kill()
    assert isinstance(await failure(live(vendor)), FeedLost)
    await vendor.start()
    items = await opened(vendor)
    await items.aclose()


async def test_garbage_is_a_lost_feed(vendor: LiveVendor) -> None:
    items = await opened(vendor)
    await vendor.garbage()
    assert isinstance(await failure(items), FeedLost)


async def test_an_unknown_symbol_is_named(vendor: LiveVendor) -> None:
    error = await failure(live(vendor, *KNOWN, UNKNOWN))
    assert isinstance(error, NotFound)
    assert error.context["symbol"] == UNKNOWN


async def test_a_refused_key_names_its_variable(vendor: LiveVendor) -> None:
    if vendor.key_variable is None:
        pytest.skip("this vendor has no key")
    vendor.refuse()
    error = await failure(live(vendor))
    assert isinstance(error, FeedRefused)
    assert vendor.key_variable in str(error)


async def test_a_closed_connection_can_be_opened_again(vendor: LiveVendor) -> None:
    for _ in range(2):
        items = await opened(vendor)
        await items.aclose()
    assert vendor.connections == 2


async def test_history_has_what_was_missed(vendor: LiveVendor) -> None:
    day = (now() - timedelta(days=30)).date()
    while day.weekday() > 3:
        day -= timedelta(days=1)
    batch = make_batch([100.0, 101.0, 102.0], symbol="AAPL", day=day)
    vendor.add_history(batch)
    begin, end = datetime.combine(day, datetime.min.time(), UTC), now()
    found = await vendor.source.history("AAPL", batch.timeframe, begin, end)
    assert found.rows["close"].tolist() == [100.0, 101.0, 102.0]
