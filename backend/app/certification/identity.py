"""Cases: an order has one identity, at the broker and here, and is never there twice."""

from contextlib import suppress
from typing import Final

from app.certification.case import Cases
from app.certification.desk import Desk, expect
from app.certification.venue import Act
from app.core.errors import BrokerRejected, BrokerUnavailable
from app.domain.events import OrderAccepted, OrderReplaced
from app.domain.orders import OrderStatus, foreign_id

CASES: Final = Cases("identity")
BURST: Final = 60


@CASES.case()
async def an_order_is_accepted_with_an_id_of_the_broker(desk: Desk) -> None:
    order = await desk.take()
    (accepted,) = {one.broker_order_id for one in desk.of(OrderAccepted, order.client_order_id)}
    seen = await desk.rests(order)
    expect(seen is not None, "It is not in the book.")
    expect(accepted and seen is not None and seen.broker_order_id == accepted, "Its id differs.")


@CASES.case()
async def the_same_id_sent_again_is_the_same_order(desk: Desk) -> None:
    order = await desk.take()
    no = await desk.refused(order)
    expect(no is None, f"An order that rests would count as refused: {no}")
    expect(await desk.rests(order) is not None, "It is gone.")


@CASES.case()
async def the_id_of_a_canceled_order_is_never_placed_again(desk: Desk) -> None:
    order = await desk.take()
    await desk.cancel(order.client_order_id)
    await desk.canceled(order)
    await desk.refused(order)
    expect(await desk.rests(order) is None, "It rests again.")


@CASES.case(Act.PRINT)
async def the_id_of_a_filled_order_is_never_placed_again(desk: Desk) -> None:
    order = await desk.buy()
    await desk.refused(order)
    await desk.print(100)
    expect(await desk.rests(order) is None, "It rests again.")
    expect(desk.quantity(order.client_order_id) == order.quantity, "It was filled again.")


@CASES.case(real=True)
async def an_id_that_is_too_long_is_refused_and_not_cut(desk: Desk) -> None:
    order = desk.order(client_order_id=f"{desk.venue.account_id}-{'x' * 200}")
    expect(await desk.refused(order) is not None, "It was taken.")
    made = [one.client_order_id or "" for one in (await desk.book()).open_orders]
    expect(not any("xxx" in name for name in made), "It was cut and placed.")


@CASES.case()
async def orders_are_told_apart_by_their_ids(desk: Desk) -> None:
    one, two = await desk.take(), await desk.take()
    await desk.cancel(one.client_order_id)
    await desk.canceled(one)
    expect(await desk.rests(one) is None, "The one that was canceled rests.")
    expect(await desk.rests(two) is not None, "The other one is gone.")


@CASES.case()
async def two_orders_with_equal_terms_are_two_orders(desk: Desk) -> None:
    orders = [await desk.take() for _ in range(3)]
    ids = {seen.broker_order_id for o in orders if (seen := await desk.rests(o)) is not None}
    expect(len(ids) == len(orders), f"{len(ids)} of them are in the book.")


@CASES.case(Act.PRINT)
async def a_burst_is_taken_whole_or_refused_at_the_door(desk: Desk) -> None:
    taken = []
    for _ in range(BURST):
        order = desk.order()
        with suppress(BrokerUnavailable):
            await desk.submit(order)
            taken.append(order.client_order_id)
    expect(taken, "None was taken.")
    seen = sorted(one.client_order_id or "" for one in (await desk.book()).open_orders)
    expect(seen == sorted(taken), f"{len(taken)} were taken, and {len(seen)} are in the book.")


@CASES.case(Act.BY_HAND)
async def an_order_made_by_hand_is_in_the_book_without_an_id_of_ours(desk: Desk) -> None:
    seen = await desk.taken_by_hand(side="buy", quantity=5, limit=2)
    expect(seen.identity == foreign_id(seen.broker_order_id), f"It is called {seen.identity}.")
    expect(seen.quantity == 5 and seen.limit_price == 2, f"It differs: {seen}")


@CASES.case(Act.BY_HAND, Act.PRINT)
async def a_fill_of_an_order_made_by_hand_has_the_name_of_that_order(desk: Desk) -> None:
    seen = await desk.taken_by_hand(side="buy", quantity=5, limit=2)
    await desk.print(1.5)
    found = [one for one in (await desk.book()).executions if one.client_order_id == seen.identity]
    expect(sum(one.quantity for one in found) == 5, f"{len(found)} fills have its name.")


@CASES.case(Act.BY_HAND)
async def an_order_made_by_hand_is_found_by_the_name_that_we_gave_it(desk: Desk) -> None:
    seen = await desk.taken_by_hand(side="buy", quantity=5, limit=2)
    found = await desk.broker.find(seen.identity)
    expect(found is not None and found.identity == seen.identity, "It was not found.")


@CASES.case(Act.SECOND)
async def accounts_of_one_login_do_not_take_each_others_orders(desk: Desk) -> None:
    mine = await desk.take()
    other = Desk(await desk.act(Act.SECOND, account_id=2))
    theirs = await other.take()
    expect(await other.rests(mine) is None, "The second has the first's order as its own.")
    expect(await desk.rests(theirs) is None, "The first has the second's order as its own.")


@CASES.case(real=True)
async def another_process_knows_the_orders_of_the_one_before(desk: Desk) -> None:
    order = await desk.take()
    await desk.venue.rejoin()
    expect(await desk.rests(order) is not None, "It is not in the book.")
    found = await desk.broker.find(order.client_order_id)
    expect(found is not None and found.status is OrderStatus.ACCEPTED, "It is not found.")


@CASES.case(real=True)
async def another_process_cancels_an_order_of_the_one_before(desk: Desk) -> None:
    order = await desk.take()
    await desk.venue.rejoin()
    await desk.cancel(order.client_order_id)
    await desk.canceled(order)
    expect(await desk.rests(order) is None, "It rests all the same.")


@CASES.case(real=True, ability="can_replace")
async def another_process_changes_an_order_of_the_one_before(desk: Desk) -> None:
    order = await desk.take()
    await desk.venue.rejoin()
    await desk.book()  # as is owed after each `up`
    await desk.replace(order, limit_price=2)
    await desk.until(lambda: desk.of(OrderReplaced, order.client_order_id), "the change is told")
    seen = await desk.rests(order)
    expect(seen is not None and seen.limit_price == 2, "It is as before.")


@CASES.case(real=True)
async def another_process_never_places_an_order_of_the_one_before(desk: Desk) -> None:
    order = await desk.take()
    await desk.venue.rejoin()
    with suppress(BrokerRejected, BrokerUnavailable):
        await desk.submit(order)
    expect(await desk.rests(order) is not None, "It is gone.")


@CASES.case(Act.FORGET_IDS)
async def ids_that_the_broker_counts_anew_touch_no_older_order(desk: Desk) -> None:
    old = await desk.take(limit_price=3)
    began = desk.relinked()
    await desk.act(Act.FORGET_IDS)
    await began
    new = await desk.take(limit_price=2)
    seen = await desk.rests(old)
    expect(seen is not None and seen.limit_price == 3, "The older order was changed.")
    expect(await desk.rests(new) is not None, "The new order is not there.")
