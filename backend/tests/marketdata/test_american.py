"""Early exercise against trees of 500 steps, and against its own limits."""

from dataclasses import replace

import numpy as np
import pytest

from app.marketdata import american
from app.marketdata import black_scholes as bs
from app.marketdata.american import price
from app.marketdata.batch import Floats
from app.marketdata.black_scholes import Terms
from tests.marketdata.test_black_scholes import many, terms


def tree(given: Terms, volatility: Floats, steps: int) -> Floats:
    """Cox, Ross and Rubinstein's tree, all contracts at once."""
    step = given.years / steps
    up = np.exp(volatility * np.sqrt(step))[:, None]
    growth = np.exp((given.rate - given.dividend_yield) * step)[:, None]
    rise = (growth - 1 / up) / (up - 1 / up)
    discount = np.exp(-given.rate * step)[:, None]
    sign, strike, spot = given.sign[:, None], given.strike[:, None], given.spot[:, None]
    worth = np.maximum(sign * (spot * up ** (2 * np.arange(steps + 1) - steps) - strike), 0)
    for level in range(steps - 1, -1, -1):
        held = discount * (rise * worth[:, 1:] + (1 - rise) * worth[:, :-1])
        prices = spot * up ** (2 * np.arange(level + 1) - level)
        worth = np.maximum(held, sign * (prices - strike))
    root: Floats = worth[:, 0]
    return root


def listed(count: int) -> tuple[Terms, Floats]:
    """Contracts as exchanges list them: two years, 45 % around the share, volatility 10 to 80 %."""
    random = np.random.default_rng(11)
    columns = (
        np.full(count, 100.0),
        100 * np.exp(random.uniform(-0.45, 0.45, count)),
        random.uniform(0.02, 2.2, count),
        random.uniform(0.0, 0.08, count),
        random.uniform(0.0, 0.06, count),
    )
    return Terms(*columns, random.random(count) < 0.5), random.uniform(0.1, 0.8, count)


@pytest.fixture(scope="module")
def reference() -> tuple[Terms, Floats, Floats]:
    """Contracts, volatilities and what trees say."""
    given, volatility = listed(150)
    mean = 0.5 * (tree(given, volatility, 500) + tree(given, volatility, 501))
    return given, volatility, mean


def test_prices_stay_near_the_trees(reference: tuple[Terms, Floats, Floats]) -> None:
    given, volatility, exact = reference
    found = price(given, volatility)
    share = np.abs(found - exact)[exact > 0.5] / exact[exact > 0.5]
    european = np.abs(bs.price(given, volatility) - exact)
    assert np.sqrt((share**2).mean()) < 0.0025
    assert share.max() < 0.012
    assert np.abs(found - exact).mean() < european.mean() / 25


def test_volatilities_of_the_trees_prices_are_found(
    reference: tuple[Terms, Floats, Floats],
) -> None:
    given, volatility, exact = reference
    found = american.implied_volatility(given, exact)
    solved = ~np.isnan(found)
    off = np.abs(found - volatility)[solved]
    assert solved.mean() > 0.9
    assert np.median(off) < 0.0006
    assert np.quantile(off, 0.95) < 0.005
    exercised = given.sign * (given.spot - given.strike)
    assert (exact - exercised < 1e-2)[~solved].all()


def test_what_is_never_exercised_early_is_european() -> None:
    given, volatility = many(500)
    plain = replace(given, dividend_yield=np.zeros(500), is_call=np.ones(500, dtype=bool))
    assert np.array_equal(price(plain, volatility), bs.price(plain, volatility))
    free = replace(given, rate=np.zeros(500), is_call=np.zeros(500, dtype=bool))
    assert np.array_equal(price(free, volatility), bs.price(free, volatility))
    assert np.array_equal(
        american.greeks(free, volatility).delta, bs.greeks(free, volatility).delta
    )


def test_prices_keep_their_bounds() -> None:
    given, volatility = many(5_000)
    found = price(given, volatility)
    exercised = np.maximum(given.sign * (given.spot - given.strike), 0)
    assert (found >= exercised - 1e-9).all()
    assert (found >= bs.price(given, volatility) - 1e-9).all()
    assert (found <= np.where(given.is_call, given.spot, given.strike) * (1 + 1e-3)).all()


def test_money_that_earns_nothing_makes_no_trouble() -> None:
    given, volatility = listed(200)
    none = replace(given, rate=np.zeros(200), is_call=np.ones(200, dtype=bool))
    little = replace(none, rate=np.full(200, 1e-7))
    assert np.abs(price(none, volatility) - price(little, volatility)).max() < 1e-4


def test_greeks_are_the_slopes_of_prices() -> None:
    given, volatility = listed(2_000)
    found, step = american.greeks(given, volatility), 1e-3
    up, down = (replace(given, spot=given.spot + s) for s in (step, -step))
    delta = (price(up, volatility) - price(down, volatility)) / (2 * step)
    bend = american.greeks(up, volatility).delta - american.greeks(down, volatility).delta
    worth = price(given, volatility)
    exercised = given.sign * (given.spot - given.strike)
    inside = worth - exercised > 0.05
    assert np.abs(found.delta - delta)[inside].max() < 1e-4
    assert np.abs(found.gamma - bend / (2 * step))[inside].max() < 1e-3
    assert (np.abs(found.delta) <= 1.001).all()
    assert (found.vega > -1e-6).all()
    assert np.isfinite(found.theta).all()
    assert np.isfinite(found.rho).all()


def test_beyond_the_boundary_a_contract_moves_as_the_share() -> None:
    given, volatility = terms(50, 100, 0.5, 0.05, 0, False), np.array([0.2])
    assert price(given, volatility)[0] == 50
    found = american.greeks(given, volatility)
    assert (found.delta[0], found.gamma[0]) == (-1, 0)


def test_a_volatility_is_found_again() -> None:
    given, volatility = listed(3_000)
    prices = price(given, volatility)
    found = american.implied_volatility(given, prices)
    again = price(given, np.where(np.isnan(found), volatility, found))
    assert np.abs(again - prices).max() < 1e-5
    clear = prices - price(given, np.full(3_000, 1e-4)) > 0.05
    assert not np.isnan(found[clear]).any()
    assert np.quantile(np.abs(found - volatility)[clear], 0.999) < 1e-4


@pytest.mark.parametrize("price_", [np.nan, 0.0, 50.0, 49.0])
def test_a_price_that_pays_no_more_than_exercise_has_no_volatility(price_: float) -> None:
    given = terms(50, 100, 0.5, 0.05, 0, False)
    assert np.isnan(american.implied_volatility(given, np.array([price_]))[0])
