"""From opinions to positions: signals, standing targets, retries, flips and cancels."""

from datetime import timedelta
from decimal import Decimal

import msgspec

from app.domain.events import (
    CancelRequested,
    ClockTicked,
    OrderApproved,
    OrderDenied,
    OrderRejected,
    SignalExpired,
    SignalRaised,
    SignalSatisfied,
    TargetSet,
    TradeClosed,
)
from app.domain.instruments import Instrument
from app.domain.limits import UNLIMITED
from app.domain.matching import FREE
from tests.trading import MINUTE, OPEN, SilentBroker, World

D = Decimal
THIN = msgspec.structs.replace(FREE, volume_cap=D("0.1"))


def test_an_opinion_becomes_a_signal_an_order_and_a_position() -> None:
    world = World()
    world.deploy()
    world.bar(110)
    assert world.names()[3:] == [
        "SignalRaised",
        "TargetSet",
        "OrderApproved",
        "OrderSubmitted",
        "OrderAccepted",
    ]
    (signal,) = [event.signal for event in world.of(SignalRaised)]
    assert signal.signal_id == "d1-AAPL-20240301T143100"
    assert (signal.exposure, signal.price, signal.deployment_id) == (1.0, 110.0, 1)
    assert signal.indicator_values == {"exposure": 1.0}
    assert signal.reasons == ("lean turned from flat to long.",)
    world.bar(110)
    assert world.held() == 90  # 10 000 / 110


def test_the_same_opinion_is_not_a_signal() -> None:
    world = World()
    world.deploy()
    for _ in range(3):
        world.bar(110)
    assert len(world.of(SignalRaised)) == 1
    assert len(world.of(OrderApproved)) == 1


def test_no_opinion_leaves_the_target_standing() -> None:
    world = World()
    world.deploy()
    world.bar(110)
    world.bar(130)
    world.bar(130)
    assert world.held() == 90
    assert len(world.of(SignalRaised)) == 1


def test_a_smaller_opinion_sells_the_difference() -> None:
    world = World()
    world.deploy()
    world.bar(110)
    world.bar(105)
    world.bar(105)
    assert world.held() == 47  # 5 000 / 105
    assert [e.order.leg for e in world.of(OrderApproved)] == ["entry", "exit"]


def test_a_flip_is_an_exit_and_an_entry() -> None:
    world = World()
    world.deploy()
    world.bar(110)
    world.bar(90)
    world.bar(90)
    assert world.held() == -111
    legs = [(e.order.leg.value, int(e.order.quantity)) for e in world.of(OrderApproved)]
    assert legs == [("entry", 90), ("exit", 90), ("entry", 111)]
    (trade,) = [event.trade for event in world.of(TradeClosed)]
    assert (trade.entry_price, trade.exit_price, trade.exit_leg) == (D(90), D(90), "exit")


def test_reductions_go_first_then_ledgers_and_symbols() -> None:
    world = World()
    world.deploy("AAPL", "MSFT", number=2)
    world.deploy("AAPL", "IBM", number=1)
    world.bar(100, MSFT=110, IBM=100)
    before = len(world.of(OrderApproved))
    world.bar(110, MSFT=100, IBM=110)
    made = [(e.order.ledger, e.order.symbol) for e in world.of(OrderApproved)[before:]]
    assert made == [("d2", "MSFT"), ("d1", "AAPL"), ("d1", "IBM"), ("d2", "AAPL")]


def test_an_order_that_no_longer_fits_is_cancelled_before_the_difference_is_taken() -> None:
    world = World(model=THIN)
    world.deploy()
    world.bar(110, volume=100)
    world.bar(110, volume=100)
    assert world.held() == 10
    start = len(world.journal.events)
    world.bar(100)
    assert world.names(start)[:2] == ["OrderFilled", "PositionChanged"]
    tail = world.names(start)[2:]
    assert tail == [
        "SignalRaised",
        "TargetSet",
        "CancelRequested",
        "OrderCanceled",
        "OrderApproved",
        "OrderSubmitted",
        "OrderAccepted",
    ]
    world.bar(100)
    assert world.held() == 0


def test_nothing_is_sent_opposite_to_an_order_until_its_cancel_is_confirmed() -> None:
    broker = SilentBroker()
    world = World(broker=broker)
    world.deploy()
    world.bar(110)
    world.bar(90)
    world.bar(90)
    assert broker.sent == [
        "1-d1-AAPL-20240301T143100-e1",
        "cancel 1-d1-AAPL-20240301T143100-e1",
    ]
    assert world.engine.desk.standings["d1", "AAPL"].waits


def test_an_entry_is_tried_for_one_bar_and_then_given_up() -> None:
    world = World(limits=msgspec.structs.replace(UNLIMITED, restricted_symbols=("AAPL",)))
    world.deploy()
    for _ in range(4):
        world.bar(110)
    (denial,) = world.of(OrderDenied)
    assert (denial.code, denial.attempt) == ("symbol_restricted", 1)
    assert world.engine.desk.standings["d1", "AAPL"].target.quantity == 0
    assert not world.of(SignalExpired), "its first outcome was the denial"


def test_a_denied_entry_is_made_when_the_next_bar_allows_it() -> None:
    world = World(limits=msgspec.structs.replace(UNLIMITED, restricted_symbols=("AAPL",)))
    world.deploy()
    world.bar(110)
    world.command("limits_change", limits={"restricted_symbols": []})
    world.bar(110)
    world.bar(110)
    assert world.held() == 90
    assert world.of(OrderApproved)[0].order.client_order_id == "1-d1-AAPL-20240301T143100-e2"


def test_a_flip_whose_entry_is_denied_still_exits() -> None:
    world = World(limits=msgspec.structs.replace(UNLIMITED, allow_short=False))
    world.deploy()
    world.bar(110)
    world.bar(90)
    for _ in range(3):
        world.bar(90)
    assert world.held() == 0
    assert [d.code for d in world.of(OrderDenied)] == ["short_sale"]


def test_an_exit_is_retried_until_it_is_done() -> None:
    world = World(model=THIN)
    world.deploy()
    world.bar(110)
    world.bar(110)
    assert world.held() == 90
    world.bar(100, volume=200)
    for _ in range(12):
        world.bar(100, volume=200)
    assert world.held() == 0


def test_a_rejected_exit_is_asked_for_again_at_the_next_slice() -> None:
    world = World()
    world.deploy()
    world.bar(110)
    world.bar(110)
    at = world.now + MINUTE
    identity = "1-d1-AAPL-20240301T143300-x1"
    rejected = (OrderRejected(client_order_id=identity, reason="busy", at=at),)
    world.driver.broker = SilentBroker(rejected)
    world.bar(100)
    world.bar(100)
    made = [e.order.client_order_id[-2:] for e in world.of(OrderApproved)]
    assert made == ["e1", "x1", "x2"]


def test_a_signal_below_one_lot_is_denied() -> None:
    world = World()
    world.deploy(capital=50)
    world.bar(110)
    (denial,) = world.of(OrderDenied)
    assert (denial.code, denial.quantity, denial.side) == ("below_lot", 0, "buy")


def test_a_signal_for_what_is_held_needs_no_order() -> None:
    world = World(instruments={"AAPL": Instrument("AAPL", lot=D(100))})
    world.deploy(capital=15_000)
    world.bar(110)
    world.bar(110)
    world.bar(109)
    assert world.held() == 100
    assert [e.signal_id for e in world.of(SignalSatisfied)] == ["d1-AAPL-20240301T143300"]
    assert len(world.of(OrderApproved)) == 1


def test_a_new_signal_ends_one_that_was_waiting() -> None:
    broker = SilentBroker()
    world = World(broker=broker)
    world.deploy()
    world.bar(110)
    world.bar(90)
    world.bar(95)
    (expired,) = world.of(SignalExpired)
    assert expired.signal_id == "d1-AAPL-20240301T143200"


def test_a_cut_target_is_not_chased() -> None:
    world = World(limits=msgspec.structs.replace(UNLIMITED, max_position_size=D("0.05")))
    world.deploy(capital=100_000)
    for _ in range(4):
        world.bar(110)
    assert world.held() == 45
    assert len(world.of(OrderApproved)) == 1
    assert world.of(OrderApproved)[0].limited_by == ("position_limit",)
    targets = [(int(e.target.quantity), e.target.is_met) for e in world.of(TargetSet)]
    assert targets == [(909, False), (45, False), (45, True)]


def test_an_order_times_out_and_its_target_lapses() -> None:
    limits = msgspec.structs.replace(UNLIMITED, order_timeout_seconds=90)
    world = World(limits=limits, model=THIN)
    world.deploy()
    world.bar(110, volume=100)
    assert world.engine.deadline == OPEN + MINUTE + timedelta(seconds=90)
    for _ in range(3):
        world.bar(110, volume=100)
    (cancel,) = world.of(CancelRequested)
    assert (cancel.reason, cancel.at) == ("order timeout", OPEN + timedelta(seconds=150))
    assert len(world.of(ClockTicked)) == 1
    assert world.held() == 20
    assert world.engine.desk.standings["d1", "AAPL"].target.quantity == 20
    assert world.engine.deadline is None


def test_time_outs_rest_while_the_exchange_is_closed() -> None:
    limits = msgspec.structs.replace(UNLIMITED, order_timeout_seconds=90)
    world = World(limits=limits)
    world.deploy()
    world.bar(110)
    world.close_session()
    assert world.engine.deadline is None
    world.next_session()
    assert world.engine.deadline == world.now + timedelta(seconds=90)
    world.bar(110)
    assert world.held() == 90


def test_a_day_order_expires_at_the_close_and_the_exit_goes_on_next_morning() -> None:
    world = World(model=THIN)
    world.deploy()
    world.bar(110)
    world.bar(110)
    world.bar(100, volume=100)
    world.bar(100, volume=100)
    world.close_session()
    assert world.held() == 80
    assert world.working() == []
    world.next_session()
    world.bar(100)
    world.bar(100)
    world.bar(100)
    assert world.held() == 0


def test_the_position_part_of_a_target_is_told_to_the_strategy() -> None:
    world = World(model=THIN)
    world.deploy()
    world.bar(110, volume=450)
    world.bar(110)
    assert world.held() == 45
    assert world.engine.desk.held_exposure("d1", "AAPL") == 0.5
    assert world.engine.desk.held_exposure("d1", "MSFT") == 0
