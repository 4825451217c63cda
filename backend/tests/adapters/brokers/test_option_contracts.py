"""An option contract is 100 shares: bought and sold, cash is right to the last cent everywhere."""

from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal

import pytest

from app.domain.events import CashSeen, HoldingSeen, TradeClosed
from app.domain.matching import FillModel
from tests.adapters.brokers.alpaca_floor import AlpacaFloor
from tests.adapters.brokers.test_ibkr_engine import Desk
from tests.contracts.ibkr_broker import IbkrAccount
from tests.floor import until
from tests.trading import World
from tests.vendors.alpaca_trading import AlpacaTrading
from tests.vendors.ibkr import IbkrLoopback

CALL = "AAPL261218C00250000"


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with IbkrLoopback() as server:
        server.market.list_options("AAPL", date(2026, 12, 18), [250])
        server.orders.exchange.fee = Decimal("0.65")
        made = Desk(IbkrAccount(server))
        async with made:
            await made.up()
            await made.minute(100, **{CALL: 2})
            await until(lambda: not made.account.adapter.is_looking_up)
            yield made


async def _trade(side: str, quantity: int, desk: Desk | AlpacaFloor) -> str:
    asked = await desk.ask("order_place", symbol=CALL, side=side, quantity=str(quantity))
    return str(asked["client_order_id"])


async def test_at_ibkr(desk: Desk) -> None:
    bought = await _trade("buy", 3, desk)
    await desk.becomes(bought, "accepted")
    desk.market.print(CALL, "2.37")
    await desk.becomes(bought, "filled")
    await desk.agrees()
    assert desk.engine.book.cash == Decimal("99288.35")  # 100,000 - 3 x 100 x 2.37 - 0.65
    desk.market.print(CALL, "3.01")
    sold = await _trade("sell", 3, desk)
    await desk.becomes(sold, "filled")
    await desk.agrees()
    assert desk.engine.book.cash == desk.market.cash == Decimal("100190.70")
    (closed,) = desk.of(TradeClosed)
    assert (closed.trade.pnl, closed.trade.entry_price) == (Decimal("190.70"), Decimal("2.37"))


async def test_at_ibkr_by_somebody_else_and_flattened_by_us(desk: Desk) -> None:
    desk.market.print(CALL, "2.37")
    for quantity in (2, 1):
        desk.server.orders.by_hand(CALL, "buy", quantity)
    await desk.agrees()
    assert desk.engine.book.cash == desk.market.cash == Decimal("99287.70")
    await desk.ask("trading_halt", reason="enough", flatten=True)
    await until(lambda: not desk.engine.book.net[CALL])
    await desk.agrees()
    assert desk.engine.book.cash == desk.market.cash == Decimal("99998.05")
    assert not desk.of(HoldingSeen)
    assert not desk.of(CashSeen)


async def test_at_alpaca(alpaca: AlpacaTrading) -> None:
    alpaca.venue.know("AAPL")
    alpaca.venue.know(CALL, **{"class": "us_option"})
    async with AlpacaFloor(alpaca) as floor:
        await floor.minute(100, **{CALL: 2})
        bought = await _trade("buy", 3, floor)
        await floor.becomes(bought, "accepted")
        await alpaca.print(CALL, 2.37)
        await floor.becomes(bought, "filled")
        sold = await _trade("sell", 3, floor)
        await floor.becomes(sold, "accepted")
        await alpaca.print(CALL, 3.01)
        await floor.becomes(sold, "filled")
        await floor.reconcile()
        floor.check()
        assert floor.engine.book.cash == Decimal("100192")


def test_on_paper_the_fee_is_of_the_value_of_a_hundred_shares_a_contract() -> None:
    dear = FillModel(commission_per_share=Decimal(5), commission_max_fraction=Decimal("0.01"))
    world = World(model=dear)
    world.bar(100, **{CALL: 2})
    world.order("buy", 3, CALL)
    world.bar(100, **{CALL: 2})
    bought = 100_000 - Decimal("600") - Decimal("6")
    assert world.engine.book.cash == bought
    assert world.engine.equity == bought + 600
    world.order("sell", 3, CALL)
    world.bar(100, **{CALL: (3, 3, 3, 3)})
    assert world.engine.book.cash == bought + Decimal("900") - Decimal("9")
