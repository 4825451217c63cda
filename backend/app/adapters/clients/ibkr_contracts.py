"""IBKR's contracts and our symbols: how one becomes the other, and back."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

from app.domain.options import is_occ, occ_symbol, option_type_of, parse_occ

US_EXCHANGES: Final = frozenset({"NASDAQ", "NYSE", "ARCA", "AMEX", "BATS", "IEX", "PINK"})
"IBKR's names of the exchanges that list US stocks."


def wanted(module: Any, symbol: str) -> Any:  # noqa: ANN401 - a library that is loaded by name
    """How IBKR is asked what our `symbol` is (BRK.B, or an option's OCC symbol)."""
    if not is_occ(symbol):
        return module.Stock(symbol.replace(".", " "), "SMART", "USD")
    one = parse_occ(symbol)
    return module.Option(
        one.underlying,
        f"{one.expiry:%Y%m%d}",
        float(one.strike),
        one.option_type.letter,
        "SMART",
        currency="USD",
        tradingClass=one.underlying,
    )


def wanted_options(module: Any, underlying: str, expiry: date) -> Any:  # noqa: ANN401
    """How IBKR is asked for every contract of an expiry."""
    name = underlying.replace(".", " ")
    return module.Option(name, f"{expiry:%Y%m%d}", exchange="SMART", currency="USD")


def listed_at_home(found: Sequence[Any]) -> Any:  # noqa: ANN401
    """Of contract details, those of the US listing; the first where none is."""
    at_home = [one for one in found if one.contract.primaryExchange in US_EXCHANGES]
    return (at_home or found)[0]


def is_traded(contract: Any) -> bool:  # noqa: ANN401
    """Whether it is something that we know how to count: a stock or an option in US dollars."""
    return contract.secType in ("STK", "OPT") and contract.currency in ("USD", "")


def our_symbol(contract: Any) -> str:  # noqa: ANN401
    """Our symbol of a stock's or an option's contract."""
    if contract.secType != "OPT":
        return str(contract.symbol).replace(" ", ".")
    return occ_symbol(
        contract.tradingClass or contract.symbol,
        day(contract.lastTradeDateOrContractMonth),
        option_type_of(contract.right),
        Decimal(str(contract.strike)),
    )


def day(text: str) -> date:
    """20261218."""
    return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
