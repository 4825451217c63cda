"""What a reconciliation did is said in sentences that a person understands."""

from decimal import Decimal

import msgspec
import pytest

from app.domain.events import (
    CashSeen,
    ClockTicked,
    Difference,
    ExecutionBusted,
    ExecutionCorrected,
    HoldingSeen,
    Input,
    OrderAccepted,
    OrderCanceled,
    OrderFilled,
    OrderReplaced,
    OrderSeen,
)
from app.domain.orders import BrokerOrder, OrderStatus, Side
from app.engine.findings import by_others, outcome_of, sentence
from app.engine.reconciler import Outcome, Scope
from app.engine.reconciliation import Kind
from tests.trading import OPEN, make_execution

D = Decimal
ORDER = BrokerOrder(
    broker_order_id="b1",
    client_order_id=None,
    symbol="AAPL",
    side=Side.BUY,
    quantity=D("5.0"),
    status=OrderStatus.ACCEPTED,
)
FILL = make_execution(2, 100, ledger="external")
SAID: list[tuple[Input, str]] = [
    (OrderFilled(execution=FILL), "Order o1: 2 AAPL bought at 100."),
    (
        ExecutionCorrected(execution=make_execution(-2, 99), corrects="x0", reason="", at=OPEN),
        "Order o1: a fill is corrected to 2 AAPL sold at 99.",
    ),
    (
        ExecutionBusted(broker="v", execution_id="x1", client_order_id="o1", reason="", at=OPEN),
        "Order o1: fill x1 was taken back.",
    ),
    (
        OrderSeen(order=ORDER, ledger="external", at=OPEN),
        "Order external-b1 (buy 5 AAPL) was made at the broker; it is taken over.",
    ),
    (
        HoldingSeen(symbol="MSFT", quantity=D(-7), reason="", at=OPEN),
        "-7 MSFT are held at the broker.",
    ),
    (
        CashSeen(cash=D("1000.50"), is_flow=True, reason="", at=OPEN),
        "The broker counts 1000.5 USD of cash.",
    ),
    (
        OrderAccepted(client_order_id="o1", broker_order_id="b1", at=OPEN),
        "Order o1 is at the broker (b1).",
    ),
    (
        OrderReplaced(client_order_id="o1", broker_order_id="b1", quantity=D(1), at=OPEN),
        "Order o1 was changed at the broker.",
    ),
    (
        OrderCanceled(client_order_id="o1", reason="by hand", at=OPEN),
        "Order o1 is canceled: by hand.",
    ),
    (ClockTicked(at=OPEN), "ClockTicked"),
]


@pytest.mark.parametrize(("report", "words"), SAID)
def test_each_report_has_its_sentence(report: Input, words: str) -> None:
    assert sentence(report) == words


def test_only_what_somebody_else_did_is_told_as_such() -> None:
    found = [type(report).__name__ for report, _ in SAID if by_others(report)]
    assert found == ["OrderFilled", "OrderSeen", "HoldingSeen", "CashSeen"]
    mine = OrderFilled(execution=msgspec.structs.replace(FILL, ledger="d1"))
    assert by_others(mine) is None
    assert by_others(CashSeen(cash=D(1), reason="a fee", at=OPEN)) is None


def test_an_outcome_is_a_value_for_programs() -> None:
    difference = Difference(kind=Kind.CASH, subject="USD", ours="1", theirs="2", detail="Cash.")
    outcome = Outcome(
        scope=Scope.WHOLE,
        at=OPEN,
        reports=(SAID[0][0],),
        differences=(difference,),
        open_orders=3,
        positions=4,
    )
    assert outcome_of(outcome, is_dry=True) == {
        "dry_run": True,
        "reports": [SAID[0][1]],
        "differences": [
            {"kind": "cash", "subject": "USD", "ours": "1", "theirs": "2", "detail": "Cash."}
        ],
        "open_orders": 3,
        "positions": 4,
    }
