"""Cases: each fill counts once, exactly, under the order's own id."""

from datetime import UTC, timedelta
from decimal import Decimal
from typing import Final

from app.certification.case import Cases
from app.certification.desk import Desk, expect
from app.certification.venue import Act
from app.domain.events import (
    ExecutionBusted,
    ExecutionCorrected,
    OrderAccepted,
    OrderCanceled,
    OrderFilled,
)
from app.domain.orders import OrderType, Side, TimeInForce

CASES: Final = Cases("fills")


@CASES.case(Act.PRINT)
async def a_fill_is_in_the_book_under_the_same_identity(desk: Desk) -> None:
    order = await desk.buy()
    told = desk.fills(order.client_order_id)
    read = [e for e in (await desk.book()).executions if e.client_order_id == order.client_order_id]
    expect(
        [one.execution_id for one in told] == [one.execution_id for one in read],
        "Stream and book name it differently.",
    )
    for one, other in zip(told, read, strict=True):
        same = (one.quantity, one.price, one.side, one.symbol, one.broker)
        expect(same == (other.quantity, other.price, other.side, other.symbol, other.broker),
               f"{one} in the stream, {other} in the book.")  # fmt: skip


@CASES.case(Act.PRINT)
async def a_fill_that_was_told_is_the_same_when_the_book_is_read_twice(desk: Desk) -> None:
    await desk.buy()
    first = {one.execution_id for one in (await desk.book()).executions}
    second = {one.execution_id for one in (await desk.book()).executions}
    expect(first == second, "Its identity changes.")


@CASES.case(Act.PRINT, real=True)
async def a_fill_has_the_same_identity_in_another_process(desk: Desk) -> None:
    await desk.buy()
    first = {one.execution_id for one in (await desk.book()).executions}
    await desk.venue.rejoin()
    expect({e.execution_id for e in (await desk.book()).executions} == first, "It changed.")


@CASES.case(Act.PRINT)
async def partial_fills_add_up_and_have_their_own_identities(desk: Desk) -> None:
    order = await desk.take(limit_price=100)
    for size in (3, 3, 4):
        await desk.print(99, size)
    fills = await desk.filled(order)
    expect(len(fills) == 3, f"{len(fills)} fills instead of 3.")


@CASES.case(Act.PRINT)
async def an_order_that_is_partly_filled_says_so_in_the_book(desk: Desk) -> None:
    order = await desk.take(limit_price=100)
    await desk.print(99, 4)
    await desk.filled(order, 4)
    seen = await desk.rests(order)
    expect(seen is not None, "It is gone.")
    expect(seen is not None and seen.filled_quantity == 4, "The book says other than 4.")
    expect(seen is not None and seen.quantity == 10, "Its quantity is not the whole.")


@CASES.case(Act.PRINT)
async def what_is_left_of_a_partly_filled_order_can_be_canceled(desk: Desk) -> None:
    order = await desk.take(limit_price=100)
    await desk.print(99, 4)
    await desk.filled(order, 4)
    await desk.cancel(order.client_order_id)
    await desk.canceled(order)
    await desk.print(99)
    expect(desk.quantity(order.client_order_id) == 4, "It was filled after its end.")


@CASES.case(Act.PRINT)
async def an_order_at_once_keeps_what_it_got(desk: Desk) -> None:
    await desk.print(100)
    order = desk.order(time_in_force=TimeInForce.IOC, limit_price=100)
    if await desk.refused(order) is not None:
        return
    await desk.print(100, 4)
    await desk.until(lambda: desk.fills(order.client_order_id), "a fill is told")
    expect(await desk.rests(order) is None, "It rests all the same.")


@CASES.case(Act.PRINT)
async def an_order_for_all_or_nothing_takes_no_part(desk: Desk) -> None:
    order = desk.order(time_in_force=TimeInForce.FOK, limit_price=100)
    if await desk.refused(order) is not None:
        return
    await desk.print(99, 4)
    await desk.book()
    expect(desk.quantity(order.client_order_id) == 0, "A part was filled.")
    expect(await desk.rests(order) is None, "It rests all the same.")


@CASES.case(Act.PRINT)
async def prices_and_quantities_are_exact(desk: Desk) -> None:
    order = await desk.take(limit_price=100.07)
    await desk.print(100.07)
    (fill,) = await desk.filled(order)
    expect(fill.price == Decimal("100.07"), f"The price is {fill.price!r}.")
    for what in (fill.price, fill.quantity, fill.commission):
        expect(isinstance(what, Decimal), f"{what!r} is not a Decimal.")


@CASES.case(Act.PRINT)
async def a_fill_has_a_time_in_utc_not_in_the_future(desk: Desk) -> None:
    (fill,) = desk.fills((await desk.buy()).client_order_id)
    expect(fill.at.tzinfo is not None and fill.at.utcoffset() == timedelta(0), f"{fill.at!r}")
    latest = max(desk.now, fill.at.now(UTC))
    expect(fill.at <= latest + timedelta(minutes=1), f"{fill.at} has not come yet.")


@CASES.case(Act.PRINT)
async def fills_are_told_in_their_order(desk: Desk) -> None:
    order = await desk.take(limit_price=100)
    for size in (2, 3, 5):
        await desk.print(99, size)
    fills = await desk.filled(order)
    expect([int(one.quantity) for one in fills] == [2, 3, 5], "They were told in another order.")
    times = [one.at for one in fills]
    expect(times == sorted(times), "Their times run backwards.")


@CASES.case(Act.PRINT)
async def an_order_is_accepted_before_it_is_filled(desk: Desk) -> None:
    await desk.print(100)
    order = desk.order(type=OrderType.MARKET)
    await desk.submit(order)
    await desk.print(100)
    await desk.filled(order)
    name = order.client_order_id
    await desk.until(lambda: desk.of(OrderAccepted, name), "the acceptance is told too")


@CASES.case(Act.PRINT, Act.LOSE_SUBMIT_ANSWER)
async def a_fill_is_told_although_the_acceptance_was_lost(desk: Desk) -> None:
    await desk.act(Act.LOSE_SUBMIT_ANSWER)
    order = desk.order(type=OrderType.MARKET)
    try:
        await desk.submit(order)
    except Exception as error:  # noqa: BLE001 - anything but a definite answer
        expect("Rejected" not in type(error).__name__, f"It counts as refused: {error}")
    await desk.print(100)
    await desk.filled(order)


@CASES.case(Act.PRINT, Act.DUPLICATE)
async def news_that_come_twice_count_once(desk: Desk) -> None:
    await desk.act(Act.DUPLICATE)
    order = await desk.take(limit_price=100)
    await desk.print(99, 4)
    await desk.print(99, 6)
    await desk.filled(order)
    ids = {one.execution.execution_id for one in desk.of(OrderFilled)}
    expect(len(ids) == 2, f"{len(ids)} identities for two fills.")


@CASES.case(Act.PRINT, Act.REORDER)
async def news_that_change_places_lose_nothing(desk: Desk) -> None:
    order = await desk.take(limit_price=100)
    await desk.act(Act.REORDER)
    for size in (2, 3, 4, 1):
        await desk.print(99, size)
    missing = await _told_or_in_book(desk, order.client_order_id)
    expect(missing == order.quantity, f"{missing} of {order.quantity} are known.")


async def _told_or_in_book(desk: Desk, name: str) -> Decimal:
    read = [one for one in (await desk.book()).executions if one.client_order_id == name]
    found = {one.execution_id: one for one in [*desk.fills(name), *read]}
    return sum((one.quantity for one in found.values()), Decimal(0))


@CASES.case(Act.PRINT, Act.BUST)
async def a_fill_that_is_taken_back_is_told(desk: Desk) -> None:
    (fill,) = desk.fills((await desk.buy()).client_order_id)
    await desk.act(Act.BUST)
    await desk.until(lambda: desk.of(ExecutionBusted), "the bust is told")
    told = desk.of(ExecutionBusted)[0]
    expect(told.execution_id == fill.execution_id, "It names another fill.")
    held = (await desk.book()).positions or {}
    expect(not held.get(desk.venue.symbol), "The position is there all the same.")


@CASES.case(Act.PRINT, Act.CORRECT)
async def a_fill_that_is_corrected_is_told_with_its_new_price(desk: Desk) -> None:
    (fill,) = desk.fills((await desk.buy()).client_order_id)
    await desk.act(Act.CORRECT, price=99.5)
    await desk.until(lambda: desk.of(ExecutionCorrected), "the correction is told")
    told = desk.of(ExecutionCorrected)[-1]
    expect(told.corrects == fill.execution_id, "It corrects another fill.")
    expect(told.execution.price == Decimal("99.5"), f"Its price is {told.execution.price}.")
    expect(told.execution.execution_id != fill.execution_id, "It has the identity of the old one.")


@CASES.case(Act.PRINT, real=True)
async def cash_moves_by_what_was_paid(desk: Desk) -> None:
    before = (await desk.book()).cash
    (fill,) = desk.fills((await desk.buy()).client_order_id)
    after = (await desk.book()).cash
    expect(before is not None and after is not None, "The book says no cash.")
    paid = fill.quantity * fill.price + fill.commission
    moved = (before or Decimal(0)) - (after or Decimal(0))
    expect(moved == paid, f"Cash moved by {moved} instead of {paid}.")


@CASES.case(Act.PRINT, real=True)
async def a_short_position_is_negative(desk: Desk) -> None:
    order = await desk.take(side=Side.SELL, type=OrderType.MARKET)
    await desk.print(100)
    await desk.filled(order)
    held = (await desk.book()).positions or {}
    expect(held.get(order.symbol) == -10, f"The book holds {held.get(order.symbol)}.")


@CASES.case(Act.PRINT)
async def a_filled_order_cannot_be_canceled_any_more(desk: Desk) -> None:
    order = await desk.buy()
    try:
        await desk.cancel(order.client_order_id)
    except Exception as error:  # noqa: BLE001 - judged below
        expect("Rejected" in type(error).__name__, f"It is no definite answer: {error!r}")
    await desk.book()
    expect(not desk.of(OrderCanceled, order.client_order_id), "It was told as canceled.")
