"""Cases: cancels and replaces do what they say, once, or say that they did nothing."""

from collections.abc import Awaitable
from typing import Any, Final

from app.certification.case import Cases
from app.certification.desk import Desk, expect
from app.certification.venue import Act
from app.core.errors import BrokerRejected, BrokerUnavailable
from app.domain.events import ChangeRejected, OrderAccepted, OrderCanceled, OrderReplaced
from app.domain.orders import BrokerOrder, Order, OrderType

CASES: Final = Cases("changes")


async def _tried(asked: Awaitable[Any]) -> Exception | None:
    try:
        await asked
    except Exception as error:  # noqa: BLE001 - the cases judge it
        return error
    return None


async def _replaced(desk: Desk, order: Order, **terms: float) -> BrokerOrder:
    """Ask for the change and wait for the yes; the order as the book has it."""
    before = len(desk.of(OrderReplaced, order.client_order_id))
    await desk.replace(order, **terms)
    name = order.client_order_id
    await desk.until(lambda: len(desk.of(OrderReplaced, name)) > before, "the change is told")
    told = desk.of(OrderReplaced, name)[-1]
    seen = await desk.rests(order)
    if seen is None:
        raise AssertionError("It is gone from the book.")
    for field, value in terms.items():
        expect(getattr(told, field) == value, f"{field} is told as {getattr(told, field)}.")
        expect(getattr(seen, field) == value, f"{field} is {getattr(seen, field)} in the book.")
    return seen


@CASES.case()
async def a_canceled_order_is_told_and_gone(desk: Desk) -> None:
    order = await desk.take()
    await desk.cancel(order.client_order_id)
    await desk.canceled(order)
    expect(await desk.rests(order) is None, "It rests all the same.")


@CASES.case()
async def canceling_what_is_not_there_reports_nothing(desk: Desk) -> None:
    expect(not await desk.cancel(f"{desk.venue.account_id}-nobody-e1"), "It reported something.")


@CASES.case()
async def canceling_twice_does_no_harm(desk: Desk) -> None:
    order = await desk.take()
    await desk.cancel(order.client_order_id)
    error = await _tried(desk.cancel(order.client_order_id))
    definite = error is None or isinstance(error, BrokerRejected | BrokerUnavailable)
    expect(definite, f"The second raised {error!r}.")
    await desk.canceled(order)


@CASES.case(Act.CANCEL_BY_HAND)
async def an_order_that_somebody_cancels_by_hand_is_told(desk: Desk) -> None:
    order = await desk.take()
    await desk.act(Act.CANCEL_BY_HAND, identity=order.client_order_id)
    await desk.canceled(order)


@CASES.case(Act.LOSE_CANCEL_ANSWER)
async def a_cancel_whose_answer_was_lost_is_told_or_in_the_book(desk: Desk) -> None:
    order = await desk.take()
    await desk.act(Act.LOSE_CANCEL_ANSWER)
    error = await _tried(desk.cancel(order.client_order_id))
    expect(not isinstance(error, BrokerRejected), f"It counts as refused: {error}")
    expect(await desk.rests(order) is None, "It rests.")
    if not desk.of(OrderCanceled, order.client_order_id):
        expect(await desk.ended(order) is not None, "Nobody says what became of it.")


@CASES.case(Act.BY_HAND, real=True)
async def cancel_all_ends_every_order_whoever_made_it(desk: Desk) -> None:
    order = await desk.take()
    await desk.taken_by_hand(side="buy", quantity=5, limit=2)
    await desk.broker.cancel_all()
    await desk.canceled(order)
    expect(not (await desk.book()).open_orders, "Some rest.")


@CASES.case(Act.PRINT)
async def cancel_all_leaves_nothing_open(desk: Desk) -> None:
    for _ in range(3):
        await desk.take()
    await desk.broker.cancel_all()
    if not desk.broker.is_simulated:
        await desk.until(lambda: len(desk.of(OrderCanceled)) >= 3, "all are told as canceled")
    expect(not (await desk.book()).open_orders, "Some rest.")


@CASES.case(ability="can_replace")
async def a_limit_is_changed(desk: Desk) -> None:
    await _replaced(desk, await desk.take(), limit_price=2)


@CASES.case(ability="can_replace")
async def a_quantity_is_raised(desk: Desk) -> None:
    order = await desk.take()
    await _replaced(desk, order, quantity=float(order.quantity) + 5)


@CASES.case(ability="can_replace")
async def a_quantity_is_lowered(desk: Desk) -> None:
    order = await desk.take(quantity=4)
    await _replaced(desk, order, quantity=2)


@CASES.case(ability="can_replace")
async def quantity_and_limit_are_changed_at_once(desk: Desk) -> None:
    await _replaced(desk, await desk.take(), quantity=3, limit_price=2)


@CASES.case(ability="can_replace")
async def a_stop_is_moved(desk: Desk) -> None:
    order = await desk.take(type=OrderType.STOP, stop_price=9_000)
    await _replaced(desk, order, stop_price=8_900)


@CASES.case(ability="can_replace")
async def stop_and_limit_of_one_order_are_moved(desk: Desk) -> None:
    order = await desk.take(type=OrderType.STOP_LIMIT, stop_price=9_000, limit_price=9_010)
    await _replaced(desk, order, stop_price=8_900, limit_price=8_910)


@CASES.case(ability="can_replace")
async def the_distance_of_a_trailing_stop_is_changed(desk: Desk) -> None:
    order = await desk.take(type=OrderType.TRAILING_STOP, trail=50, stop_price=9_000)
    await _replaced(desk, order, trail=40)


@CASES.case(ability="can_replace")
async def a_changed_order_keeps_its_id_and_is_there_once(desk: Desk) -> None:
    order = await desk.take()
    await _replaced(desk, order, limit_price=2)
    mine = [o for o in (await desk.book()).open_orders if o.symbol == order.symbol]
    names = [o.client_order_id for o in mine]
    expect(names.count(order.client_order_id) == 1, f"The book has {names}.")
    known = set(desk.made)
    expect(all(name is None or name in known for name in names), f"The book has {names}.")


@CASES.case(ability="can_replace")
async def an_order_is_changed_many_times(desk: Desk) -> None:
    order = await desk.take()
    for price in (2, 3, 4):
        await _replaced(desk, order, limit_price=price)


@CASES.case(ability="can_replace")
async def a_changed_order_is_found_as_it_is_now(desk: Desk) -> None:
    order = await desk.take()
    await _replaced(desk, order, limit_price=2)
    found = await desk.broker.find(order.client_order_id)
    expect(found is not None and found.limit_price == 2, f"It is {found}.")


@CASES.case(ability="can_replace")
async def a_changed_order_can_be_canceled(desk: Desk) -> None:
    order = await desk.take()
    await _replaced(desk, order, limit_price=2)
    await desk.cancel(order.client_order_id)
    await desk.canceled(order)
    expect(await desk.rests(order) is None, "It rests all the same.")


@CASES.case(Act.PRINT, ability="can_replace")
async def a_changed_order_fills_by_its_new_terms(desk: Desk) -> None:
    order = await desk.take(limit_price=90)
    await _replaced(desk, order, limit_price=100)
    await desk.print(99)
    fills = await desk.filled(order)
    expect(all(one.client_order_id == order.client_order_id for one in fills), "Its id changed.")


@CASES.case(Act.PRINT, ability="can_replace")
async def a_quantity_counts_what_was_filled_before_the_change(desk: Desk) -> None:
    order = await desk.take(limit_price=100)
    await desk.print(99, 4)
    await desk.filled(order, 4)
    name = order.client_order_id
    changed = await desk.replace(order, quantity=8)
    await desk.until(lambda: desk.of(OrderReplaced, name), "the change is told")
    expect(desk.of(OrderReplaced, name)[-1].quantity == 8, "Another quantity is told.")
    await desk.print(99)
    await desk.filled(changed)


@CASES.case(Act.PRINT, ability="can_replace")
async def fewer_than_are_filled_cannot_be_asked_for(desk: Desk) -> None:
    order = await desk.take(limit_price=100)
    await desk.print(99, 6)
    await desk.filled(order, 6)
    await _tried(desk.replace(order, quantity=5))
    await desk.print(99)
    await desk.book()
    expect(desk.quantity(order.client_order_id) in (6, 10), "Its quantity is neither.")


@CASES.case(Act.PRINT, ability="can_replace")
async def a_change_that_comes_too_late_is_refused(desk: Desk) -> None:
    order = await desk.buy()
    error = await _tried(desk.replace(order, quantity=20))
    name = order.client_order_id
    if error is None:
        await desk.until(lambda: desk.of(ChangeRejected, name), "the refusal is told")
    expect(error is None or isinstance(error, BrokerRejected), f"It raised {error!r}.")
    await desk.print(100)
    expect(desk.quantity(name) == order.quantity, "More was bought.")


@CASES.case(ability="can_replace")
async def changing_what_is_not_there_places_nothing(desk: Desk) -> None:
    order = desk.order()
    error = await _tried(desk.replace(order, limit_price=2))
    said_no = error is not None or desk.of(ChangeRejected, order.client_order_id)
    expect(said_no, "It was not refused.")
    expect(await desk.rests(order) is None, "It rests now.")


@CASES.case(Act.REJECT_CHANGE, ability="can_replace")
async def a_change_that_is_refused_leaves_the_order_as_it_was(desk: Desk) -> None:
    order = await desk.take()
    await desk.act(Act.REJECT_CHANGE)
    error = await _tried(desk.replace(order, limit_price=2))
    if error is None:
        name = order.client_order_id
        await desk.until(lambda: desk.of(ChangeRejected, name), "the refusal is told")
    expect(error is None or isinstance(error, BrokerRejected), f"It raised {error!r}.")
    seen = await desk.rests(order)
    expect(seen is not None and seen.limit_price == order.limit_price, "It is not as it was.")
    expect(not desk.of(OrderCanceled, order.client_order_id), "It was told as canceled.")


@CASES.case(Act.LOSE_REPLACE_ANSWER, ability="can_replace")
async def a_change_whose_answer_was_lost_is_found(desk: Desk) -> None:
    order = await desk.take()
    await desk.act(Act.LOSE_REPLACE_ANSWER)
    error = await _tried(desk.replace(order, limit_price=2))
    expect(not isinstance(error, BrokerRejected), f"It counts as refused: {error}")
    found = await desk.broker.find(order.client_order_id)
    expect(found is not None and found.limit_price == 2, f"It is {found}.")


@CASES.case(real=True, ability="can_replace")
async def a_change_is_no_acceptance_of_another_order(desk: Desk) -> None:
    order = await desk.take()
    before = len(desk.of(OrderAccepted))
    await _replaced(desk, order, limit_price=2)
    names = {one.client_order_id for one in desk.of(OrderAccepted)[before:]}
    expect(names <= {order.client_order_id}, f"Accepted were {names}.")
