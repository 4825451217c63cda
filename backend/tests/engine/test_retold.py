"""What is told again is dropped where, and only where, the engine would make nothing of it."""

from itertools import product
from typing import Any

import msgspec
import pytest

from app.domain.events import ExecutionBusted, ExecutionCorrected, OrderAccepted, OrderFilled
from app.engine.retold import is_retold
from tests.trading import OPEN, SilentBroker, World, make_execution

ID = "1-manual-AAPL-c1-e1"


def fill(name: str = "x1", price: float = 100, identity: str = ID) -> OrderFilled:
    given = {"execution_id": name, "client_order_id": identity, "ledger": "manual"}
    return OrderFilled(execution=make_execution(4, price, **given))


def correction(corrects: str, by: OrderFilled) -> ExecutionCorrected:
    return ExecutionCorrected(execution=by.execution, corrects=corrects, reason="price", at=OPEN)


def bust(name: str) -> ExecutionBusted:
    return ExecutionBusted(
        broker="paper", execution_id=name, client_order_id=ID, reason="wrong", at=OPEN
    )


THINGS = (
    fill(), fill(price=101), fill("x2"), fill("y1", identity="external-hand"),
    bust("x1"), bust("x2"), correction("x1", fill("x1b", 99)), fill("x1b", 99),
)  # fmt: skip


@pytest.fixture
def world() -> World:
    """An order for ten by hand, taken by the broker."""
    return ready()


def ready() -> World:
    made = World(broker=SilentBroker())
    made.bar(100)
    made.order("buy", 10)
    return made


def state(world: World) -> tuple[Any, ...]:
    desk = world.engine.desk
    book = msgspec.structs.asdict(world.engine.book.snapshot())
    return book, list(desk.voided), desk.fills.snapshot(), desk.outbox, list(desk.standings)


def retold(world: World, *items: object) -> list[bool]:
    return [is_retold(world.engine.desk, item) for item in items]


def test_a_fill_is_news_once(world: World) -> None:
    assert retold(world, fill(), fill("y1", identity="external-hand")) == [False, False]
    world.step(fill())
    world.step(fill("y1", identity="external-hand"))
    assert retold(world, fill(), fill("y1", identity="external-hand")) == [True, True]


def test_other_values_under_the_same_id_are_kept_as_evidence(world: World) -> None:
    world.step(fill())
    assert not is_retold(world.engine.desk, fill(price=101))


def test_a_correction_is_news_until_it_is_booked(world: World) -> None:
    world.step(fill())
    right = correction("x1", fill("x1b", 99))
    assert retold(world, right, fill("x1b", 99)) == [False, False]
    world.step(right)
    assert retold(world, right, fill("x1b", 99), fill()) == [True, True, True]
    assert not is_retold(world.engine.desk, correction("x1b", fill("x1c", 98)))


def test_a_bust_is_news_once(world: World) -> None:
    world.step(fill())
    assert not is_retold(world.engine.desk, bust("x1"))
    world.step(bust("x1"))
    assert retold(world, bust("x1"), fill()) == [True, True]


def test_what_is_no_fill_is_always_news(world: World) -> None:
    accepted = OrderAccepted(client_order_id=ID, broker_order_id="7", at=OPEN)
    world.step(accepted)
    assert not is_retold(world.engine.desk, accepted)


@pytest.mark.parametrize("first", THINGS)
def test_whatever_was_told_the_engine_makes_nothing_of_what_is_dropped(first: Any) -> None:
    dropped = 0
    for others in product(THINGS, repeat=2):
        world = ready()
        for item in (first, *others):
            world.step(item)
        for item in (one for one in THINGS if is_retold(world.engine.desk, one)):
            before = state(world)
            assert world.engine.handle(item) == []
            assert state(world) == before
            dropped += 1
    assert dropped
