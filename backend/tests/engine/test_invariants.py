"""Stream, engine, tables and broker against each other: what differs is named by its number."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from app.domain.orders import BrokerOrder, OrderStatus, Side
from app.engine import invariants
from app.engine.invariants import OrderRow, Tables, Truth
from app.engine.witness import Violation, Witness
from tests.trading import OPEN, SilentBroker, World, make_execution

D = Decimal
S = OrderStatus


def told(world: World) -> Witness:
    witness = Witness(D(100_000), {})
    for seq, event in enumerate(world.journal.events, 1):
        witness.learn(seq, event)
    assert witness.found == []
    return witness


def traded(*, is_open: bool = False) -> World:
    """An account that holds 10 AAPL by hand, and perhaps an order for 5 more."""
    world = World()
    world.bar(100)
    world.order("buy", 10)
    world.bar(100)
    if is_open:
        world.order("buy", 5, type="limit", limit_price="90")
    return world


def codes(found: list[Violation]) -> list[str]:
    return [one.code for one in found]


# ---------------------------------------------------------------------------------- the engine


def test_an_engine_that_is_what_its_stream_says() -> None:
    world = traded(is_open=True)
    assert invariants.engine_holds(told(world), world.engine.book) == []


def test_an_engine_that_says_something_else() -> None:
    world = traded(is_open=True)
    witness, book = told(world), world.engine.book
    book.net["AAPL"] += 1
    assert codes(invariants.engine_holds(witness, book)) == ["I15"]
    book.net["AAPL"] -= 1
    book.cash += 1
    assert codes(invariants.engine_holds(witness, book)) == ["I15", "I3"]
    book.cash -= 1
    witness.held["manual", "AAPL"] += 1
    assert codes(invariants.engine_holds(witness, book)) == ["I1"]


def test_open_orders_have_their_intent_and_their_fills() -> None:
    world = traded(is_open=True)
    witness, book = told(world), world.engine.book
    (identity,) = book.open
    witness.orders[identity].filled = D(1)
    assert codes(invariants.engine_holds(witness, book)) == ["I5"]
    del witness.orders[identity]
    assert codes(invariants.engine_holds(witness, book)) == ["I4"]


# ---------------------------------------------------------------------------------- the tables


def tables(world: World, **given: Any) -> Tables:
    book = world.engine.book
    sound: dict[str, Any] = {
        "cash": book.cash,
        "positions": {("manual", "AAPL"): D(10)},
        "ledgers": {"manual": book.ledgers["manual"].cash},
        "orders": {
            identity: OrderRow(order.status.value, order.quantity, order.filled_quantity)
            for identity, order in book.open.items()
        },
    }
    return Tables(**(sound | given))


def test_tables_that_are_what_the_stream_says() -> None:
    world = traded(is_open=True)
    assert invariants.tables_hold(tables(world), told(world)) == []
    assert invariants.rows_hold(tables(world), world.engine.book) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"cash": D(1)},
        {"positions": {}},
        {"ledgers": {"manual": D(7)}},
        {"orders": {"nobody": OrderRow("accepted", D(1), D(0))}},
    ],
)
def test_tables_that_are_not(wrong: dict[str, Any]) -> None:
    world = traded()
    assert codes(invariants.tables_hold(tables(world, **wrong), told(world))) == ["I13"]


def test_rows_of_orders_that_are_not_as_the_engine_has_them() -> None:
    world = traded(is_open=True)
    (identity,) = world.engine.book.open
    wrong = {identity: OrderRow("accepted", D(5), D(2))}
    assert codes(invariants.tables_hold(tables(world, orders=wrong), told(world))) == ["I13"]
    assert codes(invariants.rows_hold(tables(world, orders=wrong), world.engine.book)) == ["I13"]


# --------------------------------------------------------------------------- edges, chain, jobs


def test_orders_go_along_their_edges_also_several_at_once() -> None:
    before = {"a": S.APPROVED, "b": S.CANCELED, "c": S.FILLED, "gone": S.FILLED}
    assert invariants.moves_hold(before, {"a": S.FILLED, "b": S.FILLED, "c": S.FILLED}) == []
    found = invariants.moves_hold(before, {"a": S.APPROVED, "b": S.APPROVED, "c": S.UNKNOWN})
    assert codes(found) == ["I6", "I6"]


def test_a_chain_that_does_not_hold() -> None:
    def check() -> None:
        raise ValueError("event 3 does not match its hash")

    assert codes(invariants.chain_holds(check)) == ["I11"]
    assert invariants.chain_holds(lambda: None) == []


@pytest.mark.parametrize(
    ("taken", "found"),
    [
        ({1: 1, 2: 1}, []),
        ({1: 1, 2: 2}, ["I12"]),
        ({1: 1}, ["I12"]),
        ({1: 1, 2: 1, 3: 1}, ["I12"]),
    ],
)
def test_every_committed_event_takes_effect_once(taken: dict[int, int], found: list[str]) -> None:
    assert codes(invariants.delivery_holds(2, taken)) == found


def test_a_job_succeeds_once() -> None:
    assert invariants.jobs_hold([("a", False), ("a", True), ("b", True)]) == []
    assert codes(invariants.jobs_hold([("a", True), ("a", False), ("a", True)])) == ["I16"]


# ---------------------------------------------------------------------------------- the broker


def at_broker(identity: str | None = None, status: OrderStatus = S.ACCEPTED) -> BrokerOrder:
    return BrokerOrder(
        broker_order_id="7",
        client_order_id=identity,
        symbol="AAPL",
        side=Side.BUY,
        quantity=D(5),
        status=status,
    )


def truth(world: World, **given: Any) -> Truth:
    executions = tuple(booked.execution for booked in told(world).executions.values())
    sound: dict[str, Any] = {
        "orders": tuple(at_broker(identity) for identity in world.engine.book.open),
        "executions": executions,
        "undone": (),
        "positions": {"AAPL": D(10)},
        "cash": world.engine.cash,
    }
    return Truth(**(sound | given))


def test_a_broker_that_has_what_we_have() -> None:
    world = traded(is_open=True)
    witness, theirs = told(world), truth(world)
    assert invariants.broker_is_ours(witness, theirs, "1-") == []
    assert invariants.broker_agrees(witness, theirs) == []
    assert invariants.open_orders_agree(world.engine.book, theirs) == []


def test_orders_that_nobody_approved_or_that_are_there_twice() -> None:
    world = traded(is_open=True)
    (identity,) = world.engine.book.open
    orders = (
        at_broker(identity),
        at_broker(identity),
        at_broker("1-x"),
        at_broker(),
        at_broker("q"),
    )
    found = invariants.broker_is_ours(told(world), truth(world, orders=orders), "1-")
    assert codes(found) == ["I4", "I4"]


def test_fills_that_are_not_the_brokers() -> None:
    world = traded()
    (real,) = truth(world).executions
    other = msgspec.structs.replace(real, price=real.price + 1)
    witness = told(world)
    assert codes(invariants.fills_are_real(witness, truth(world, executions=()))) == ["I5"]
    assert codes(invariants.fills_are_real(witness, truth(world, executions=(other,)))) == ["I5"]
    undone = truth(world, executions=(), undone=(real,))
    assert invariants.fills_are_real(witness, undone) == []


def test_a_broker_that_has_something_else() -> None:
    world = traded()
    witness = told(world)
    assert codes(invariants.broker_agrees(witness, truth(world, positions={}))) == ["I2"]
    assert codes(invariants.broker_agrees(witness, truth(world, cash=D(0)))) == ["I3"]
    more = (*truth(world).executions, make_execution(1, 1, execution_id="new"))
    assert codes(invariants.broker_agrees(witness, truth(world, executions=more))) == ["I5"]
    assert codes(invariants.broker_agrees(witness, truth(world, executions=()))) == ["I5"]


def test_orders_that_are_open_on_one_side_only() -> None:
    world = World(broker=SilentBroker())
    world.bar(100)
    world.order("buy", 5)
    world.order("buy", 5, type="limit", limit_price="90")
    book = world.engine.book
    one, _ = book.open
    theirs = Truth(
        orders=(at_broker(one), at_broker("x"), at_broker("y", S.FILLED)),
        executions=(),
        undone=(),
        positions={},
        cash=D(0),
    )
    assert codes(invariants.open_orders_agree(book, theirs)) == ["I17", "I17"]


def test_a_signal_must_come_to_something() -> None:
    witness = told(traded())
    assert invariants.signals_came_to_something(witness, OPEN + timedelta(hours=1)) == []
    witness.signals["late"], witness.raised_at["late"] = None, OPEN
    assert codes(invariants.signals_came_to_something(witness, OPEN)) == ["I7"]
    assert invariants.signals_came_to_something(witness, OPEN - timedelta(hours=1)) == []
