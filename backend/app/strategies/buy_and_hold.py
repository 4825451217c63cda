"""Buys at the first bar and stays: what every other strategy must beat."""

from dataclasses import dataclass

import numpy as np

from app.strategies.base import Columns, Strategy, parameter


@dataclass
class BuyAndHold(Strategy):
    """Buys at the first bar and holds. The benchmark for everything else."""

    columns = {"exposure": "Always the exposure asked for."}  # noqa: RUF012 - a ClassVar of the base

    exposure: float = parameter(
        1.0, minimum=0.01, maximum=1.0, unit="of capital", help="How much of the capital to hold."
    )

    @property
    def lookback(self) -> int:
        return 1

    def prepare(self, bars: Columns) -> Columns:
        return {"exposure": np.full(len(bars["close"]), self.exposure)}
