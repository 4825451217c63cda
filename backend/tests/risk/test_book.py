"""The book keeps its order of things, also across a snapshot."""

from app.domain.orders import OrderStatus
from tests.risk.test_rules import make_book
from tests.trading import make_order


def test_an_order_that_came_back_is_the_last_in_line_after_a_snapshot_too() -> None:
    book = make_book()
    first, second = (make_order(client_order_id=name) for name in ("one", "two"))
    for order in (first, second):
        book.approved(order)
    rejected = first.to(OrderStatus.SUBMITTED).to(OrderStatus.REJECTED)
    book.put(rejected)
    book.put(rejected.to(OrderStatus.ACCEPTED))
    again = make_book()
    again.restore(book.snapshot())
    for one in (book, again):
        working = one.working(first.ledger, first.symbol)
        assert list(one.open) == list(one.moving) == ["two", "one"]
        assert [order.client_order_id for order in working] == ["two", "one"]
