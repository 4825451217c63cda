"""Follows the trend: long while the fast average is above the slow one."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from app.indicators import functions as ta
from app.strategies.base import Columns, Strategy, parameter

TIE: Final = 1e-9
"Averages closer than this (relative) are equal; only their rounding differs."


@dataclass
class SmaCross(Strategy):
    """Long while the fast moving average is above the slow one, flat otherwise.

    With `short` it sells short instead of staying out.
    """

    columns = {  # noqa: RUF012 - a ClassVar of the base
        "fast": "Fast moving average of the close.",
        "slow": "Slow moving average of the close.",
        "exposure": "1 above, 0 (or -1) otherwise; none until the slow average exists.",
    }

    fast: int = parameter(
        10, minimum=1, maximum=1000, unit="bars", help="Length of the fast average."
    )
    slow: int = parameter(
        30, minimum=2, maximum=2000, unit="bars", help="Length of the slow average."
    )
    short: bool = parameter(False, help="Sell short while the fast average is below.")

    def check(self) -> str | None:
        if self.fast < self.slow:
            return None
        return f"fast must be less than slow: {self.fast} is not less than {self.slow}."

    @property
    def lookback(self) -> int:
        return ta.sma.lookback(length=self.slow)

    def prepare(self, bars: Columns) -> Columns:
        fast, slow = ta.sma(bars["close"], self.fast), ta.sma(bars["close"], self.slow)
        is_above = fast - slow > TIE * np.abs(slow)
        exposure = np.where(is_above, 1.0, -1.0 if self.short else 0.0)
        return {"fast": fast, "slow": slow, "exposure": np.where(np.isnan(slow), np.nan, exposure)}
