"""Rates and dividend yields from the environment."""

import pytest

from app.core.errors import ConfigurationError
from app.core.pricing import PricingOptions


def test_one_rate_is_a_flat_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    assert PricingOptions().curve == ((0.0, 0.04),)
    monkeypatch.setenv("OPTIONS_RATES", "0.05")
    assert PricingOptions().curve == ((0.0, 0.05),)


def test_a_curve_and_yields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPTIONS_RATES", "0.25:0.043, 1:0.041")
    monkeypatch.setenv("OPTIONS_DIVIDEND_YIELDS", "spy:0.012,QQQ:0.006")
    options = PricingOptions()
    assert options.curve == ((0.25, 0.043), (1.0, 0.041))
    assert options.yields == {"SPY": 0.012, "QQQ": 0.006}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("OPTIONS_RATES", "four"),
        ("OPTIONS_RATES", "4.3"),
        ("OPTIONS_RATES", "1:0.04,0.5:0.03"),
        ("OPTIONS_RATES", "0.04,0.03"),
        ("OPTIONS_DIVIDEND_YIELDS", "0.012"),
        ("OPTIONS_DIVIDEND_YIELDS", "SPY:-1"),
    ],
)
def test_what_is_no_rate_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(ConfigurationError, match=name):
        PricingOptions()
