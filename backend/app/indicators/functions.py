"""The indicators as people who write strategies see them: `ta.rsi(close, 14)`, `ta.find("kama")`.

Every name of the catalogue is an attribute: `ta.kama(bars["close"], length=10)`.
"""

from typing import Any

from app.core.errors import NotFound
from app.indicators.catalog import compute, find, lookback, names
from app.indicators.momentum import macd, rsi, stochastic
from app.indicators.rows import crossed_above, crossed_below, previous
from app.indicators.trend import adx, ema, ichimoku, sma, wma
from app.indicators.volatility import atr, bollinger, donchian
from app.indicators.volume import obv, vwap

__all__ = [
    "adx",
    "atr",
    "bollinger",
    "compute",
    "crossed_above",
    "crossed_below",
    "donchian",
    "ema",
    "find",
    "ichimoku",
    "lookback",
    "macd",
    "names",
    "obv",
    "previous",
    "rsi",
    "sma",
    "stochastic",
    "vwap",
    "wma",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the pandas-ta family is known by name only
    if name.startswith("_"):
        raise AttributeError(name)
    try:
        return find(name)
    except NotFound as missing:
        raise AttributeError(str(missing)) from None


def __dir__() -> list[str]:
    return sorted({*__all__, *names()})
