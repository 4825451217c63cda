"""Replaces on the wire of a real broker, and orders that we hold ourselves."""

from collections.abc import Sequence
from datetime import datetime

import pytest

from app.core.errors import BrokerRejected, BrokerUnavailable
from app.domain.events import (
    BrokerReport,
    ChangeRejected,
    OrderReplaced,
)
from app.domain.orders import Order, OrderChange, OrderType, PendingChange
from app.domain.ports import BrokerAbilities
from tests.floor import Floor
from tests.scripted import D, replace_by_hand, resting, scripted
from tests.venue import VenueBroker

# ----------------------------------------------------------------------------------- replace


async def test_a_replace_changes_the_order_here_and_there() -> None:
    async with Floor() as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "accepted")
        await replace_by_hand(floor, identity, quantity=4, limit_price=95)
        await floor.until(lambda: floor.of(OrderReplaced))
        order, (ticket,) = floor.order_of(identity), floor.venue.exchange.tickets
        assert (order.quantity, order.limit_price) == (4, 95) == (ticket.quantity, ticket.limit)
        assert (order.pending, order.wanted) == (PendingChange.NONE, None)


@pytest.mark.parametrize("is_done", [True, False])
async def test_a_replace_without_an_answer_is_looked_up_before_it_is_asked_again(
    is_done: bool,
) -> None:
    async with Floor() as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "accepted")
        faults = floor.venue.faults
        faults.lose_answers, faults.lose_requests = int(is_done), int(not is_done)
        floor.hears = False
        await replace_by_hand(floor, identity, quantity=4)
        await floor.until(lambda: floor.of(OrderReplaced))
        assert floor.order_of(identity).quantity == 4 == floor.venue.exchange.tickets[0].quantity
        assert len(floor.asked("replace")) == (1 if is_done else 2)
        assert floor.asked("find") == [identity]


async def test_a_replace_that_was_not_sent_or_is_confirmed_later_is_asked_for_again() -> None:
    async with scripted() as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "accepted")
        floor.broker.errors["replace"] = [BrokerUnavailable("pacing", api_name="x")]
        await replace_by_hand(floor, identity, quantity=4)
        await floor.until(lambda: floor.of(OrderReplaced))
        assert floor.asked("find") == []
        later: list[str] = []

        async def yes_later(order: Order, at: datetime) -> Sequence[BrokerReport]:
            later.append(order.client_order_id)
            return ()

        floor.broker.replace = yes_later
        await replace_by_hand(floor, identity, quantity=3)
        await floor.until(lambda: len(later) >= 2)
        assert floor.asked("find")[:1] == [identity]


async def test_a_refused_replace_leaves_the_order_as_it_was() -> None:
    async with scripted() as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "accepted")
        floor.broker.errors["replace"] = [BrokerRejected("no", api_name="x")]
        await replace_by_hand(floor, identity, limit_price=95)
        await floor.until(lambda: floor.of(ChangeRejected))
        order = floor.order_of(identity)
        assert (order.limit_price, order.pending, order.wanted) == (90, PendingChange.NONE, None)


async def test_a_replace_passes_the_gate_too() -> None:
    shut: list[str] = []
    async with Floor(gate=lambda _: shut[0] if shut else None) as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "accepted")
        shut.append("trading is halted")
        await replace_by_hand(floor, identity, quantity=20)
        await floor.until(lambda: floor.of(ChangeRejected))
        assert floor.of(ChangeRejected)[0].reason == "trading is halted"
        assert floor.asked("replace") == []


async def test_a_replace_that_only_makes_it_less_passes_a_closed_gate() -> None:
    """It is a cancel of a part: a halt must not leave a stop that covers more than is held."""
    shut: list[str] = []
    async with Floor(gate=lambda _: shut[0] if shut else None) as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "accepted")
        shut.append("trading is halted")
        await replace_by_hand(floor, identity, quantity=4)
        await floor.until(lambda: floor.of(OrderReplaced))
        await replace_by_hand(floor, identity, quantity=3, limit_price=95)
        await floor.until(lambda: floor.of(ChangeRejected))
        assert len(floor.asked("replace")) == 1


async def test_a_replace_of_an_order_nobody_heard_of_waits() -> None:
    async with Floor() as floor:
        await floor.minute(100)
        floor.venue.faults.lose_answers = 1
        floor.hears = False
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "unknown")
        order = floor.order_of(identity)
        change = OrderChange(quantity=D(4), limit_price=D(90))
        assert floor.engine.desk.replace(order, change, "smaller", floor.now)
        await floor.settled()
        assert floor.asked("replace") == []
        await floor.reconcile()
        await floor.until(lambda: floor.asked("replace"))


async def test_a_cancel_gives_up_a_replace_that_waits() -> None:
    async with Floor() as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "accepted")
        floor.venue.disconnect()
        await floor.until(lambda: not floor.wire.is_up)
        await replace_by_hand(floor, identity, quantity=4)
        await floor.ask("order_cancel", client_order_id=identity)
        floor.venue.connect()
        await floor.becomes(identity, "canceled")
        assert floor.asked("replace") == []


async def test_a_fill_that_beats_a_replace_counts() -> None:
    async with Floor() as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "accepted")
        floor.venue.print("AAPL", 89, 6)
        await floor.becomes(identity, "partially_filled")
        order = floor.order_of(identity)
        change = OrderChange(quantity=D(6), limit_price=D(90))
        async with floor.driver.lock:
            assert floor.engine.desk.replace(order, change, "enough", floor.now)
            await floor.driver.learn(())
        await floor.becomes(identity, "filled")
        assert floor.held(ledger="manual") == 6 == floor.there()


# ------------------------------------------------------------------------------ held here


class Plain(VenueBroker):
    """A broker that knows neither groups nor stops: we hold them."""

    abilities = BrokerAbilities(types=frozenset({OrderType.MARKET, OrderType.LIMIT}))


async def test_orders_that_we_hold_are_changed_and_canceled_without_the_broker() -> None:
    floor = Floor()
    floor.broker = floor.driver.broker = Plain(floor.venue)
    floor.engine.desk.abilities = Plain.abilities
    async with floor:
        await floor.minute(100)
        identity = await floor.buy(10, type="stop", stop_price=120, time_in_force="gtc")
        assert floor.order_of(identity).is_held
        floor.venue.disconnect()
        await floor.until(lambda: not floor.wire.is_up)
        await replace_by_hand(floor, identity, quantity=4)
        await floor.until(lambda: floor.order_of(identity).quantity == 4)
        await floor.ask("order_cancel", client_order_id=identity)
        await floor.becomes(identity, "canceled")
        assert floor.venue.requests == []
