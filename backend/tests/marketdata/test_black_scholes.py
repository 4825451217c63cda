"""European prices, greeks and volatilities against published values and other ways to them."""

from dataclasses import replace

import numpy as np
import pytest

from app.marketdata import black_scholes as bs
from app.marketdata.batch import Floats
from app.marketdata.black_scholes import Greeks, Terms


def terms(
    spot: float, strike: float, years: float, rate: float, dividend_yield: float, is_call: bool
) -> Terms:
    columns = (np.array([float(x)]) for x in (spot, strike, years, rate, dividend_yield))
    return Terms(*columns, np.array([is_call]))


def many(count: int, seed: int = 7) -> tuple[Terms, Floats]:
    """Contracts of all sorts, and their volatilities."""
    random = np.random.default_rng(seed)
    columns = (
        100 * np.exp(random.uniform(-0.2, 0.2, count)),
        100 * np.exp(random.uniform(-0.8, 0.8, count)),
        random.uniform(0.003, 3, count),
        random.uniform(-0.01, 0.08, count),
        random.uniform(0, 0.06, count),
    )
    return Terms(*columns, random.random(count) < 0.5), random.uniform(0.05, 1.5, count)


@pytest.mark.parametrize(
    ("given", "volatility", "published"),
    [
        # Hull, Options, Futures and Other Derivatives, example 15.6
        (terms(42, 40, 0.5, 0.10, 0, True), 0.20, 4.76),
        (terms(42, 40, 0.5, 0.10, 0, False), 0.20, 0.81),
        # Haug, The Complete Guide to Option Pricing Formulas, 2nd edition, pages 3 and 4
        (terms(60, 65, 0.25, 0.08, 0, True), 0.30, 2.1334),
        (terms(100, 95, 0.5, 0.10, 0.05, False), 0.20, 2.4648),
    ],
)
def test_prices_are_those_of_the_books(given: Terms, volatility: float, published: float) -> None:
    decimals = len(str(published).partition(".")[2])
    assert round(float(bs.price(given, np.array([volatility]))[0]), decimals) == published


def test_the_greeks_are_those_of_the_books() -> None:
    # Hull, chapter 19: a call on 49, strike 50, 20 weeks, 5 %, volatility 20 %
    found = bs.greeks(terms(49, 50, 20 / 52, 0.05, 0, True), np.array([0.20]))
    rounded = {
        "delta": round(float(found.delta[0]), 3),
        "gamma": round(float(found.gamma[0]), 3),
        "theta": round(float(found.theta[0]), 2),
        "vega": round(float(found.vega[0]), 1),
        "rho": round(float(found.rho[0]), 2),
    }
    assert rounded == {"delta": 0.522, "gamma": 0.066, "theta": -4.31, "vega": 12.1, "rho": 8.91}


def test_calls_and_puts_keep_parity() -> None:
    given, volatility = many(2_000)
    calls = bs.price(replace(given, is_call=np.ones(2_000, dtype=bool)), volatility)
    puts = bs.price(replace(given, is_call=np.zeros(2_000, dtype=bool)), volatility)
    assert np.abs(calls - puts - given.forward_spot + given.discounted_strike).max() < 1e-11


def test_greeks_are_the_slopes_of_prices() -> None:
    given, volatility = many(2_000)
    step = 1e-4

    def slope(name: str) -> Floats:
        column = getattr(given, name)
        up, down = replace(given, **{name: column + step}), replace(given, **{name: column - step})
        change: Floats = (bs.price(up, volatility) - bs.price(down, volatility)) / (2 * step)
        return change

    found = bs.greeks(given, volatility)
    sigma = (bs.price(given, volatility + step) - bs.price(given, volatility - step)) / (2 * step)
    bend = bs.greeks(replace(given, spot=given.spot + step), volatility).delta - found.delta
    assert np.abs(found.delta - slope("spot")).max() < 1e-6
    assert np.abs(found.gamma - bend / step).max() < 1e-3
    assert np.abs(found.vega - sigma).max() < 1e-3
    assert np.abs(found.rho - slope("rate")).max() < 1e-3
    long_enough = given.years > 0.05
    assert np.abs(found.theta + slope("years"))[long_enough].max() < 1e-2


def test_the_differential_equation_holds() -> None:
    given, volatility = many(2_000)
    found, worth = bs.greeks(given, volatility), bs.price(given, volatility)
    drift = (given.rate - given.dividend_yield) * given.spot * found.delta
    spread = 0.5 * volatility**2 * given.spot**2 * found.gamma
    assert np.abs(found.theta + drift + spread - given.rate * worth).max() < 1e-9


def test_the_volatility_of_a_price_is_found_again() -> None:
    given, volatility = many(20_000)
    prices = bs.price(given, volatility)
    found = bs.implied_volatility(given, prices)
    value = prices - np.maximum(given.sign * (given.forward_spot - given.discounted_strike), 0)
    sure = value > 1e-5
    assert np.abs(found - volatility)[sure].max() < 1e-7
    assert not np.isnan(found[value > 1e-6]).any()


@pytest.mark.parametrize(
    ("price", "given"),
    [
        (np.nan, terms(100, 100, 1, 0, 0, True)),
        (0.0, terms(100, 100, 1, 0, 0, True)),
        (-1.0, terms(100, 100, 1, 0, 0, True)),
        (100.0, terms(100, 100, 1, 0, 0, True)),  # costs the share
        (10.0, terms(100, 90, 1, 0, 0, True)),  # pays no time
        (5.0, terms(100, 90, 1, 0, 0, True)),  # less than exercise pays
        (1.0, terms(100, 100, 0, 0, 0, True)),
        (1.0, terms(100, 100, -1, 0, 0, True)),
        (1.0, terms(np.nan, 100, 1, 0, 0, True)),
        (1.0, terms(100, 100, 1, np.inf, 0, True)),
        (1.0, terms(0, 100, 1, 0, 0, False)),
        (99.9999999, terms(100, 100, 0.01, 0, 0, True)),  # beyond any volatility
    ],
)
def test_there_is_no_volatility(price: float, given: Terms) -> None:
    assert np.isnan(bs.implied_volatility(given, np.array([price]))[0])


def test_unknown_volatilities_have_unknown_greeks() -> None:
    given, volatility = many(3)
    volatility[1] = np.nan
    found = bs.greeks(given, volatility)
    assert np.isnan(found.vega).tolist() == [False, True, False]
    assert np.isnan(Greeks.unknown(2).delta).all()
    assert len(bs.implied_volatility(given[:0], np.array([]))) == 0
