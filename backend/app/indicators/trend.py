"""Where the price is going: moving averages and the strength of a trend."""

from typing import Annotated, NamedTuple

from app.indicators.declaration import Bound, Group, Pane, indicator
from app.indicators.library import ta_lib
from app.indicators.memory import decaying, ema_fade, finite, wilder_fade
from app.indicators.rows import Array, previous

Averaged = Annotated[int, Bound(1, 5000, "Rows averaged.", "bars")]
Smoothed = Annotated[int, Bound(2, 5000, "Rows averaged.", "bars")]


class Ichimoku(NamedTuple):
    conversion: Array
    base: Array
    span_a: Array
    span_b: Array


class Adx(NamedTuple):
    adx: Array
    plus_di: Array
    minus_di: Array


def _length(length: int) -> int:
    return length


def _ichimoku_rows(conversion: int, base: int, span: int) -> int:
    return max(conversion, base, span) + base


def _ema_rows(length: int) -> int:
    return length + ema_fade(length)


def _adx_rows(length: int) -> int:
    # two Wilder averages in a row: of the movements, then of their ratio
    return 2 * (length + wilder_fade(length))


@indicator(group=Group.TREND, pane=Pane.OVERLAY, memory=finite(_length))
def sma(close: Array, length: Averaged = 20) -> Array:
    """Simple moving average.

    The mean of the last `length` values.
    """
    return ta_lib("SMA", close, length)


@indicator(group=Group.TREND, pane=Pane.OVERLAY, memory=decaying(_ema_rows))
def ema(close: Array, length: Averaged = 20) -> Array:
    """Exponential moving average.

    A mean in which a value weighs 2 / (length + 1) when new and less with every row after; it
    starts from the simple mean of the first `length` values.
    """
    return ta_lib("EMA", close, length)


@indicator(group=Group.TREND, pane=Pane.OVERLAY, memory=finite(_length))
def wma(close: Array, length: Averaged = 20) -> Array:
    """Weighted moving average.

    The mean of the last `length` values, weighted 1 for the oldest to `length` for the newest.
    """
    return ta_lib("WMA", close, length)


@indicator(group=Group.TREND, memory=decaying(_adx_rows))
def adx(high: Array, low: Array, close: Array, length: Smoothed = 14) -> Adx:
    """Average directional index.

    Strength of a trend, 0 to 100, whichever its direction (`adx`), from Wilder's smoothed upward
    and downward movements (`plus_di`, `minus_di`). Above 25 is usually called a trend.
    """
    return Adx(
        ta_lib("ADX", high, low, close, length),
        ta_lib("PLUS_DI", high, low, close, length),
        ta_lib("MINUS_DI", high, low, close, length),
    )


@indicator(group=Group.TREND, pane=Pane.OVERLAY, memory=finite(_ichimoku_rows))
def ichimoku(
    high: Array,
    low: Array,
    conversion: Annotated[int, Bound(2, 1000, "Rows of the conversion line.", "bars")] = 9,
    base: Annotated[int, Bound(2, 1000, "Rows of the base line, and of the shift.", "bars")] = 26,
    span: Annotated[int, Bound(2, 2000, "Rows of the slow span.", "bars")] = 52,
) -> Ichimoku:
    """Ichimoku cloud.

    The middles of the price's range over three lengths; the two spans of the cloud are drawn `base`
    rows later. The lagging span is left out: it is the close of the future.
    """
    fast, slow = _middle(high, low, conversion), _middle(high, low, base)
    return Ichimoku(
        fast,
        slow,
        previous((fast + slow) / 2, base),
        previous(_middle(high, low, span), base),
    )


def _middle(high: Array, low: Array, length: int) -> Array:
    return (ta_lib("MAX", high, length) + ta_lib("MIN", low, length)) / 2
