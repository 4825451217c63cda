"""Bets on the way back: buys what has fallen too fast, leaves when it has recovered."""

from dataclasses import dataclass

import numpy as np

from app.indicators import functions as ta
from app.strategies.base import Columns, Strategy, parameter


@dataclass
class RsiReversion(Strategy):
    """Buys when the RSI is oversold and leaves when it has recovered.

    Between the levels it has no opinion: what is held stays. With `short` it sells short when the
    RSI is overbought, and holds either side until the opposite extreme.
    """

    columns = {  # noqa: RUF012 - a ClassVar of the base
        "rsi": "Relative strength index of the close.",
        "exposure": "1 when oversold, 0 when recovered (-1 when overbought); none in between.",
    }

    length: int = parameter(14, minimum=2, maximum=500, unit="bars", help="Length of the RSI.")
    oversold: float = parameter(30.0, minimum=1, maximum=49, unit="RSI", help="Buy at or below.")
    recovered: float = parameter(
        50.0, minimum=2, maximum=99, unit="RSI", help="Leave at or above; not used with short."
    )
    overbought: float = parameter(
        70.0, minimum=51, maximum=99, unit="RSI", help="Sell short at or above; only with short."
    )
    short: bool = parameter(False, help="Sell short when overbought.")

    def check(self) -> str | None:
        if self.recovered > self.oversold:
            return None
        return f"recovered must be above oversold: {self.recovered:g} is not above it."

    @property
    def lookback(self) -> int:
        return ta.rsi.lookback(length=self.length)

    def prepare(self, bars: Columns) -> Columns:
        rsi = ta.rsi(bars["close"], self.length)
        leave, after = (self.overbought, -1.0) if self.short else (self.recovered, 0.0)
        exposure = np.where(rsi <= self.oversold, 1.0, np.where(rsi >= leave, after, np.nan))
        return {"rsi": rsi, "exposure": exposure}
