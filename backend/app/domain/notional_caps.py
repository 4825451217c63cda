"""The largest order that a key may ask for: what an order is worth at most, and what is refused."""

from collections.abc import Iterable
from decimal import Decimal

from app.core.errors import Forbidden, InvalidInput
from app.domain.instruments import Instrument
from app.domain.users import Caller


def check_order(
    caller: Caller,
    instrument: Instrument,
    quantity: Decimal,
    prices: Iterable[Decimal],
) -> None:
    """Refuse an order of a key above its cap, valued at the highest of `prices`.

    Prices are those of the order and the newest known one. Raises Forbidden above the cap, and
    InvalidInput when there is no price to value the order at.
    """
    cap = caller.notional_cap
    if cap is None:
        return
    highest = max(prices, default=None)
    if highest is None:
        raise InvalidInput(
            f"No price of {instrument.symbol} is known, and this key may order up to {cap:f} only.",
            field="type",
            remedy="Send a limit order, or use a key without a cap.",
        )
    worth = quantity * highest * instrument.multiplier
    if worth > cap:
        raise Forbidden(
            f"The order is worth up to {worth.normalize():f}; this key may order"
            f" {cap.normalize():f} at a time.",
            remedy="Order less, or use another key.",
            notional_cap=f"{cap.normalize():f}",
            worth=f"{worth.normalize():f}",
        )


def refuse_unbounded(caller: Caller) -> None:
    """Refuse what orders by itself, whose size nobody can tell beforehand. Raises Forbidden."""
    if caller.notional_cap is not None:
        raise Forbidden(
            f"This key may ask for single orders up to {caller.notional_cap.normalize():f} only.",
            remedy="Send explicit orders (kind `order`), or use a key without a cap.",
        )
