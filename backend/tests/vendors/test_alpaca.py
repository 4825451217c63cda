"""The loopback speaks Alpaca's protocol: the vendor's own client library understands it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alpaca.common.exceptions import APIError
from alpaca.data.enums import DataFeed
from alpaca.data.historical.corporate_actions import CorporateActionsClient
from alpaca.data.historical.option import OptionHistoricalDataClient
from alpaca.data.historical.stock import StockHistoricalDataClient
from alpaca.data.live.option import OptionDataStream
from alpaca.data.live.stock import StockDataStream
from alpaca.data.requests import (
    CorporateActionsRequest,
    OptionChainRequest,
    StockBarsRequest,
    StockTradesRequest,
)
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

from app.core.tasks import end
from tests.factories import make_batch, ns, utc
from tests.vendors.alpaca import KEY, SECRET, AlpacaLoopback
from tests.vendors.loopback import until

OPTION = "AAPL261218C00250000"


@pytest.fixture
async def alpaca() -> AsyncIterator[AlpacaLoopback]:
    async with AlpacaLoopback() as server:
        yield server


def history(alpaca: AlpacaLoopback, key: str = KEY) -> StockHistoricalDataClient:
    return StockHistoricalDataClient(key, SECRET, url_override=alpaca.http)


async def test_its_client_reads_bars_across_pages(alpaca: AlpacaLoopback) -> None:
    alpaca.hold(make_batch([100 + i for i in range(30)]))
    alpaca.largest_page = 7
    asked = StockBarsRequest(
        symbol_or_symbols="AAPL",
        timeframe=TimeFrame(5, TimeFrameUnit.Minute),
        start=utc("2024-03-01 14:30"),
        end=utc("2024-03-01 15:00"),
        feed=DataFeed.IEX,
    )
    bars = (await asyncio.to_thread(history(alpaca).get_stock_bars, asked))["AAPL"]
    assert [bar.timestamp for bar in bars] == [
        datetime(2024, 3, 1, 14, 30, tzinfo=UTC) + timedelta(minutes=5 * i) for i in range(6)
    ]
    assert (bars[0].open, bars[0].close, bars[0].volume) == (100, 104, 500)


async def test_its_client_reads_prints_and_is_refused_with_another_key(
    alpaca: AlpacaLoopback,
) -> None:
    await alpaca.trade("AAPL", ns("2024-03-01 15:00") + 1, 180.5, 40)
    asked = StockTradesRequest(
        symbol_or_symbols="AAPL", start=utc("2024-03-01"), end=utc("2024-03-02")
    )
    found = await asyncio.to_thread(history(alpaca).get_stock_trades, asked)
    assert [(t.price, t.size, t.conditions) for t in found["AAPL"]] == [(180.5, 40, ["@"])]
    with pytest.raises(APIError, match="forbidden"):
        await asyncio.to_thread(history(alpaca, "other").get_stock_trades, asked)


async def test_its_client_reads_actions_and_chains(alpaca: AlpacaLoopback) -> None:
    alpaca.actions = {
        "forward_splits": [
            {"id": "189bd849-ab9f-4b4d-aaaa-a6d415fd976d", "symbol": "NVDA", "cusip": "1",
             "new_rate": 10, "old_rate": 1, "process_date": "2024-06-10", "ex_date": "2024-06-10"},
        ]
    }  # fmt: skip
    client = CorporateActionsClient(KEY, SECRET, url_override=alpaca.http)
    asked = CorporateActionsRequest(
        symbols=["NVDA"], start=utc("2024-06-01").date(), end=utc("2024-07-01").date()
    )
    found = await asyncio.to_thread(client.get_corporate_actions, asked)
    assert found.data["forward_splits"][0].new_rate == 10

    alpaca.chains = {"AAPL": {OPTION: {"impliedVolatility": 0.25}}}
    options = OptionHistoricalDataClient(KEY, SECRET, url_override=alpaca.http)
    chain = await asyncio.to_thread(
        options.get_option_chain, OptionChainRequest(underlying_symbol="AAPL")
    )
    assert chain[OPTION].implied_volatility == 0.25


async def heard(
    stream: StockDataStream | OptionDataStream, news: Callable[[], Any], until_heard: list[Any]
) -> None:
    """Run the library's stream until it has heard something."""
    running = asyncio.create_task(stream._run_forever())
    try:
        await news()
        await until(lambda: until_heard)
    finally:
        await stream.stop_ws()
        await end([running])


async def test_its_stream_hears_prints_and_bars(alpaca: AlpacaLoopback) -> None:
    told: list[Any] = []

    async def hear(said: Any) -> None:
        told.append(said)

    stream = StockDataStream(KEY, SECRET, url_override=f"{alpaca.ws}/v2/iex")
    stream.subscribe_trades(hear, "AAPL")
    stream.subscribe_bars(hear, "AAPL")

    async def news() -> None:
        await until(lambda: any(s.topics for s in alpaca.sockets))
        await alpaca.trade("AAPL", ns("2024-03-01 15:00") + 1_500, 180.5, 40)
        await alpaca.publish(make_batch([100, 101]))
        await until(lambda: len(told) == 3)

    await heard(stream, news, told)
    assert (told[0].price, told[0].timestamp) == (180.5, utc("2024-03-01 15:00:00.000001"))
    assert (told[1].close, told[2].close) == (100, 101)


async def test_its_stream_hears_options_in_msgpack(alpaca: AlpacaLoopback) -> None:
    told: list[Any] = []

    async def hear(said: Any) -> None:
        told.append(said)

    stream = OptionDataStream(KEY, SECRET, url_override=f"{alpaca.ws}/v1beta1/indicative")
    stream.subscribe_quotes(hear, OPTION)

    async def news() -> None:
        await until(lambda: any(s.topics for s in alpaca.sockets))
        await alpaca.quote(OPTION, ns("2026-10-16 15:00"), 4.15, 4.3, 16, c="A")

    await heard(stream, news, told)
    assert (told[0].symbol, told[0].bid_price, told[0].ask_price) == (OPTION, 4.15, 4.3)
