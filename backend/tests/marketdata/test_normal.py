"""The normal distribution against the standard library's error function."""

import math

import numpy as np

from app.marketdata.normal import cdf, pdf

X = np.linspace(-37, 37, 20_001)


def test_the_probability_is_right_to_the_last_digits() -> None:
    exact = np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in X.tolist()])
    assert np.abs(cdf(X) - exact).max() < 1e-15
    lower = X < 0
    assert np.abs(cdf(X[lower]) / exact[lower] - 1).max() < 2e-8


def test_the_density_is_the_slope_of_the_probability() -> None:
    step = 1e-5
    slope = (cdf(X + step) - cdf(X - step)) / (2 * step)
    assert np.abs(slope - pdf(X)).max() < 1e-10
    assert cdf(np.array([-np.inf, np.inf, np.nan]))[:2].tolist() == [0, 1]
