"""What a reconciliation found and did, in words and as a value for whoever asked. Pure."""

from typing import Any

from app.domain.deployments import EXTERNAL
from app.domain.events import (
    CashSeen,
    ExecutionBusted,
    ExecutionCorrected,
    HoldingSeen,
    Input,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReplaced,
    OrderSeen,
)
from app.domain.executions import Execution
from app.engine.reconciler import Outcome
from app.engine.reconciliation import plain


def outcome_of(outcome: Outcome, *, is_dry: bool) -> dict[str, Any]:
    """For people and programs: what was (or would be) told to our books, and what is left."""
    return {
        "dry_run": is_dry,
        "reports": [sentence(one) for one in outcome.reports],
        "differences": [
            {
                "kind": one.kind,
                "subject": one.subject,
                "ours": one.ours,
                "theirs": one.theirs,
                "detail": one.detail,
            }
            for one in outcome.differences
        ],
        "open_orders": outcome.open_orders,
        "positions": outcome.positions,
    }


def sentence(report: Input) -> str:
    """One thing that the broker knew and we did not."""
    match report:
        case OrderFilled(execution=one):
            return f"Order {one.client_order_id}: {_fill(one)}."
        case ExecutionCorrected(execution=one):
            return f"Order {one.client_order_id}: a fill is corrected to {_fill(one)}."
        case ExecutionBusted():
            return f"Order {report.client_order_id}: fill {report.execution_id} was taken back."
        case OrderSeen(order=order):
            what = f"{order.side} {plain(order.quantity)} {order.symbol}"
            return f"Order {order.identity} ({what}) was made at the broker; it is taken over."
        case HoldingSeen():
            return f"{plain(report.quantity)} {report.symbol} are held at the broker."
        case CashSeen():
            return f"The broker counts {plain(report.cash)} {report.currency} of cash."
        case _:
            return _of_order(report)


def _of_order(report: Input) -> str:
    match report:
        case OrderAccepted():
            return f"Order {report.client_order_id} is at the broker ({report.broker_order_id})."
        case OrderReplaced():
            return f"Order {report.client_order_id} was changed at the broker."
        case OrderCanceled() | OrderExpired() | OrderRejected():
            what = type(report).__name__.removeprefix("Order").lower()
            return f"Order {report.client_order_id} is {what}: {report.reason}."
        case _:
            return type(report).__name__


def by_others(report: Input) -> str | None:
    """What somebody else did on the account, in words; None for what is our own."""
    match report:
        case OrderSeen() | HoldingSeen() | CashSeen(is_flow=True):
            return sentence(report)
        case OrderFilled(execution=one) if one.ledger == EXTERNAL:
            return sentence(report)
        case _:
            return None


def _fill(one: Execution) -> str:
    what = "bought" if one.side == "buy" else "sold"
    return f"{plain(one.quantity)} {one.symbol} {what} at {plain(one.price)}"
