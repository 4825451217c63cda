"""Yahoo's adapter, through the real yfinance library, against its loopback."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from app.adapters.clients import yahoo as client
from app.adapters.clients.yahoo import Yahoo, YfinanceOptions, rehosted
from app.adapters.data.yfinance import Adapter
from app.core.clock import now as wall
from app.core.errors import ConfigurationError, NotFound, TransientError
from app.core.retry import RetryConfig
from app.domain.market import Bar, Timeframe
from app.ingest.link import Polled
from app.marketdata.batch import BarBatch
from app.marketdata.ports import Channel, LiveItem, Profile, ProviderSetup, Subscription
from tests.contracts.history_vendor import last_sessions
from tests.factories import make_batch, utc
from tests.vendors.yahoo import YahooLoopback, contract

AT_ONCE = RetryConfig(attempts=2, first_wait_seconds=0.0, jitter_seconds=0.0)
BEFORE, SPLIT_DAY, AFTER = date(2024, 6, 7), date(2024, 6, 10), date(2024, 6, 11)
SPAN = (utc("2024-06-01"), utc("2024-07-01"))


@pytest.fixture
async def server() -> AsyncIterator[YahooLoopback]:
    async with YahooLoopback() as running:
        yield running


def adapter(server: YahooLoopback, **options: Any) -> Adapter:
    given = YfinanceOptions(base_url=server.http, **options)
    return Adapter(ProviderSetup(), yahoo=Yahoo(given, retry=AT_ONCE))


@pytest.fixture
async def yahoo(server: YahooLoopback) -> AsyncIterator[Adapter]:
    made = adapter(server)
    yield made
    await made.close()


def day_of(day: date, price: float, symbol: str = "NVDA") -> BarBatch:
    return make_batch([price] * 390, day=day, symbol=symbol, volume=1_000)


# ------------------------------------------------------------------------------ history


async def test_prices_before_a_split_are_what_was_paid_then(
    server: YahooLoopback, yahoo: Adapter
) -> None:
    for day, price in ((BEFORE, 1200.0), (SPLIT_DAY, 120.0), (AFTER, 121.0)):
        server.hold(day_of(day, price))
    server.splits["NVDA"] = [(SPLIT_DAY, 10, 1)]
    found = await yahoo.history("NVDA", Timeframe.D1, *SPAN)
    assert found.columns()["close"].tolist() == pytest.approx([1200, 120, 121])
    assert found.columns()["volume"].tolist() == pytest.approx([390_000] * 3)
    asked = [r.query for r in server.asked if "/chart/" in r.path]
    assert asked[-1]["events"] == "div,splits,capitalGains"


async def test_days_run_from_open_to_close(server: YahooLoopback, yahoo: Adapter) -> None:
    server.hold(make_batch([200.0] * 210, symbol="SPY", day=date(2024, 11, 29)))
    (bar,) = (await yahoo.history("SPY", Timeframe.D1, utc("2024-11-01"), utc("2024-12-01"))).bars()
    assert (bar.start, bar.end) == (utc("2024-11-29 14:30"), utc("2024-11-29 18:00"))


async def test_minutes_are_asked_for_a_week_at_a_time_and_a_month_back(
    server: YahooLoopback, yahoo: Adapter
) -> None:
    minutes = day_of(last_sessions(1)[0].day, 100.0, "AAPL")
    server.hold(minutes)
    now = wall()
    found = await yahoo.history("AAPL", Timeframe.M1, now - timedelta(days=90), now)
    assert found.bars() == minutes.bars()
    spans = [
        (int(r.query["period1"]), int(r.query["period2"]))
        for r in server.asked
        if r.query.get("interval") == "1m"
    ]
    assert len(spans) == 5
    assert all(until - since <= 7 * 86_400 for since, until in spans)
    assert spans[0][0] >= (now - timedelta(days=30)).timestamp()
    long_ago = await yahoo.history("AAPL", Timeframe.M1, *SPAN)
    assert not len(long_ago)


async def test_what_has_not_ended_and_what_has_no_price_is_left_out(
    server: YahooLoopback, yahoo: Adapter
) -> None:
    session = last_sessions(1)[0]
    minutes = day_of(session.day, 100.0, "AAPL")
    minutes.rows["close"][5] = np.nan
    server.hold(minutes)
    server.bars["AAPL"].rows["start"][-1] += 17 * 10**9  # the price of now, between two bars
    start = minutes.bar(0).start
    found = await yahoo.history("AAPL", Timeframe.M1, start, start + timedelta(hours=8))
    assert len(found) == 388
    assert not np.isnan(found.rows["close"]).any()


async def test_a_dot_is_a_dash_at_yahoo(server: YahooLoopback, yahoo: Adapter) -> None:
    server.hold(day_of(BEFORE, 400.0, "BRK-B"))
    found = await yahoo.history("BRK.B", Timeframe.D1, *SPAN)
    assert (found.symbol, len(found)) == ("BRK.B", 1)


async def test_seconds_are_not_to_be_had(yahoo: Adapter) -> None:
    with pytest.raises(NotFound, match="no bars of 1s"):
        await yahoo.history("AAPL", Timeframe.S1, *SPAN)


async def test_failures_are_tried_again_and_then_transient(
    server: YahooLoopback, yahoo: Adapter
) -> None:
    server.hold(day_of(BEFORE, 100.0))
    server.break_off(times=1)
    assert len(await yahoo.history("NVDA", Timeframe.D1, *SPAN)) == 1
    server.fail(times=20, status=200, body="<html>")
    with pytest.raises(TransientError, match="no usable answer"):
        await yahoo.history("NVDA", Timeframe.D1, *SPAN)


async def test_an_answer_that_does_not_come_is_transient(server: YahooLoopback) -> None:
    server.hold(day_of(BEFORE, 100.0))
    yahoo = adapter(server, timeout_seconds=0.2)
    assert len(await yahoo.history("NVDA", Timeframe.D1, *SPAN)) == 1
    server.stall(times=2)
    with pytest.raises(TransientError, match="Timeout"):
        await yahoo.history("NVDA", Timeframe.D1, *SPAN)
    await yahoo.close()


async def test_too_many_requests_close_the_budget_for_as_long_as_yahoo_says(
    server: YahooLoopback, yahoo: Adapter
) -> None:
    server.hold(day_of(BEFORE, 100.0))
    server.throttle(times=1, Retry_After="30")
    given = YfinanceOptions(base_url=server.http)
    once = Adapter(ProviderSetup(), yahoo=Yahoo(given, retry=RetryConfig(attempts=1)))
    with pytest.raises(TransientError, match="429"):
        await once.history("NVDA", Timeframe.D1, *SPAN)
    assert once._yahoo.budget.left() == 0
    await once.close()


# ----------------------------------------------------------- actions, names and chains


async def test_actions_say_what_was_paid_for_a_share_of_that_day(
    server: YahooLoopback, yahoo: Adapter
) -> None:
    for day in (BEFORE, SPLIT_DAY, AFTER):
        server.hold(day_of(day, 100.0))
    server.splits["NVDA"] = [(SPLIT_DAY, 10, 1)]
    server.dividends["NVDA"] = [(BEFORE, 0.04), (AFTER, 0.01)]
    found = await yahoo.actions("NVDA", date(2024, 6, 1), date(2024, 7, 1))
    assert [(a.kind, a.ex_date, a.ratio, a.amount) for a in found] == [
        ("dividend", BEFORE, None, Decimal("0.04")),
        ("split", SPLIT_DAY, Decimal(10), None),
        ("dividend", AFTER, None, Decimal("0.01")),
    ]
    before = len(server.asked)
    assert len(await yahoo.actions("NVDA", AFTER, date(2024, 7, 1))) == 1
    assert len(server.asked) == before, "what was said a moment ago is remembered"


async def test_a_third_is_a_third(server: YahooLoopback, yahoo: Adapter) -> None:
    server.hold(day_of(SPLIT_DAY, 100.0))
    server.splits["NVDA"] = [(SPLIT_DAY, 1, 3)]
    (split,) = await yahoo.actions("NVDA", date(2024, 6, 1), date(2024, 7, 1))
    assert split.ratio == Decimal(1) / 3


async def test_a_profile_has_the_sector(server: YahooLoopback, yahoo: Adapter) -> None:
    server.profiles["AAPL"] = {"longName": "Apple Inc.", "exchange": "NMS", "sector": "Technology"}
    assert await yahoo.profile("AAPL") == Profile("AAPL", "Apple Inc.", "XNAS", "Technology")
    with pytest.raises(NotFound, match="ZZZZ"):
        await yahoo.profile("ZZZZ")


async def test_a_chain_is_read_expiry_by_expiry(server: YahooLoopback, yahoo: Adapter) -> None:
    server.profiles["AAPL"] = {"longName": "Apple Inc."}
    near, far, put = "AAPL261218C00250000", "AAPL270115C00250000", "AAPL261218P00240000"
    server.chains["AAPL"] = [
        contract(near),
        contract(put, bid=0, impliedVolatility=0.00001, volume=None),
        contract(far),
    ]
    found = await yahoo.chain("AAPL")
    assert [row.symbol for row in found] == [near, put, far]
    first, second, _ = found
    assert (first.bid, first.ask, first.last, first.open_interest) == (4.0, 4.2, 4.1, 340)
    assert (first.implied_volatility, first.underlying_price) == (0.31, 247.5)
    assert first.at == utc("2026-10-16 19:59:59")
    assert (second.bid, second.implied_volatility, second.volume) == (None, None, None)
    (only,) = await yahoo.chain("AAPL", date(2027, 1, 15))
    assert only.symbol == far
    with pytest.raises(NotFound, match="2026-12-18"):
        await yahoo.chain("AAPL", date(2026, 12, 25))
    with pytest.raises(NotFound, match="no options of ZZZZ"):
        await yahoo.chain("ZZZZ")


# --------------------------------------------------------------------------------- live


class Movable:
    """A clock that tests set; monotonic is the machine's."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


async def test_minutes_are_polled_once_they_have_settled_and_corrected_ones_come_again(
    server: YahooLoopback,
) -> None:
    minutes = day_of(last_sessions(1)[0].day, 100.0, "AAPL")
    server.hold(minutes[:102])
    clock = Movable(minutes.bar(100).end)
    yahoo = Adapter(ProviderSetup(clock=clock), yahoo=Yahoo(YfinanceOptions(base_url=server.http)))
    wanted = Subscription(symbols=("AAPL",), channels=frozenset({Channel.BARS}))
    async with aclosing(Polled(yahoo, clock, 0.01).live(wanted)) as feed:
        assert (await newest(feed)).start == minutes.bar(99).start
        clock.at += timedelta(seconds=20)
        assert (await newest(feed)).start == minutes.bar(100).start
        server.bars["AAPL"].rows["close"][100] = 99.5
        async with asyncio.timeout(60):
            while (await newest(feed)).close != 99.5:
                pass
    await yahoo.close()


async def newest(feed: AsyncGenerator[LiveItem]) -> Bar:
    """The last bar of the next batch."""
    batch = await anext(feed)
    assert isinstance(batch, BarBatch)
    return batch.bar(-1)


# ------------------------------------------------------------------------------ library


async def test_without_the_library_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    client.library.cache_clear()
    monkeypatch.setattr(client, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install -e '\.\[yfinance\]'"):
        Adapter(ProviderSetup())
    client.library.cache_clear()


def test_only_another_address_takes_every_host() -> None:
    url = "https://query1.finance.yahoo.com/v1/test/getcrumb?a=1"
    assert rehosted(url, client.HOME_URL) == url
    assert rehosted(url, "http://127.0.0.1:9") == "http://127.0.0.1:9/v1/test/getcrumb?a=1"
    assert rehosted("https://fc.yahoo.com", "http://127.0.0.1:9") == "http://127.0.0.1:9/"
