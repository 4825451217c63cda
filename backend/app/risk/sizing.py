"""From wanted exposure to shares."""

from decimal import Decimal
from typing import Final

from app.domain.instruments import Instrument
from app.domain.limits import Limits

ONE: Final = Decimal(1)
MOST: Final = Decimal(10) ** 9
"Nobody holds more shares of anything; the same bound as for orders by hand."


def budget_of(capital: Decimal | None, symbols: int, equity: Decimal, limits: Limits) -> Decimal:
    """Money for full exposure in one of a deployment's symbols.

    Without capital of its own a deployment gets what the limits allow: an equal share of the
    portfolio's exposure (never more than the equity), at most one position's limit.
    """
    if capital is not None:
        return capital / symbols
    share = min(limits.max_portfolio_exposure, ONE) / symbols
    return equity * min(share, limits.max_position_size)


def quantity_of(
    exposure: float, budget: Decimal, price: Decimal, instrument: Instrument
) -> Decimal:
    """Signed quantity worth `exposure` of `budget`, rounded toward zero to whole lots.

    Never more than `MOST`: an absurd capital on a penny stock must fit the tables.
    """
    if not exposure or price <= 0:
        return Decimal(0)
    wanted = Decimal(repr(exposure)) * budget / (price * instrument.multiplier)
    return instrument.quantity(max(-MOST, min(wanted, MOST)))
