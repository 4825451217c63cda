"""A strategy turns bars into the exposure it wants. It never sees an order, a broker or a clock."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Columns = Mapping[str, Array]
"""Columns by name, all of one length. Bars arrive as open, high, low, close, volume."""


@dataclass(frozen=True, slots=True)
class Row:
    """One bar's worth of columns: `row["close"]`."""

    columns: Columns
    index: int

    def __getitem__(self, name: str) -> float:
        return float(self.columns[name][self.index])


@dataclass(frozen=True, slots=True)
class Opinion:
    """What `decide` may return instead of a bare exposure: protective prices, and why."""

    exposure: float
    stop_loss: float | None = None
    take_profit: float | None = None
    reasons: tuple[str, ...] = ()


class Strategy(ABC):
    """Bars of one symbol in, wanted exposure (-1 short .. +1 long) out.

    A subclass is a dataclass whose fields are its parameters. `prepare` is vectorised: row i uses
    rows <= i only. When bars alone decide, it returns an `exposure` column (NaN: no opinion), and
    optionally `stop_loss` and `take_profit` columns of absolute prices. Override `decide` only when
    the strategy's own past matters; its memory is then a dataclass in `memory`, which the engine
    checkpoints.
    """

    name: ClassVar[str]
    "Catalogue name, snake case; by default made from the class name."
    description: ClassVar[str] = ""

    @property
    @abstractmethod
    def lookback(self) -> int:
        """Bars needed before the first opinion, derived from the indicators used."""

    @abstractmethod
    def prepare(self, bars: Columns) -> Columns:
        """Indicator columns, plus `exposure` when bars alone decide."""

    def decide(self, row: Row, held: float) -> float | Opinion | None:
        """Exposure wanted now; None for no opinion. `held` is the filled exposure, -1 .. +1."""
        exposure = row["exposure"]
        return None if exposure != exposure else exposure

    @property
    def decides_by_row(self) -> bool:
        """True when the strategy's own past matters, so that every bar must be visited."""
        return type(self).decide is not Strategy.decide
