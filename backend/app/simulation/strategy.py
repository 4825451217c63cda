"""What the simulated deployments decide by: the further from 100 a price is, the more they hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.strategies.base import BaseStrategy, Columns, Strategy


@dataclass
class Sway(Strategy):
    """Wants a quarter more for every two units above 100 (or, `contrary`, below)."""

    contrary: bool = False
    stop: float = 0.0
    "Distance of the protective stop, as a fraction of the price; 0: the account's default."
    columns = {}  # noqa: RUF012 - a ClassVar of the base

    @property
    def lookback(self) -> int:
        return 1

    def prepare(self, bars: Columns) -> Columns:
        close = bars["close"]
        # The bare ufuncs: around a few bars `clip` and `round` cost more than their work.
        sway = np.minimum(np.maximum(np.rint((close - 100.0) / 2.0) / 4.0, -1.0), 1.0)
        exposure = -sway if self.contrary else sway
        stop = close * (1.0 - np.sign(exposure) * self.stop)
        return {"exposure": exposure, "stop_loss": stop if self.stop else close * np.nan}


def make(name: str, parameters: Mapping[str, Any]) -> BaseStrategy:
    """As the catalogue makes strategies; there is only one."""
    return Sway(**parameters)
