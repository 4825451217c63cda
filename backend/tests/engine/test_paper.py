"""The paper broker: one book, which can be rebuilt from the journal at any moment."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from app.domain.events import (
    ChangeRejected,
    Event,
    OrderAccepted,
    OrderApproved,
    OrderRejected,
    SliceClosed,
)
from app.domain.limits import UNLIMITED
from app.domain.matching import FREE, FillModel
from app.domain.resting import BookState
from app.engine.paper import PaperBroker
from tests.trading import OPEN, World, finish, make_order

D = Decimal
THIN = FillModel(volume_cap=D("0.1"), slippage_bps=D(0))


def busy_world() -> World:
    """Orders of all kinds, partly filled."""
    world = World(model=THIN, limits=UNLIMITED)
    world.deploy("AAPL", "MSFT", stop=0.05, profit=0.08)
    world.bar(110, MSFT=110, volume=300)
    world.order("buy", 20, type="limit", limit_price=90, time_in_force="gtc")
    world.order("buy", 20, type="stop_limit", stop_price=111, limit_price=108, time_in_force="gtc")
    world.bar((110, 112, 110, 110), MSFT=110, volume=200)
    world.order("sell", 5, "MSFT", type="stop", stop_price=50)
    world.order("sell", 5, "MSFT", type="trailing_stop", trail=30, time_in_force="gtc")
    world.order("buy", 5, "MSFT", type="limit", limit_price=10, time_in_force="day")
    return world


def as_told(broker: PaperBroker) -> dict[str, Any]:
    """All but which opens had printed: that matters within the bar, and only after a fill."""
    state: dict[str, Any] = msgspec.to_builtins(broker.state())
    state.pop("opened")
    for resting in state["resting"].values():
        resting.pop("seen_open")
    return state


def test_the_book_is_a_fold_of_the_stream() -> None:
    world = busy_world()
    again = PaperBroker(THIN)
    again.restore(world.journal.events)
    assert as_told(again) == as_told(world.broker)
    assert finish(again.book()) == finish(world.broker.book())


def test_a_checkpoint_and_the_events_after_it_are_the_same_book() -> None:
    world = busy_world()
    events: list[Event] = world.journal.events
    cut = max(i for i, event in enumerate(events) if isinstance(event, SliceClosed))
    first = PaperBroker(THIN)
    first.restore(events[:cut])
    kept = msgspec.json.decode(msgspec.json.encode(first.state()), type=BookState)
    second = PaperBroker(THIN)
    second.restore(events[cut:], kept)
    assert as_told(second) == as_told(world.broker)


def test_a_stop_limit_that_was_touched_before_the_restart_is_a_limit_after_it() -> None:
    world = busy_world()
    again = PaperBroker(THIN)
    again.restore(world.journal.events)
    triggered = [r for r in again.matcher.resting.values() if r.order.type == "stop_limit"]
    assert [resting.is_triggered for resting in triggered] == [True]


def test_an_order_that_is_known_is_accepted_again_and_one_that_is_over_is_not() -> None:
    broker = PaperBroker(FREE)
    assert len(finish(broker.submit(make_order(), OPEN))) == 1
    (again,) = finish(broker.submit(make_order(), OPEN))
    assert isinstance(again, OrderAccepted)
    assert len(broker.matcher.resting) == 1
    finish(broker.cancel(make_order().client_order_id, OPEN))
    assert finish(broker.submit(make_order(), OPEN)) == ()


def test_an_old_approval_or_fill_without_its_order_changes_nothing() -> None:
    world = World()
    world.bar(100)
    world.order("buy", 10)
    world.bar(100)
    events = [e for e in world.journal.events if not isinstance(e, OrderApproved)]
    again = PaperBroker(FREE)
    again.restore(events)
    assert not again.matcher.resting
    again.restore(world.journal.events)
    again.restore(world.journal.events)
    assert not again.matcher.resting


@pytest.mark.parametrize("name", ["paper", "sandbox"])
def test_fills_of_other_brokers_are_not_its_own(name: str) -> None:
    world = World()
    world.bar(100)
    world.order("buy", 10)
    world.bar(100)
    other = PaperBroker(FREE, name=name)
    other.restore(world.journal.events)
    assert len(finish(other.book()).executions) == (1 if name == "paper" else 0)


def test_orders_that_the_fill_model_refuses_are_rejected_every_time() -> None:
    world = World(model=msgspec.structs.replace(FREE, reject_rate=D(1)))
    world.bar(100)
    identity = world.order("buy", 10)["client_order_id"]
    (rejected,) = world.of(OrderRejected)
    assert (rejected.client_order_id, world.working()) == (identity, [])
    again = PaperBroker(world.broker.matcher.model)
    again.restore([e for e in world.journal.events if not isinstance(e, OrderRejected)])
    order = world.engine.book.records[identity].order
    (answer,) = finish(again.submit(order, world.now))
    assert isinstance(answer, OrderRejected)
    assert not again.matcher.resting


def test_a_refused_change_of_what_does_not_rest_is_told() -> None:
    (answer,) = finish(PaperBroker().replace(make_order(), OPEN))
    assert isinstance(answer, ChangeRejected)
    assert "does not rest" in answer.reason


def test_a_cancel_of_what_does_not_rest_says_nothing_and_nothing_comes_unasked() -> None:
    async def told() -> list[Any]:
        return [one async for one in PaperBroker().reports()]

    assert finish(PaperBroker().cancel("nobody", OPEN)) == ()
    assert finish(told()) == []
