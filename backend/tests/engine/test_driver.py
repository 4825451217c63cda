"""The driver: journal first, gate, wire, and what every answer of a broker becomes."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.core import failpoints
from app.core.errors import BrokerRejected, Fenced
from app.core.failpoints import Point
from app.domain.events import (
    ChangeRejected,
    ClockTicked,
    OrderAccepted,
    OrderApproved,
    OrderCanceled,
    OrderRejected,
    OrderReplaced,
    OrderSubmitted,
    OrderUnknown,
    SignalRaised,
    SliceClosed,
)
from app.domain.matching import FillModel
from app.domain.orders import Order, OrderStatus
from app.domain.ports import Entry
from app.engine.driver import Driver, drive, open_gate
from app.engine.journal import MemoryJournal
from app.engine.paper import PaperBroker
from tests.trading import MINUTE, OPEN, SilentBroker, World, finish, make_order, on_the_wire

ID = "1-manual-AAPL-c1-e1"


def test_the_input_comes_first_and_is_the_cause_of_what_follows() -> None:
    world = World()
    world.deploy()
    start = len(world.journal.entries)
    world.bar(110)
    entries = world.journal.entries[start:]
    assert isinstance(entries[0].event, SliceClosed)
    assert [entry.cause for entry in entries] == [None, 0, 0, 0, None, None]


def test_submitted_is_committed_before_the_wire_is_written() -> None:
    class Watching(SilentBroker):
        async def submit(self, order: Order, at: Any) -> Sequence[Any]:
            assert isinstance(world.journal.events[-1], OrderSubmitted)
            return await super().submit(order, at)

    world = World(broker=Watching())
    world.bar(100)
    world.order("buy", 1)
    assert world.broker.sent == [ID]


def test_a_closed_gate_withdraws_the_order_unsent() -> None:
    world = World(broker=SilentBroker(), gate=lambda order: "halted")
    world.bar(100)
    world.order("buy", 1)
    (canceled,) = world.of(OrderCanceled)
    assert canceled.reason == "halted"
    assert world.broker.sent == []
    assert not world.of(OrderSubmitted)


def test_the_gate_is_read_again_after_the_journal() -> None:
    answers = [None, "a halt came in between"]
    world = World(broker=SilentBroker(), gate=lambda order: answers.pop(0))
    world.bar(100)
    world.order("buy", 1)
    assert len(world.of(OrderSubmitted)) == 1
    assert world.of(OrderCanceled)[0].reason == "a halt came in between"
    assert world.broker.sent == []


def test_a_resume_opens_the_gate_before_anything_is_sent() -> None:
    shut = ["trading is halted"]

    async def read_latch() -> None:
        shut.clear()

    world = World(gate=lambda _: shut[0] if shut else None, resumed=read_latch)
    world.deploy(stop=0.05)
    shut.clear()
    world.bar(110)
    shut.append("trading is halted")
    world.bar(110)
    assert (world.held(), world.working()) == (90, [])
    world.command("trading_halt")
    assert shut
    world.command("trading_resume")
    assert world.working() == [("stop_loss", "sell", 90)]


def test_an_open_gate_has_no_reason() -> None:
    assert open_gate(make_order()) is None


def test_a_definite_no_is_a_rejection() -> None:
    world = World(broker=SilentBroker(BrokerRejected("no such symbol", api_name="x")))
    world.bar(100)
    world.order("buy", 1)
    (rejected,) = world.of(OrderRejected)
    assert rejected.reason == "no such symbol"
    assert world.engine.open_orders == []


def test_anything_else_is_unknown_and_blocks_the_symbol() -> None:
    world = World(broker=SilentBroker(TimeoutError("no answer")))
    world.bar(100)
    world.order("buy", 1)
    (unknown,) = world.of(OrderUnknown)
    assert unknown.reason == "TimeoutError: no answer"
    assert [order.status for order in world.engine.open_orders] == [OrderStatus.UNKNOWN]
    assert world.order("buy", 1)["code"] == "order_unknown"


def test_a_cancel_that_comes_too_late_waits_for_the_fill() -> None:
    world = World(broker=SilentBroker((), BrokerRejected("filled", api_name="x")))
    world.bar(100)
    world.order("buy", 1)
    world.command("order_cancel", client_order_id=ID)
    assert len(world.engine.open_orders) == 1
    assert not world.of(OrderUnknown)


def test_nothing_is_done_when_the_journal_refuses() -> None:
    class Refusing(MemoryJournal):
        async def append(self, entries: Sequence[Entry]) -> int:
            raise Fenced("another engine has the account")

    world = World()
    world.bar(100)
    world.driver.journal = Refusing()
    with pytest.raises(Fenced):
        world.order("buy", 1)
    assert not world.broker.matcher.resting


def test_a_wall_clock_stamps_what_we_do_ourselves() -> None:
    wall = OPEN + timedelta(hours=1)
    world = World(clock=lambda: wall)
    world.bar(100)
    world.order("buy", 1)
    assert world.of(OrderSubmitted)[0].at == wall
    assert world.of(OrderApproved)[0].order.at == OPEN + MINUTE


def test_every_item_is_announced_before_it_is_handled() -> None:
    seen: list[tuple[str, int]] = []

    async def before(item: Any) -> None:
        seen.append((type(item).__name__, len(world.journal.events) if world else 0))

    world: Any = None
    world = World(before=before)
    world.bar(100)
    assert [name for name, _ in seen] == ["SessionOpened", "SliceOpened", "SliceClosed"]


def test_a_tick_strikes_once_even_when_nobody_answers() -> None:
    world = World(broker=SilentBroker((), ConnectionError(), (), ()))
    world.command("limits_change", limits={"order_timeout_seconds": 60})
    world.bar(100)
    world.order("buy", 1)
    finish(world.driver.tick(OPEN + 3 * MINUTE))
    assert [tick.at for tick in world.of(ClockTicked)] == [OPEN + 2 * MINUTE]


def test_a_paper_order_times_out_where_only_the_clock_goes_on() -> None:
    world = World()
    world.command("limits_change", limits={"order_timeout_seconds": 60})
    world.bar(100)
    world.order("buy", 1)
    finish(world.driver.tick(OPEN + 3 * MINUTE))
    assert [tick.at for tick in world.of(ClockTicked)] == [OPEN + 2 * MINUTE]
    assert world.engine.open_orders == []


async def test_a_feed_is_driven_to_its_end() -> None:
    world = World()

    async def feed() -> Any:
        yield ClockTicked(at=OPEN)
        yield ClockTicked(at=OPEN + MINUTE)

    await drive(feed(), world.driver)
    assert len(world.of(ClockTicked)) == 2


def test_a_driver_that_has_seen_nothing_has_no_time() -> None:
    world = World(sessions=False)
    with pytest.raises(RuntimeError, match="nothing has happened"):
        finish(world.driver._withdraw(make_order(), "why"))


# --------------------------------------------------------------------------------- recovery


def interrupted(*, submitted: bool) -> World:
    """An account whose process died with one order approved, or submitted."""
    world = World(broker=SilentBroker())
    world.deploy()
    world.engine.handle(slice_of(world))
    (order,) = world.engine.open_orders
    if submitted:
        world.engine.handle(OrderSubmitted(client_order_id=order.client_order_id, at=world.now))
    world.driver = Driver(world.engine, world.broker, world.journal)
    return world


def slice_of(world: World) -> SliceClosed:
    other = World()
    other.bar(110)
    found = other.of(SliceClosed)[0]
    world.now = found.end
    return found


def test_an_approved_order_is_sent_after_a_short_outage() -> None:
    world = interrupted(submitted=False)
    world.driver.ready(is_ready=True)
    asyncio.run(on_the_wire(world.driver, world.driver.recover(world.now + MINUTE)))
    assert len(world.broker.sent) == 1


def test_an_old_approval_is_withdrawn_unsent() -> None:
    world = interrupted(submitted=False)
    world.engine.book.limits = type(world.engine.limits)(order_timeout_seconds=300)
    finish(world.driver.recover(world.now + timedelta(hours=1)))
    assert world.broker.sent == []
    assert world.of(OrderCanceled)[0].reason == "approved before an outage, never sent"


def test_a_submitted_order_without_an_answer_is_unknown() -> None:
    world = interrupted(submitted=True)
    finish(world.driver.recover(world.now))
    assert world.broker.sent == []
    assert world.of(OrderUnknown)[0].reason == "no answer before the restart"


def test_on_paper_it_is_submitted_again() -> None:
    world = interrupted(submitted=True)
    world.driver = Driver(world.engine, World().broker, world.journal)
    finish(world.driver.recover(world.now))
    assert len(world.of(OrderAccepted)) == 1


def test_recovering_a_quiet_account_does_nothing() -> None:
    world = World()
    finish(world.driver.recover(OPEN))
    assert world.names() == []
    assert not world.of(SignalRaised)


# -------------------------------------------------------------------------------- failpoints


class Steps:
    """Notes the points that are passed."""

    def __init__(self) -> None:
        self.passed: list[str] = []

    def reach(self, point: Point) -> None:
        self.passed.append(point.value)


@pytest.mark.parametrize("is_real", [False, True])
def test_every_durable_boundary_has_its_failpoint(
    is_real: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = Steps()
    monkeypatch.setattr(failpoints, "armed", steps)
    taken = OrderAccepted(client_order_id=ID, broker_order_id="b", at=OPEN)
    changed = OrderReplaced(client_order_id=ID, broker_order_id="b", quantity=Decimal(5), at=OPEN)
    world = World(broker=SilentBroker((taken,), (changed,)) if is_real else None)
    world.bar(100)
    world.order("buy", 10, type="limit", limit_price=90)
    world.command("order_replace", client_order_id=ID, quantity="5")
    world.command("order_cancel", client_order_id=ID)
    own = [step for step in steps.passed if "append" not in step]
    assert own == [
        "before_intent_commit",
        "after_intent_commit",
        "before_submitted_commit",
        "after_submitted_commit",
        "after_wire",
        "after_answer_commit",
        "before_replace",
        "after_replace",
        "before_cancel",
        "after_cancel",
    ]
    assert set(steps.passed) == set(Point)


# ------------------------------------------------------------------------- simulated brokers


class Moody(PaperBroker):
    """Refuses what the test says, and answers changes only later."""

    def __init__(self) -> None:
        super().__init__()
        self.refuses = False
        self.asked: list[str] = []

    async def submit(self, order: Order, at: Any) -> Sequence[Any]:
        if self.refuses:
            raise BrokerRejected("not today", api_name="paper")
        return await super().submit(order, at)

    async def cancel(self, client_order_id: str, at: Any) -> Sequence[Any]:
        self.asked.append("cancel")
        return ()

    async def replace(self, order: Order, at: Any) -> Sequence[Any]:
        self.asked.append("replace")
        return ()


def test_a_simulated_broker_may_refuse_too() -> None:
    broker = Moody()
    world = World(broker=broker)
    world.bar(100)
    broker.refuses = True
    world.order("buy", 1)
    assert world.of(OrderRejected)[0].reason == "not today"


def test_a_simulated_broker_is_asked_once_for_what_it_answers_later() -> None:
    broker = Moody()
    world = World(broker=broker)
    world.bar(100)
    world.order("buy", 10, type="limit", limit_price=90)
    world.command("order_replace", client_order_id=ID, quantity="5")
    world.bar(100)
    assert broker.asked == ["replace"]
    world.command("order_cancel", client_order_id=ID)
    world.bar(100)
    assert broker.asked == ["replace", "cancel"]
    world.step(ChangeRejected(client_order_id=ID, change="cancel", reason="?", at=world.now))
    world.command("order_cancel", client_order_id=ID)
    assert broker.asked == ["replace", "cancel", "cancel"]


def test_paper_changes_and_cancels_what_rests() -> None:
    world = World()
    world.bar(100)
    world.order("buy", 10, type="limit", limit_price=90, time_in_force="gtc")
    world.command("order_replace", client_order_id=ID, quantity="5", limit_price="95")
    (resting,) = world.broker.matcher.resting.values()
    assert (resting.order.quantity, resting.order.limit_price) == (5, 95)
    assert finish(world.broker.find(ID)).limit_price == 95
    again = PaperBroker()
    again.restore(world.journal.events)
    (other,) = again.matcher.resting.values()
    assert (other.order, other.changed_at) == (resting.order, resting.changed_at)
    world.bar((100, 100, 94, 96))
    assert world.held(ledger="manual") == 5


def test_a_replaced_order_meets_only_bars_that_begin_later() -> None:
    """Its new price must not be met by what the bar had shown before it was changed."""
    world = World()
    world.bar(100)
    world.order("buy", 10, type="limit", limit_price=90, time_in_force="gtc")
    world.now += MINUTE / 2
    world.command("order_replace", client_order_id=ID, limit_price="95")
    world.now -= MINUTE / 2
    world.bar((100, 100, 94, 96))
    assert world.held(ledger="manual") == 0
    world.bar((96, 96, 94, 96))
    assert world.held(ledger="manual") == 10


def test_paper_refuses_to_change_what_is_gone_or_filled() -> None:
    broker = PaperBroker(FillModel(volume_cap=Decimal("0.1"), slippage_bps=Decimal(0)))
    order = make_order(type="limit", limit_price=100)
    (gone,) = finish(broker.replace(order, OPEN))
    assert isinstance(gone, ChangeRejected)
    finish(broker.submit(order, OPEN))
    world = World(broker=broker)
    world.bar(101, volume=40)
    world.bar(99, volume=40)
    (less,) = finish(broker.replace(make_order(quantity=4, limit_price=100), OPEN))
    assert less.reason == "4 of it are filled already"
    finish(broker.cancel_all())
    assert not broker.matcher.resting


def test_a_driver_of_a_simulated_broker_has_no_connection_to_hear_of() -> None:
    world = World()
    world.driver.linked(is_up=False)
    world.driver.ready(is_ready=False)
    assert world.driver.wire is None
