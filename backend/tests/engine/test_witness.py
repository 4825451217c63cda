"""The witness folds a stream by other means than the engine, and says what cannot be."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from app.domain import events as ev
from app.domain.deployments import TradingState
from app.domain.events import Event
from app.domain.limits import Limits
from app.domain.market import Timeframe
from app.domain.orders import BrokerOrder, Leg, Order, OrderStatus, Side
from app.domain.portfolio import Position
from app.engine.witness import DECISIONS, MEANING, Witness
from tests.trading import DAY, MINUTE, OPEN, World, make_bar, make_execution, make_order

D = Decimal
ID = "1-manual-AAPL-c1-e1"


def told(*events: Event, limits: Limits | None = None) -> Witness:
    """A witness that has seen these events, numbered from 1 on."""
    witness = Witness(D(100_000), {})
    witness.limits = limits
    for seq, event in enumerate(events, 1):
        witness.learn(seq, event)
    return witness


def codes(witness: Witness) -> list[str]:
    return [one.code for one in witness.found]


def approved(**given: Any) -> ev.OrderApproved:
    return ev.OrderApproved(order=make_order(**given))


def filled(quantity: float = 10, price: float = 100, **given: Any) -> ev.OrderFilled:
    given = {"client_order_id": ID, "ledger": "manual"} | given
    return ev.OrderFilled(execution=make_execution(quantity, price, **given))


def position(quantity: int, cash: str, **given: Any) -> ev.PositionChanged:
    return ev.PositionChanged(
        position=Position(
            ledger=given.get("ledger", "manual"), symbol="AAPL", quantity=D(quantity)
        ),
        ledger_cash=D(cash),
        account_cash=D(given.get("account", D(100_000) + D(cash))),
        at=OPEN,
    )


def price(close: float, symbol: str = "AAPL", minute: int = 0) -> ev.SliceClosed:
    start = OPEN + minute * MINUTE
    bars = (make_bar(symbol, close, start),)
    return ev.SliceClosed(end=start + MINUTE, session=DAY, base=Timeframe.M1, bars=bars)


def raised(signal_id: str = "manual-AAPL-c1") -> ev.SignalRaised:
    world = World()
    world.bar(100)
    world.order("buy", 1)
    signal = world.of(ev.SignalRaised)[0].signal
    return ev.SignalRaised(signal=msgspec.structs.replace(signal, signal_id=signal_id))


def test_what_an_engine_really_did_breaks_nothing() -> None:
    world = World(limits=Limits(allow_short=True))
    world.deploy("AAPL", stop=0.05)
    for close in (100, 104, 97, 112, 90, 100):
        world.bar(close)
    world.order("buy", 3, stop_loss="80")
    world.bar(101)
    world.command("trading_halt", flatten=True)
    world.bar(102)
    world.command("trading_resume")
    witness = told(*world.journal.events)
    assert witness.found == []
    assert len(witness.executions) > 3
    assert witness.account_cash == world.engine.cash


def test_every_invariant_has_its_meaning() -> None:
    assert list(MEANING) == [f"I{number}" for number in range(1, 18)]
    assert "slice_closed" in DECISIONS


def test_a_hole_in_the_numbers() -> None:
    witness = Witness(D(1), {})
    witness.learn(1, ev.ClockTicked(at=OPEN))
    witness.learn(3, ev.ClockTicked(at=OPEN))
    assert [str(one) for one in witness.found] == ["I10 event 3 follows event 1"]
    witness.skip(9)
    witness.learn(10, ev.ClockTicked(at=OPEN))
    assert codes(witness) == ["I10"]


SATISFIED = ev.SignalSatisfied(signal_id="manual-AAPL-c1", at=OPEN)
EXPIRED = ev.SignalExpired(signal_id="manual-AAPL-c1", at=OPEN)
DENIED = ev.OrderDenied(
    signal_id="manual-AAPL-c1",
    ledger="manual",
    symbol="AAPL",
    side=Side.BUY,
    quantity=D(1),
    code="no_price",
    detail="",
    limit=None,
    value=None,
    attempt=1,
    at=OPEN,
)


@pytest.mark.parametrize(
    ("outcomes", "found"),
    [
        ([SATISFIED], []),
        ([EXPIRED], []),
        ([approved(), DENIED], []),
        ([DENIED, approved()], []),
        ([approved(), SATISFIED], ["I7"]),
        ([DENIED, EXPIRED], ["I7"]),
        ([raised()], ["I7"]),
    ],
)
def test_a_signal_has_one_first_outcome(outcomes: list[Event], found: list[str]) -> None:
    assert codes(told(raised(), *outcomes)) == found


def test_an_order_needs_its_intent_and_has_one() -> None:
    submitted = ev.OrderSubmitted(client_order_id=ID, at=OPEN)
    assert codes(told(submitted)) == ["I4"]
    assert codes(told(approved(), submitted)) == []
    assert codes(told(approved(), approved())) == ["I4"]


@pytest.mark.parametrize(
    ("leg", "found"),
    [(Leg.ENTRY, ["I9", "I9"]), (Leg.FLATTEN, []), (Leg.STOP_LOSS, ["I9"])],
)
def test_while_halted_only_its_flatten_is_sent(leg: Leg, found: list[str]) -> None:
    halted = ev.TradingHalted(state=TradingState.HALTED, reason="", actor="", at=OPEN)
    submitted = ev.OrderSubmitted(client_order_id=ID, at=OPEN)
    assert codes(told(halted, approved(leg=leg), submitted)) == found
    resumed = ev.TradingResumed(actor="", at=OPEN)
    assert codes(told(halted, resumed, approved(leg=leg), submitted)) == []


def status_after(*events: Event) -> OrderStatus:
    return told(approved(), *events).orders[ID].status


def of_order(kind: Callable[..., Event], **given: Any) -> Event:
    return kind(client_order_id=ID, at=OPEN, **given)


def test_an_order_moves_along_its_edges_only() -> None:
    canceled = of_order(ev.OrderCanceled, reason="")
    accepted = of_order(ev.OrderAccepted, broker_order_id="v1")
    submitted = of_order(ev.OrderSubmitted)
    assert status_after(submitted, accepted, canceled) == "canceled"
    assert status_after(submitted, canceled, accepted) == "canceled"
    assert status_after(submitted, filled(4)) == "partially_filled"
    assert status_after(submitted, filled()) == "filled"
    assert told(accepted).found == []  # somebody else's


def test_a_fill_counts_once_and_positions_and_cash_follow() -> None:
    events = [approved(), filled(commission=1), position(10, "-1001")]
    witness = told(*events, filled(commission=1))
    assert (witness.found, witness.net()) == ([], {"AAPL": D(10)})
    assert witness.orders[ID].filled == 10
    assert codes(told(*events, filled(commission=1), position(20, "-2002"))) == ["I1", "I3", "I3"]


def test_cash_that_is_not_the_sum_of_its_flows() -> None:
    assert codes(told(filled(), position(10, "-1000", account=D(1)))) == ["I3"]


def test_flows_that_are_no_fills() -> None:
    paid = ev.CashMoved(
        action_id="a",
        ledger="manual",
        symbol="AAPL",
        kind="dividend",
        amount=D(5),
        currency="USD",
        reason="",
        ledger_cash=D(5),
        account_cash=D(100_005),
        at=OPEN,
    )
    split = ev.PositionAdjusted(
        action_id="b",
        position=Position(ledger="manual", symbol="AAPL", quantity=D(20)),
        before=D(10),
        reason="split",
        ledger_cash=D(5),
        account_cash=D(100_005),
        at=OPEN,
    )
    witness = told(paid, price(100), split)
    assert (witness.found, witness.net(), witness.marks) == ([], {"AAPL": D(20)}, {})


def bust(identity: str = "x1") -> ev.ExecutionBusted:
    return ev.ExecutionBusted(
        broker="paper", execution_id=identity, client_order_id=ID, reason="", at=OPEN
    )


def corrected(price: float) -> ev.ExecutionCorrected:
    right = filled(10, price, execution_id="x2").execution
    return ev.ExecutionCorrected(execution=right, corrects="x1", reason="", at=OPEN)


def test_a_bust_takes_a_fill_back_and_it_stays_so() -> None:
    witness = told(approved(), filled(), bust(), filled())
    assert (witness.net(), witness.account_cash) == ({}, D(100_000))
    assert witness.orders[ID].filled == 0
    assert told(bust()).found == []
    assert told(filled(), bust()).net() == {}  # of an order that nobody approved


@pytest.mark.parametrize("again", [True, False])
def test_a_correction_puts_another_fill_in_its_place(again: bool) -> None:
    early: list[Event] = [ev.OrderFilled(execution=corrected(99).execution)] if again else []
    witness = told(approved(), filled(), *early, corrected(99), corrected(99))
    assert (witness.net(), witness.account_cash) == ({"AAPL": D(10)}, D(100_000 - 990))


def test_a_correction_does_not_bring_an_ended_order_back() -> None:
    partial, canceled = filled(4), of_order(ev.OrderCanceled, reason="")
    submitted = of_order(ev.OrderSubmitted)
    right = ev.ExecutionCorrected(
        execution=filled(4, 99, execution_id="x2").execution, corrects="x1", reason="", at=OPEN
    )
    assert status_after(submitted, partial, canceled, right) == "canceled"
    assert status_after(submitted, canceled, right) == "partially_filled"  # a late fill


def seen(quantity: int, had: int) -> ev.OrderSeen:
    theirs = BrokerOrder(
        broker_order_id="7",
        client_order_id=None,
        symbol="AAPL",
        side=Side.BUY,
        quantity=D(quantity),
        status=OrderStatus.ACCEPTED,
        filled_quantity=D(had),
    )
    return ev.OrderSeen(order=theirs, ledger="external", at=OPEN)


def test_an_adopted_order_is_one_of_ours_for_what_is_left_of_it() -> None:
    witness = told(seen(10, 4), seen(10, 5))
    (known,) = witness.orders.values()
    assert (known.quantity, known.status, known.is_open) == (D(6), "accepted", True)


def test_an_order_that_was_filled_before_it_was_seen_is_not_open() -> None:
    assert told(seen(10, 10)).orders == {}


def test_a_bust_of_what_was_filled_before_an_adoption_leaves_more_to_fill() -> None:
    adopted = seen(10, 4)
    before = filled(4, client_order_id=adopted.client_order_id, ledger="external")
    order = told(before, adopted, bust()).orders[adopted.client_order_id]
    assert (order.quantity, order.filled) == (10, 0)


def test_orders_change_their_quantity() -> None:
    replaced = ev.OrderReplaced(client_order_id=ID, broker_order_id="v1", quantity=D(30), at=OPEN)
    adjusted = ev.OrderAdjusted(
        action_id="s",
        client_order_id=ID,
        symbol="AAPL",
        quantity=D(40),
        limit_price=None,
        stop_price=None,
        at=OPEN,
    )
    assert told(approved(), replaced).orders[ID].quantity == 30
    assert told(approved(), filled(4), adjusted).orders[ID].quantity == 44
    assert told(replaced, adjusted).orders == {}


@pytest.mark.parametrize("kind", ["twice", "two outcomes"])
def test_a_command_has_one_outcome(kind: str) -> None:
    asked = ev.CommandReceived(command_id=1, kind="x", payload={}, actor="a", at=OPEN)
    done = ev.CommandCompleted(command_id=1, succeeded=True, result={}, at=OPEN)
    assert codes(told(asked, done)) == []
    assert codes(told(asked, asked) if kind == "twice" else told(asked, done, done)) == ["I16"]


# ------------------------------------------------------------------------------------- limits

TIGHT = Limits(max_concurrent_orders=2, max_position_size=D("0.05"), stale_price_seconds=60)


def entry(number: int, quantity: int, **given: Any) -> ev.OrderApproved:
    identity = f"o{number}"
    return approved(client_order_id=identity, quantity=quantity, signal_id=identity, **given)


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ([entry(1, 50)], []),
        ([entry(1, 51)], ["I8"]),
        ([entry(1, 30), entry(2, 21)], ["I8"]),
        ([entry(1, 30), filled(30, client_order_id="o1"), entry(2, 20)], []),
        ([entry(1, 30, leg=Leg.EXIT), entry(2, 1), entry(3, 1)], ["I8"]),
        ([entry(1, 30, side=Side.SELL), entry(2, 50)], []),
        ([entry(1, 50, at=OPEN + 2 * MINUTE + timedelta(seconds=1))], ["I14"]),
        ([entry(1, 5, symbol="MSFT")], []),
    ],
)
def test_limits_hold_with_everything_open_filled(events: Iterable[Event], found: list[str]) -> None:
    assert codes(told(price(100), *events, limits=TIGHT)) == found


def test_the_account_as_a_whole_stays_within_its_exposure() -> None:
    limits = Limits(max_portfolio_exposure=D("0.06"), max_position_size=D("0.05"))
    others = [price(100), price(10, "MSFT"), entry(1, 400, symbol="MSFT")]
    assert codes(told(*others, entry(2, 20), limits=limits)) == []
    assert codes(told(*others, entry(2, 21), limits=limits)) == ["I8"]


def test_what_nothing_is_known_of_is_not_judged() -> None:
    unpriced = filled(1, client_order_id="x", symbol="MSFT")
    assert codes(told(price(100), unpriced, entry(1, 500), limits=TIGHT)) == []
    assert codes(told(price(100), entry(1, 500))) == []
    off = Limits(risk_checking=False)
    assert codes(told(price(100), entry(1, 500), limits=off)) == []


def test_limits_are_those_that_the_stream_tells_of_the_account() -> None:
    shown = msgspec.to_builtins(TIGHT)
    part = ev.LimitsChanged(limits={}, scope="deployment:1", actor="a", at=OPEN)
    whole = ev.LimitsChanged(limits=shown, actor="a", at=OPEN)
    assert told(part).limits is None
    assert told(whole, part).limits == TIGHT


def order_of(witness: Witness) -> Order:
    return witness.orders[ID].order


def test_what_is_left_is_never_less_than_nothing() -> None:
    witness = told(approved(), filled(12))
    assert (order_of(witness).quantity, witness.orders[ID].remaining) == (D(10), D(0))
