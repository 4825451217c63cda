"""The loopback Gateway trades as TWS does: IBKR's two client libraries place orders with it."""

import asyncio
import importlib
import json
import logging
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.vendors.exchange import Exchange, Ticket
from tests.vendors.ibkr import IbkrLoopback
from tests.vendors.ibkr_orders import FIRST_PERM_ID
from tests.vendors.loopback import until


@pytest.fixture
async def server() -> AsyncIterator[IbkrLoopback]:
    async with IbkrLoopback() as made:
        yield made


@pytest.fixture(params=["ib_async", "ib_insync"])
def library(request: pytest.FixtureRequest) -> Any:
    for name in (request.param, f"{request.param}.Decoder"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    return importlib.import_module(request.param)


@pytest.fixture
async def ib(
    library: Any, server: IbkrLoopback, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[Any]:
    made = library.IB()
    await made.connectAsync("127.0.0.1", server.port, clientId=1)
    yield made
    made.disconnect()
    await until(lambda: not server.callers)
    broken = [r.getMessage() for r in caplog.records if "Error handling" in r.getMessage()]
    assert broken == []


async def stock(ib: Any, library: Any, symbol: str = "AAPL") -> Any:
    (contract,) = await ib.qualifyContractsAsync(library.Stock(symbol, "SMART", "USD"))
    return contract


async def test_an_order_is_placed_changed_and_filled(
    ib: Any, library: Any, server: IbkrLoopback
) -> None:
    order = library.LimitOrder("BUY", 10, 170.0, orderRef="ours-1", tif="GTC")
    trade = ib.placeOrder(await stock(ib, library), order)
    await until(lambda: trade.orderStatus.status == "Submitted")
    assert (trade.order.permId, trade.orderStatus.permId) == (FIRST_PERM_ID, FIRST_PERM_ID)
    order.lmtPrice, order.totalQuantity = 171.0, 12
    ib.placeOrder(trade.contract, order)
    (ticket,) = server.orders.exchange.find("ours-1")
    await until(lambda: ticket.quantity == 12)
    assert (ticket.limit, ticket.life) == (Decimal("171.0"), "gtc")
    server.orders.exchange.print("AAPL", 171.5)
    server.orders.exchange.print("AAPL", 170.5, size=5)
    server.orders.exchange.print("AAPL", 170.0)
    await until(lambda: trade.orderStatus.status == "Filled")
    assert [(f.execution.shares, f.execution.price) for f in trade.fills] == [(5, 170.5), (7, 170)]
    assert trade.fills[0].execution.orderRef == "ours-1"
    assert trade.fills[0].execution.time == server.orders.exchange.fills[0].at.replace(
        microsecond=0
    )
    assert trade.orderStatus.avgFillPrice == pytest.approx(170.2083, abs=1e-4)


async def test_an_order_is_cancelled_and_its_end_is_remembered(
    ib: Any, library: Any, server: IbkrLoopback
) -> None:
    order = library.StopLimitOrder("SELL", 10, 160.0, 161.0, orderRef="ours-2")
    trade = ib.placeOrder(await stock(ib, library), order)
    await until(lambda: trade.orderStatus.status == "PreSubmitted")
    (shown,) = await ib.reqAllOpenOrdersAsync()
    assert (shown.order.lmtPrice, shown.order.auxPrice, shown.order.orderType) == (
        160,
        161,
        "STP LMT",
    )
    ib.cancelOrder(order)
    await until(lambda: trade.orderStatus.status == "Cancelled")
    assert await ib.reqAllOpenOrdersAsync() == []
    (done,) = await ib.reqCompletedOrdersAsync(False)
    assert (done.order.orderRef, done.orderStatus.status) == ("ours-2", "Cancelled")
    assert (done.order.permId, done.order.orderId) == (FIRST_PERM_ID, 0)


async def test_orders_of_a_group_cancel_and_reduce_each_other(
    ib: Any, library: Any, server: IbkrLoopback
) -> None:
    contract = await stock(ib, library)
    profit = library.LimitOrder("SELL", 10, 180.0, ocaGroup="g", ocaType=3, orderRef="tp")
    stop = library.StopOrder("SELL", 10, 160.0, ocaGroup="g", ocaType=3, orderRef="sl")
    trades = [ib.placeOrder(contract, order) for order in (profit, stop)]
    await until(lambda: len(server.orders.exchange.open()) == 2)
    server.orders.exchange.print("AAPL", 180.0, size=4)
    await until(lambda: trades[1].order.totalQuantity == 6)
    server.orders.exchange.print("AAPL", 180.0)
    await until(lambda: trades[1].orderStatus.status == "Cancelled")
    assert trades[0].orderStatus.filled == 10


async def test_a_trailing_stop_follows_and_never_back(
    ib: Any, library: Any, server: IbkrLoopback
) -> None:
    order = library.Order(action="SELL", totalQuantity=1, orderType="TRAIL", auxPrice=2.0)
    trade = ib.placeOrder(await stock(ib, library), order)
    await until(lambda: trade.orderStatus.status == "PreSubmitted")
    for price in (100.0, 103.0, 101.5):
        server.orders.exchange.print("AAPL", price)
    assert server.orders.exchange.open()[0].stop == 101
    server.orders.exchange.print("AAPL", 100.9)
    await until(lambda: trade.orderStatus.status == "Filled")


async def test_immediate_orders_take_what_there_is_or_nothing(
    ib: Any, library: Any, server: IbkrLoopback
) -> None:
    contract, exchange = await stock(ib, library), server.orders.exchange
    exchange.print("AAPL", 100.0)
    trades = [
        ib.placeOrder(contract, library.LimitOrder("BUY", 1, limit, tif=tif))
        for limit, tif in ((100.0, "IOC"), (99.0, "IOC"), (100.0, "FOK"), (99.0, "FOK"))
    ]
    await until(lambda: all(trade.isDone() for trade in trades))
    assert [t.orderStatus.status for t in trades] == ["Filled", "Cancelled"] * 2


async def test_refusals_carry_their_codes(ib: Any, library: Any, server: IbkrLoopback) -> None:
    said: list[tuple[int, int]] = []
    ib.errorEvent += lambda number, code, *_: said.append((number, code))
    contract = await stock(ib, library)
    server.orders.reject(201, "Order rejected - reason:no margin")
    trade = ib.placeOrder(contract, library.MarketOrder("BUY", 1, orderRef="refused"))
    await until(lambda: trade.orderStatus.status == "Inactive")
    ib.client.cancelOrder(999)
    ib.client.cancelOrder(trade.order.orderId)
    ib.client.placeOrder(1, contract, library.MarketOrder("BUY", 1))
    await until(lambda: len(said) == 4)
    server.orders.read_only = True
    ib.client.placeOrder(2_000, contract, library.MarketOrder("BUY", 1))
    await until(lambda: len(said) == 5)
    server.orders.read_only = False
    odd = library.Stock("NOPE", "SMART", "USD")
    ib.client.placeOrder(3_000, odd, library.MarketOrder("BUY", 1))
    await until(lambda: len(said) == 6)
    number = trade.order.orderId
    assert said == [
        (number, 201),
        (999, 10147),
        (number, 10148),
        (1, 103),
        (2_000, 321),
        (3_000, 200),
    ]


async def test_orders_by_hand_have_no_order_id_and_all_are_cancelled_at_once(
    ib: Any, library: Any, server: IbkrLoopback
) -> None:
    server.orders.by_hand("AAPL", "sell", 5, limit=Decimal(300))
    assert await ib.reqOpenOrdersAsync() == []
    (shown,) = await ib.reqAllOpenOrdersAsync()
    assert (shown.order.orderId, shown.order.clientId, shown.order.orderRef) == (0, 0, "")
    ib.reqGlobalCancel()
    await until(lambda: not server.orders.exchange.open())


async def test_executions_of_the_day_positions_and_cash(
    ib: Any, library: Any, server: IbkrLoopback
) -> None:
    exchange = server.orders.exchange
    exchange.fee = Decimal("0.35")
    ib.placeOrder(await stock(ib, library), library.MarketOrder("BUY", 10, orderRef="m"))
    await until(exchange.open)
    exchange.print("AAPL", 100.0)
    (fill,) = await ib.reqExecutionsAsync()
    assert fill.execution.execId == "0000e0d5.00000001.01.01"
    server.orders.correct(exchange.fills[0], price=Decimal(101))
    (fill,) = await ib.reqExecutionsAsync()
    assert (fill.execution.execId[-2:], fill.execution.price) == ("02", 101)
    assert {f.commissionReport.commission for f in ib.fills()} == {0.35}
    (held,) = await ib.reqPositionsAsync()
    assert (held.position, held.avgCost) == (10, 101)
    cash = [v.value for v in await ib.accountSummaryAsync() if v.tag == "TotalCashValue"]
    assert cash == ["98989.65"]


async def test_an_id_that_the_gateway_forgot_makes_a_new_order(
    ib: Any, library: Any, server: IbkrLoopback
) -> None:
    server.orders.swallow()
    order, contract = library.LimitOrder("BUY", 1, 1.0, orderRef="lost"), await stock(ib, library)
    ib.placeOrder(contract, order)
    await until(lambda: server.orders.placed == 1)
    assert server.orders.exchange.find("lost") == []
    ib.client.placeOrder(order.orderId, contract, order)
    await until(lambda: server.orders.exchange.find("lost"))


def test_a_market_without_a_wire() -> None:
    exchange = Exchange(now=lambda: datetime.now(UTC))
    ended: list[Ticket] = []
    exchange.ended = ended.append
    day = Ticket(number=1, reference="a", symbol="X", side="buy", quantity=Decimal(3))
    kept = Ticket(number=2, reference="b", symbol="X", side="sell", quantity=Decimal(3), life="gtc")
    for ticket in (day, kept):
        exchange.place(ticket)
    exchange.close()
    assert ended == [day]
    exchange.print("X", 2, size=2)
    (fill,) = exchange.fills
    exchange.bust(fill)
    assert [kept.filled, exchange.positions["X"], exchange.cash] == [0, 0, 100_000]


async def test_it_runs_as_a_process_of_its_own() -> None:
    here = Path(__file__).parents[2]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.vendors.ibkr", cwd=here, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        ports = json.loads(await process.stdout.readline())
        reader, writer = await asyncio.open_connection("127.0.0.1", ports["control"])
        ib = importlib.import_module("ib_async").IB()
        await ib.connectAsync("127.0.0.1", ports["port"], clientId=1)

        async def ask(**request: Any) -> Any:
            writer.write(json.dumps(request).encode() + b"\n")
            return json.loads(await reader.readline())

        await ask(do="by_hand", symbol="AAPL", side="buy", quantity=2)
        assert await ask(do="print", symbol="AAPL", price=170.5) == {"ok": None}
        book = (await ask(do="book"))["ok"]
        assert (book["positions"], book["cash"]) == ({"AAPL": "2"}, "99659.0")
        assert "KeyError" in (await ask(do="explode"))["error"]
        ib.disconnect()
        writer.close()
        await writer.wait_closed()
    finally:
        process.kill()
        await process.wait()
