"""How far the price swings: bands, ranges and channels."""

from typing import Annotated, NamedTuple

from app.indicators.declaration import Bound, Group, Pane, indicator
from app.indicators.library import ta_lib, ta_lib_columns
from app.indicators.memory import decaying, finite, wilder_fade
from app.indicators.rows import Array


class Bands(NamedTuple):
    upper: Array
    middle: Array
    lower: Array


def _length(length: int, **_: object) -> int:
    return length


def _atr_rows(length: int) -> int:
    return 1 + length + wilder_fade(length)


@indicator(group=Group.VOLATILITY, pane=Pane.OVERLAY, memory=finite(_length))
def bollinger(
    close: Array,
    length: Annotated[int, Bound(2, 5000, "Rows averaged.", "bars")] = 20,
    deviations: Annotated[
        float, Bound(0.1, 20, "Distance of the bands.", "standard deviations")
    ] = 2.0,
) -> Bands:
    """Bollinger bands.

    The simple moving average (`middle`) and, above and below it, a multiple of the population
    standard deviation of the same rows.
    """
    return Bands(*ta_lib_columns("BBANDS", close, length, deviations, deviations, 0))


@indicator(group=Group.VOLATILITY, memory=decaying(_atr_rows))
def atr(
    high: Array,
    low: Array,
    close: Array,
    length: Annotated[int, Bound(1, 5000, "Rows averaged.", "bars")] = 14,
) -> Array:
    """Average true range.

    Wilder's average of a bar's range, the gap from the close before included, in units of price.
    """
    return ta_lib("ATR", high, low, close, length)


@indicator(group=Group.VOLATILITY, pane=Pane.OVERLAY, memory=finite(_length))
def donchian(
    high: Array,
    low: Array,
    length: Annotated[int, Bound(2, 5000, "Rows of the channel.", "bars")] = 20,
) -> Bands:
    """Donchian channel.

    The highest high and the lowest low of the last `length` rows, the row itself included, and the
    middle of the two. To see a breakout compare with the row before: `previous(channel.upper)`.
    """
    upper, lower = ta_lib("MAX", high, length), ta_lib("MIN", low, length)
    return Bands(upper, (upper + lower) / 2, lower)
