"""An account at Alpaca through every fault: never two orders for one id, no fill lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from random import Random
from typing import Any
from weakref import WeakValueDictionary

import pytest

from app.core.errors import BrokerRejected, TradewrightError
from app.domain.events import OrderDenied, OrderFilled, OrderRejected, OrderUnknown
from tests.adapters.brokers.alpaca_floor import AlpacaFloor
from tests.trading import make_order
from tests.vendors.alpaca_trading import AlpacaTrading

RESTING = {"type": "limit", "limit_price": 90, "time_in_force": "gtc"}


@pytest.fixture
async def floor(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AlpacaFloor]:
    monkeypatch.setattr("app.adapters.clients.budget._shared", WeakValueDictionary())
    async with AlpacaTrading() as server, AlpacaFloor(server) as floor:
        await floor.minute(100)
        yield floor


async def test_an_order_goes_out_and_comes_back_filled(floor: AlpacaFloor) -> None:
    identity = await floor.buy(10)
    await floor.becomes(identity, "accepted")
    await floor.print(100, 4)
    await floor.becomes(identity, "partially_filled")
    await floor.print(101)
    await floor.becomes(identity, "filled")
    assert floor.held(ledger="manual") == 10
    floor.check()


SUBMITS: dict[str, tuple[str, dict[str, Any]]] = {
    "500 before it was taken": ("refuse", {"status": 500}),
    "504 after it was taken": ("refuse", {"status": 504, "taken": True}),
    "the answer is lost": ("lose_ack", {}),
    "the request is lost": ("cut", {}),
    "silence, not taken": ("hang", {}),
    "silence, taken": ("hang", {"taken": True}),
    "a late answer": ("slow", {"seconds": 0.4}),
    "429": ("refuse", {"status": 429, "Retry_After": "0.05"}),
    "the key expired for a moment": ("refuse", {"status": 401}),
}


@pytest.mark.parametrize("case", SUBMITS)
async def test_a_submit_that_goes_wrong_is_one_order_or_none(floor: AlpacaFloor, case: str) -> None:
    name, how = SUBMITS[case]
    getattr(floor.server, name)(**how)
    identity = await floor.buy(10)
    await floor.until(lambda: floor.status(identity) not in ("approved", "submitted"))
    await floor.print(100)
    found = [asked.body["client_order_id"] for asked in floor.server.asked if asked.body]
    assert found.count(identity) == 1
    if floor.server.venue.by_client(identity) is not None:
        await floor.reconcile()
        await floor.becomes(identity, "filled")
        floor.check()
    else:
        assert floor.there() == 0 == floor.held(ledger="manual")


async def test_an_unknown_order_is_found_by_its_id_with_its_fills(floor: AlpacaFloor) -> None:
    floor.server.mute()
    floor.server.lose_ack()
    identity = await floor.buy(10)
    await floor.becomes(identity, "unknown")
    await floor.print(99.5, 6)
    await floor.reconcile()
    await floor.becomes(identity, "partially_filled")
    floor.server.mute(False)
    await floor.print(99)
    await floor.becomes(identity, "filled")
    assert floor.order_of(identity).broker_order_id is not None
    floor.check()


@pytest.mark.parametrize("fault", ["drop", "garbage", "mute", "kill"])
async def test_fills_during_an_outage_are_not_lost(floor: AlpacaFloor, fault: str) -> None:
    server, identity = floor.server, await floor.buy(10, **RESTING)
    await floor.becomes(identity, "accepted")
    await floor.print(90, 3)
    await floor.becomes(identity, "partially_filled")
    before = server.accepted
    if fault == "garbage":
        await server.garbage()
    elif fault == "kill":
        await server.kill()
    else:
        getattr(server, fault)()
    server.venue.print("AAPL", 89, 4)
    server.venue.take_news()
    if fault == "kill":
        await floor.until(lambda: not floor.wire.is_up)
        await server.start()
    if fault == "mute":
        server.mute(False)
        await floor.reconcile()
    else:
        await floor.until(lambda: server.accepted > before and floor.wire.is_ready)
    assert floor.order_of(identity).filled_quantity == 7
    await floor.print(88)
    await floor.becomes(identity, "filled")
    await floor.reconcile()
    floor.check()


async def test_updates_that_come_twice_and_in_disorder_count_once(floor: AlpacaFloor) -> None:
    floor.server.duplicate()
    floor.server.reorder()
    identity = await floor.buy(10, **RESTING)
    await floor.becomes(identity, "accepted")
    for size in (1, 2, 3, 4):
        await floor.print(90, size)
    await floor.becomes(identity, "filled")
    await floor.until(lambda: floor.order_of(identity).filled_quantity == 10)
    assert len(floor.of(OrderFilled)) >= 4
    floor.check()


CHANGES: dict[str, tuple[str, dict[str, Any]]] = {
    "nothing": ("mute", {"on": False}),
    "500 before": ("refuse", {"status": 500, "method": "DELETE"}),
    "500 after": ("refuse", {"status": 500, "method": "DELETE", "taken": True}),
    "lost": ("lose_ack", {"method": "DELETE"}),
    "cut": ("cut", {"method": "DELETE"}),
    "429": ("refuse", {"status": 429, "method": "DELETE", "Retry_After": "0.05"}),
}


@pytest.mark.parametrize("case", CHANGES)
async def test_a_cancel_is_asked_for_until_it_is_answered(floor: AlpacaFloor, case: str) -> None:
    identity = await floor.buy(10, **RESTING)
    await floor.becomes(identity, "accepted")
    name, how = CHANGES[case]
    getattr(floor.server, name)(**how)
    await floor.ask("order_cancel", client_order_id=identity)
    await floor.becomes(identity, "canceled")
    floor.check()


@pytest.mark.parametrize("case", CHANGES)
async def test_a_replace_is_made_once_whatever_happens_to_the_answer(
    floor: AlpacaFloor, case: str
) -> None:
    identity = await floor.buy(10, **RESTING)
    await floor.becomes(identity, "accepted")
    await floor.print(90, 4)
    await floor.becomes(identity, "partially_filled")
    name, how = CHANGES[case]
    getattr(floor.server, name)(**{**how, **({"method": "PATCH"} if "method" in how else {})})
    await floor.ask("order_replace", client_order_id=identity, quantity="8", limit_price="91")
    await floor.until(lambda: floor.order_of(identity).limit_price == 91)
    assert floor.order_of(identity).quantity == 8
    assert len(floor.server.venue.orders) == 2
    await floor.print(91)
    await floor.becomes(identity, "filled")
    assert floor.there() == 8
    await floor.reconcile()
    floor.check()


async def test_a_fill_that_overtakes_a_cancel_or_a_replace_counts(floor: AlpacaFloor) -> None:
    venue = floor.server.venue
    venue.confirms_cancels = venue.confirms_replaces = False
    first, second = await floor.buy(10, **RESTING), await floor.buy(5, **RESTING)
    for identity in (first, second):
        await floor.becomes(identity, "accepted")
    await floor.ask("order_cancel", client_order_id=first)
    await floor.ask("order_replace", client_order_id=second, limit_price="80")
    methods = [asked.method for asked in floor.server.asked]
    await floor.until(lambda: {"DELETE", "PATCH"} <= {asked.method for asked in floor.server.asked})
    assert methods.count("POST") == 2
    await floor.print(89)
    venue.settle()
    await floor.server.tell()
    for identity in (first, second):
        await floor.becomes(identity, "filled")
    await floor.settled()
    await floor.reconcile()
    assert floor.there() == 15
    floor.check()


async def test_a_bust_and_a_correction_are_in_books_positions_and_cash(floor: AlpacaFloor) -> None:
    venue, identity = floor.server.venue, await floor.buy(10, **RESTING)
    await floor.becomes(identity, "accepted")
    await floor.print(90, 4)
    await floor.print(89)
    await floor.becomes(identity, "filled")
    first, second = (fill.execution_id for fill in venue.fills)
    venue.bust(first)
    venue.correct(second, 88.5)
    await floor.server.tell()
    await floor.until(lambda: floor.engine.book.cash == venue.cash)
    assert floor.held(ledger="manual") == 6
    await floor.becomes(identity, "canceled")
    await floor.reconcile()
    floor.check()


async def test_orders_made_by_hand_at_alpaca_are_in_the_books(floor: AlpacaFloor) -> None:
    venue = floor.server.venue
    terms = {"symbol": "AAPL", "qty": "6", "side": "buy", "type": "limit", "time_in_force": "gtc"}
    venue.place({**terms, "limit_price": "95"})
    await floor.server.tell()
    await floor.print(94, 2)
    await floor.reconcile()
    await floor.print(94)
    await floor.until(lambda: floor.held(ledger="external") == 6)
    await floor.reconcile()
    assert floor.engine.book.cash == venue.cash


async def test_a_stop_rests_at_alpaca_and_the_target_is_held_here(floor: AlpacaFloor) -> None:
    """Alpaca refuses the second of two closing orders, so it never gets it."""
    await floor.start(stop=0.05, profit=0.1)
    await floor.minute(105)
    await floor.until(lambda: floor.server.venue.open_orders())
    await floor.print(105)
    await floor.until(lambda: len(floor.working()) == 2)
    await floor.until(lambda: [o.type for o in floor.server.venue.open_orders()] == ["stop"])
    held = {order.leg: order.is_held for order in floor.engine.open_orders}
    assert held == {"stop_loss": False, "take_profit": True}
    assert not floor.of(OrderRejected)
    await floor.print(99)
    await floor.until(lambda: not floor.there() and not floor.working())
    await floor.reconcile()
    floor.check()


async def test_an_exit_frees_the_shares_that_a_stop_binds(floor: AlpacaFloor) -> None:
    await floor.start(stop=0.05)
    await floor.minute(105)
    await floor.until(lambda: floor.server.venue.open_orders())
    await floor.print(105)
    await floor.until(lambda: [o.type for o in floor.server.venue.open_orders()] == ["stop"])
    await floor.minute(100)
    await floor.until(lambda: [o.type for o in floor.server.venue.open_orders()] == ["market"])
    await floor.print(100)
    await floor.until(lambda: not floor.there() and not floor.working())
    assert not floor.of(OrderRejected)
    await floor.reconcile()
    floor.check()


async def test_an_addition_is_denied_before_the_wire_while_a_stop_rests(
    floor: AlpacaFloor,
) -> None:
    """Alpaca takes a stop on the other side for a wash trade; docs/brokers/alpaca.md says so."""
    await floor.start(stop=0.05)
    await floor.minute(105)
    await floor.until(lambda: floor.server.venue.open_orders())
    await floor.print(105)
    await floor.until(lambda: [o.type for o in floor.server.venue.open_orders()] == ["stop"])
    await floor.minute(109)
    denied = floor.of(OrderDenied)[-1]
    assert denied.code == "opposite_order"
    (stop,) = floor.engine.open_orders
    assert f"Order {stop.client_order_id} (sell 47 AAPL, stop) rests there." in denied.detail
    await floor.settled()
    assert [asked.method for asked in floor.server.asked].count("POST") == 2  # as before
    assert not floor.of(OrderRejected)
    floor.check()


async def test_what_alpaca_refuses_is_what_we_deny(floor: AlpacaFloor) -> None:
    """The venue has the rule as its documentation has it: asked anyhow, it says no."""
    identity = await floor.buy(10, stop_loss=90)
    await floor.becomes(identity, "accepted")
    await floor.print(100)
    await floor.until(lambda: [o.type for o in floor.server.venue.open_orders()] == ["stop"])
    with pytest.raises(BrokerRejected, match="wash trade"):
        await floor.broker.submit(make_order(client_order_id="1-x"), floor.now)
    assert (await floor.ask("order_place", symbol="AAPL", side="buy", quantity="1"))["code"] == (
        "opposite_order"
    )


async def test_the_stop_of_a_part_waits_here_until_the_rest_of_its_order_is_done(
    floor: AlpacaFloor,
) -> None:
    identity = await floor.buy(10, stop_loss=80, **RESTING)
    await floor.becomes(identity, "accepted")
    await floor.print(90, 4)
    await floor.until(lambda: floor.engine.desk.legs("manual", "AAPL"))
    (stop,) = floor.engine.desk.legs("manual", "AAPL")
    assert (stop.is_held, stop.quantity) == (True, 4)
    await floor.print(90)
    await floor.until(lambda: [o.type for o in floor.server.venue.open_orders()] == ["stop"])
    await floor.settled()
    (stop,) = floor.engine.desk.legs("manual", "AAPL")
    assert (stop.is_held, stop.quantity) == (False, 10)
    assert not floor.of(OrderRejected)
    await floor.reconcile()
    floor.check()


async def waiting_stop(floor: AlpacaFloor) -> None:
    """Four of ten are bought; their stop at 80 waits here."""
    identity = await floor.buy(10, stop_loss=80, **RESTING)
    await floor.becomes(identity, "accepted")
    await floor.print(90, 4)
    await floor.until(lambda: floor.engine.desk.legs("manual", "AAPL"))


async def test_a_waiting_stop_that_is_reached_sells_the_part_and_ends_its_order(
    floor: AlpacaFloor,
) -> None:
    await waiting_stop(floor)
    await floor.minute(79)
    await floor.until(lambda: [o.side for o in floor.server.venue.open_orders()] == ["sell"])
    (sold,) = floor.engine.open_orders
    assert (sold.leg, sold.side, sold.quantity) == ("exit", "sell", 4)
    await floor.print(79)
    await floor.until(lambda: not floor.held(ledger="manual"))
    await floor.settled()
    assert (floor.there(), floor.engine.open_orders) == (0, [])
    floor.check()


async def test_a_halt_leaves_a_waiting_stop_to_be_sent_when_trading_goes_on(
    floor: AlpacaFloor,
) -> None:
    await waiting_stop(floor)
    await floor.ask("trading_halt", reason="x")
    await floor.until(lambda: not floor.server.venue.open_orders())
    await floor.settled()
    (stop,) = floor.engine.open_orders
    assert (stop.is_held, stop.quantity) == (True, 4)
    await floor.ask("trading_resume")
    await floor.until(lambda: [o.type for o in floor.server.venue.open_orders()] == ["stop"])
    floor.check()


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_happens_books_are_equal_when_it_is_over(
    floor: AlpacaFloor, seed: int
) -> None:
    chance = Random(seed)
    for _ in range(25):
        await one_thing(chance, floor)
        await asyncio.sleep(0)
    await calm(floor)
    for _ in range(50):
        await floor.settled()
        with suppress(TradewrightError):
            await floor.reconcile()
        forget_what_never_arrived(floor)
        with suppress(AssertionError):
            floor.check()
            return
    floor.check()


async def calm(floor: AlpacaFloor) -> None:
    """The faults stop, and what is pending is done."""
    server, venue = floor.server, floor.server.venue
    server.mute(False)
    server.duplicate(False)
    server.reorder(False)
    server._plans.clear()
    venue.settle()
    venue.confirms_cancels = venue.confirms_replaces = True
    await server.tell()
    await floor.until(lambda: floor.wire.is_ready)


def forget_what_never_arrived(floor: AlpacaFloor) -> None:
    """Such orders are unknown for half a minute of asking: no test waits for that."""
    venue, unknown = floor.server.venue, {e.client_order_id for e in floor.of(OrderUnknown)}
    for order in list(floor.engine.open_orders):
        if order.client_order_id in unknown and venue.by_client(order.client_order_id) is None:
            del floor.engine.book.open[order.client_order_id]


async def one_thing(chance: Random, floor: AlpacaFloor) -> None:
    """An order, a change, a print or a fault."""
    orders = [order.client_order_id for order in floor.engine.open_orders]
    some = chance.choice(orders) if orders else None
    what = chance.randrange(10)
    if what < 3:
        price, size = chance.choice([99, 100, 101]), chance.randrange(1, 20)
        terms = {"type": "limit", "limit_price": str(price), "quantity": str(size)}
        await floor.ask("order_place", symbol="AAPL", side="buy", **terms)
    elif what == 3 and some:
        await floor.ask("order_cancel", client_order_id=some)
    elif what == 4 and some:
        price = str(chance.randrange(98, 103))
        await floor.ask("order_replace", client_order_id=some, limit_price=price)
    elif what < 7:
        await floor.print(chance.choice([99, 100, 101]), chance.choice([None, 3, 8]))
    else:
        await one_fault(chance, floor.server)


async def one_fault(chance: Random, server: AlpacaTrading) -> None:
    """Of a request, of the stream, or an exchange that takes its time."""
    fault = chance.choice(
        ["lose_ack", "cut", "refuse", "refuse", "drop", "mute", "duplicate", "reorder", "unsettle"]
    )
    method = chance.choice(["POST", "DELETE", "PATCH", "GET"])
    if fault in ("lose_ack", "cut"):
        getattr(server, fault)(method=method)
    elif fault == "refuse":
        server.refuse(chance.choice([500, 503]), method=method, taken=chance.random() < 0.5)
    elif fault == "drop":
        server.drop()
    elif fault == "unsettle":
        venue = server.venue
        venue.confirms_cancels = venue.confirms_replaces = chance.random() < 0.5
        venue.settle()
        await server.tell()
    else:
        getattr(server, fault)(chance.random() < 0.5)
