"""Prices over splits: what those of before are multiplied with to compare with the newest."""

from collections.abc import Iterable
from typing import Final

import asyncpg
import numpy as np

from app.marketdata.adjustments import SplitSteps, factors_at, split_steps
from app.marketdata.batch import Floats, Nanos
from app.marketdata.calendar import TradingCalendar
from app.marketdata.ports import Action
from app.repositories import corporate_actions

_NONE: Final = np.empty(0, np.int64), np.ones(1)


class Splits:
    """Known splits of some symbols of one data set. A price four times lower is then no mistake."""

    def __init__(self, pool: asyncpg.Pool, dataset: str, calendar: TradingCalendar) -> None:
        self._pool, self._dataset, self._calendar = pool, dataset, calendar
        self._steps: dict[str, SplitSteps] = {}

    async def load(self, symbols: Iterable[str]) -> dict[str, float]:
        """Read them (again). What was compared before must be multiplied with what is returned.

        Only symbols of which more is known than before are in it.
        """
        wanted = sorted(symbols)
        by_symbol: dict[str, list[Action]] = {symbol: [] for symbol in wanted}
        for action in await corporate_actions.load(self._pool, self._dataset, wanted):
            by_symbol[action.symbol].append(action)
        changed: dict[str, float] = {}
        for symbol, actions in by_symbol.items():
            before, now = self._steps.get(symbol, _NONE), split_steps(actions, self._calendar)
            self._steps[symbol] = now
            if now[1][0] != before[1][0]:
                changed[symbol] = float(now[1][0] / before[1][0])
        return changed

    def factors(self, symbol: str, start: Nanos) -> Floats | None:
        """Of prices at each instant; None when there is nothing to multiply."""
        at, factors = self._steps.get(symbol, _NONE)
        if not len(at):
            return None
        return factors_at((at, factors), start)

    def factor(self, symbol: str, instant: int) -> float:
        """Of a price at one instant."""
        at, factors = self._steps.get(symbol, _NONE)
        return float(factors[np.searchsorted(at, instant, side="right")])
