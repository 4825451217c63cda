"""Our indicators: hand calculations, and agreement with pandas-ta-classic after warm-up."""

from collections.abc import Callable

import numpy as np
import pytest

from app.core.errors import InvalidInput
from app.indicators import functions as ta
from app.indicators import pandas_ta
from app.indicators.rows import Array
from app.indicators.samples import sample_bars

NAN = float("nan")
BARS = sample_bars(600, seed=21)
HIGH, LOW, CLOSE = BARS["high"], BARS["low"], BARS["close"]


def same(values: Array, expected: list[float]) -> bool:
    return np.allclose(values, expected, rtol=1e-12, atol=1e-12, equal_nan=True)


def reference(name: str, **arguments: object) -> tuple[Array, ...]:
    """The columns of pandas-ta-classic on the same bars."""
    columns = {c: BARS[c] for c in ("high", "low", "close") if arguments.pop(c, True)}
    found = pandas_ta.call(pandas_ta.CLASSIC, name, columns, arguments)
    assert found is not None
    return found


def test_sma_is_the_mean_of_the_last_values() -> None:
    assert same(ta.sma([1, 2, 6, 4], 3), [NAN, NAN, 3, 4])


def test_wma_weighs_the_newest_most() -> None:
    assert same(ta.wma([1, 2, 6, 4], 3), [NAN, NAN, (1 + 4 + 18) / 6, (2 + 12 + 12) / 6])


def test_ema_starts_from_the_simple_mean() -> None:
    assert same(ta.ema([1, 2, 6, 4], 3), [NAN, NAN, 3, (3 + 4) / 2])


def test_rsi_is_the_share_of_rises() -> None:
    # changes +2 -1 +3: first averages 1 and 0.5, then (1 + 3) / 2 and 0.5 / 2
    assert same(ta.rsi([10, 12, 11, 14], 2), [NAN, NAN, 100 * 1 / 1.5, 100 * 2 / 2.25])


def test_rsi_is_silent_until_the_price_first_moves() -> None:
    assert np.isnan(ta.rsi([5.0] * 9, 3)).all()
    assert same(ta.rsi([5, 5, 5, 5, 6], 3), [NAN, NAN, NAN, NAN, 100])


def test_macd_is_fast_minus_slow() -> None:
    found = ta.macd(CLOSE, fast=3, slow=6, signal=4)
    warm = slice(200, None)
    assert np.allclose(found.macd[warm], (ta.ema(CLOSE, 3) - ta.ema(CLOSE, 6))[warm])
    assert np.allclose(found.histogram[warm], (found.macd - found.signal)[warm])


def test_bollinger_bands_lie_two_population_deviations_off() -> None:
    bands = ta.bollinger([2, 4, 6], 3)
    deviation = np.std([2, 4, 6])
    assert same(bands.middle, [NAN, NAN, 4])
    assert same(bands.upper - bands.middle, [NAN, NAN, 2 * deviation])
    assert same(bands.middle - bands.lower, [NAN, NAN, 2 * deviation])


def test_atr_counts_the_gap_from_the_close_before() -> None:
    # ranges from the second bar on: 13-9=4 (gap), 12-10=2, 16-11=5 (gap)
    found = ta.atr(high=[10, 13, 12, 16], low=[8, 11, 10, 14], close=[9, 12, 11, 15], length=2)
    assert same(found, [NAN, NAN, 3, (3 + 5) / 2])


def test_donchian_includes_the_row_itself() -> None:
    channel = ta.donchian([3, 5, 4], [1, 2, 3], 2)
    assert same(channel.upper, [NAN, 5, 5])
    assert same(channel.lower, [NAN, 1, 2])
    assert same(channel.middle, [NAN, 3, 3.5])


def test_stochastic_places_the_close_in_the_range() -> None:
    found = ta.stochastic([10, 12], [8, 9], [9, 11], k=2, smooth=1, d=1)
    assert same(found.k, [NAN, 100 * (11 - 8) / (12 - 8)])


def test_adx_is_high_in_a_straight_rise() -> None:
    rise = np.arange(100.0, 200.0)
    found = ta.adx(rise + 1, rise - 1, rise)
    assert found.adx[-1] > 99
    assert found.plus_di[-1] > found.minus_di[-1]


def test_ichimoku_draws_the_cloud_later() -> None:
    found = ta.ichimoku(HIGH, LOW)
    middle = (HIGH[100 - 51 : 101].max() + LOW[100 - 51 : 101].min()) / 2
    assert found.span_b[126] == middle
    assert np.isnan(found.span_b[:76]).all()


def test_vwap_starts_anew_with_each_session() -> None:
    price, volume = np.array([10.0, 20, 30, 50]), np.array([1.0, 3, 0, 2])
    session = np.array([1.0, 1, 2, 2])
    assert same(ta.vwap(price, price, price, volume, session), [10, 17.5, NAN, 50])


def test_obv_starts_anew_with_each_session() -> None:
    close, volume = [10, 11, 10.5, 9], [100, 50, 30, 20]
    assert same(ta.obv(close, volume, [1, 1, 1, 2]), [100, 150, 120, 20])


def test_session_sums_do_not_depend_on_where_the_bars_begin() -> None:
    tail = {name: column[78:] for name, column in BARS.items()}
    for name in ("vwap", "obv"):
        whole, part = ta.compute(name, BARS)[name], ta.compute(name, tail)[name]
        assert np.array_equal(whole[78:], part)


PAIRS: list[tuple[str, Callable[[], Array], Callable[[], Array]]] = [
    ("sma", lambda: ta.sma(CLOSE, 20), lambda: reference("sma", length=20)[0]),
    ("ema", lambda: ta.ema(CLOSE, 20), lambda: reference("ema", length=20)[0]),
    ("wma", lambda: ta.wma(CLOSE, 20), lambda: reference("wma", length=20)[0]),
    ("rsi", lambda: ta.rsi(CLOSE, 14), lambda: reference("rsi", length=14)[0]),
    ("macd", lambda: ta.macd(CLOSE).macd, lambda: reference("macd")[0]),
    ("macd histogram", lambda: ta.macd(CLOSE).histogram, lambda: reference("macd")[1]),
    ("macd signal", lambda: ta.macd(CLOSE).signal, lambda: reference("macd")[2]),
    ("lower", lambda: ta.bollinger(CLOSE).lower, lambda: reference("bbands", length=20)[0]),
    ("upper", lambda: ta.bollinger(CLOSE).upper, lambda: reference("bbands", length=20)[2]),
    ("atr", lambda: ta.atr(HIGH, LOW, CLOSE), lambda: reference("atr", length=14)[0]),
    ("adx", lambda: ta.adx(HIGH, LOW, CLOSE).adx, lambda: reference("adx", length=14)[0]),
    ("plus di", lambda: ta.adx(HIGH, LOW, CLOSE).plus_di, lambda: reference("adx", length=14)[1]),
    ("k", lambda: ta.stochastic(HIGH, LOW, CLOSE).k, lambda: reference("stoch")[0]),
    ("d", lambda: ta.stochastic(HIGH, LOW, CLOSE).d, lambda: reference("stoch")[1]),
    (
        "donchian",
        lambda: ta.donchian(HIGH, LOW, 20).upper,
        lambda: reference("donchian", lower_length=20, upper_length=20, close=False)[2],
    ),
]


@pytest.mark.parametrize(("name", "ours", "theirs"), PAIRS, ids=[pair[0] for pair in PAIRS])
def test_ta_lib_and_pandas_ta_agree_after_warm_up(
    name: str, ours: Callable[[], Array], theirs: Callable[[], Array]
) -> None:
    warm = slice(450, None)
    assert np.allclose(ours()[warm], theirs()[warm], rtol=1e-5, atol=1e-5)


def test_obv_within_one_session_is_that_of_pandas_ta() -> None:
    day = {name: column[:78] for name, column in BARS.items()}
    found = pandas_ta.call(
        pandas_ta.CLASSIC, "obv", {"close": day["close"], "volume": day["volume"]}, {}
    )
    assert found is not None
    assert np.array_equal(ta.compute("obv", day)["obv"], found[0])


def test_vwap_is_that_of_pandas_ta_with_days_for_sessions() -> None:
    import pandas  # noqa: PLC0415 - only this test needs dates

    stamps = pandas.date_range("2023-01-02", periods=600, freq="5min")
    columns = {c: pandas.Series(BARS[c], index=stamps) for c in ("high", "low", "close", "volume")}
    theirs = pandas_ta.load_function(pandas_ta.CLASSIC, "vwap")(**columns).to_numpy()
    days = np.arange(600) // 288
    ours = ta.vwap(HIGH, LOW, CLOSE, BARS["volume"], days)
    assert np.allclose(ours, theirs, rtol=1e-12)


def test_a_hole_costs_its_own_row_only() -> None:
    assert same(ta.sma([1, 2, NAN, 4, 6], 2), [NAN, 1.5, NAN, 3, 5])
    bands = ta.bollinger([NAN, NAN, 2, 4, 6], 3)
    assert same(bands.middle, [NAN, NAN, NAN, NAN, 4])


def test_infinity_counts_as_a_hole() -> None:
    assert same(ta.sma([1, float("inf"), 3], 2), [NAN, NAN, 2])


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_too_few_rows_give_nothing_of_the_same_length(rows: int) -> None:
    bars = {name: column[:rows] for name, column in BARS.items()}
    for name in ("sma", "macd", "adx", "stochastic", "donchian", "ichimoku"):
        for column in ta.compute(name, bars).values():
            assert len(column) == rows
            assert np.isnan(column).all()


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(InvalidInput, match="one length, not high 3, low 2, close 3"):
        ta.adx([1, 2, 3], [1, 2], [1, 2, 3])


def test_lengths_out_of_bounds_are_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match="length must be at least 1, not 0") as refused:
        ta.sma(CLOSE, 0)
    assert refused.value.field == "length"


def test_a_fast_average_that_is_not_faster_is_refused() -> None:
    with pytest.raises(InvalidInput, match="fast must be less than slow") as refused:
        ta.macd(CLOSE, fast=26, slow=26)
    assert refused.value.field == "fast"
