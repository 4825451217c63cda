"""Cases: the book is whole, and the link says when it must be read."""

from datetime import date, timedelta
from typing import Final

from app.certification.case import Cases
from app.certification.desk import Desk, expect
from app.certification.venue import Act
from app.core.errors import BrokerUnavailable
from app.domain.events import OrderFilled, SessionClosed
from app.domain.market import SliceOpened
from app.domain.orders import OrderStatus
from app.domain.ports import BrokerLink

CASES: Final = Cases("books")


@CASES.case(Act.PRINT)
async def an_account_without_anything_has_an_empty_book(desk: Desk) -> None:
    book = await desk.book()
    expect(not book.open_orders and not book.executions, "There is something in it.")
    expect(not any((book.positions or {}).values()), "Something is held.")


@CASES.case()
async def every_open_order_is_in_the_book(desk: Desk) -> None:
    orders = [await desk.take() for _ in range(5)]
    names = {one.client_order_id for one in (await desk.book()).open_orders}
    missing = [one.client_order_id for one in orders if one.client_order_id not in names]
    expect(not missing, f"Missing: {missing}")


@CASES.case(real=True)
async def a_canceled_order_is_among_the_closed_ones(desk: Desk) -> None:
    order = await desk.take()
    await desk.cancel(order.client_order_id)
    await desk.canceled(order)
    seen = await desk.ended(order)
    expect(seen is not None, "It is not there.")
    expect(seen is not None and seen.status is OrderStatus.CANCELED, f"It is {seen}.")


@CASES.case(Act.PRINT, real=True)
async def a_filled_order_is_among_the_closed_ones_with_its_quantity(desk: Desk) -> None:
    order = await desk.buy()
    seen = await desk.ended(order)
    expect(seen is not None and seen.status is OrderStatus.FILLED, f"It is {seen}.")
    expect(seen is not None and seen.filled_quantity == order.quantity, f"It is {seen}.")


@CASES.case(Act.PRINT, real=True)
async def a_position_is_in_the_book_with_what_was_paid(desk: Desk) -> None:
    order = await desk.buy(price=100)
    book = await desk.book()
    expect((book.positions or {}).get(order.symbol) == 10, f"It holds {book.positions}.")
    expect(book.average_prices.get(order.symbol) == 100, f"It cost {book.average_prices}.")


@CASES.case(Act.PRINT)
async def fills_before_an_instant_are_left_out(desk: Desk) -> None:
    (fill,) = desk.fills((await desk.buy()).client_order_id)
    later = await desk.broker.book(fill.at + timedelta(hours=1))
    expect(not later.executions, "An older fill was listed.")
    before = await desk.broker.book(fill.at - timedelta(hours=1))
    expect([e.execution_id for e in before.executions] == [fill.execution_id], "It lacks the fill.")


@CASES.case(Act.PRINT)
async def fills_of_several_orders_are_all_in_the_book(desk: Desk) -> None:
    orders = [await desk.buy(quantity=2) for _ in range(4)]
    names = [one.client_order_id for one in (await desk.book()).executions]
    expect(sorted(names) == sorted(o.client_order_id for o in orders), f"The book has {names}.")


@CASES.case(real=True)
async def the_first_news_is_about_the_link(desk: Desk) -> None:
    expect(desk.venue.heard and isinstance(desk.venue.heard[0], BrokerLink), "It is not.")


@CASES.case(Act.DROP)
async def a_broken_connection_is_told_with_a_reason_and_made_again(desk: Desk) -> None:
    began = desk.relinked()
    await desk.act(Act.DROP)
    await began
    down = next(one for one in desk.venue.links if not one.is_up)
    expect(len(down.reason) > 5, f"The reason is {down.reason!r}.")


@CASES.case(Act.AWAY, Act.BACK, Act.PRINT)
async def fills_that_were_missed_are_told_or_in_the_book(desk: Desk) -> None:
    order = await desk.take(limit_price=100)
    await desk.act(Act.AWAY)
    await desk.until(lambda: not desk.venue.is_up, "the link is told as down")
    await desk.print(99)
    await desk.act(Act.BACK)
    await desk.until(lambda: desk.venue.is_up, "the link is up again")
    book = await desk.book()
    found = [e for e in book.executions if e.client_order_id == order.client_order_id]
    expect(sum(one.quantity for one in found) == 10, f"The book has {found}.")
    told = {one.execution_id for one in desk.fills(order.client_order_id)}
    expect(told <= {one.execution_id for one in found}, "Told with another identity.")


@CASES.case(Act.AWAY, Act.BACK, Act.CANCEL_BY_HAND)
async def a_cancel_that_was_missed_is_told_or_in_the_book(desk: Desk) -> None:
    order = await desk.take()
    await desk.act(Act.AWAY)
    await desk.until(lambda: not desk.venue.is_up, "the link is told as down")
    await desk.act(Act.CANCEL_BY_HAND, identity=order.client_order_id)
    await desk.act(Act.BACK)
    await desk.until(lambda: desk.venue.is_up, "the link is up again")
    expect(await desk.rests(order) is None, "It rests.")
    expect(await desk.ended(order) is not None, "Nobody says what became of it.")


@CASES.case(Act.DROP)
async def open_orders_outlive_the_connection(desk: Desk) -> None:
    order = await desk.take()
    began = desk.relinked()
    await desk.act(Act.DROP)
    await began
    expect(await desk.rests(order) is not None, "It is gone.")
    await desk.cancel(order.client_order_id)
    await desk.canceled(order)


@CASES.case(Act.DROP)
async def orders_are_taken_after_the_connection_was_made_again(desk: Desk) -> None:
    began = desk.relinked()
    await desk.act(Act.DROP)
    await began
    await desk.take()


@CASES.case(Act.DROP, Act.PRINT)
async def fills_before_and_after_a_break_count_once_each(desk: Desk) -> None:
    order = await desk.take(limit_price=100)
    await desk.print(99, 4)
    await desk.filled(order, 4)
    began = desk.relinked()
    await desk.act(Act.DROP)
    await began
    await desk.print(99, 6)
    await desk.filled(order)
    book = (await desk.book()).executions
    expect(sum(one.quantity for one in book) == 10, f"The book has {book}.")
    ids = {one.execution.execution_id for one in desk.of(OrderFilled)}
    expect(ids == {one.execution_id for one in book}, "Stream and book differ.")


@CASES.case(Act.MUTE)
async def a_broker_that_falls_silent_is_noticed(desk: Desk) -> None:
    await desk.act(Act.MUTE, on=True)
    await desk.until(lambda: not desk.venue.is_up, "the link is told as down")
    await desk.act(Act.MUTE, on=False)
    await desk.until(lambda: desk.venue.is_up, "the link is up again")
    await desk.take()


@CASES.case(Act.EXPIRE_KEY, Act.DROP)
async def a_key_that_expired_keeps_the_link_down_and_says_so(desk: Desk) -> None:
    await desk.act(Act.EXPIRE_KEY)
    await desk.act(Act.DROP)
    await desk.until(lambda: not desk.venue.is_up, "the link is told as down")
    await desk.until(
        lambda: any("key" in one.reason.lower() for one in desk.venue.links), "the key is named"
    )


@CASES.case(real=True)
async def a_closed_connection_sends_nothing_and_leaves_orders(desk: Desk) -> None:
    order = await desk.take()
    await desk.venue.leave()
    later = desk.order()
    try:
        await desk.submit(later)
    except BrokerUnavailable:
        pass
    else:
        raise AssertionError("An order was sent.")
    finally:
        await desk.venue.rejoin()
    expect(await desk.rests(order) is not None, "Closing ended an order.")
    expect(await desk.rests(later) is None, "The later one rests.")


@CASES.case(real=True)
async def closing_twice_does_no_harm(desk: Desk) -> None:
    await desk.broker.close()
    await desk.broker.close()
    await desk.venue.rejoin()


@CASES.case()
async def a_broker_says_what_it_is(desk: Desk) -> None:
    broker = desk.broker
    expect(broker.name and isinstance(broker.is_simulated, bool), "It has no name.")
    expect(broker.abilities.types and broker.abilities.times_in_force, "It claims nothing.")


@CASES.case(real=True)
async def only_a_simulated_broker_watches_the_market(desk: Desk) -> None:
    opened = SliceOpened(desk.now, date(2026, 3, 4), {desk.venue.symbol: 100.0})
    expect(not list(desk.broker.observe(opened)), "It reported something.")
    closed = SessionClosed(session=date(2026, 3, 4), at=desk.now)
    expect(not list(desk.broker.observe(closed)), "It reported something.")
