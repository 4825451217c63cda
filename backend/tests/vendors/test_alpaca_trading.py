"""The trading loopback speaks Alpaca's protocol: the vendor's own client library trades on it."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, OrderStatus, QueryOrderStatus, TimeInForce
from alpaca.trading.models import Order, TradeAccount, TradeUpdate
from alpaca.trading.requests import (
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    ReplaceOrderRequest,
    StopLimitOrderRequest,
    StopOrderRequest,
    TrailingStopOrderRequest,
)
from alpaca.trading.stream import TradingStream

from app.core.tasks import end
from tests.vendors.alpaca import KEY, SECRET
from tests.vendors.alpaca_trading import AlpacaTrading
from tests.vendors.loopback import until

BUY, SELL, DAY, GTC = OrderSide.BUY, OrderSide.SELL, TimeInForce.DAY, TimeInForce.GTC
BACKEND = Path(__file__).parents[2]


@pytest.fixture
async def alpaca() -> AsyncIterator[AlpacaTrading]:
    async with AlpacaTrading() as server:
        yield server


def client(server: AlpacaTrading, secret: str = SECRET) -> TradingClient:
    return TradingClient(KEY, secret, url_override=server.http)


async def call(method: Callable[..., Any], *given: Any) -> Any:
    return await asyncio.to_thread(method, *given)


def limit(qty: float = 10, price: float = 100, side: OrderSide = BUY, **more: Any) -> Any:
    return LimitOrderRequest(
        symbol="AAPL", qty=qty, side=side, time_in_force=DAY, limit_price=price, **more
    )


def market(qty: float = 10, side: OrderSide = BUY, tif: TimeInForce = DAY) -> MarketOrderRequest:
    return MarketOrderRequest(symbol="AAPL", qty=qty, side=side, time_in_force=tif)


@asynccontextmanager
async def listening(server: AlpacaTrading) -> AsyncIterator[list[TradeUpdate]]:
    """What the vendor's own stream client hands on."""
    heard: list[TradeUpdate] = []

    async def take(update: TradeUpdate) -> None:
        heard.append(update)

    stream = TradingStream(KEY, SECRET, url_override=f"{server.ws}/stream")
    stream.subscribe_trade_updates(take)
    running = asyncio.create_task(stream._run_forever())
    try:
        await until(lambda: server.listening)
        yield heard
    finally:
        await stream.close()
        await end([running])


pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:websockets.*")


async def test_its_client_places_an_order_that_a_print_fills(alpaca: AlpacaTrading) -> None:
    trading = client(alpaca)
    async with listening(alpaca) as heard:
        placed: Order = await call(trading.submit_order, limit(client_order_id="mine"))
        assert (placed.client_order_id, placed.status) == ("mine", OrderStatus.NEW)
        await alpaca.print("AAPL", 101)
        await alpaca.print("AAPL", 99.5, 4)
        await alpaca.print("AAPL", 99, 100)
        await until(lambda: len(heard) == 4)
    assert [update.event for update in heard] == ["pending_new", "new", "partial_fill", "fill"]
    assert [(u.qty, u.price, u.position_qty) for u in heard[2:]] == [(4, 99.5, 4), (6, 99, 10)]
    found: Order = await call(trading.get_order_by_client_id, "mine")
    assert (found.status, found.filled_qty, found.filled_avg_price) == ("filled", "10", "99.2")
    account: TradeAccount = await call(trading.get_account)
    assert Decimal(account.cash or 0) == Decimal("99008")
    (position,) = await call(trading.get_all_positions)
    assert (position.symbol, position.qty, position.side) == ("AAPL", "10", "long")


async def test_its_client_changes_an_order_which_becomes_another(alpaca: AlpacaTrading) -> None:
    trading = client(alpaca)
    async with listening(alpaca) as heard:
        old: Order = await call(trading.submit_order, limit(price=90))
        changes = ReplaceOrderRequest(qty=7, limit_price=95, client_order_id="other")
        new: Order = await call(trading.replace_order_by_id, old.id, changes)
        await until(lambda: len(heard) == 4)
    assert [update.event for update in heard] == ["pending_new", "new", "replaced", "new"]
    assert heard[2].order.id == old.id
    assert heard[2].order.replaced_by == new.id
    assert (new.replaces, new.qty, new.limit_price) == (old.id, "7", "95")
    (left,) = await call(trading.get_orders, GetOrdersRequest(status=QueryOrderStatus.OPEN))
    assert left.id == new.id


async def test_its_client_cancels_one_and_all(alpaca: AlpacaTrading) -> None:
    trading = client(alpaca)
    first: Order = await call(trading.submit_order, limit(price=90))
    await call(trading.submit_order, limit(price=91))
    await call(trading.submit_order, limit(price=92))
    await call(trading.cancel_order_by_id, first.id)
    answers = await call(trading.cancel_orders)
    assert [answer.status for answer in answers] == [200, 200]
    with pytest.raises(APIError, match="already in"):
        await call(trading.cancel_order_by_id, first.id)
    assert not alpaca.venue.open_orders()


async def test_stops_wait_for_their_price_and_trailing_ones_follow(alpaca: AlpacaTrading) -> None:
    trading, venue = client(alpaca), alpaca.venue
    venue.hold("AAPL", 30, 100)
    common = {"symbol": "AAPL", "side": SELL, "time_in_force": GTC}
    stop = await call(trading.submit_order, StopOrderRequest(qty=10, stop_price=95, **common))
    limited = StopLimitOrderRequest(qty=10, stop_price=96, limit_price=95.5, **common)
    stop_limit = await call(trading.submit_order, limited)
    trailing = await call(
        trading.submit_order, TrailingStopOrderRequest(qty=10, trail_price=3, **common)
    )
    for price in (100, 104, 101, 95.8, 95, 94):
        await alpaca.print("AAPL", price)
    filled = {str(fill.order.id): fill.price for fill in venue.fills}
    assert filled == {str(trailing.id): 101, str(stop_limit.id): Decimal("95.8"), str(stop.id): 95}


async def test_orders_that_the_account_may_not_have_are_refused(alpaca: AlpacaTrading) -> None:
    trading, venue = client(alpaca), alpaca.venue
    await alpaca.print("AAPL", 100)
    refusals = {
        "insufficient buying power": limit(qty=5_000),
        "sub-penny": limit(price=100.123),
        "not found": limit().model_copy(update={"symbol": "ZZZZ"}),
        "fractional orders must be DAY": market(1.5, tif=GTC),
    }
    for said, order in refusals.items():
        with pytest.raises(APIError, match=said):
            await call(trading.submit_order, order)
    venue.know("HARD", easy_to_borrow=False)
    short = market(5, SELL)
    with pytest.raises(APIError, match="cannot be sold short"):
        await call(trading.submit_order, short.model_copy(update={"symbol": "HARD"}))
    venue.account["shorting_enabled"] = False
    with pytest.raises(APIError, match="not allowed to short"):
        await call(trading.submit_order, short)
    assert not venue.orders


async def test_a_second_closing_order_and_a_wash_trade_are_refused(alpaca: AlpacaTrading) -> None:
    trading = client(alpaca)
    alpaca.venue.hold("AAPL", 10, 100)
    await call(trading.submit_order, limit(10, 110, SELL))
    stop = StopOrderRequest(symbol="AAPL", qty=10, side=SELL, time_in_force=DAY, stop_price=95)
    with pytest.raises(APIError, match="insufficient qty available") as caught:
        await call(trading.submit_order, stop)
    assert (caught.value.status_code, caught.value.code) == (403, 40310000)
    with pytest.raises(APIError, match="potential wash trade"):
        await call(trading.submit_order, market(1))


async def test_a_client_order_id_is_taken_once(alpaca: AlpacaTrading) -> None:
    trading = client(alpaca)
    await call(trading.submit_order, limit(client_order_id="mine", price=90))
    with pytest.raises(APIError, match="must be unique"):
        await call(trading.submit_order, limit(client_order_id="mine", price=90))
    with pytest.raises(APIError, match="order not found"):
        await call(trading.get_order_by_client_id, "another")


async def test_immediate_orders_end_with_the_next_print(alpaca: AlpacaTrading) -> None:
    trading, venue = client(alpaca), alpaca.venue
    for tif in (TimeInForce.IOC, TimeInForce.FOK):
        await call(trading.submit_order, market(10, tif=tif))
        await alpaca.print("AAPL", 100, 4)
    ended = [(o.time_in_force, o.status, o.filled_qty) for o in venue.orders.values()]
    assert ended == [("ioc", "canceled", 4), ("fok", "canceled", 0)]


async def test_its_client_sends_an_order_again_after_a_429_and_only_the_id_saves_it(
    alpaca: AlpacaTrading,
) -> None:
    """The incident `library_retries_a_post`: why our adapter has a session of its own."""
    alpaca.refuse(429, taken=True)
    impatient = client(alpaca)
    impatient._retry_wait = 0
    with pytest.raises(APIError, match="must be unique"):
        await call(impatient.submit_order, limit(client_order_id="mine"))
    assert [asked.method for asked in alpaca.asked] == ["POST", "POST"]
    assert len(alpaca.venue.orders) == 1


async def test_a_bust_and_a_correction_are_told_with_what_they_change(
    alpaca: AlpacaTrading,
) -> None:
    trading, venue = client(alpaca), alpaca.venue
    async with listening(alpaca) as heard:
        await call(trading.submit_order, market(10))
        await alpaca.print("AAPL", 100, 4)
        await alpaca.print("AAPL", 101)
        first, second = (fill.execution_id for fill in venue.fills)
        venue.bust(first)
        venue.correct(second, 100.5)
        await alpaca.tell()
        await until(lambda: len(heard) == 6)
    bust, correction = heard[4:]
    assert (bust.event, bust.qty, bust.order.filled_qty) == ("trade_bust", -4, "6")
    assert (correction.event, correction.price, correction.qty) == ("trade_correct", 100.5, 6)
    assert venue.held("AAPL") == 6
    assert venue.cash == 100_000 - 6 * Decimal("100.5")


async def test_activities_of_one_instant_come_in_no_order_and_in_pages(
    alpaca: AlpacaTrading,
) -> None:
    alpaca.largest_page = 2
    await call(client(alpaca).submit_order, market(10))
    at = alpaca.venue.clock()
    for _ in range(5):
        alpaca.venue.print("AAPL", 100, 2, at)
    found: list[str] = []
    async with httpx.AsyncClient(base_url=alpaca.http, headers=headers()) as http:
        token = None
        for _ in range(3):
            asked = {"direction": "asc", **({"page_token": token} if token else {})}
            page = (await http.get("/v2/account/activities/FILL", params=asked)).json()
            found += [row["cum_qty"] for row in page]
            token = page[-1]["id"]
    assert sorted(found, key=int) == ["2", "4", "6", "8", "10"]


async def test_a_wrong_key_is_refused_by_both_doors(alpaca: AlpacaTrading) -> None:
    with pytest.raises(APIError, match="not authorized"):
        await call(client(alpaca, "wrong").get_account)
    stream = TradingStream(KEY, "wrong", url_override=f"{alpaca.ws}/stream")
    await stream._connect()
    with pytest.raises(ValueError, match="failed to authenticate"):
        await stream._auth()
    await stream.close()


async def test_it_runs_as_a_process_that_is_told_what_to_print() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.vendors.alpaca_trading", "--symbols", "NVDA", "--cash", "5000",
        cwd=BACKEND, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        _, address, key, _ = (await process.stdout.readline()).decode().split()
        assert key == KEY
        async with httpx.AsyncClient(base_url=address, headers=headers()) as http:
            order = {"symbol": "NVDA", "qty": "2", "side": "buy", "type": "market",
                     "time_in_force": "day"}  # fmt: skip
            assert (await http.post("/v2/orders", json=order)).status_code == 200
            await http.post("/loopback/print", json={"symbol": "NVDA", "price": 100})
            await http.post("/loopback/refuse", json={"status": 500, "method": "GET"})
            assert (await http.get("/v2/account")).status_code == 500
            state = (await http.get("/loopback/state")).json()
        assert (state["positions"], state["cash"]) == ({"NVDA": "2"}, "4800")
        assert json.dumps(state["fills"][0]["cum_qty"]) == '"2"'
    finally:
        process.kill()
        await process.wait()


def headers() -> dict[str, str]:
    return {"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET}
