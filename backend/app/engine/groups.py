"""Orders that belong together: of an OCO pair one cancels the other; what over-fills is undone."""

from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from app.domain.executions import Execution
from app.domain.orders import Leg, Order
from app.engine.desk import Desk, place_in_pair
from app.engine.pursuit import pursue, resize
from app.engine.state import Standing

ZERO: Final = Decimal(0)


def partners(desk: Desk, order: Order) -> list[Order]:
    """The open other order of an OCO pair; nothing for an order that stands alone."""
    return [one for one in _pair(desk, order) if one.is_open]


def _pair(desk: Desk, order: Order) -> list[Order]:
    """The other order of its pair, open or not: of the same signal, the attempt before or after."""
    if order.group_id is None or order.leg.is_protective:
        return []
    prefix = order.client_order_id.removesuffix(str(order.attempt))
    beside = (f"{prefix}{order.attempt + step}" for step in (-1, 1))
    found = (desk.book.records.get(identity) for identity in beside)
    return [
        one.order
        for one in found
        if one is not None
        and one.order.group_id == order.group_id
        and place_in_pair(one.order) != place_in_pair(order)
    ]


def fit_pairs(desk: Desk, ledger: str, symbol: str, at: datetime) -> None:
    """What one order of a pair has filled the other must not fill again."""
    for order in desk.book.working(ledger, symbol):
        others = _pair(desk, order)
        gone = sum((one.filled_quantity for one in others), ZERO)
        if gone:
            whole = max(order.quantity, *(one.quantity for one in others))
            left = whole - gone - order.filled_quantity
            if left < order.remaining_quantity:
                resize(desk, order, max(left, ZERO), "the other order of the pair was filled", at)


def undo_excess(desk: Desk, standing: Standing, order: Order, fill: Execution) -> None:
    """Both orders of a pair were filled, or two ways out: what is too much is closed at once."""
    excess = _doubled(desk, order, fill.quantity)
    held = desk.book.held(order.ledger, order.symbol)
    sign, wanted = order.side.sign, standing.target.quantity
    if order.leg is not Leg.ENTRY:
        is_through = held * sign > 0 and wanted * sign <= 0
        if is_through:
            _aim(desk, standing, ZERO, fill.at)
    elif excess:
        _aim(desk, standing, held - excess * sign, fill.at)


def _doubled(desk: Desk, order: Order, filled: Decimal) -> Decimal:
    """By how much this fill takes a pair beyond the quantity of one of its orders."""
    others = _pair(desk, order)
    if not others:
        return ZERO
    total = order.filled_quantity + sum((one.filled_quantity for one in others), ZERO)
    whole = max(order.quantity, *(one.quantity for one in others))
    return min(max(total - whole, ZERO), filled)


def _aim(desk: Desk, standing: Standing, quantity: Decimal, at: datetime) -> None:
    """Hold `quantity`, at the market, however often it must be tried."""
    standing.target = msgspec.structs.replace(standing.target, terms=None, oco=None)
    standing.is_live, standing.is_once = True, False
    desk.retarget(standing, quantity, at)
    pursue(desk, standing, at)
