"""Which contracts of a chain are followed live: expiries ahead, strikes around the price."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Final

import msgspec

from app.core.errors import InvalidInput
from app.domain.options import OptionContract, is_adjusted, is_occ

MOST_UNDERLYINGS: Final = 20
MOST_DAYS: Final = 1_100
MOST_PERCENT: Final = 100.0
MOST_CONTRACTS: Final = 2_000
"Of one underlying."


class OptionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much of each chain is followed."""

    days: int = 30
    "Contracts that expire within so many days; 0 is today."
    percent: float = 10.0
    "Strikes at most so far from the price of the underlying."
    contracts: int = 500
    "Of each underlying; where there are more, those nearest to the price."


def check(underlyings: Sequence[str], limits: OptionLimits) -> None:
    """Raises InvalidInput for what cannot be followed; names the field of `settings`."""
    if len(underlyings) > MOST_UNDERLYINGS:
        raise InvalidInput(
            f"{len(underlyings)} chains are too many for one account.",
            field="options",
            remedy=f"Name at most {MOST_UNDERLYINGS}.",
        )
    for symbol in underlyings:
        if is_occ(symbol):
            raise InvalidInput(
                f"{symbol} is a contract, not an underlying.",
                field="options",
                remedy="Name the stock, as AAPL: its contracts are looked up.",
            )
    for name, value, least, most in (
        ("days", limits.days, 0, MOST_DAYS),
        ("percent", limits.percent, 0.1, MOST_PERCENT),
        ("contracts", limits.contracts, 1, MOST_CONTRACTS),
    ):
        if not least <= value <= most:
            raise InvalidInput(
                f"option_limits.{name} cannot be {value:g}.",
                field=f"option_limits.{name}",
                remedy=f"It lies between {least:g} and {most:g}.",
            )


def chosen(
    contracts: Iterable[OptionContract], price: float, today: date, limits: OptionLimits
) -> list[OptionContract]:
    """The contracts to follow, as chains are sorted. `price` is that of the underlying."""
    last, reach = today + timedelta(days=limits.days), price * limits.percent / 100

    def distance(one: OptionContract) -> float:
        return abs(float(one.strike) - price)

    near = [
        one
        for one in contracts
        if today <= one.expiry <= last
        and distance(one) <= reach
        and not is_adjusted(one.underlying)
    ]
    near.sort(key=lambda one: (distance(one), one))
    return sorted(near[: limits.contracts])
