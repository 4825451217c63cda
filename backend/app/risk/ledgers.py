"""Whether the ledgers of an account add up to it: what one has too much another lacks."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from app.risk.book import Book

ZERO: Final = Decimal(0)


def unbalanced(book: Book) -> Iterator[str]:
    """What does not add up, in sentences; to the last decimal."""
    cash = sum((one.cash for one in book.ledgers.values()), book.deposit)
    if cash != book.cash:
        yield f"the deposit and the ledgers make {cash}; the account has {book.cash}"
    held: dict[str, Decimal] = {}
    for ledger in book.ledgers.values():
        for symbol, position in ledger.positions.items():
            held[symbol] = held.get(symbol, ZERO) + position.quantity
    for symbol in sorted({*held, *book.net}):
        ours, whole = held.get(symbol, ZERO), book.net.get(symbol, ZERO)
        if ours != whole:
            yield f"the ledgers hold {ours} {symbol}; the account {whole}"
