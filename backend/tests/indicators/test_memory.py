"""How long an indicator remembers."""

import pytest

from app.indicators import functions as ta
from app.indicators.measure import LIMIT, rows_remembered
from app.indicators.memory import RESIDUAL, ema_fade, wilder_fade


@pytest.mark.parametrize("length", [2, 14, 200])
def test_the_seed_of_an_average_has_faded_when_it_says_so(length: int) -> None:
    assert (1 - 2 / (length + 1)) ** ema_fade(length) <= RESIDUAL
    assert (1 - 1 / length) ** wilder_fade(length) <= RESIDUAL
    assert (1 - 1 / length) ** (wilder_fade(length) - 1) > RESIDUAL


def test_an_average_of_one_row_remembers_nothing() -> None:
    assert ta.ema.lookback(length=1) == 1
    assert ta.atr.lookback(length=1) == 2


def test_lookbacks_follow_from_the_parameters() -> None:
    assert ta.sma.lookback(length=30) == 30
    assert ta.stochastic.lookback(k=14, smooth=3, d=3) == 18
    assert ta.ema.lookback(length=20) == 20 + 139
    assert ta.rsi.lookback(length=14) == 1 + 14 + 187
    assert ta.vwap.lookback() == 1


def test_what_was_measured_is_what_the_formula_says() -> None:
    assert rows_remembered(lambda bars: (ta.sma(bars["close"], 30),)) == 30
    measured = rows_remembered(lambda bars: (ta.ema(bars["close"], 10),))
    assert measured is not None
    assert ta.ema.lookback(length=10) // 2 < measured <= ta.ema.lookback(length=10)


def test_a_sum_without_end_is_found_out() -> None:
    assert rows_remembered(lambda bars: (bars["volume"].cumsum(),)) is None
    assert ta.adx.lookback(length=100) < LIMIT


def test_a_column_without_any_value_needs_one_row() -> None:
    assert rows_remembered(lambda bars: (bars["close"] * float("nan"),)) == 1
