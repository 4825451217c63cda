from decimal import Decimal

import pytest

from app.domain.instruments import Instrument
from app.domain.limits import UNLIMITED, Limits
from app.risk.sizing import budget_of, quantity_of

D = Decimal


def test_capital_is_shared_by_the_symbols() -> None:
    assert budget_of(D(9000), 3, D(1), Limits()) == 3000


def test_without_capital_the_limits_say_how_much() -> None:
    equity = D(100_000)
    assert budget_of(None, 1, equity, Limits()) == 5000
    assert budget_of(None, 40, equity, Limits()) == 2000
    assert budget_of(None, 2, equity, UNLIMITED) == 50_000


@pytest.mark.parametrize(
    ("exposure", "quantity"), [(1.0, 33), (0.5, 16), (-0.5, -16), (0.0, 0), (0.005, 0)]
)
def test_sizes_are_rounded_toward_zero(exposure: float, quantity: int) -> None:
    assert quantity_of(exposure, D(1000), D(30), Instrument("AAPL")) == quantity


def test_fractions_of_shares_where_the_lot_allows() -> None:
    assert quantity_of(1.0, D(100), D(30), Instrument("X", lot=D("0.001"))) == D("3.333")


def test_nothing_is_sized_without_a_price() -> None:
    assert quantity_of(1.0, D(100), D(0), Instrument("X")) == 0


@pytest.mark.parametrize(("exposure", "quantity"), [(1.0, 10**9), (-1.0, -(10**9))])
def test_an_absurd_capital_still_fits_the_tables(exposure: float, quantity: int) -> None:
    assert quantity_of(exposure, D(10) ** 11, D("0.01"), Instrument("PENNY")) == quantity
