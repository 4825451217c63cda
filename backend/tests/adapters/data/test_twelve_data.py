"""Twelve Data's adapter against its loopback: pages, days, errors, plans, prints."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest

from app.adapters.data.twelve_data import Adapter
from app.core.errors import FeedRefused, NotFound, TransientError
from app.domain.market import Timeframe
from app.marketdata.batch import BarBatch, TickBatch
from app.marketdata.ports import (
    Channel,
    Heartbeat,
    ProviderSetup,
    Subscription,
)
from tests.factories import make_batch, utc
from tests.vendors.loopback import until
from tests.vendors.twelve_data import KEY, TwelveDataLoopback

MINUTES = make_batch([100 + i % 9 for i in range(600)])
WIDE = utc("2024-03-01 00:00"), utc("2024-03-20 00:00")


@pytest.fixture
async def vendor(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TwelveDataLoopback]:
    async with TwelveDataLoopback() as loopback:
        for name, value in loopback.variables.items():
            monkeypatch.setenv(name, value)
        loopback.hold(MINUTES)
        yield loopback


@pytest.fixture
async def adapter(vendor: TwelveDataLoopback) -> AsyncIterator[Adapter]:
    made = Adapter(ProviderSetup())
    yield made
    await made.close()


def equal(one: BarBatch, other: BarBatch) -> bool:
    return (
        one.rows[list(one.rows.dtype.names or ())[:7]].tolist()
        == other.rows[list(other.rows.dtype.names or ())[:7]].tolist()
    )


async def test_history_is_the_bars_of_the_span(adapter: Adapter) -> None:
    found = await adapter.history("AAPL", Timeframe.M1, *WIDE)
    assert equal(found, MINUTES)
    part = await adapter.history(
        "AAPL", Timeframe.M1, utc("2024-03-01 14:31"), utc("2024-03-01 14:33")
    )
    assert equal(part, MINUTES[1:3])


async def test_a_long_history_comes_in_pages(vendor: TwelveDataLoopback, adapter: Adapter) -> None:
    long = make_batch(np.linspace(100, 200, 11_000).round(2).tolist())
    vendor.hold(long)
    found = await adapter.history("AAPL", Timeframe.M1, WIDE[0], WIDE[1] + timedelta(days=60))
    assert equal(found, long)
    assert len(vendor.asked) == 3


async def test_days_run_from_open_to_close(vendor: TwelveDataLoopback, adapter: Adapter) -> None:
    days = make_batch([170, 171, 172], timeframe=Timeframe.D1)
    vendor.hold(days)
    assert equal(await adapter.history("AAPL", Timeframe.D1, *WIDE), days)
    assert vendor.asked[-1].query["adjust"] == "none"


async def test_a_span_in_which_nothing_traded_is_empty(adapter: Adapter) -> None:
    start = utc("2024-03-02 00:00")
    assert not len(await adapter.history("AAPL", Timeframe.M1, start, start + timedelta(hours=9)))


async def test_an_unknown_symbol_is_named(adapter: Adapter) -> None:
    with pytest.raises(NotFound) as caught:
        await adapter.history("ZZZZ", Timeframe.M1, *WIDE)
    assert caught.value.context["symbol"] == "ZZZZ"
    with pytest.raises(NotFound, match="It has: 1m, 5m"):
        await adapter.history("AAPL", Timeframe.S1, *WIDE)


async def test_the_key_travels_in_a_header_only(
    vendor: TwelveDataLoopback, adapter: Adapter
) -> None:
    await adapter.history("AAPL", Timeframe.M1, *WIDE)
    assert vendor.asked[0].headers["Authorization"] == f"apikey {KEY}"
    assert "apikey" not in vendor.asked[0].query


async def test_an_expired_key_names_the_variable(
    vendor: TwelveDataLoopback, adapter: Adapter
) -> None:
    vendor.expire_key()
    with pytest.raises(FeedRefused, match=r"TWELVE_DATA_API_KEY .*twelvedata\.com/account"):
        await adapter.history("AAPL", Timeframe.M1, *WIDE)


def test_a_missing_key_names_the_variable() -> None:
    with pytest.raises(FeedRefused, match="TWELVE_DATA_API_KEY is not set"):
        Adapter(ProviderSetup())


async def test_hiccups_are_tried_again(vendor: TwelveDataLoopback, adapter: Adapter) -> None:
    vendor.fail(1, 503)
    vendor.break_off()
    assert equal(await adapter.history("AAPL", Timeframe.M1, *WIDE), MINUTES)
    assert len(vendor.asked) == 3


async def test_running_out_of_credits_makes_everybody_wait(
    vendor: TwelveDataLoopback, adapter: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.adapters.clients.budget.PENALTY_SECONDS", 0.05)
    vendor.run_out()
    assert equal(await adapter.history("AAPL", Timeframe.M1, *WIDE), MINUTES)
    assert adapter._http.budget.refusals == 1


async def test_bars_that_are_no_numbers_are_a_hiccup(
    vendor: TwelveDataLoopback, adapter: Adapter
) -> None:
    vendor.series["AAPL", Timeframe.M1]["2024-03-01 14:31:00"]["close"] = "n/a"
    with pytest.raises(TransientError, match="cannot be read"):
        await adapter.history("AAPL", Timeframe.M1, *WIDE)


async def test_a_profile_has_the_sector(vendor: TwelveDataLoopback, adapter: Adapter) -> None:
    vendor.know("AAPL", "Apple Inc.", "Technology")
    found = await adapter.profile("AAPL")
    assert (found.name, found.exchange, found.sector) == ("Apple Inc.", "XNGS", "Technology")


async def test_splits_and_dividends_are_actions(
    vendor: TwelveDataLoopback, adapter: Adapter
) -> None:
    vendor.splits["AAPL"] = [
        {"date": "2020-08-31", "description": "4-for-1 split", "ratio": 0.25,
         "from_factor": 4, "to_factor": 1},
        {"date": "2014-06-09", "description": "7-for-1 split", "ratio": 0.142857,
         "from_factor": 7, "to_factor": 1},
    ]  # fmt: skip
    vendor.dividends["AAPL"] = [{"ex_date": "2020-05-08", "amount": 0.82}]
    found = await adapter.actions("AAPL", date(2020, 1, 1), date(2021, 1, 1))
    assert [(a.kind, a.ex_date, a.ratio, a.amount) for a in found] == [
        ("dividend", date(2020, 5, 8), None, Decimal("0.82")),
        ("split", date(2020, 8, 31), Decimal(4), None),
    ]


async def test_what_the_plan_lacks_is_refused_with_a_sentence(
    vendor: TwelveDataLoopback, adapter: Adapter
) -> None:
    vendor.has_plan = False
    with pytest.raises(FeedRefused, match="available exclusively with grow"):
        await adapter.profile("AAPL")


async def test_a_profile_dearer_than_a_minute_is_not_even_asked_for(
    vendor: TwelveDataLoopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWELVE_DATA_CREDITS_PER_MINUTE", "8")
    small = Adapter(ProviderSetup())
    with pytest.raises(FeedRefused, match=r"costs 10 credits .* allows 8"):
        await small.profile("AAPL")
    assert not vendor.asked
    await small.close()


# ------------------------------------------------------------------------------------ live


async def test_prices_are_prints_with_the_growth_of_the_volume(
    vendor: TwelveDataLoopback, adapter: Adapter
) -> None:
    subscription = Subscription(symbols=("AAPL",), channels=frozenset({Channel.TRADES}))
    live = adapter.live(subscription)
    assert isinstance(await anext(live), Heartbeat)
    at = utc("2024-03-01 14:30:05")
    for price, size in ((170.5, 100), (170.6, 250)):
        await vendor.trade("AAPL", price, size, at)
    prints = []
    while len(prints) < 2:
        item = await anext(live)
        assert isinstance(item, TickBatch)
        prints += item.rows[["price", "size"]].tolist()
    assert prints == [(170.5, 0.0), (170.6, 250.0)]
    await live.aclose()
    await until(lambda: not vendor.sockets)


async def test_a_price_that_comes_twice_is_one_print(
    vendor: TwelveDataLoopback, adapter: Adapter
) -> None:
    subscription = Subscription(symbols=("AAPL",), channels=frozenset({Channel.TRADES}))
    live = adapter.live(subscription)
    await anext(live)
    vendor.duplicate()
    await vendor.trade("AAPL", 170.5, 100, utc("2024-03-01 14:30:05"))
    keys = set()
    for _ in range(2):
        item = await anext(live)
        assert isinstance(item, TickBatch)
        keys.add(item.rows[["at", "sequence"]].tolist()[0])
    assert len(keys) == 1
    await live.aclose()


async def test_a_plan_without_a_socket_is_polled(
    vendor: TwelveDataLoopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWELVE_DATA_LIVE", "poll")
    polled = Adapter(ProviderSetup())
    assert polled.channels == frozenset()
    await polled.close()
