"""Our orders and fills in IBKR's words, and IBKR's in ours."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from app.adapters.clients.ibkr_contracts import our_symbol
from app.adapters.clients.ibkr_errors import NAME
from app.domain.deployments import EXTERNAL
from app.domain.executions import Execution
from app.domain.orders import (
    AT_ONCE,
    BrokerOrder,
    Order,
    OrderChange,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)

LONGEST_REFERENCE: Final = 64
"Characters of orderRef that we rely on."
REDUCE_WITH_BLOCK: Final = 2
"ocaType: what one order fills is taken off the others; one at a time is at an exchange."
UNSET: Final = 1.7e308
"TWS says DBL_MAX where there is no number."
KINDS: Final = {
    OrderType.MARKET: "MKT",
    OrderType.LIMIT: "LMT",
    OrderType.STOP: "STP",
    OrderType.STOP_LIMIT: "STP LMT",
    OrderType.TRAILING_STOP: "TRAIL",
}
LIVES: Final = {
    TimeInForce.DAY: "DAY",
    TimeInForce.GTC: "GTC",
    TimeInForce.IOC: "IOC",
    TimeInForce.FOK: "FOK",
}
_KINDS: Final = {word: kind for kind, word in KINDS.items()}
_LIVES: Final = {word: life for life, word in LIVES.items()}
_ONE: Final = Decimal(1)


def refusal(order: Order) -> str | None:
    """Why IBKR cannot be asked for this order, in a sentence; None when it can."""
    reference = order.client_order_id
    if len(reference) > LONGEST_REFERENCE or not (reference.isascii() and reference.isprintable()):
        return (
            f"The order id {reference!r} does not fit IBKR's order reference: at most"
            f" {LONGEST_REFERENCE} printable ASCII characters."
        )
    if order.quantity != order.quantity.to_integral_value() or order.quantity <= 0:
        return f"IBKR's API takes whole shares only, not a quantity of {order.quantity}."
    if order.time_in_force in AT_ONCE and order.type not in (OrderType.MARKET, OrderType.LIMIT):
        return f"IBKR takes {order.time_in_force.value} only for market and limit orders."
    return None


def request(module: Any, order: Order, account: str, group: str, *, outside_hours: bool) -> Any:  # noqa: ANN401
    """The library's order; `group` is the name of its OCA group, or empty."""
    made = module.Order(
        action=order.side.value.upper(),
        totalQuantity=float(order.quantity),
        orderType=KINDS[order.type],
        tif=LIVES[order.time_in_force],
        orderRef=order.client_order_id,
        account=account,
        outsideRth=outside_hours,
    )
    if order.limit_price is not None and order.type in (OrderType.LIMIT, OrderType.STOP_LIMIT):
        made.lmtPrice = float(order.limit_price)
    if order.type in (OrderType.STOP, OrderType.STOP_LIMIT) and order.stop_price is not None:
        made.auxPrice = float(order.stop_price)
    if order.type is OrderType.TRAILING_STOP and order.trail is not None:
        made.auxPrice = float(order.trail)
        if order.stop_price is not None:
            made.trailStopPrice = float(order.stop_price)
    if group:
        made.ocaGroup, made.ocaType = group, REDUCE_WITH_BLOCK
    return made


def change_of(order: Any) -> OrderChange:  # noqa: ANN401
    """Quantity and prices of a library's order. A trailing stop's stop moves: it is left out."""
    kind = _KINDS.get(order.orderType)
    has_limit = kind in (OrderType.LIMIT, OrderType.STOP_LIMIT)
    has_stop = kind in (OrderType.STOP, OrderType.STOP_LIMIT)
    return OrderChange(
        quantity=max(exact(order.totalQuantity), exact(getattr(order, "filledQuantity", 0.0))),
        limit_price=price(order.lmtPrice) if has_limit else None,
        stop_price=price(order.auxPrice) if has_stop else None,
        trail=price(order.auxPrice) if kind is OrderType.TRAILING_STOP else None,
    )


def wish_of(order: Order) -> OrderChange:
    """The same of an order of ours, to be compared with `change_of`."""
    has_limit = order.type in (OrderType.LIMIT, OrderType.STOP_LIMIT)
    has_stop = order.type in (OrderType.STOP, OrderType.STOP_LIMIT)
    return OrderChange(
        quantity=order.quantity,
        limit_price=order.limit_price if has_limit else None,
        stop_price=order.stop_price if has_stop else None,
        trail=order.trail if order.type is OrderType.TRAILING_STOP else None,
    )


def seen(contract: Any, order: Any, identity: str | None, status: OrderStatus) -> BrokerOrder:  # noqa: ANN401
    """An order as IBKR has it; `identity` is our id of it."""
    change = change_of(order)
    trailing = price(order.trailStopPrice) if change.trail is not None else None
    return BrokerOrder(
        broker_order_id=str(order.permId),
        client_order_id=identity,
        symbol=our_symbol(contract),
        side=Side.BUY if order.action == "BUY" else Side.SELL,
        quantity=change.quantity,
        status=status,
        type=_KINDS.get(order.orderType, OrderType.MARKET),
        limit_price=change.limit_price,
        stop_price=trailing or change.stop_price,
        trail=change.trail,
        time_in_force=_LIVES.get(order.tif, TimeInForce.DAY),
    )


def ended(contract: Any, order: Any, state: Any, identity: str | None) -> BrokerOrder:  # noqa: ANN401
    """An order of the list of completed ones: the protocol gives no order id with it."""
    filled = exact(order.filledQuantity)
    said = state.completedStatus or None
    one = seen(contract, order, identity, end_status(state.status, said or ""))
    return msgspec.structs.replace(one, filled_quantity=filled, reason=said)


def end_status(word: str, said: str) -> OrderStatus:
    """How an order ended, by the Gateway's word and its sentence."""
    if word == "Filled":
        return OrderStatus.FILLED
    lower = said.lower()
    if word == "Inactive" or "reject" in lower:
        return OrderStatus.REJECTED
    return OrderStatus.EXPIRED if "expire" in lower else OrderStatus.CANCELED


def fill(contract: Any, execution: Any, identity: str) -> Execution:  # noqa: ANN401
    """A fill without its commission, which comes by a message of its own."""
    at: datetime = execution.time
    return Execution(
        execution_id=execution.execId,
        broker=NAME,
        client_order_id=identity,
        ledger=EXTERNAL,
        symbol=our_symbol(contract),
        side="buy" if execution.side == "BOT" else "sell",
        quantity=exact(execution.shares),
        price=exact(execution.price),
        commission=Decimal(0),
        at=at if at.tzinfo else at.replace(tzinfo=UTC),
    )


def price(number: float | None) -> Decimal | None:
    """A price, or None where TWS says that there is none."""
    if number is None or abs(number) > UNSET:
        return None
    return exact(number)


def exact(number: float) -> Decimal:
    """The decimal that a float was written as; 10.0 is 10."""
    if abs(number) > UNSET:
        return Decimal(0)
    found = Decimal(str(number))
    return found.quantize(_ONE) if found == found.to_integral_value() else found
