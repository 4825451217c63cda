"""What a multiplier is for: limits, busts, corrections and adopted holdings of option contracts."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from app.domain.denials import Denial
from app.domain.events import (
    CashSeen,
    ExecutionBusted,
    ExecutionCorrected,
    HoldingSeen,
    OrderApproved,
    OrderDenied,
    OrderFilled,
)
from app.domain.limits import UNLIMITED
from app.engine.witness import Witness
from tests.trading import OPEN, SilentBroker, World, make_execution

D = Decimal
CALL = "AAPL261218C00250000"
ID = f"1-manual-{CALL}-c1-e1"


def limited(**limits: Any) -> World:
    world = World(limits=msgspec.structs.replace(UNLIMITED, **limits))
    world.bar(100, **{CALL: 2})
    return world


def filled(quantity: int, price: str, name: str) -> OrderFilled:
    given = {"execution_id": name, "client_order_id": ID, "ledger": "manual", "symbol": CALL}
    return OrderFilled(execution=make_execution(quantity, float(price), **given))


@pytest.fixture
def held() -> World:
    """Three contracts, bought at 2.37 and 2.40."""
    world = World(broker=SilentBroker())
    world.bar(100, **{CALL: 2})
    world.order("buy", 3, CALL)
    world.step(filled(2, "2.37", "x1"))
    world.step(filled(1, "2.40", "x2"))
    return world


def agrees(world: World) -> None:
    """The witness, who folds by other means, finds nothing."""
    witness = Witness(D(100_000), {})
    for seq, event in enumerate(world.journal.events, 1):
        witness.learn(seq, event)
    assert witness.found == []
    assert witness.account_cash == world.engine.cash


def test_contracts_are_worth_a_hundred_shares_each(held: World) -> None:
    assert held.engine.cash == 100_000 - D("714")
    assert held.engine.equity == held.engine.cash + 600
    assert held.engine.book.worth_of("manual") == D("-114")
    assert held.engine.book.worth({CALL: 3.0}) == held.engine.cash + 900
    agrees(held)


def test_a_bust_and_a_correction_give_back_what_the_contracts_cost(held: World) -> None:
    bust = ExecutionBusted(
        broker="paper", execution_id="x2", client_order_id=ID, reason="wrong", at=OPEN
    )
    held.step(bust)
    assert held.engine.cash == 100_000 - D("474")
    right = filled(2, "2.30", "x1b").execution
    held.step(ExecutionCorrected(execution=right, corrects="x1", reason="price", at=OPEN))
    assert held.engine.cash == 100_000 - D("460")
    agrees(held)


def test_contracts_that_are_found_at_the_broker_shift_what_they_are_worth(held: World) -> None:
    day_start, equity = held.engine.book.day_start, held.engine.equity
    seen = HoldingSeen(symbol=CALL, quantity=D(5), average_price=D(2), reason="held", at=OPEN)
    held.step(seen)
    assert held.engine.equity == equity + 400
    assert held.engine.book.day_start == day_start + 400
    held.step(CashSeen(cash=D(99_000), currency="USD", is_flow=False, reason="fees", at=OPEN))
    assert held.engine.cash == 99_000


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"max_position_size": D("0.005")}, Denial.POSITION_LIMIT),
        ({"max_portfolio_exposure": D("0.005")}, Denial.EXPOSURE_LIMIT),
        ({"max_daily_notional": D(500)}, Denial.DAILY_NOTIONAL),
    ],
)
def test_limits_count_the_value_of_the_shares(limits: dict[str, Any], code: Denial) -> None:
    world = limited(**limits)
    world.order("buy", 3, CALL)
    assert world.of(OrderApproved)[-1].order.quantity == 2  # three would be 600
    world.bar(100, **{CALL: 2})
    assert world.order("buy", 1, CALL)["succeeded"] is False
    assert world.of(OrderDenied)[-1].code == code


def test_another_order_counts_the_contracts_that_are_held_and_ordered() -> None:
    world = limited(max_portfolio_exposure=D("0.01"))
    world.order("buy", 2, CALL)
    world.order("buy", 3, CALL)
    world.bar(100, **{CALL: 2})
    assert world.engine.book.exposures(but="AAPL") == {CALL: D(1000)}
    assert world.order("buy", 1)["succeeded"] is False


def test_an_exposure_is_sized_in_contracts() -> None:
    world = limited()
    world.command("signal_raise", symbol=CALL, exposure=0.01)
    world.bar(100, **{CALL: 2})
    assert world.held(CALL, "manual") == 5
