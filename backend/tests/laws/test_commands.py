"""Whatever people, strategies and the market do together, the books stay true."""

from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.events import (
    INPUT_TYPES,
    CommandCompleted,
    CommandReceived,
    OrderApproved,
    OrderSubmitted,
    PositionChanged,
    TradingHalted,
    TradingResumed,
    encode,
)
from app.domain.limits import UNLIMITED, Limits
from app.domain.matching import FREE, FillModel
from app.domain.orders import Leg, Order, OrderType
from app.domain.ports import BrokerAbilities
from app.engine.desk import EVERYTHING, on_their_way
from app.engine.paper import PaperBroker
from app.engine.state import EngineState
from tests.trading import World

D = Decimal
UNLINKED = BrokerAbilities(links_orders=False)
PLAIN = BrokerAbilities(
    types=frozenset({OrderType.MARKET, OrderType.LIMIT}), links_orders=False, can_replace=False
)
SYMBOLS = ("AAPL", "MSFT")
Step = tuple[str, dict[str, Any]]

closes = st.integers(88, 112)
bars = st.tuples(
    st.just("bar"),
    st.fixed_dictionaries(
        {
            s: st.tuples(closes, closes).map(lambda p: (p[0], max(p) + 1, min(p) - 1, p[1]))
            for s in SYMBOLS
        }
    ),
)
symbols = st.sampled_from(SYMBOLS)
PAIR: Any = {
    "type": "limit",
    "limit_price": "101",
    "oco": {"type": "stop", "stop_price": "96"},
    "time_in_force": "gtc",
}
orders = st.tuples(
    st.just("order_place"),
    st.fixed_dictionaries(
        {
            "symbol": symbols,
            "side": st.sampled_from(["buy", "sell"]),
            "quantity": st.integers(1, 60).map(str),
        },
        optional={"stop_loss": st.sampled_from(["90", "110"]), "take_profit": st.just("104")},
    ).flatmap(
        lambda given: st.sampled_from(
            [
                given,
                given | {"type": "limit", "limit_price": "99", "time_in_force": "gtc"},
                given | {"type": "stop", "stop_price": "103"},
                given | {"type": "trailing_stop", "trail": "2", "time_in_force": "gtc"},
                given | {"time_in_force": "ioc"},
                given | {"time_in_force": "fok"},
                given | {"stop_trail": "3"},
                given | PAIR,
            ]
        )
    ),
)
commands = st.one_of(
    orders,
    st.tuples(
        st.just("signal_raise"),
        st.fixed_dictionaries({"symbol": symbols, "exposure": st.sampled_from([-1.0, 0.0, 0.5])}),
    ),
    st.tuples(st.just("trading_halt"), st.fixed_dictionaries({"flatten": st.booleans()})),
    st.tuples(st.just("trading_reduce"), st.just({})),
    st.tuples(st.just("trading_resume"), st.just({})),
    st.tuples(st.just("cancel_newest"), st.just({})),
    st.tuples(
        st.just("replace_some"),
        st.fixed_dictionaries(
            {"which": st.integers(0, 5)},
            optional={
                "quantity": st.integers(1, 80).map(str),
                "limit_price": st.integers(90, 110).map(str),
                "stop_price": st.integers(90, 110).map(str),
                "trail": st.integers(1, 5).map(str),
            },
        ),
    ),
    st.tuples(
        st.just("deployment_stop"),
        st.fixed_dictionaries({"deployment_id": st.just(2), "flatten": st.booleans()}),
    ),
    st.tuples(st.just("deployment_pause"), st.just({"deployment_id": 1})),
    st.tuples(st.just("deploy"), st.just({})),
    st.tuples(st.just("next_session"), st.just({})),
)
stories = st.lists(st.one_of(bars, bars, commands), min_size=5, max_size=40)
worlds = st.fixed_dictionaries(
    {
        "limits": st.sampled_from([UNLIMITED, Limits(allow_short=True)]),
        "model": st.sampled_from([FREE, FillModel(volume_cap=D("0.005"))]),
        "abilities": st.sampled_from([EVERYTHING, UNLINKED, PLAIN]),
    }
)
law = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def begun(given: dict[str, Any]) -> World:
    world = World(**given)
    world.bar(AAPL=100, MSFT=100)
    world.deploy(*SYMBOLS, number=1, stop=0.03)
    world.deploy("AAPL", number=2, profit=0.04)
    return world


def go(world: World, step: Step) -> None:
    kind, given = step
    if kind == "bar":
        world.bar(**given)
    elif kind == "deploy":
        world.deploy(*SYMBOLS, number=1, stop=0.03)
    elif kind == "next_session":
        world.close_session()
        world.next_session() if world.now.day == 1 else world.close_session()
    elif kind == "cancel_newest":
        newest = [order.client_order_id for order in world.engine.open_orders][-1:]
        world.command("order_cancel", client_order_id=newest[0] if newest else "nobody")
    elif kind == "replace_some":
        working = [order.client_order_id for order in world.engine.open_orders]
        which, asked = given["which"], {k: v for k, v in given.items() if k != "which"}
        identity = working[which % len(working)] if working else "nobody"
        world.command("order_replace", client_order_id=identity, **asked)
    else:
        world.command(kind, **given)


@law
@given(worlds, stories)
def test_the_books_stay_true(given: dict[str, Any], story: list[Step]) -> None:
    world = begun(given)
    for step in story:
        go(world, step)
        _books_are_true(world)
    asked = [e.command_id for e in world.of(CommandReceived)]
    assert [e.command_id for e in world.of(CommandCompleted)] == asked


def _books_are_true(world: World) -> None:
    book = world.engine.book
    assert book.cash == book.deposit + sum((one.cash for one in book.ledgers.values()), D(0))
    net: dict[str, Decimal] = {}
    for position in book.positions():
        net[position.symbol] = net.get(position.symbol, D(0)) + position.quantity
    assert {s: q for s, q in net.items() if q} == {s: q for s, q in book.net.items() if q}
    for position in book.positions():
        legs = world.engine.desk.legs(position.ledger, position.symbol)
        for kind in (Leg.STOP_LOSS, Leg.TAKE_PROFIT):
            covered = sum((o.remaining_quantity for o in legs if o.leg is kind), D(0))
            assert covered <= abs(position.quantity), "a leg must never turn a position around"
    going: dict[tuple[str, str], list[Order]] = {}
    for order in world.engine.open_orders:
        if order.leg is Leg.EXIT:
            going.setdefault((order.ledger, order.symbol), []).append(order)
    for key, exits in going.items():
        assert abs(on_their_way(exits)) <= abs(book.held(*key)), "an exit only exits"
    resting = world.broker.matcher.resting
    held_here = {o.client_order_id for o in world.engine.open_orders if o.is_held}
    assert {o.client_order_id for o in world.engine.open_orders} == set(resting) | held_here
    assert not world.engine.outbox


@law
@given(worlds, stories)
def test_nothing_but_a_flatten_is_sent_while_halted(
    given: dict[str, Any], story: list[Step]
) -> None:
    world = begun(given)
    for step in story:
        go(world, step)
    halted, legs = False, {}
    for event in world.journal.events:
        match event:
            case TradingHalted(state=state):
                halted = state == "halted"
            case TradingResumed():
                halted = False
            case OrderApproved(order=order):
                legs[order.client_order_id] = order.leg
            case OrderSubmitted(client_order_id=identity) if halted:
                assert legs[identity] is Leg.FLATTEN
            case _:
                pass


@law
@given(worlds, stories, st.integers(0, 39))
def test_a_restart_and_a_replay_change_nothing(
    given: dict[str, Any], story: list[Step], cut: int
) -> None:
    through, other = begun(given), begun(given)
    for step in story:
        go(through, step)
    for step in story[:cut]:
        go(other, step)
    fresh = World(**given, sessions=False)
    kept = msgspec.json.decode(msgspec.json.encode(other.engine.state()), type=EngineState)
    fresh.engine.restore(kept)
    fresh.broker = PaperBroker(given["model"])
    fresh.broker.restore(other.journal.events)
    fresh.driver.broker, fresh.journal = fresh.broker, other.journal
    fresh.driver.journal, fresh.now, fresh.commands = other.journal, other.now, other.commands
    for step in story[cut:]:
        go(fresh, step)
    told = [encode(event) for event in fresh.journal.events]
    assert told == [encode(event) for event in through.journal.events]
    assert fresh.engine.state() == through.engine.state()
    again = World(**given, sessions=False)
    for entry in through.journal.entries:
        if type(entry.event) in INPUT_TYPES and entry.cause is None:
            again.engine.handle(entry.event)  # type: ignore[arg-type]  # it is an input
    assert again.engine.state() == through.engine.state()
    assert through.of(PositionChanged) == fresh.of(PositionChanged)
