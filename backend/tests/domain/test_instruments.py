"""Prices land on the grid of their instrument, half-even."""

from decimal import Decimal

import pytest

from app.domain.instruments import Instrument


@pytest.mark.parametrize(
    ("tick", "value", "rounded"),
    [
        ("0.01", "10.125", "10.12"),
        ("0.01", "10.135", "10.14"),
        ("0.05", "10.12", "10.10"),
        ("0.25", "10.375", "10.50"),
        ("1", "10.5", "10"),
    ],
)
def test_a_price_is_rounded_to_the_tick(tick: str, value: str, rounded: str) -> None:
    instrument = Instrument("AAPL", tick=Decimal(tick))
    assert str(instrument.round_price(Decimal(value))) == rounded
