"""Bets that two symbols that went apart come together again: the panel that remembers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan

import numpy as np

from app.indicators import functions as ta
from app.strategies.base import Columns, Opinion, parameter
from app.strategies.panel import Panel, PanelRow, PanelStrategy


@dataclass
class Spread:
    """The side wanted (+1: long the first, short the second), and how it goes.

    `alone`: rows for which only one leg has been held; `waits`: no new trade before the spread has
    come back.
    """

    side: int = 0
    alone: int = 0
    waits: bool = False


@dataclass
class Pairs(PanelStrategy):
    """Trades the spread of exactly two symbols: short the dear one, long the cheap one.

    z is how many standard deviations the logarithm of their price ratio is away from its mean of
    `length` bars. Beyond `entry` it sells the dear symbol short and buys the cheap one, half of the
    capital each; it leaves both when z has come back to `exit` or crossed it. A leg alone is no
    pair: when only one is held for more than `patience` bars (the other was denied, or stopped
    out), it leaves and waits until the spread has come back. The account must allow short sales.
    """

    columns = {  # noqa: RUF012 - a ClassVar of the base
        "spread": "Logarithm of the first price over the second.",
        "z": "Its distance from its mean, in standard deviations.",
    }

    length: int = parameter(
        60, minimum=5, maximum=5000, unit="bars", help="Bars of the mean and the deviation."
    )
    entry: float = parameter(
        2.0, minimum=0.1, maximum=10, unit="deviations", help="Distance at which it enters."
    )
    exit: float = parameter(
        0.5, minimum=0, maximum=10, unit="deviations", help="Distance at which it leaves."
    )
    patience: int = parameter(
        3, minimum=1, maximum=1000, unit="bars", help="How long one leg may be held alone."
    )
    memory: Spread = field(default_factory=Spread, init=False, repr=False)

    def check(self) -> str | None:
        if self.exit < self.entry:
            return None
        return f"exit must be less than entry: {self.exit} is not less than {self.entry}."

    def check_symbols(self, symbols: Sequence[str]) -> str | None:
        if len(symbols) == 2:
            return None
        return f"pairs trades exactly two symbols, not {len(symbols)}."

    @property
    def lookback(self) -> int:
        return ta.bollinger.lookback(length=self.length)

    def prepare(self, panel: Panel) -> Mapping[str, Columns]:
        first, second = (panel[symbol]["close"] for symbol in panel.symbols)
        spread = np.log(first) - np.log(second)
        bands = ta.bollinger(spread, self.length, 1.0)
        deviation = bands.upper - bands.middle
        z = np.full(len(panel), np.nan)
        np.divide(spread - bands.middle, deviation, out=z, where=deviation > 0)
        return {symbol: {"spread": spread, "z": z} for symbol in panel.symbols}

    def decide(self, row: PanelRow, held: Mapping[str, float]) -> Mapping[str, Opinion]:
        first, second = row
        z = row[first]["z"]
        if isnan(z):
            return {}
        reasons = self._left(z, held) or self._entered(z)
        side = float(self.memory.side)
        return {
            first: Opinion(side, reasons=reasons),
            second: Opinion(-side if side else 0.0, reasons=reasons),
        }

    def _left(self, z: float, held: Mapping[str, float]) -> tuple[str, ...]:
        """Give up the side when the spread has come back, or a leg is left alone."""
        memory = self.memory
        memory.waits = memory.waits and abs(z) > self.exit
        if not memory.side:
            return ()
        legs = sum(1 for exposure in held.values() if exposure)
        memory.alone = memory.alone + 1 if legs == 1 else 0
        if memory.alone > self.patience:
            self.memory = Spread(waits=abs(z) > self.exit)
            return (f"one leg was alone for more than {self.patience} bars",)
        if z * memory.side >= -self.exit:
            self.memory = Spread()
            return (f"the spread came back: z is {z:.2f}",)
        return ()

    def _entered(self, z: float) -> tuple[str, ...]:
        """Take a side when the spread is wide."""
        if self.memory.side or self.memory.waits or abs(z) < self.entry:
            return ()
        self.memory.side = -1 if z > 0 else 1
        return (f"the spread is wide: z is {z:.2f}",)
