"""Our books against the broker's: what differs, in sentences."""

from collections.abc import Iterator
from typing import Final

from app.domain.orders import Order, OrderStatus
from app.domain.ports import BrokerBook

_AT_THE_BROKER: Final = frozenset({OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED})


def differences(ours: list[Order], book: BrokerBook) -> tuple[str, ...]:
    """What neither an answer still to come nor a resubmission explains; empty when all agrees.

    `ours` are the engine's open orders. Approved, submitted and unknown ones may or may not have
    arrived: recovery asks for them.
    """
    return tuple(_differences({order.client_order_id: order for order in ours}, book))


def _differences(ours: dict[str, Order], book: BrokerBook) -> Iterator[str]:
    theirs = {order.client_order_id or order.broker_order_id: order for order in book.open_orders}
    for identity in sorted(ours):
        order, other = ours[identity], theirs.get(identity)
        if other is not None and other.filled_quantity != order.filled_quantity:
            yield (
                f"order {identity}: {order.filled_quantity} filled here,"
                f" {other.filled_quantity} at the broker"
            )
        elif other is None and order.status in _AT_THE_BROKER:
            yield f"order {identity} is {order.status} here and not open at the broker"
    for identity in sorted(theirs.keys() - ours.keys()):
        yield f"order {identity} is open at the broker and not here"
