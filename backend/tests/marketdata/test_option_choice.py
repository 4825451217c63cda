"""Which contracts of a chain are followed."""

from datetime import date
from decimal import Decimal

import pytest

from app.core.errors import InvalidInput
from app.domain.options import OptionContract, OptionType
from app.marketdata.option_choice import OptionLimits, check, chosen

TODAY = date(2026, 11, 20)


def contract(day: str, strike: float, root: str = "AAPL") -> OptionContract:
    return OptionContract(root, date.fromisoformat(day), Decimal(str(strike)), OptionType.CALL)


def test_expiries_within_days_and_strikes_within_a_share_of_the_price() -> None:
    today, last = contract("2026-11-20", 90), contract("2026-11-30", 110)
    out = [
        contract("2026-11-19", 100),
        contract("2026-12-01", 100),
        contract("2026-11-27", 89.5),
        contract("2026-11-27", 110.5),
        contract("2026-11-27", 100, "AAPL1"),
    ]
    limits = OptionLimits(days=10, percent=10)
    assert chosen([last, *out, today], 100.0, TODAY, limits) == [today, last]


def test_of_too_many_those_nearest_to_the_price_are_taken() -> None:
    chain = [contract("2026-11-27", strike) for strike in range(95, 106)]
    limits = OptionLimits(days=10, percent=10, contracts=3)
    found = chosen(chain, 100.0, TODAY, limits)
    assert [float(one.strike) for one in found] == [99, 100, 101]


@pytest.mark.parametrize(
    ("underlyings", "limits", "field"),
    [
        (["AAPL261218C00250000"], OptionLimits(), "options"),
        ([f"A{i}" for i in range(21)], OptionLimits(), "options"),
        (["AAPL"], OptionLimits(days=-1), "option_limits.days"),
        (["AAPL"], OptionLimits(percent=101.0), "option_limits.percent"),
        (["AAPL"], OptionLimits(percent=float("nan")), "option_limits.percent"),
        (["AAPL"], OptionLimits(contracts=0), "option_limits.contracts"),
    ],
)
def test_what_cannot_be_followed_names_its_field(
    underlyings: list[str], limits: OptionLimits, field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        check(underlyings, limits)
    assert caught.value.field == field
    assert caught.value.remedy
    check(["AAPL"], OptionLimits())
