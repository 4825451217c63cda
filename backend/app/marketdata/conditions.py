"""What a print's sale conditions mean: whether its price and its size make bars.

Two vocabularies: the bits of the LEAN and AlgoSeek files (LEAN: `TradeConditionFlags`), and the
letters of the consolidated tapes (CTA and UTP specifications, table "Sale Condition"). Both follow
the tapes: what does not update the last sale has volume but no price; an exchange's official open
or close repeats an auction that was printed, and counts for nothing. Intermarket sweeps are sales
like any other.
"""

import re
from typing import Final

from app.marketdata.batch import TickLabel

SWEEP: Final = 0x20
OPENING: Final = 0x40
CLOSING: Final = 0x80
DERIVATIVELY_PRICED: Final = 0x200
EXTENDED_HOURS: Final = 0x2000
AVERAGE_PRICE: Final = 0x10_0000
STOCK_OPTION: Final = 0x4_0000
OFFICIAL_CLOSE: Final = 0x100_0000
OFFICIAL_OPEN: Final = 0x400_0000

NOTHING_BITS: Final = OFFICIAL_OPEN | OFFICIAL_CLOSE
VOLUME_BITS: Final = (
    0x2  # cash sale
    | 0x4  # next day
    | 0x8  # seller
    | DERIVATIVELY_PRICED
    | 0x800  # sold last, late
    | 0x4000  # out of sequence
    | STOCK_OPTION
    | AVERAGE_PRICE
    | 0x40_0000  # price variation
    | 0x200_0000  # prior reference price
    | 0x8000_0000  # odd lot
)
_NOTHING_LETTERS: Final = frozenset("MQ")
_VOLUME_LETTERS: Final = frozenset("CHINPRUVWZ47")

_HEXADECIMAL: Final = re.compile(r"[0-9a-fA-F]{1,8}")


def of_bits(exchange: str | None, conditions: str | None, *, suspicious: bool = False) -> TickLabel:
    """A print of a LEAN file; `conditions` is hexadecimal. What cannot be read counts."""
    bits = int(conditions, 16) if conditions and _HEXADECIMAL.fullmatch(conditions) else 0
    counts = not suspicious and not bits & NOTHING_BITS
    return TickLabel(exchange, conditions, counts, counts and bool(bits & VOLUME_BITS))


def of_letters(
    exchange: str | None, conditions: str | None, *, suspicious: bool = False
) -> TickLabel:
    """A print of a consolidated tape; `conditions` are letters, perhaps with blanks or commas."""
    letters = frozenset(conditions or "")
    counts = not suspicious and not letters & _NOTHING_LETTERS
    return TickLabel(exchange, conditions, counts, counts and bool(letters & _VOLUME_LETTERS))
