"""Cases: of orders that are linked at the broker, no more is filled than one of them."""

from typing import Final

from app.certification.case import Cases
from app.certification.desk import Desk, expect
from app.certification.venue import Act
from app.domain.orders import Leg, Order, OrderType, Side

CASES: Final = Cases("groups")


async def _pair(desk: Desk) -> tuple[Order, Order]:
    """A stop loss and a take-profit of 10 that were bought."""
    bought = await desk.buy()
    group = f"g{bought.client_order_id}"
    stop = await desk.take(
        side=Side.SELL, type=OrderType.STOP, stop_price=90, group_id=group,
        leg=Leg.STOP_LOSS, quantity=10,
    )  # fmt: skip
    profit = await desk.take(
        side=Side.SELL, limit_price=110, group_id=group, leg=Leg.TAKE_PROFIT, quantity=10
    )
    return stop, profit


@CASES.case(Act.PRINT, real=True, ability="links_orders")
async def one_order_of_a_group_cancels_the_other(desk: Desk) -> None:
    stop, profit = await _pair(desk)
    await desk.print(111)
    await desk.filled(profit)
    await desk.canceled(stop)
    await desk.print(80)
    expect(not desk.fills(stop.client_order_id), "Both were filled.")


@CASES.case(Act.PRINT, real=True, ability="links_orders")
async def a_part_that_one_of_a_group_fills_is_taken_off_the_other(desk: Desk) -> None:
    stop, profit = await _pair(desk)
    await desk.print(111, 4)
    await desk.filled(profit, 4)
    await desk.print(80)
    await desk.print(79)
    await desk.book()
    sold = desk.quantity(stop.client_order_id) + desk.quantity(profit.client_order_id)
    expect(sold <= 10, f"{sold} were sold of 10.")
