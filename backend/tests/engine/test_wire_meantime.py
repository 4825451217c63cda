"""What the wire makes of what happens while it waits: time, other people, newer decisions."""

import asyncio

import msgspec

from app.domain.events import (
    ClockTicked,
    CommandReceived,
    OrderApproved,
    OrderCanceled,
    OrderFilled,
    OrderSeen,
    OrderUnknown,
    SliceClosed,
)
from app.domain.orders import OrderChange, PendingChange
from app.engine.state import Act
from app.engine.wire import Pace
from tests.floor import Floor
from tests.scripted import D, S, replace_by_hand, resting, scripted
from tests.trading import MINUTE
from tests.venue import broker_order, execution_of

# ------------------------------------------------------------------------------------ clock


async def test_an_accepted_order_that_times_out_is_cancelled_at_the_broker() -> None:
    async with Floor() as floor:
        await floor.minute(100)
        identity = await floor.buy(10)
        await floor.becomes(identity, "accepted")
        await floor.driver.tick(floor.now + 6 * MINUTE)
        await floor.becomes(identity, "canceled")
        assert floor.of(ClockTicked)
        assert floor.venue.exchange.tickets[0].state == "canceled"


async def test_a_wire_without_orders_rests() -> None:
    async with Floor() as floor:
        await floor.settled()
        await floor.minute(100)
        assert floor.of(SliceClosed)
        assert floor.wire.is_idle


# ------------------------------------------------------------------------- orders of others


async def test_fills_told_before_an_order_is_taken_over_count_once() -> None:
    """The fills came as news; then the books, read before the last of them, show the order."""
    async with Floor() as floor:
        ticket = floor.venue.by_hand("buy", 10, limit=100)
        floor.venue.print("AAPL", 99, 9)
        await floor.until(lambda: floor.held(ledger="external") == 9)
        seen = msgspec.structs.replace(broker_order(ticket), filled_quantity=D(8))
        await floor.do(OrderSeen(order=seen, ledger="external", at=floor.now))
        order = floor.order_of(seen.identity)
        assert (order.quantity, order.filled_quantity) == (1, 0)
        for fill in floor.venue.exchange.fills:
            await floor.do(OrderFilled(execution=execution_of(fill)))
        assert floor.held(ledger="external") == 9 == floor.there()
        floor.venue.print("AAPL", 99)
        await floor.becomes(seen.identity, "filled")
        assert floor.held(ledger="external") == 10


async def test_an_order_of_others_that_was_filled_meanwhile_is_not_taken_over() -> None:
    async with Floor() as floor:
        ticket = floor.venue.by_hand("buy", 10, limit=100)
        seen = broker_order(ticket)
        floor.venue.print("AAPL", 99)
        await floor.until(lambda: floor.held(ledger="external") == 10)
        await floor.do(OrderSeen(order=seen, ledger="external", at=floor.now))
        assert not floor.engine.open_orders


async def test_an_order_that_is_canceled_and_changed_at_once_is_canceled() -> None:
    async with Floor() as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "accepted")
        before, desk = floor.order_of(identity), floor.engine.desk
        async with floor.driver.lock:
            desk.cancel(before, "gone", floor.now)
            change = OrderChange(quantity=D(4), limit_price=D(90))
            assert not desk.replace(before, change, "smaller", floor.now)
            await floor.driver.learn(())
        await floor.becomes(identity, "canceled")
        assert floor.asked("replace") == []


async def test_a_request_that_hangs_too_long_is_given_up_for_good() -> None:
    pace = Pace(answer=0.01, change=0.01, again=0.01, longest=0.02, abandon=0.03)
    async with scripted(pace=pace) as floor:
        await floor.minute(100)
        floor.broker.hang["submit"] = asyncio.Event()
        identity = await floor.buy(10)
        await floor.until(lambda: len(floor.of(OrderUnknown)) == 2)
        await floor.settled()
        floor.broker.hang["submit"].set()
        await floor.settled()
        assert floor.status(identity) is S.UNKNOWN
        assert not floor.venue.exchange.tickets


# --------------------------------------------------------- what is decided in the meantime


async def test_what_is_over_when_its_turn_comes_is_left_alone() -> None:
    """Each request looks again at the order once it holds the lock."""
    async with scripted() as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "accepted")
        async with floor.driver.lock:
            order, desk = floor.order_of(identity), floor.engine.desk
            change = OrderChange(quantity=D(4), limit_price=D(90))
            desk.replace(order, change, "smaller", floor.now)
            floor.wire.wake()
            await floor.until(lambda: ("replace", identity) in floor.wire._tasks)
            desk.cancel(order, "gone", floor.now)
            floor.wire.wake()
            await floor.until(lambda: ("cancel", identity) in floor.wire._tasks)
            gone = OrderCanceled(client_order_id=identity, reason="x", at=floor.now)
            await floor.driver.learn((gone,))
        await floor.settled()
        assert floor.asked("replace") == floor.asked("cancel") == []


async def test_an_order_that_is_canceled_while_its_submission_waits_is_not_sent() -> None:
    async with scripted() as floor:
        await floor.minute(100)
        for is_over in (False, True):
            await floor.driver.lock.acquire()
            try:
                number = len(floor.of(OrderApproved))
                await floor.driver._step(_place(floor))
                order = floor.of(OrderApproved)[number].order
                key = ("submit", order.client_order_id)
                await floor.until(lambda wanted=key: wanted in floor.wire._tasks)
                floor.engine.desk.cancel(order, "gone", floor.now)
                if is_over:
                    gone = OrderCanceled(
                        client_order_id=order.client_order_id, reason="x", at=floor.now
                    )
                    await floor.driver.learn((gone,))
            finally:
                floor.driver.lock.release()
            await floor.becomes(order.client_order_id, "canceled")
        await floor.settled()
        assert floor.asked("submit") == []


def _place(floor: Floor) -> CommandReceived:
    floor.commands += 1
    payload = {"symbol": "AAPL", "side": "buy", "quantity": "1"}
    return CommandReceived(
        command_id=floor.commands, kind="order_place", payload=payload, actor="anna", at=floor.now
    )


async def test_an_account_that_may_not_be_ours_any_more_sends_and_changes_nothing() -> None:
    lost: list[str] = []
    async with Floor(fence=lambda: lost[0] if lost else None) as floor:
        await floor.minute(100)
        first = await floor.buy(10, **resting())
        await floor.becomes(first, "accepted")
        lost.append("the lease may have run out")
        second = await floor.buy(10, **resting())
        await replace_by_hand(floor, first, quantity=4)
        await floor.settled()
        assert floor.status(second) is S.APPROVED
        assert floor.asked("replace") == []
        lost.clear()
        await floor.becomes(second, "accepted")
        await floor.until(lambda: floor.order_of(first).quantity == 4)


async def test_doubts_about_an_order_that_was_answered_change_nothing() -> None:
    async with Floor() as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "accepted")
        await floor.wire._unanswered(identity)
        await floor.wire._unanswered("nobody")
        async with floor.driver.lock:
            await floor.wire._unsent(identity, "?")
        assert floor.status(identity) is S.ACCEPTED


async def test_an_alarm_that_nobody_listens_to_is_no_harm() -> None:
    floor = Floor()
    floor.driver._alarm = None
    await floor.driver.alarm("title", "detail")


async def test_a_cancel_that_nobody_wants_any_more_is_not_possible() -> None:
    async with scripted() as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "accepted")
        order = floor.order_of(identity)
        assert order.pending is PendingChange.NONE
        assert not floor.wire._is_possible(Act("cancel", identity), order)
