"""Whether the ledgers of an account add up to it: what one lacks another would have."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from app.risk.book import Book

ZERO: Final = Decimal(0)


class Account(NamedTuple):
    """What an account has as a whole."""

    cash: Decimal
    deposit: Decimal
    positions: Mapping[str, Decimal]
    "Signed quantity by symbol."


class Part(NamedTuple):
    """One ledger: its cash flow since its start, and what it holds."""

    ledger: str
    cash: Decimal
    positions: Mapping[str, Decimal]


def unbalanced(account: Account, parts: Iterable[Part]) -> tuple[str, ...]:
    """What does not add up, in sentences; empty when all does. To the last decimal."""
    return tuple(_unbalanced(account, list(parts)))


def unbalanced_book(book: Book) -> tuple[str, ...]:
    """The same of a running engine's book."""
    return unbalanced(
        Account(book.cash, book.deposit, book.net),
        (
            Part(one.name, one.cash, {s: p.quantity for s, p in one.positions.items()})
            for one in book.ledgers.values()
        ),
    )


def _unbalanced(account: Account, parts: list[Part]) -> Iterator[str]:
    cash = sum((part.cash for part in parts), account.deposit)
    if cash != account.cash:
        yield f"cash: the account has {account.cash}, its deposit and ledgers add up to {cash}"
    symbols = {symbol for part in parts for symbol in part.positions} | account.positions.keys()
    for symbol in sorted(symbols):
        held = sum((part.positions.get(symbol, ZERO) for part in parts), ZERO)
        if held != account.positions.get(symbol, ZERO):
            whole = account.positions.get(symbol, ZERO)
            yield f"{symbol}: the account holds {whole}, its ledgers add up to {held}"
