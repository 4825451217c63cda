"""The loopback Gateway speaks the TWS protocol: IBKR's two client libraries understand it."""

import importlib
import logging
from collections.abc import AsyncIterator, Awaitable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from app.domain.market import Timeframe
from tests.factories import make_batch, utc
from tests.vendors.ibkr import IbkrLoopback
from tests.vendors.ibkr_account import Position
from tests.vendors.loopback import until

NIGHT = utc("2024-03-02 00:00")
OPEN = utc("2024-03-01 14:30")


@pytest.fixture
async def server() -> AsyncIterator[IbkrLoopback]:
    async with IbkrLoopback() as made:
        made.market.hold(make_batch([100.0, 101.0, 99.0]))
        yield made


@pytest.fixture(params=["ib_async", "ib_insync"])
def library(request: pytest.FixtureRequest) -> Any:
    for name in (request.param, f"{request.param}.Decoder"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    return importlib.import_module(request.param)


@pytest.fixture
async def ib(library: Any, server: IbkrLoopback) -> AsyncIterator[Any]:
    made = library.IB()
    await made.connectAsync("127.0.0.1", server.port, clientId=5)
    yield made
    made.disconnect()
    await until(lambda: not server.callers)


async def known(ib: Any, library: Any, symbol: str = "AAPL") -> Any:
    (contract,) = await ib.qualifyContractsAsync(library.Stock(symbol, "SMART", "USD"))
    return contract


async def test_connecting_asks_about_the_account_and_nothing_times_out(
    library: Any, server: IbkrLoopback, caplog: pytest.LogCaptureFixture
) -> None:
    server.account.positions.append(Position(265598, "AAPL", 100, 171.5))
    ib = library.IB()
    await ib.connectAsync("127.0.0.1", server.port, clientId=7)
    assert ib.client.serverVersion() == {"ib_async": 178, "ib_insync": 176}[library.__name__]
    assert [(p.contract.symbol, p.position) for p in ib.positions()] == [("AAPL", 100)]
    assert [(p.contract.symbol, p.averageCost) for p in ib.portfolio()] == [("AAPL", 171.5)]
    assert {v.tag for v in ib.accountValues()} >= {"NetLiquidation", "TotalCashValue"}
    assert {v.tag for v in await ib.accountSummaryAsync()} >= {"NetLiquidation"}
    assert ib.openTrades() == await ib.reqAllOpenOrdersAsync() == []
    assert await ib.reqExecutionsAsync() == []
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []
    ib.disconnect()


async def test_contracts_are_described(ib: Any, library: Any, server: IbkrLoopback) -> None:
    (found,) = await ib.reqContractDetailsAsync(library.Stock("BRK B", "SMART", "USD"))
    assert (found.contract.primaryExchange, found.longName) == (
        "NYSE",
        "BERKSHIRE HATHAWAY INC-CL B",
    )
    assert (found.industry, found.category, found.minTick) == ("Technology", "Computers", 0.01)
    assert await ib.reqContractDetailsAsync(library.Stock("ZZZZ", "SMART", "USD")) == []
    matching = await ib.reqMatchingSymbolsAsync("BRK")
    assert [one.contract.symbol for one in matching] == ["BRK B"]


async def test_options_are_listed(ib: Any, library: Any, server: IbkrLoopback) -> None:
    server.market.list_options("AAPL", date(2026, 12, 18), [250.0, 255.0])
    stock = await known(ib, library)
    chains = await ib.reqSecDefOptParamsAsync("AAPL", "", "STK", stock.conId)
    assert [(one.exchange, one.expirations, one.strikes) for one in chains] == [
        (name, ["20261218"], [250.0, 255.0]) for name in ("SMART", "CBOE")
    ]
    calls = library.Option("AAPL", "20261218", right="C", exchange="SMART")
    found = await ib.reqContractDetailsAsync(calls)
    assert [one.contract.localSymbol for one in found] == [
        "AAPL  261218C00250000",
        "AAPL  261218C00255000",
    ]


@pytest.mark.parametrize(
    ("size", "duration", "first", "count"),
    [
        ("1 min", "1 D", OPEN, 3),
        ("1 min", "3600 S", None, 0),
        ("5 mins", "1 W", OPEN, 1),
        ("1 hour", "1 M", OPEN - timedelta(minutes=30), 1),
        ("1 day", "1 Y", date(2024, 3, 1), 1),
    ],
)
async def test_bars_have_the_size_and_the_span_that_was_asked_for(
    ib: Any, library: Any, size: str, duration: str, first: object, count: int
) -> None:
    stock = await known(ib, library)
    bars = await ib.reqHistoricalDataAsync(stock, NIGHT, duration, size, "TRADES", False, 2)
    assert len(bars) == count
    if count:
        assert (bars[0].date, bars[0].open, bars[-1].close) == (first, 100.0, 99.0)
        assert sum(bar.volume for bar in bars) == 300


async def test_seconds_and_the_oldest_bar(ib: Any, library: Any, server: IbkrLoopback) -> None:
    server.market.hold(make_batch([5.0, 6.0], timeframe=Timeframe.S1))
    stock, end = await known(ib, library), OPEN + timedelta(seconds=1)
    bars = await ib.reqHistoricalDataAsync(stock, end, "60 S", "1 secs", "TRADES", True, 2)
    assert [bar.close for bar in bars] == [5.0]
    oldest = await ib.reqHeadTimeStampAsync(stock, "TRADES", True, 2)
    assert oldest == OPEN


async def test_prints_of_history_come_in_pages_that_end_with_a_second(
    ib: Any, library: Any, server: IbkrLoopback
) -> None:
    second = int(OPEN.timestamp())
    server.market.ticks["AAPL"] = [(second + n // 2, 100.0 + n, 10, "Q", "") for n in range(6)]
    stock = await known(ib, library)
    found = await ib.reqHistoricalTicksAsync(stock, OPEN, "", 3, "TRADES", False)
    assert [tick.price for tick in found] == [100.0, 101.0, 102.0, 103.0]


async def test_live_prices_come_by_every_kind_of_subscription(
    ib: Any, library: Any, server: IbkrLoopback
) -> None:
    stock, spy, brk = [await known(ib, library, s) for s in ("AAPL", "SPY", "BRK B")]
    ticking = ib.reqTickByTickData(stock, "AllLast")
    quoted = ib.reqTickByTickData(brk, "BidAsk")
    sampled = ib.reqMktData(spy, "233")
    fives = ib.reqRealTimeBars(spy, 5, "TRADES", False)
    await until(lambda: len(list(server.market.lines())) == 4)
    now = datetime.now(UTC)
    server.market.trade("AAPL", 171.25, 100, now, conditions="I")
    server.market.trade("SPY", 512.5, 200, now)
    server.market.quote("SPY", 512.4, 300, 512.6, 400, now)
    server.market.quote("BRK B", 405.0, 1, 405.5, 2, now)
    server.market.five("SPY", now, 512.5, 200)
    await until(lambda: fives)
    assert (ticking.last, ticking.lastSize) == (171.25, 100)
    assert (quoted.bid, quoted.askSize) == (405.0, 2)
    assert (sampled.rtVolume, sampled.bid, sampled.askSize) == (200, 512.4, 400)
    assert (fives[0].close, fives[0].volume) == (512.5, 200)
    ib.cancelTickByTickData(stock, "AllLast")
    ib.cancelMktData(spy)
    ib.cancelRealTimeBars(fives)
    await until(lambda: server.market.subscribed() == {"BRK B"})


async def test_delayed_prices_are_marked(ib: Any, library: Any, server: IbkrLoopback) -> None:
    stock = await known(ib, library)
    ib.reqMarketDataType(3)
    ticker = ib.reqMktData(stock)
    await until(server.market.subscribed)
    server.market.trade("AAPL", 170.0, 50, datetime.now(UTC))
    await until(lambda: ticker.last == 170.0)
    assert ticker.marketDataType == 3


async def test_errors_carry_the_real_codes(ib: Any, library: Any, server: IbkrLoopback) -> None:
    said: list[int] = []
    ib.errorEvent += lambda _, code, *__: said.append(code)
    stock = await known(ib, library)
    server.throttle()
    assert not await ib.reqHistoricalDataAsync(stock, NIGHT, "1 D", "1 min", "TRADES", False, 2)
    server.market.unsold.add("AAPL")
    ib.reqMktData(stock)
    ib.reqTickByTickData(stock, "Last")
    server.lose_servers()
    server.find_servers()
    server.farm("usfarm", is_up=False)
    expected = {162, 354, 10189, 1100, 1102, 2103}
    await until(lambda: len(said) == len(expected))
    assert set(said) == expected


async def test_a_client_id_is_taken_once(ib: Any, library: Any, server: IbkrLoopback) -> None:
    other, said = library.IB(), []
    other.errorEvent += lambda _, code, *__: said.append(code)
    with pytest.raises((TimeoutError, ConnectionError)):
        await other.connectAsync("127.0.0.1", server.port, clientId=5, timeout=0.3)
    assert said == [326]


async def test_a_restart_may_give_order_ids_again(server: IbkrLoopback, library: Any) -> None:
    server.next_order_id = 50
    ib = library.IB()
    await ib.connectAsync("127.0.0.1", server.port, clientId=5)
    assert ib.client.getReqId() >= 50
    await server.restart(next_order_id=1)
    await until(lambda: not ib.isConnected())
    await ib.connectAsync("127.0.0.1", server.port, clientId=5)
    assert ib.client.getReqId() < 50
    ib.disconnect()


async def test_news_can_come_twice_and_out_of_order(
    ib: Any, library: Any, server: IbkrLoopback
) -> None:
    stock = await known(ib, library)
    prices: list[float] = []
    ticker = ib.reqTickByTickData(stock, "AllLast")
    ticker.updateEvent += lambda one: prices.extend(t.price for t in one.tickByTicks)
    await until(server.market.subscribed)
    server.duplicate()
    server.market.trade("AAPL", 1.0, 1, OPEN)
    server.duplicate(on=False)
    server.reorder()
    server.market.trade("AAPL", 2.0, 1, OPEN)
    server.market.trade("AAPL", 3.0, 1, OPEN)
    await until(lambda: len(prices) == 4)
    assert prices == [1.0, 1.0, 3.0, 2.0]


async def test_a_request_that_nobody_knows_is_refused(ib: Any, server: IbkrLoopback) -> None:
    said: list[int] = []
    ib.errorEvent += lambda _, code, *__: said.append(code)
    ib.client.send(666, 1)
    await until(lambda: said)
    assert said == [505]


async def answered(question: Awaitable[object]) -> object:
    return await question


async def test_while_mute_it_owes_answers_and_forgets_news(
    ib: Any, library: Any, server: IbkrLoopback
) -> None:
    stock = await known(ib, library)
    ticker = ib.reqTickByTickData(stock, "AllLast")
    await until(server.market.subscribed)
    server.mute()
    server.market.trade("AAPL", 1.0, 1, OPEN)
    question = ib.reqCurrentTimeAsync()
    server.mute(on=False)
    assert await answered(question)
    assert ticker.last != 1.0
