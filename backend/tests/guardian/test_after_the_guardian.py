"""What the guardian did at the broker is booked where it belongs, and nothing is done twice."""

from decimal import Decimal

from app.domain.events import OrderApproved, OrderSeen, Reconciled
from app.domain.flattening import orders
from app.domain.orders import OrderType
from tests.books import Books
from tests.trading import OPEN, make_order


async def bought() -> Books:
    """10 AAPL are held by hand, and everybody knows."""
    books = Books()
    await books.order()
    books.venue.print("AAPL", 100)
    await books.settle()
    assert (books.held(), books.venue.exchange.positions["AAPL"]) == (10, 10)
    return books


async def test_a_flatten_by_the_guardian_is_known_after_reconciliation() -> None:
    books = await bought()
    (order,) = orders(1, {"manual": {"AAPL": Decimal(10)}}, {"AAPL": Decimal(10)}, "7", 1, OPEN)
    await books.broker.submit(order, OPEN)
    books.venue.print("AAPL", 99)
    assert books.venue.exchange.positions["AAPL"] == 0
    approved = len(books.of(OrderApproved))
    outcome = await books.settle()
    assert outcome.differences == ()
    assert books.held() == 0
    assert books.held("external") == 0
    assert books.engine.cash == books.venue.exchange.cash
    assert len(books.of(OrderApproved)) == approved, "nothing is bought back"
    assert books.of(Reconciled)[-1].differences == ()


async def test_a_flatten_that_still_rests_is_an_order_of_the_ledger_that_holds() -> None:
    books = await bought()
    (order,) = orders(1, {"manual": {"AAPL": Decimal(10)}}, {"AAPL": Decimal(10)}, "7", 1, OPEN)
    resting = make_order(
        client_order_id=order.client_order_id,
        side=order.side,
        type=OrderType.LIMIT,
        limit_price=Decimal(200),
    )
    await books.broker.submit(resting, OPEN)
    await books.settle()
    (seen,) = books.of(OrderSeen)
    assert seen.ledger == "manual"
    books.venue.print("AAPL", 201)
    await books.settle()
    assert (books.held(), books.held("external")) == (0, 0)
