"""How a trailing stop follows the market: never away from it, and only as bars close."""

from decimal import Decimal

from app.domain.orders import Side


def first_stop(side: Side, trail: Decimal, price: Decimal) -> Decimal:
    """Where the stop stands when the market is at `price`: a sale's below it, a purchase's above.

    `trail` is the distance in money. Not above zero where the distance is not less than the price.
    """
    return price - trail if side is Side.SELL else price + trail


def followed(
    side: Side, trail: Decimal, stop: Decimal | None, high: Decimal, low: Decimal
) -> Decimal:
    """Where `stop` stands after a bar that it outlived; None: it stood nowhere yet.

    Only the bars after this one meet the new stop: within a bar nobody knows whether its best
    price came before its worst.
    """
    best = high if side is Side.SELL else low
    reached = first_stop(side, trail, best)
    if stop is None:
        return reached
    return max(stop, reached) if side is Side.SELL else min(stop, reached)
