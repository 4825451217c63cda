"""Cases: a lost answer is not a no, and what was refused at the door was not sent."""

from typing import Final

from app.certification.case import Cases
from app.certification.desk import Desk, expect
from app.certification.venue import Act
from app.core.errors import BrokerRejected, BrokerUnavailable
from app.domain.events import OrderAccepted
from app.domain.orders import Order

CASES: Final = Cases("doubt")


async def _failed(desk: Desk, order: Order) -> Exception | None:
    """What a submit raised."""
    try:
        await desk.submit(order)
    except Exception as error:  # noqa: BLE001 - the cases judge it
        return error
    return None


def _is_ambiguous(error: Exception | None) -> bool:
    return error is not None and not isinstance(error, BrokerRejected | BrokerUnavailable)


@CASES.case(Act.LOSE_SUBMIT_ANSWER)
async def a_lost_answer_is_neither_yes_nor_no_and_the_order_is_found(desk: Desk) -> None:
    await desk.act(Act.LOSE_SUBMIT_ANSWER)
    order = desk.order()
    error = await _failed(desk, order)
    expect(error is None or _is_ambiguous(error), f"It counts as settled: {error!r}")
    found = await desk.broker.find(order.client_order_id)
    expect(found is not None, "The order rests there, and is not found.")


@CASES.case(Act.LOSE_SUBMIT_ANSWER)
async def an_order_whose_answer_was_lost_is_there_once_when_sent_again(desk: Desk) -> None:
    await desk.act(Act.LOSE_SUBMIT_ANSWER)
    order = desk.order()
    await _failed(desk, order)
    await desk.refused(order)
    expect(await desk.rests(order) is not None, "It is not in the book.")


@CASES.case(Act.LOSE_SUBMIT)
async def a_lost_order_is_in_doubt_and_then_not_found(desk: Desk) -> None:
    await desk.act(Act.LOSE_SUBMIT)
    order = desk.order()
    error = await _failed(desk, order)
    expect(_is_ambiguous(error), f"It counts as settled: {error!r}")
    expect(await desk.broker.find(order.client_order_id) is None, "It is found.")


@CASES.case(Act.FAIL_TAKEN)
async def an_error_of_the_server_is_not_a_no(desk: Desk) -> None:
    await desk.act(Act.FAIL_TAKEN)
    order = desk.order()
    error = await _failed(desk, order)
    expect(_is_ambiguous(error), f"It counts as settled: {error!r}")
    expect(await desk.broker.find(order.client_order_id) is not None, "It is not found.")


@CASES.case(Act.FAIL)
async def an_error_of_the_server_is_not_tried_again_by_itself(desk: Desk) -> None:
    await desk.act(Act.FAIL)
    order = desk.order()
    error = await _failed(desk, order)
    expect(_is_ambiguous(error), f"It counts as settled: {error!r}")
    expect(await desk.rests(order) is None, "It was sent again.")


@CASES.case(Act.THROTTLE)
async def an_order_that_was_too_many_was_not_sent(desk: Desk) -> None:
    await desk.act(Act.THROTTLE)
    order = desk.order()
    error = await _failed(desk, order)
    expect(isinstance(error, BrokerUnavailable), f"It raised {error!r}.")
    expect(await desk.broker.find(order.client_order_id) is None, "It was sent.")


@CASES.case(Act.EXPIRE_KEY)
async def an_expired_key_is_no_answer_to_an_order(desk: Desk) -> None:
    await desk.act(Act.EXPIRE_KEY)
    error = await _failed(desk, desk.order())
    expect(isinstance(error, BrokerUnavailable), f"It raised {error!r}.")


@CASES.case(Act.AWAY, Act.BACK)
async def while_the_broker_is_away_nothing_is_sent(desk: Desk) -> None:
    await desk.act(Act.AWAY)
    await desk.until(lambda: not desk.venue.is_up, "the link is told as down")
    order = desk.order()
    error = await _failed(desk, order)
    expect(isinstance(error, BrokerUnavailable), f"It raised {error!r}.")
    await desk.act(Act.BACK)
    await desk.until(lambda: desk.venue.is_up, "the link is up again")
    expect(await desk.broker.find(order.client_order_id) is None, "It was sent later.")


@CASES.case(Act.AWAY)
async def while_the_broker_is_away_its_book_is_not_empty_but_unknown(desk: Desk) -> None:
    await desk.act(Act.AWAY)
    await desk.until(lambda: not desk.venue.is_up, "the link is told as down")
    try:
        book = await desk.book()
    except Exception:  # noqa: BLE001 - any error is right, an answer is not
        return
    raise AssertionError(f"The book was answered: {len(book.open_orders)} open orders.")


@CASES.case(Act.AWAY)
async def while_the_broker_is_away_an_order_is_not_missing_but_unknown(desk: Desk) -> None:
    order = await desk.take()
    await desk.act(Act.AWAY)
    await desk.until(lambda: not desk.venue.is_up, "the link is told as down")
    try:
        found = await desk.broker.find(order.client_order_id)
    except Exception:  # noqa: BLE001 - any error is right, an answer is not
        return
    expect(found is not None, "It was said not to be there.")


@CASES.case()
async def an_order_that_nobody_made_is_not_found(desk: Desk) -> None:
    expect(await desk.broker.find(f"{desk.venue.account_id}-nobody-e1") is None, "It is found.")


@CASES.case()
async def an_open_order_is_found_by_its_id(desk: Desk) -> None:
    order = await desk.take()
    found = await desk.broker.find(order.client_order_id)
    expect(found is not None, "It is not found.")
    expect(found is not None and found.client_order_id == order.client_order_id, "Its id differs.")
    expect(found is not None and found.quantity == order.quantity, "Its quantity differs.")


@CASES.case(real=True)
async def a_canceled_order_is_found_by_its_id(desk: Desk) -> None:
    order = await desk.take()
    await desk.cancel(order.client_order_id)
    await desk.canceled(order)
    found = await desk.broker.find(order.client_order_id)
    expect(found is not None and found.status.value == "canceled", f"It is {found}.")


@CASES.case(Act.PRINT, real=True)
async def a_filled_order_is_found_by_its_id(desk: Desk) -> None:
    order = await desk.buy()
    found = await desk.broker.find(order.client_order_id)
    expect(found is not None and found.status.value == "filled", f"It is {found}.")
    expect(found is not None and found.filled_quantity == order.quantity, "Not all is filled.")


@CASES.case(Act.DROP, real=True)
async def an_order_in_flight_when_the_connection_breaks_is_there_or_not_but_once(
    desk: Desk,
) -> None:
    order = desk.order()
    began = desk.relinked()
    await desk.submit(order)
    await desk.act(Act.DROP)
    await began
    expect(await desk.rests(order) is not None, "It is gone.")
    expect(desk.of(OrderAccepted, order.client_order_id), "It was never told as accepted.")
