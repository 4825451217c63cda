"""What differs between our books and the broker's is said in sentences, the rest is silent."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from app.domain.events import OrderReplaced
from app.domain.orders import Leg, Order, OrderStatus, Side
from app.domain.ports import BrokerBook, BrokerOrder
from app.engine.reconciliation import differences, match


def make_order(identity: str = "o1", filled: int = 0, **changes: object) -> Order:
    order = Order(
        client_order_id=identity,
        ledger="d1",
        signal_id="s1",
        symbol="AAPL",
        side=Side.BUY,
        quantity=Decimal(10),
        leg=Leg.ENTRY,
        at=datetime(2024, 3, 1, tzinfo=UTC),
        status=OrderStatus.ACCEPTED,
        filled_quantity=Decimal(filled),
    )
    return msgspec.structs.replace(order, **changes)


def book(*orders: Order) -> BrokerBook:
    theirs = (
        BrokerOrder(
            broker_order_id="b1",
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=order.side,
            quantity=order.quantity,
            status=order.status,
            filled_quantity=order.filled_quantity,
        )
        for order in orders
    )
    return BrokerBook(open_orders=tuple(theirs), executions=())


def test_books_that_agree_have_no_differences() -> None:
    assert differences([make_order(filled=3)], book(make_order(filled=3))) == ()


def test_an_order_that_only_we_think_is_open_is_a_difference() -> None:
    assert "the broker has none" in differences([make_order()], book())[0]


def test_an_order_that_only_the_broker_has_is_a_difference() -> None:
    assert "was not made here" in differences([], book(make_order()))[0]


def test_other_fills_are_a_difference() -> None:
    assert "3 filled here, 4" in differences([make_order(filled=3)], book(make_order(filled=4)))[0]


def test_an_order_whose_answer_is_still_to_come_is_explained() -> None:
    for status in (OrderStatus.APPROVED, OrderStatus.SUBMITTED, OrderStatus.UNKNOWN):
        assert differences([make_order(status=status)], book()) == ()


def test_an_order_that_filled_after_it_was_made_smaller_unheard_is_full() -> None:
    ours = make_order(filled=4, status=OrderStatus.PARTIALLY_FILLED)
    (theirs,) = book(
        make_order(filled=4, quantity=Decimal(4), status=OrderStatus.FILLED)
    ).open_orders
    (told,) = match(ours, theirs, (), ours.at).reports
    assert isinstance(told, OrderReplaced)
    assert told.quantity == 4
    full = make_order(filled=10, status=OrderStatus.FILLED)
    assert match(full, book(full).open_orders[0], (), full.at).reports == ()
