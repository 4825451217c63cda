"""What the broker says of changes: replaced, refused, taken over; and orders that never left us."""

from decimal import Decimal
from typing import Any

import pytest

from app.domain.events import (
    CancelRequested,
    ChangeRejected,
    OrderAccepted,
    OrderApproved,
    OrderCanceled,
    OrderFilled,
    OrderReplaced,
    OrderSeen,
    OrderUnknown,
)
from app.domain.orders import (
    BrokerOrder,
    Leg,
    OrderChange,
    OrderStatus,
    OrderType,
    PendingChange,
    Side,
    foreign_id,
    steps,
)
from tests.trading import OPEN, SilentBroker, World, make_execution, make_order

D = Decimal
S = OrderStatus
ID = "1-d1-AAPL-20240301T143100-e1"


@pytest.fixture
def world() -> World:
    """An accepted order for 90 AAPL of a deployment."""
    world = World(broker=SilentBroker())
    world.deploy()
    world.bar(110)
    world.step(OrderAccepted(client_order_id=ID, broker_order_id="b1", at=OPEN))
    return world


def order(world: World, identity: str = ID) -> Any:
    return world.engine.book.records[identity].order


def ask(world: World, quantity: int) -> bool:
    change = OrderChange(quantity=D(quantity))
    done = world.engine.desk.replace(order(world), change, "test", OPEN)
    world.engine.desk.taken()
    return done


def replaced(quantity: int, identity: str = ID) -> OrderReplaced:
    return OrderReplaced(
        client_order_id=identity, broker_order_id="b2", quantity=D(quantity), at=OPEN
    )


def refused(change: Any, identity: str = ID) -> ChangeRejected:
    return ChangeRejected(client_order_id=identity, change=change, reason="no", at=OPEN)


def test_an_order_stays_what_it_is_until_the_broker_says_yes(world: World) -> None:
    assert ask(world, 120)
    assert (order(world).quantity, order(world).pending) == (90, PendingChange.REPLACE)
    assert order(world).most_remaining == 120
    world.step(replaced(120))
    assert (order(world).quantity, order(world).pending) == (120, PendingChange.NONE)
    assert (order(world).wanted, order(world).broker_order_id) == (None, "b2")


def test_one_change_at_a_time_and_none_that_changes_nothing(world: World) -> None:
    assert ask(world, 90)
    assert order(world).pending is PendingChange.NONE
    assert ask(world, 60)
    assert not ask(world, 50)
    assert order(world).most_remaining == 90


def test_a_quantity_that_is_filled_already_ends_the_order(world: World) -> None:
    fill = make_execution(60, 110, client_order_id=ID)
    world.step(_filled(fill))
    world.step(replaced(60))
    assert order(world).status is S.FILLED


def test_a_replaced_order_is_one_that_the_broker_has(world: World) -> None:
    world.step(OrderUnknown(client_order_id=ID, reason="?", at=OPEN))
    assert order(world).status is S.ACCEPTED
    other = World(broker=SilentBroker(TimeoutError()))
    other.deploy()
    other.bar(110)
    assert order(other).status is S.UNKNOWN
    other.step(replaced(60))
    assert (order(other).status, order(other).quantity) == (S.ACCEPTED, 60)


def test_answers_to_what_is_over_or_unheard_of_change_nothing(world: World) -> None:
    before = world.engine.state()
    world.step(replaced(1, "z"))
    world.step(refused("cancel", "z"))
    assert world.engine.state() == before


def test_a_replace_that_is_refused_during_a_cancel_leaves_the_cancel(world: World) -> None:
    ask(world, 60)
    world.command("order_cancel", client_order_id=ID)
    world.step(refused("replace"))
    assert order(world).pending is PendingChange.CANCEL
    world.step(replaced(50))
    assert (order(world).pending, order(world).quantity) == (PendingChange.CANCEL, 50)


def test_a_change_while_the_target_waits_goes_on_with_it(world: World) -> None:
    world.bar(90)
    assert world.engine.desk.standings["d1", "AAPL"].waits
    world.step(replaced(50))
    assert order(world).pending is PendingChange.CANCEL


def _filled(execution: Any) -> Any:
    return OrderFilled(execution=execution)


# --------------------------------------------------------------------------- taken over


def seen(**given: Any) -> OrderSeen:
    fields: dict[str, Any] = {
        "broker_order_id": "b9",
        "client_order_id": None,
        "symbol": "AAPL",
        "side": Side.BUY,
        "quantity": D(10),
        "status": S.ACCEPTED,
    }
    return OrderSeen(order=BrokerOrder(**{**fields, **given}), ledger="external", at=OPEN)


def test_an_order_of_somebody_else_counts_and_never_times_out(world: World) -> None:
    world.step(seen(filled_quantity=D(4)))
    one = order(world, foreign_id("b9"))
    assert (one.ledger, one.quantity, one.leg, one.status) == ("external", 6, Leg.ENTRY, S.ACCEPTED)
    assert world.engine.book.pending("AAPL") == (96, 0)
    world.step(OrderCanceled(client_order_id=ID, reason="x", at=OPEN))
    assert world.engine.deadline is None


def test_an_order_that_is_seen_again_or_is_ours_is_no_new_one(world: World) -> None:
    world.step(seen())
    world.step(seen())
    world.step(seen(client_order_id=ID, broker_order_id="b7"))
    assert len(world.engine.open_orders) == 2
    assert order(world).broker_order_id == "b1"


def test_a_seen_order_of_ours_was_accepted() -> None:
    world = World(broker=SilentBroker(TimeoutError()))
    world.deploy()
    world.bar(110)
    world.step(seen(client_order_id=ID, broker_order_id="b7"))
    assert (order(world).status, order(world).broker_order_id) == (S.ACCEPTED, "b7")


def test_an_order_with_nothing_left_is_not_taken_over(world: World) -> None:
    world.step(seen(filled_quantity=D(10)))
    assert foreign_id("b9") not in world.engine.book.records


@pytest.mark.parametrize(("state", "gone"), [("trading_halt", True), ("trading_reduce", True)])
def test_what_a_halt_would_have_cancelled_is_cancelled_when_it_is_seen(
    world: World, state: str, gone: bool
) -> None:
    world.command(state)
    world.step(seen())
    asked = [one.client_order_id for one in world.of(CancelRequested)]
    assert (foreign_id("b9") in asked) is gone


def test_what_reduces_is_not_cancelled_by_a_reduce(world: World) -> None:
    fill = make_execution(10, 110, client_order_id="z", ledger="external")
    world.step(_filled(fill))
    world.command("trading_reduce")
    world.step(seen(side=Side.SELL))
    assert order(world, foreign_id("b9")).pending is PendingChange.NONE


@pytest.mark.parametrize(
    ("given", "type_"),
    [
        ({"type": OrderType.LIMIT, "limit_price": D(90)}, OrderType.LIMIT),
        ({"type": OrderType.LIMIT}, OrderType.MARKET),
        ({"type": OrderType.TRAILING_STOP, "trail": D(2)}, OrderType.TRAILING_STOP),
        ({"type": OrderType.MARKET, "limit_price": D(90)}, OrderType.MARKET),
    ],
)
def test_a_seen_order_has_the_prices_of_its_type(given: Any, type_: OrderType) -> None:
    one = seen(**given).order.adopted("external", D(0), OPEN)
    assert one.type is type_
    assert (one.limit_price is not None) == (type_ is OrderType.LIMIT)
    assert one.change == OrderChange(quantity=D(10), limit_price=one.limit_price, trail=one.trail)


# ------------------------------------------------------------------------- never left us


def unsent(identity: str) -> OrderCanceled:
    return OrderCanceled(client_order_id=identity, reason="not sent", at=OPEN, is_unsent=True)


def test_protection_that_was_not_sent_is_made_again() -> None:
    world = World(broker=SilentBroker())
    world.deploy(stop=0.05)
    world.bar(110)
    world.step(_filled(make_execution(90, 110, client_order_id=ID)))
    (leg,) = world.engine.open_orders
    assert leg.leg is Leg.STOP_LOSS
    world.step(unsent(leg.client_order_id))
    (again,) = world.engine.open_orders
    assert again.leg is Leg.STOP_LOSS
    assert again.client_order_id != leg.client_order_id


def test_an_unsent_order_that_nobody_wants_any_more_is_not_made_again(world: World) -> None:
    made = len(world.of(OrderApproved))
    world.command("order_cancel", client_order_id=ID)
    world.step(unsent(ID))
    assert len(world.of(OrderApproved)) == made


# ------------------------------------------------------------------------------ the edges


@pytest.mark.parametrize(
    ("now", "then", "path"),
    [
        (S.SUBMITTED, S.ACCEPTED, (S.ACCEPTED,)),
        (S.APPROVED, S.FILLED, (S.SUBMITTED, S.FILLED)),
        (S.APPROVED, S.REJECTED, (S.SUBMITTED, S.REJECTED)),
        (S.APPROVED, S.UNKNOWN, ()),
        (S.REJECTED, S.PARTIALLY_FILLED, (S.ACCEPTED, S.PARTIALLY_FILLED)),
        (S.REJECTED, S.CANCELED, ()),
        (S.PARTIALLY_FILLED, S.REJECTED, (S.CANCELED,)),
        (S.CANCELED, S.FILLED, (S.FILLED,)),
        (S.FILLED, S.CANCELED, ()),
        (S.FILLED, S.PARTIALLY_FILLED, (S.PARTIALLY_FILLED,)),
    ],
)
def test_a_report_moves_an_order_along_the_edges(now: S, then: S, path: tuple[S, ...]) -> None:
    assert steps(now, then) == path
    moved = make_order(status=now).at_status(then)
    assert (moved.status if moved else None) == (path[-1] if path else None)


def test_an_average_of_fills_that_are_not_all_known_is_near() -> None:
    one = make_order(status=S.FILLED, filled_quantity=D(10), average_price=D(100))
    before = make_execution(5, 90, execution_id="x1")
    after = make_execution(5, 92, execution_id="x2")
    assert one.corrected(before, after).average_price == 101
    assert one.corrected(before, None).average_price == 110
