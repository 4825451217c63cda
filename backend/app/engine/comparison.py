"""Our books and the broker's side by side, line by line, for people to read. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from app.domain.events import Difference
from app.domain.orders import BrokerOrder, Order, OrderStatus
from app.domain.ports import BrokerBook
from app.engine.reconciliation import Kind, plain
from app.risk.book import Book

ZERO: Final = Decimal(0)
_CENT: Final = Decimal("0.01")
_ASKED_AGAIN: Final = "It moved while the broker was asked, or is not certain yet: looked at again."
_HELD: Final = "Held here, since the broker cannot have it: watched only while we run."
_UNANSWERED: Final = "Sent; the broker has not answered yet."


class Subject(StrEnum):
    """What a line is about."""

    CASH = "cash"
    POSITION = "position"
    ORDER = "order"


class Verdict(StrEnum):
    """What is thought of a line."""

    EQUAL = "equal"
    LOOKING = "looking"
    "Not equal, and not certain: several looks have to agree."
    DIFFERS = "differs"
    "Believed, and explained by nothing: only reductions until it is."


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One thing, here and there. Quantities are shares (of orders: those still to be filled)."""

    kind: Subject
    subject: str
    "Symbol, currency, or our id of the order."
    label: str
    ours: Decimal | None
    "None: not in our books."
    theirs: Decimal | None
    "None: not in the broker's."
    verdict: Verdict = Verdict.EQUAL
    explanation: str = ""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the last whole look saw."""

    at: datetime
    lines: tuple[Line, ...]


_ABOUT: Final = {Kind.POSITION: Subject.POSITION, Kind.CASH: Subject.CASH}
"All other differences are about orders."


def compare(
    book: Book,
    theirs: BrokerBook,
    believed: Iterable[Difference],
    doubtful: Iterable[Difference],
    *,
    currency: str,
    at: datetime,
) -> Comparison:
    """What both books say after a look told ours what it had missed.

    `believed` and `doubtful` are what that look left unexplained.
    """
    explained = {
        **{_key(one): (Verdict.LOOKING, f"{one.detail} Looked at again.") for one in doubtful},
        **{_key(one): (Verdict.DIFFERS, one.detail) for one in believed},
    }
    found = [*_cash(book, theirs, currency), *_positions(book, theirs), *_orders(book, theirs)]
    lines = [_judged(line, explained.pop((line.kind, line.subject), None)) for line in found]
    lines += [
        Line(
            kind=kind,
            subject=subject,
            label=subject,
            ours=None,
            theirs=None,
            verdict=verdict,
            explanation=detail,
        )
        for (kind, subject), (verdict, detail) in explained.items()
    ]
    return Comparison(at=at, lines=tuple(lines))


def _key(one: Difference) -> tuple[Subject, str]:
    return _ABOUT.get(Kind(one.kind), Subject.ORDER), one.subject


def _judged(line: Line, known: tuple[Verdict, str] | None) -> Line:
    if known is not None:
        return msgspec.structs.replace(line, verdict=known[0], explanation=known[1])
    if line.explanation or _is_equal(line):
        return line
    return msgspec.structs.replace(line, verdict=Verdict.LOOKING, explanation=_ASKED_AGAIN)


def _is_equal(line: Line) -> bool:
    if line.ours is None or line.theirs is None:
        return False
    least = _CENT if line.kind is Subject.CASH else ZERO
    return line.ours == line.theirs or abs(line.ours - line.theirs) < least


def _cash(book: Book, theirs: BrokerBook, currency: str) -> Iterator[Line]:
    if theirs.cash is not None:
        yield Line(
            kind=Subject.CASH, subject=currency, label=currency, ours=book.cash, theirs=theirs.cash
        )


def _positions(book: Book, theirs: BrokerBook) -> Iterator[Line]:
    held: Mapping[str, Decimal] | None = theirs.positions
    if held is None:
        return
    for symbol in sorted(book.net.keys() | held.keys()):
        ours, other = book.net.get(symbol, ZERO), held.get(symbol, ZERO)
        if ours or other:
            yield Line(kind=Subject.POSITION, subject=symbol, label=symbol, ours=ours, theirs=other)


def _orders(book: Book, theirs: BrokerBook) -> Iterator[Line]:
    listed = {order.identity: order for order in theirs.open_orders}
    for identity, order in sorted(book.open.items()):
        yield _both(order, listed.pop(identity, None))
    for identity, other in sorted(listed.items()):
        yield Line(
            kind=Subject.ORDER,
            subject=identity,
            label=_label(other),
            ours=None,
            theirs=other.quantity - other.filled_quantity,
        )


def _both(order: Order, other: BrokerOrder | None) -> Line:
    line = Line(
        kind=Subject.ORDER,
        subject=order.client_order_id,
        label=_label(order),
        ours=order.quantity - order.filled_quantity,
        theirs=None if other is None else other.quantity - other.filled_quantity,
    )
    if other is not None:
        return line
    if order.is_held:
        return msgspec.structs.replace(line, explanation=_HELD)
    if order.status in (OrderStatus.APPROVED, OrderStatus.SUBMITTED):
        return msgspec.structs.replace(line, verdict=Verdict.LOOKING, explanation=_UNANSWERED)
    return line


def _label(order: Order | BrokerOrder) -> str:
    """`sell 20 AAPL stop 95`."""
    prices = [
        f"{name} {plain(price)}"
        for name, price in (("stop", order.stop_price), ("limit", order.limit_price))
        if price is not None
    ]
    return " ".join([order.side, plain(order.quantity), order.symbol, *prices])
