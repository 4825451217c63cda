"""Holds the strongest of several symbols by their momentum over days: a panel by columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.indicators import functions as ta
from app.strategies.base import Array, Columns, parameter
from app.strategies.panel import Panel, PanelStrategy


@dataclass
class Rotation(PanelStrategy):
    """Holds the strongest symbols by momentum, in equal parts, and changes them at the close.

    Momentum is the change of the daily close over `length` sessions. The `strongest` symbols are
    held, each with an equal part of the capital; with `rising` only while their momentum is above
    zero. It may be deployed on any timeframe up to a day: the ranking changes when a day closes.
    """

    timeframes = ("1d",)
    columns = {  # noqa: RUF012 - a ClassVar of the base
        "momentum": "Change of the daily close over the look-back, as a fraction.",
        "rank": "1 for the strongest; none before it has a momentum.",
        "exposure": "1 for the strongest symbols, 0 for the others.",
    }

    length: int = parameter(
        60, minimum=1, maximum=500, unit="sessions", help="Look-back of the momentum."
    )
    strongest: int = parameter(
        1, minimum=1, maximum=100, unit="symbols", help="How many of them are held."
    )
    rising: bool = parameter(True, help="Hold only what has risen; keep the rest in cash.")

    def check_symbols(self, symbols: Sequence[str]) -> str | None:
        if len(symbols) > self.strongest:
            return None
        return (
            f"rotation holds the strongest {self.strongest} of more symbols than that:"
            f" name at least {self.strongest + 1}, not {len(symbols)}."
        )

    def shares(self, symbols: int) -> int:
        return self.strongest

    @property
    def lookback(self) -> int:
        return 1

    @property
    def lookbacks(self) -> Mapping[str, int]:
        return {"1d": self.length + 1}

    def prepare(self, panel: Panel) -> Mapping[str, Columns]:
        momentum = np.stack([self._momentum(panel, symbol) for symbol in panel.symbols])
        rank = ranks(momentum)
        is_held = rank <= self.strongest
        if self.rising:
            is_held &= momentum > 0
        # nothing is known before the first of them has a momentum: no opinion
        exposure = np.where(np.isnan(momentum).all(axis=0), np.nan, is_held.astype(np.float64))
        return {
            symbol: {"momentum": momentum[i], "rank": rank[i], "exposure": exposure[i]}
            for i, symbol in enumerate(panel.symbols)
        }

    def _momentum(self, panel: Panel, symbol: str) -> Array:
        daily = panel[symbol, "1d"]
        close = daily.bars["close"]
        return daily.aligned(close / ta.previous(close, self.length) - 1)


def ranks(strength: Array) -> Array:
    """1 for the strongest of each column, and so on; equals by the order of rows; NaN for NaN."""
    order = np.argsort(-strength, axis=0, kind="stable")  # NaN comes last
    rank = np.argsort(order, axis=0, kind="stable") + 1.0
    return np.where(np.isnan(strength), np.nan, rank)
