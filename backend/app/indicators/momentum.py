"""How fast the price moves, and whether it has moved too far."""

from typing import Annotated, NamedTuple

import numpy as np

from app.indicators.declaration import Bound, Group, indicator
from app.indicators.library import ta_lib, ta_lib_columns
from app.indicators.memory import decaying, ema_fade, finite, wilder_fade
from app.indicators.rows import Array


class Macd(NamedTuple):
    macd: Array
    signal: Array
    histogram: Array


class Stochastic(NamedTuple):
    k: Array
    d: Array


def _rsi_rows(length: int) -> int:
    return 1 + length + wilder_fade(length)


def _macd_rows(fast: int, slow: int, signal: int) -> int:
    return slow + ema_fade(slow) + signal - 1 + ema_fade(signal)


def _macd_check(fast: int, slow: int, signal: int) -> str | None:
    if fast < slow:
        return None
    return f"fast must be less than slow: {fast} is not less than {slow}."


def _stochastic_rows(k: int, smooth: int, d: int) -> int:
    return k + smooth + d - 2


@indicator(group=Group.MOMENTUM, memory=decaying(_rsi_rows))
def rsi(
    close: Array, length: Annotated[int, Bound(2, 5000, "Rows averaged.", "bars")] = 14
) -> Array:
    """Relative strength index.

    Wilder's average of the rises as a share of rises and falls, 0 to 100. NaN as long as the value
    has never changed: it is neither rising nor falling, and least of all oversold.
    """
    result = ta_lib("RSI", close, length)
    changed = np.logical_or.accumulate(np.diff(close, prepend=close[:1]) != 0)
    return np.where(changed, result, np.nan)


@indicator(group=Group.MOMENTUM, memory=decaying(_macd_rows), check=_macd_check)
def macd(
    close: Array,
    fast: Annotated[int, Bound(2, 2000, "Rows of the fast average.", "bars")] = 12,
    slow: Annotated[int, Bound(3, 5000, "Rows of the slow average.", "bars")] = 26,
    signal: Annotated[int, Bound(1, 2000, "Rows of the average of the difference.", "bars")] = 9,
) -> Macd:
    """Moving average convergence divergence.

    The fast exponential average minus the slow (`macd`), its own average (`signal`), and the
    distance between the two (`histogram`).
    """
    return Macd(*ta_lib_columns("MACD", close, fast, slow, signal))


@indicator(group=Group.MOMENTUM, memory=finite(_stochastic_rows))
def stochastic(
    high: Array,
    low: Array,
    close: Array,
    k: Annotated[int, Bound(1, 5000, "Rows of the range.", "bars")] = 14,
    smooth: Annotated[int, Bound(1, 500, "Rows that smooth k.", "bars")] = 3,
    d: Annotated[int, Bound(1, 500, "Rows that smooth d.", "bars")] = 3,
) -> Stochastic:
    """Stochastic oscillator.

    Where the close lies in the range of the last `k` rows, 0 (low) to 100 (high), smoothed (`k`),
    and smoothed again (`d`). A range of zero counts as 0, as TA-Lib has it.
    """
    return Stochastic(*ta_lib_columns("STOCH", high, low, close, k, smooth, 0, d, 0))
