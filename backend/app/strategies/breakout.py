"""Follows a breakout with a stop that trails: the strategy that remembers."""

from dataclasses import dataclass, field
from math import isnan

from app.indicators import functions as ta
from app.strategies.base import Columns, Opinion, Row, Strategy, parameter


@dataclass
class Trail:
    """The side wanted (+1, 0, -1), its best close, its stop, and whether it was ever filled."""

    side: int = 0
    best: float = 0.0
    stop: float = 0.0
    was_held: bool = False


@dataclass
class Breakout(Strategy):
    """Buys a new high and follows it with a trailing stop.

    Long when the close is above the highest high of the bars before; the stop follows the best
    close at a distance of `stop_ranges` average true ranges and never goes back. With `short` the
    same downwards. Once stopped out it waits for the next breakout.
    """

    columns = {  # noqa: RUF012 - a ClassVar of the base
        "close": "The close.",
        "upper": "Highest high of the bars before.",
        "lower": "Lowest low of the bars before.",
        "atr": "Average true range.",
    }

    length: int = parameter(20, minimum=2, maximum=1000, unit="bars", help="Bars of the channel.")
    atr_length: int = parameter(
        14, minimum=1, maximum=500, unit="bars", help="Length of the average true range."
    )
    stop_ranges: float = parameter(
        3.0, minimum=0.1, maximum=50, unit="average true ranges", help="Distance of the stop."
    )
    short: bool = parameter(False, help="Sell short below the channel.")
    memory: Trail = field(default_factory=Trail, init=False, repr=False)

    @property
    def lookback(self) -> int:
        return max(
            1 + ta.donchian.lookback(length=self.length), ta.atr.lookback(length=self.atr_length)
        )

    def prepare(self, bars: Columns) -> Columns:
        channel = ta.donchian(bars["high"], bars["low"], self.length)
        return {
            "close": bars["close"],
            "upper": ta.previous(channel.upper),
            "lower": ta.previous(channel.lower),
            "atr": ta.atr(bars["high"], bars["low"], bars["close"], self.atr_length),
        }

    def decide(self, row: Row, held: float) -> Opinion | None:
        if isnan(row["upper"]) or isnan(row["atr"]):
            return None
        close, distance = row["close"], self.stop_ranges * row["atr"]
        reasons = self._left(close, held) or self._entered(row, distance)
        trail = self.memory
        if trail.side == 0:
            return Opinion(0.0, reasons=reasons)
        self._follow(close, distance)
        stop = trail.stop if trail.stop > 0 else None
        return Opinion(float(trail.side), stop_loss=stop, reasons=reasons)

    def _left(self, close: float, held: float) -> tuple[str, ...]:
        """Forget the trade when the stop is reached, here or at the broker."""
        trail = self.memory
        if trail.side == 0:
            return ()
        trail.was_held = trail.was_held or held * trail.side > 0
        if (close - trail.stop) * trail.side <= 0:
            reason = f"close {close:g} reached the stop {trail.stop:g}"
        elif trail.was_held and held * trail.side <= 0:
            reason = f"stopped out at {trail.stop:g}"
        else:
            return ()
        self.memory = Trail()
        return (reason,)

    def _entered(self, row: Row, distance: float) -> tuple[str, ...]:
        """Take a side on a breakout."""
        close = row["close"]
        if self.memory.side != 0:
            return ()
        if close > row["upper"]:
            self.memory = Trail(side=1, best=close, stop=close - distance)
            return (f"close {close:g} is above {row['upper']:g}",)
        if self.short and close < row["lower"]:
            self.memory = Trail(side=-1, best=close, stop=close + distance)
            return (f"close {close:g} is below {row['lower']:g}",)
        return ()

    def _follow(self, close: float, distance: float) -> None:
        """Move the stop with the trade, never against it."""
        trail = self.memory
        trail.best = max(trail.best, close) if trail.side > 0 else min(trail.best, close)
        stop = trail.best - trail.side * distance
        if (stop - trail.stop) * trail.side > 0:
            trail.stop = stop
