"""What can be traded, and the grid its prices and quantities live on."""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from typing import Final

import msgspec

_ONE: Final = Decimal(1)
_POWERS: Final = frozenset(Decimal(1).scaleb(-places) for places in range(10))
"Ticks of 1, 0.1, 0.01 and so on."


class InstrumentKind(StrEnum):
    """What sort of thing an instrument is."""

    STOCK = "stock"
    ETF = "etf"
    OPTION = "option"
    FX = "fx"


class Instrument(msgspec.Struct, frozen=True):
    """One tradable thing. `tick` and `lot` are the grids of price and quantity."""

    symbol: str
    kind: InstrumentKind = InstrumentKind.STOCK
    exchange: str = "XNYS"
    tick: Decimal = Decimal("0.01")
    lot: Decimal = Decimal(1)
    multiplier: Decimal = Decimal(1)
    currency: str = "USD"
    fractionable: bool = False
    shortable: bool = True
    sector: str | None = None

    def price(self, value: float) -> Decimal:
        """The one door from float to money: `value` on the tick grid, half-even."""
        return to_grid(value, self.tick)

    def round_price(self, value: Decimal) -> Decimal:
        """`value` on the tick grid, half-even."""
        if self.tick in _POWERS:
            return value.quantize(self.tick, ROUND_HALF_EVEN)
        return (value / self.tick).to_integral_value(ROUND_HALF_EVEN) * self.tick

    def quantity(self, value: Decimal) -> Decimal:
        """`value` rounded toward zero to whole lots."""
        if self.lot == _ONE:
            return value.to_integral_value(ROUND_DOWN)
        return (value / self.lot).to_integral_value(ROUND_DOWN) * self.lot


def to_grid(value: float, tick: Decimal) -> Decimal:
    """`value` on the grid of `tick`, half-even; a power-of-ten tick keeps its exponent."""
    number = Decimal(repr(float(value)))  # user code may hand us numpy's floats
    if tick in _POWERS:
        return number.quantize(tick, ROUND_HALF_EVEN)
    return (number / tick).to_integral_value(ROUND_HALF_EVEN) * tick
