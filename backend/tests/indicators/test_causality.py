"""Laws of every indicator: appending bars changes no earlier bit; memory is what it says."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.errors import InvalidInput
from app.domain.parameters import ParameterType
from app.indicators import catalog
from app.indicators.declaration import Indicator
from app.indicators.memory import RESIDUAL, MemoryKind
from app.indicators.rows import Array
from app.indicators.samples import sample_bars

OWN = sorted(catalog.OWN)
FAMILY = sorted(set(catalog.names()) - set(OWN))


def settings_of(indicator: Indicator[..., Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Parameters around the defaults."""
    lengths = [p for p in indicator.parameters if p.type is ParameterType.INTEGER]
    chosen = {
        p.name: st.integers(max(int(p.minimum or 1), int(p.default) // 3), int(p.default) * 2)
        for p in lengths
    }
    return st.fixed_dictionaries(chosen)


def head(bars: dict[str, Array], rows: int) -> dict[str, Array]:
    return {name: column[:rows] for name, column in bars.items()}


def tail(bars: dict[str, Array], begin: int) -> dict[str, Array]:
    return {name: column[begin:] for name, column in bars.items()}


def assert_appending_changes_nothing(
    name: str, bars: dict[str, Array], cut: int, parameters: dict[str, Any]
) -> None:
    whole = catalog.compute(name, bars, **parameters)
    part = catalog.compute(name, head(bars, cut), **parameters)
    for output, column in part.items():
        assert len(column) == cut
        assert np.array_equal(column, whole[output][:cut], equal_nan=True), output


@pytest.mark.parametrize("name", OWN)
@settings(max_examples=30)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1), cut=st.integers(0, 250))
def test_appending_bars_changes_no_earlier_bit(
    name: str, data: st.DataObject, seed: int, cut: int
) -> None:
    parameters = data.draw(settings_of(catalog.find(name)))
    try:
        catalog.lookback(name, **parameters)
    except InvalidInput:
        return  # not a combination: fast must be less than slow
    bars = sample_bars(250, seed)
    holes = data.draw(st.lists(st.integers(0, 249), max_size=5))
    bars["close"][holes] = np.nan
    assert_appending_changes_nothing(name, bars, cut, parameters)


@pytest.mark.parametrize("name", FAMILY)
def test_appending_bars_changes_no_earlier_bit_of_the_family(name: str) -> None:
    indicator = catalog.find(name)
    longer = {
        p.name: min(int(p.default) * 2 + 1, 40)
        for p in indicator.parameters
        if p.type is ParameterType.INTEGER and "length" in p.name
    }
    bars = sample_bars(420, seed=31)
    for cut in (150, 283, 419):
        assert_appending_changes_nothing(name, bars, cut, {})
    if longer:
        assert_appending_changes_nothing(name, bars, 301, longer)


@pytest.mark.parametrize("name", OWN)
@settings(max_examples=15)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1), extra=st.integers(0, 300))
def test_what_came_before_the_lookback_does_not_matter(
    name: str, data: st.DataObject, seed: int, extra: int
) -> None:
    indicator = catalog.find(name)
    parameters = data.draw(settings_of(indicator))
    try:
        lookback = indicator.lookback(**parameters)
    except InvalidInput:
        return
    if indicator.memory.kind is MemoryKind.CUMULATIVE:
        return
    bars = sample_bars(lookback + extra + 40, seed)
    begin = 40
    whole = indicator.compute(bars, **parameters)
    part = indicator.compute(tail(bars, begin), **parameters)
    for output, column in part.items():
        full = whole[output][begin + lookback - 1 :]
        late = column[lookback - 1 :]
        assert np.isfinite(late).all(), output
        scale = 100 if name in SHARES else float(np.max(bars["high"]) - np.min(bars["low"]))
        exact = indicator.memory.kind is MemoryKind.FINITE
        # rounding of TA-Lib's running sums; else the residual of each of up to three averages
        allowed = ROUNDING if exact else 3 * RESIDUAL * scale
        assert np.max(np.abs(late - full)) <= allowed, output


SHARES = {"rsi", "adx"}
"Shares of 100: their residual is of that."
ROUNDING = 1e-6


@pytest.mark.parametrize("name", [n for n in OWN if n not in ("vwap", "obv")])
def test_one_row_fewer_than_the_finite_lookback_is_not_enough(name: str) -> None:
    indicator = catalog.find(name)
    if indicator.memory.kind is not MemoryKind.FINITE:
        return
    rows = indicator.lookback()
    short = indicator.compute(head(sample_bars(rows, 3), rows - 1))
    assert any(not np.isfinite(column[-1]) for column in short.values())
