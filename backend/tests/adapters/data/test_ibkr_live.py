"""Tests of IBKR's live prices, on the loopback Gateway."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import date, timedelta
from typing import TypeVar

import numpy as np
import pytest

from app.adapters.data import ibkr as module
from app.core.errors import FeedLost, FeedRefused, NotFound, TradewrightError
from app.marketdata.batch import QuoteBatch, TickBatch, to_ns
from app.marketdata.ports import Channel, Heartbeat, LiveItem, Subscription
from tests.adapters.data.ibkr_desk import OPEN, Desk, desk
from tests.vendors.loopback import until

BOTH = frozenset({Channel.TRADES, Channel.QUOTES})
TRADES = frozenset({Channel.TRADES})
MARKET_DATA, TICK_BY_TICK = 1, 97
T = TypeVar("T", bound=LiveItem)


@pytest.fixture
async def ibkr() -> AsyncIterator[Desk]:
    async with desk(at=OPEN) as made:
        yield made


Feed = AsyncGenerator[LiveItem]


def live(ibkr: Desk, *symbols: str, channels: frozenset[Channel] = BOTH) -> Feed:
    return ibkr.adapter.live(Subscription(symbols=symbols, channels=channels))


async def opened(ibkr: Desk, *symbols: str, channels: frozenset[Channel] = BOTH) -> Feed:
    feed = live(ibkr, *symbols, channels=channels)
    assert isinstance(await soon(feed), Heartbeat)
    return feed


async def soon(feed: Feed) -> LiveItem:
    async with asyncio.timeout(60):
        return await anext(feed)


async def next_of(feed: Feed, kind: type[T]) -> T:
    while not isinstance(item := await soon(feed), kind):
        pass
    return item


async def failure(feed: Feed) -> TradewrightError:
    async with asyncio.timeout(60):
        with pytest.raises(TradewrightError) as caught:
            async for _ in feed:
                pass
    return caught.value


def asked(ibkr: Desk, message: int) -> int:
    return ibkr.server.counted()[message]


async def test_few_symbols_are_followed_tick_by_tick(ibkr: Desk) -> None:
    async with aclosing(await opened(ibkr, "AAPL", "SPY", channels=TRADES)) as feed:
        assert (asked(ibkr, TICK_BY_TICK), asked(ibkr, MARKET_DATA)) == (2, 0)
        ibkr.server.market.trade("SPY", 512.5, 100, OPEN, exchange="ARCA", conditions=" TI")
        batch = await next_of(feed, TickBatch)
        (row,) = batch.rows
        label = batch.labels[row["label"]]
        assert (batch.symbols[row["symbol"]], row["price"], row["size"]) == ("SPY", 512.5, 100)
        assert row["at"] == to_ns(OPEN)
        assert (label.exchange, label.conditions, label.volume_only) == ("ARCA", "TI", True)


async def test_prints_that_are_not_reported_make_no_bars(ibkr: Desk) -> None:
    async with aclosing(await opened(ibkr, "AAPL", channels=TRADES)) as feed:
        ibkr.server.market.trade("AAPL", 1.0, 100, OPEN, unreported=True)
        batch = await next_of(feed, TickBatch)
        assert not batch.labels[batch.rows["label"][0]].counts


async def test_the_others_are_sampled_and_volumes_stay_whole() -> None:
    async with desk(at=OPEN, tick_streams=1) as ibkr:
        market = ibkr.server.market
        async with aclosing(await opened(ibkr, "AAPL", "SPY", channels=TRADES)) as feed:
            assert (asked(ibkr, TICK_BY_TICK), asked(ibkr, MARKET_DATA)) == (1, 1)
            market.trade("SPY", 512.5, 100, OPEN)
            first = await next_of(feed, TickBatch)
            market.sold["SPY"] += 700
            market.trade("SPY", 512.6, 50, OPEN + timedelta(seconds=1))
            second = await next_of(feed, TickBatch)
        assert first.rows["size"].tolist() == [100]
        assert second.rows["size"].tolist() == [750]
        assert second.rows["at"].tolist() == [to_ns(OPEN + timedelta(seconds=1))]


async def test_a_symbol_that_was_just_streamed_is_sampled(ibkr: Desk) -> None:
    for streams, samples in ((1, 0), (1, 1)):
        feed = await opened(ibkr, "AAPL", channels=TRADES)
        await feed.aclose()
        assert (asked(ibkr, TICK_BY_TICK), asked(ibkr, MARKET_DATA)) == (streams, samples)
    await until(lambda: not ibkr.server.market.subscribed())


async def test_too_many_streams_are_replaced_by_samples() -> None:
    async with desk(at=OPEN, tick_streams=9) as ibkr:
        symbols = ["A", "B", "C", "D"]
        for symbol in symbols:
            ibkr.server.market.know(symbol)
        async with aclosing(await opened(ibkr, *symbols, channels=TRADES)) as feed:
            await until(lambda: asked(ibkr, MARKET_DATA) == 1)
            await until(lambda: ibkr.server.market.subscribed() == set(symbols))
            ibkr.server.market.trade("D", 4.0, 100, OPEN)
            batch = await next_of(feed, TickBatch)
            assert batch.symbols[batch.rows["symbol"][0]] == "D"


async def test_quotes_come_from_samples_stamped_with_our_clock(ibkr: Desk) -> None:
    async with aclosing(await opened(ibkr, "AAPL")) as feed:
        ibkr.server.market.quote("AAPL", 171.2, 300, 171.3, 400, OPEN)
        ibkr.server.market.quote("AAPL", 171.2, 300, -1, 0, OPEN)
        batch = await next_of(feed, QuoteBatch)
        last = batch.rows[-1]
        while not np.isnan(last["ask"]):
            last = (await next_of(feed, QuoteBatch)).rows[-1]
        assert (last["bid"], last["bid_size"], last["ask_size"]) == (171.2, 300, 0)
        assert last["at"] == to_ns(ibkr.clock.now())


async def test_sizes_move_the_top_of_book_alone(ibkr: Desk) -> None:
    async with aclosing(await opened(ibkr, "AAPL")) as feed:
        ibkr.server.market.quote("AAPL", 171.2, 300, 171.3, 400, OPEN)
        await next_of(feed, QuoteBatch)
        for caller, request, line in ibkr.server.market.lines():
            if line.stream is None:
                caller.say(2, 6, request, 0, 900)
                caller.say(2, 6, request, 3, 800)
        sizes = (await next_of(feed, QuoteBatch)).rows[-1]
        while sizes["ask_size"] != 800:
            sizes = (await next_of(feed, QuoteBatch)).rows[-1]
        assert (sizes["bid"], sizes["bid_size"]) == (171.2, 900)


async def test_quotes_alone_may_come_tick_by_tick(ibkr: Desk) -> None:
    channels = frozenset({Channel.QUOTES})
    async with aclosing(await opened(ibkr, "AAPL", channels=channels)) as feed:
        assert (asked(ibkr, TICK_BY_TICK), asked(ibkr, MARKET_DATA)) == (1, 0)
        ibkr.server.market.quote("AAPL", 171.2, 300, 171.3, 400, OPEN)
        batch = await next_of(feed, QuoteBatch)
        assert batch.rows[["bid", "ask", "bid_size", "ask_size"]].tolist() == [
            (171.2, 171.3, 300, 400)
        ]


async def test_options_are_sampled(ibkr: Desk) -> None:
    ibkr.server.market.list_options("AAPL", date(2026, 12, 18), [250.0])
    symbol = "AAPL261218C00250000"
    async with aclosing(await opened(ibkr, symbol)) as feed:
        assert (asked(ibkr, TICK_BY_TICK), asked(ibkr, MARKET_DATA)) == (0, 1)
        ibkr.server.market.quote(symbol, 7.4, 10, 7.6, 12, OPEN)
        assert (await next_of(feed, QuoteBatch)).symbols == (symbol,)


async def test_delayed_prices_carry_their_own_time() -> None:
    async with desk(at=OPEN, market_data="delayed") as ibkr:
        assert ibkr.adapter.delay_seconds == 1_200
        before = OPEN - timedelta(minutes=15)
        async with aclosing(await opened(ibkr, "AAPL")) as feed:
            assert asked(ibkr, TICK_BY_TICK) == 0
            ibkr.server.market.trade("AAPL", 170.0, 50, before)
            batch = await next_of(feed, TickBatch)
            assert batch.rows[["at", "price", "size"]].tolist() == [(to_ns(before), 170.0, 50.0)]
            for caller, request, _ in ibkr.server.market.lines():
                caller.say(1, 6, request, 66, 169.9, 10, 0)
            assert (await next_of(feed, QuoteBatch)).rows["bid"].tolist() == [169.9]


async def test_a_delayed_print_without_time_is_a_quarter_of_an_hour_old() -> None:
    async with desk(at=OPEN, market_data="delayed") as ibkr:
        feed = await opened(ibkr, "AAPL")
        for caller, request, _ in ibkr.server.market.lines():
            caller.say(1, 6, request, 68, 169.9, 10, 0)
        batch = await next_of(feed, TickBatch)
        assert batch.rows["at"].tolist() == [to_ns(OPEN - timedelta(minutes=15))]
        await feed.aclose()


async def test_a_symbol_without_subscription_is_left_out_and_the_last_one_refused(
    ibkr: Desk,
) -> None:
    ibkr.server.market.unsold.update({"AAPL", "SPY"})
    first = await failure(live(ibkr, "AAPL", "SPY"))
    assert isinstance(first, NotFound)
    left = {"AAPL", "SPY"} - {first.context["symbol"]}
    second = await failure(live(ibkr, *left))
    assert isinstance(second, FeedRefused)
    assert "Market Data Subscriptions" in str(second)


async def test_too_many_lines_are_refused(ibkr: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.vendors.ibkr_market.MOST_LINES", 1)
    error = await failure(live(ibkr, "AAPL", "SPY"))
    assert isinstance(error, FeedRefused)
    assert "Watch fewer symbols" in str(error)


async def test_a_session_elsewhere_is_named(ibkr: Desk) -> None:
    feed = await opened(ibkr, "AAPL")
    ibkr.server.compete()
    error = await failure(feed)
    assert isinstance(error, FeedLost)
    assert "signed in elsewhere" in str(error)


async def test_lost_servers_lose_the_feed_until_they_are_back(ibkr: Desk) -> None:
    feed = await opened(ibkr, "AAPL")
    ibkr.server.lose_servers()
    assert isinstance(await failure(feed), FeedLost)
    assert "lost IBKR's servers" in str(await failure(live(ibkr, "AAPL")))
    ibkr.server.find_servers(data_lost=True)
    await until(lambda: ibkr.session.servers_are_there)
    await (await opened(ibkr, "AAPL")).aclose()


async def test_a_restart_of_the_gateway_is_survived(ibkr: Desk) -> None:
    feed = await opened(ibkr, "AAPL")
    await ibkr.server.restart(next_order_id=1)
    assert isinstance(await failure(feed), FeedLost)
    feed = await opened(ibkr, "AAPL")
    ibkr.server.market.trade("AAPL", 1.5, 1, OPEN)
    assert (await next_of(feed, TickBatch)).rows["price"].tolist() == [1.5]
    await feed.aclose()


async def test_what_came_before_the_end_is_still_given(ibkr: Desk) -> None:
    feed = await opened(ibkr, "AAPL", channels=TRADES)
    ibkr.server.market.trade("AAPL", 1.5, 1, OPEN)
    ibkr.server.lose_servers()
    assert (await next_of(feed, TickBatch)).rows["price"].tolist() == [1.5]
    assert isinstance(await failure(feed), FeedLost)


async def test_prices_that_nobody_takes_end_the_connection(
    ibkr: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.adapters.clients.ibkr_lines.MOST_WAITING", 3)
    feed = await opened(ibkr, "AAPL", channels=TRADES)
    for number in range(9):
        ibkr.server.market.trade("AAPL", 1.0 + number, 1, OPEN)
    await ibkr.session.probe()
    assert len(await next_of(feed, TickBatch)) == 3
    error = await failure(feed)
    assert isinstance(error, FeedLost)
    assert "wait to be stored" in str(error)


async def test_a_quiet_gateway_is_asked_whether_it_lives(
    ibkr: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUIET_SECONDS", 0.05)
    feed = await opened(ibkr, "AAPL")
    assert isinstance(await soon(feed), Heartbeat)
    ibkr.server.farm("usfarm", is_up=False)
    error = await failure(feed)
    assert isinstance(error, FeedLost)
    assert "usfarm" in str(error)


async def test_notices_about_a_line_do_not_end_it(ibkr: Desk) -> None:
    feed = await opened(ibkr, "AAPL")
    for caller, request, _ in ibkr.server.market.lines():
        for code in (2176, 10167, 366):
            caller.error(request, code, "Just saying")
        caller.say(45, 6, request, 49, 0.0)
        caller.say(46, 6, request, 48, ";0;1709303400000;100;171.2;true")
    ibkr.server.market.trade("AAPL", 1.5, 1, OPEN)
    assert (await next_of(feed, TickBatch)).rows["price"].tolist() == [1.5]
    await feed.aclose()
