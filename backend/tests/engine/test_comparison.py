"""Both books side by side: every line says what is here, what is there, and why they differ."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from app.domain.events import Difference
from app.domain.limits import UNLIMITED
from app.domain.orders import BrokerOrder, OrderStatus, OrderType, Side
from app.domain.ports import BrokerBook
from app.engine.comparison import Comparison, Line, Subject, Verdict, compare
from app.engine.reconciliation import Kind
from app.risk.book import Book
from tests.trading import OPEN, make_order

D = Decimal
AT = OPEN + timedelta(minutes=5)
STOP = "1-manual-AAPL-c1-s1"


def ours(cash: str = "1000", **net: int) -> Book:
    book = Book(1, D(cash), UNLIMITED, {})
    book.net.update({symbol: D(quantity) for symbol, quantity in net.items()})
    return book


def theirs(cash: str | None = "1000", **positions: int) -> BrokerBook:
    held = {symbol: D(quantity) for symbol, quantity in positions.items()}
    counted = None if cash is None else D(cash)
    return BrokerBook(open_orders=(), executions=(), positions=held, cash=counted)


def their_order(identity: str = STOP, **given: Any) -> BrokerOrder:
    fields: dict[str, Any] = {
        "broker_order_id": "b1",
        "client_order_id": identity,
        "symbol": "AAPL",
        "side": Side.SELL,
        "quantity": D(10),
        "status": OrderStatus.ACCEPTED,
        "type": OrderType.STOP,
        "stop_price": D(95),
    }
    return BrokerOrder(**{**fields, **given})


def with_orders(*orders: BrokerOrder) -> BrokerBook:
    return BrokerBook(open_orders=orders, executions=(), positions=None)


def difference(kind: Kind, subject: str) -> Difference:
    return Difference(kind=kind, subject=subject, ours="0", theirs="7", detail="Nobody knows why.")


def seen(book: Book, other: BrokerBook, *believed: Difference, **given: Any) -> Comparison:
    return compare(book, other, believed, given.get("doubtful", ()), currency="USD", at=AT)


def the_line(found: Comparison) -> Line:
    (line,) = found.lines
    return line


def test_books_that_agree_are_equal_line_by_line() -> None:
    found = seen(ours(AAPL=10, MSFT=0), theirs(AAPL=10))
    assert found.at == AT
    assert [(one.kind, one.label, one.ours, one.theirs) for one in found.lines] == [
        (Subject.CASH, "USD", D(1000), D(1000)),
        (Subject.POSITION, "AAPL", D(10), D(10)),
    ]
    assert {one.verdict for one in found.lines} == {Verdict.EQUAL}


def test_a_fraction_of_a_cent_is_no_difference_and_a_cent_is_one() -> None:
    assert the_line(seen(ours("1000.004"), theirs())).verdict is Verdict.EQUAL
    assert the_line(seen(ours("1000.01"), theirs())).verdict is Verdict.LOOKING


def test_what_is_believed_differs_and_says_why() -> None:
    found = seen(ours(), theirs(None, MSFT=7), difference(Kind.POSITION, "MSFT"))
    line = the_line(found)
    assert (line.ours, line.theirs, line.verdict) == (D(0), D(7), Verdict.DIFFERS)
    assert line.explanation == "Nobody knows why."


def test_what_is_not_certain_is_looked_at_again() -> None:
    doubtful = seen(ours(), theirs("900"), doubtful=[difference(Kind.CASH, "USD")])
    assert the_line(doubtful).verdict is Verdict.LOOKING
    assert the_line(doubtful).explanation == "Nobody knows why. Looked at again."
    moved = the_line(seen(ours(AAPL=3), theirs(None, AAPL=5)))
    assert (moved.verdict, "looked at again" in moved.explanation) == (Verdict.LOOKING, True)


def test_orders_are_compared_by_what_is_still_to_be_filled() -> None:
    book = ours()
    stop = make_order(
        client_order_id=STOP, side=Side.SELL, type=OrderType.STOP, stop_price=95, quantity=10
    )
    book.approved(stop)
    line = the_line(seen(book, with_orders(their_order())))
    assert (line.kind, line.label) == (Subject.ORDER, "sell 10 AAPL stop 95")
    assert (line.ours, line.theirs, line.verdict) == (D(10), D(10), Verdict.EQUAL)
    partly = the_line(seen(book, with_orders(their_order(filled_quantity=D(4)))))
    assert (partly.theirs, partly.verdict) == (D(6), Verdict.LOOKING)


def test_an_order_on_its_way_and_one_that_is_held_here_say_so() -> None:
    for given, verdict, word in (
        ({"status": OrderStatus.SUBMITTED}, Verdict.LOOKING, "not answered"),
        ({"status": OrderStatus.ACCEPTED, "is_held": True}, Verdict.EQUAL, "only while we run"),
        ({"status": OrderStatus.ACCEPTED}, Verdict.LOOKING, "looked at again"),
    ):
        book = ours()
        book.approved(make_order(**given))
        line = the_line(seen(book, with_orders()))
        assert (line.ours, line.theirs, line.verdict) == (D(10), None, verdict)
        assert word in line.explanation


def test_an_order_of_somebody_else_and_one_that_no_list_has_are_lines_too() -> None:
    foreign = the_line(seen(ours(), with_orders(their_order("x-b1"))))
    assert (foreign.ours, foreign.theirs) == (None, D(10))
    lost = the_line(seen(ours(), with_orders(), difference(Kind.FILLS, "1-d1-AAPL-e1")))
    assert (lost.kind, lost.subject, lost.verdict) == (
        Subject.ORDER,
        "1-d1-AAPL-e1",
        Verdict.DIFFERS,
    )
