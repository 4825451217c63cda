"""Option contracts: what one gives the right to, and the symbol it is listed under."""

import re
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Final

import msgspec

from app.core.errors import InvalidInput
from app.domain.instruments import Instrument, InstrumentKind

_OCC: Final = re.compile(r"([A-Z][A-Z0-9.]{0,5}?) {0,5}(\d{6})([CP])(\d{8})")
_ROOT: Final = re.compile(r"[A-Z][A-Z0-9.]{0,5}")
_THOUSAND: Final = Decimal(1000)
_LARGEST_STRIKE: Final = Decimal("99999.999")
_PADDED_ROOT: Final = 6
MULTIPLIER: Final = Decimal(100)
"Shares that one standard contract is for."


class OptionType(StrEnum):
    """Which right: to buy (call) or to sell (put)."""

    CALL = "call"
    PUT = "put"

    @property
    def letter(self) -> str:
        """C or P, as symbols have it."""
        return self.value[0].upper()


class ExerciseStyle(StrEnum):
    """When the right may be used: until expiry, or at expiry only."""

    AMERICAN = "american"
    EUROPEAN = "european"


EUROPEAN_ROOTS: Final = frozenset(
    ("SPX", "SPXW", "XSP", "NDX", "NDXP", "XND", "RUT", "RUTW", "MRUT", "DJX", "VIX", "VIXW", "XEO")
)
"Index options, which can be used at expiry only."


class OptionContract(msgspec.Struct, frozen=True, order=True):
    """One listed contract. Sorted as chains are: by underlying, expiry, strike, calls first."""

    underlying: str
    "The root of the symbol: the stock's, unless a split has left an adjusted one (AAPL1)."
    expiry: date
    strike: Decimal
    option_type: OptionType

    @property
    def symbol(self) -> str:
        """The OCC symbol without blanks: AAPL261218C00250000."""
        return occ_symbol(self.underlying, self.expiry, self.option_type, self.strike)

    @property
    def padded(self) -> str:
        """The OCC symbol of 21 characters, root padded by blanks: `AAPL  261218C00250000`."""
        return self.symbol[:-_TAIL].ljust(_PADDED_ROOT) + self.symbol[-_TAIL:]


_TAIL: Final = 15
"Characters of date, type and strike."


def style_of(root: str) -> ExerciseStyle:
    """How options of a root are exercised: those on indexes at expiry only."""
    return ExerciseStyle.EUROPEAN if root in EUROPEAN_ROOTS else ExerciseStyle.AMERICAN


def is_adjusted(root: str) -> bool:
    """Whether a root stands for what a split or merger left: not for 100 shares (AAPL1)."""
    return root[-1:].isdigit()


def occ_symbol(underlying: str, expiry: date, option_type: OptionType, strike: Decimal) -> str:
    """The OCC symbol without blanks. Raises InvalidInput for what no symbol can say."""
    root = underlying.strip().upper()
    if not _ROOT.fullmatch(root):
        raise InvalidInput(
            f"{underlying!r} cannot be the root of an option symbol.",
            field="underlying",
            remedy="Roots have one to six letters and digits, as AAPL.",
        )
    if not date(2000, 1, 1) <= expiry < date(2100, 1, 1):
        raise InvalidInput(
            f"An option symbol cannot say the expiry {expiry}.",
            field="expiry",
            remedy="Expiries lie between 2000 and 2099.",
        )
    return f"{root}{expiry:%y%m%d}{option_type.letter}{_thousandths(strike):08d}"


def parse_occ(text: str) -> OptionContract:
    """The contract behind an OCC symbol, with or without blanks. Raises InvalidInput."""
    found = _OCC.fullmatch(text.strip().upper().removeprefix("O:"))
    if not found:
        raise InvalidInput(
            f"{text!r} is no option symbol.",
            field="symbol",
            remedy="Write root, yymmdd, C or P, and the strike in thousandths of a dollar on eight"
            " digits: AAPL261218C00250000.",
        )
    root, day, letter, thousandths = found.groups()
    try:
        expiry = datetime.strptime(day, "%y%m%d").date()  # noqa: DTZ007 - a calendar day has no zone
    except ValueError:
        raise InvalidInput(
            f"{text!r} names a day that does not exist.",
            field="symbol",
            remedy="The six digits after the root are year, month and day.",
        ) from None
    if expiry.year < 2000:
        expiry = expiry.replace(year=expiry.year + 100)  # strptime takes 69 to 99 for 1969 to 1999
    strike = Decimal(int(thousandths)) / _THOUSAND
    if not strike:
        raise InvalidInput(f"{text!r} has a strike of zero.", field="symbol")
    return OptionContract(root, expiry, strike, option_type_of(letter))


def is_occ(text: str) -> bool:
    """Whether this is shaped as an option symbol."""
    return len(text) > _TAIL and _OCC.fullmatch(text) is not None


def refuse_option(symbol: str, field: str) -> None:
    """Orders here are for stocks: raises InvalidInput, naming `field`, for an option's symbol."""
    if is_occ(symbol.strip().upper()):
        raise InvalidInput(
            f"{symbol} is an option contract, and orders here are for stocks only.",
            field=field,
            remedy="Order it at your broker: what is filled there is taken over, counts in"
            " positions, cash and limits, and is closed by a flatten like any other position.",
        )


def instrument_of(symbol: str) -> Instrument:
    """What a symbol that nobody has described is: a standard contract, or a stock.

    >>> instrument_of("AAPL261218C00250000").multiplier, instrument_of("AAPL").multiplier
    (Decimal('100'), Decimal('1'))
    """
    if is_occ(symbol):
        return Instrument(symbol, kind=InstrumentKind.OPTION, multiplier=MULTIPLIER)
    return Instrument(symbol)


def option_type_of(text: str) -> OptionType:
    """call or put, by word or letter. Raises InvalidInput."""
    word = text.strip().lower()
    for one in OptionType:
        if word in (one.value, one.value[0], f"{one.value}s"):
            return one
    raise InvalidInput(
        f"{text!r} is neither call nor put.", field="type", remedy="Write call or put."
    )


def strike_of(text: str) -> Decimal:
    """A strike on the grid of a tenth of a cent. Raises InvalidInput."""
    try:
        strike = Decimal(text.strip())
        _thousandths(strike)
    except InvalidOperation:
        raise InvalidInput(
            f"{text!r} is no strike.", field="strike", remedy="Write it in dollars, as 250 or 62.5."
        ) from None
    return strike


def _thousandths(strike: Decimal) -> int:
    scaled = strike * _THOUSAND
    if not strike.is_finite() or not 0 < strike <= _LARGEST_STRIKE or scaled % 1:
        raise InvalidInput(
            f"{strike} is no strike.",
            field="strike",
            remedy=f"Strikes are above zero, at most {_LARGEST_STRIKE}, in steps of 0.001.",
        )
    return int(scaled)
