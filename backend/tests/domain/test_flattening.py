"""Getting out from outside the engine: all that is ours, nothing twice, nothing of others."""

from datetime import UTC, datetime
from decimal import Decimal

from app.domain.flattening import ledger_of, order_id, orders
from app.domain.orders import Leg, OrderType

AT = datetime(2024, 3, 1, tzinfo=UTC)
Held = dict[str, dict[str, float]]


def made(held: Held, there: dict[str, float], attempt: int = 1) -> list[tuple[str, str, Decimal]]:
    """Ledger, side with symbol, and quantity of each order."""
    known = {one: {s: Decimal(q) for s, q in book.items()} for one, book in held.items()}
    found = orders(1, known, {s: Decimal(q) for s, q in there.items()}, "7", attempt, AT)
    assert all(order.type is OrderType.MARKET and order.leg is Leg.FLATTEN for order in found)
    return [(one.ledger, f"{one.side} {one.symbol}", one.quantity) for one in found]


def test_each_ledger_gives_back_what_it_holds() -> None:
    held = {"d1": {"AAPL": 10}, "d2": {"AAPL": 5, "SPY": -3}}
    assert made(held, {"AAPL": 15, "SPY": -3}) == [
        ("d1", "sell AAPL", Decimal(10)),
        ("d2", "sell AAPL", Decimal(5)),
        ("d2", "buy SPY", Decimal(3)),
    ]


def test_what_others_bought_stays() -> None:
    held = {"external": {"AAPL": 100}, "d1": {"AAPL": 10}}
    assert made(held, {"AAPL": 110}) == [("d1", "sell AAPL", Decimal(10))]
    assert made({"external": {"AAPL": 100}}, {"AAPL": 100}) == []


def test_the_broker_knows_better_than_we_did() -> None:
    """An order filled, or was filled in part, after the engine last said what it held."""
    assert made({"d1": {"AAPL": 10}}, {"AAPL": 30}) == [("d1", "sell AAPL", Decimal(30))]
    assert made({"d1": {"AAPL": 10}}, {"AAPL": 4}) == [("d1", "sell AAPL", Decimal(4))]
    assert made({"d1": {"AAPL": 10}, "d2": {"AAPL": 9}}, {"AAPL": 12}) == [
        ("d1", "sell AAPL", Decimal(10)),
        ("d2", "sell AAPL", Decimal(2)),
    ]
    assert made({"d1": {"AAPL": 10}}, {"AAPL": -2}) == [("manual", "buy AAPL", Decimal(2))]
    assert made({}, {"AAPL": 3}) == [("manual", "sell AAPL", Decimal(3))]
    assert made({"d1": {"AAPL": 10}}, {}) == []


def test_a_position_is_never_turned_round() -> None:
    """A person sold what was external, and it is remembered still."""
    held = {"external": {"AAPL": 100}, "d1": {"AAPL": 10}}
    assert made(held, {"AAPL": 0}) == []
    assert made(held, {"AAPL": 40}) == []
    assert made({"external": {"AAPL": -50}}, {"AAPL": 10}) == [("manual", "sell AAPL", Decimal(10))]
    assert made({"external": {"AAPL": 50}}, {"AAPL": -10}) == [("manual", "buy AAPL", Decimal(10))]


def test_an_id_tells_the_ledger_and_is_told_from_others() -> None:
    assert ledger_of(order_id(1, "d12", "BRK-B", "240301", 2)) == "d12"
    assert ledger_of("1-d1-AAPL-20240301-e1") is None
    assert order_id(1, "d1", "AAPL", "7", 1) == order_id(1, "d1", "AAPL", "7", 1)
    assert order_id(1, "d1", "AAPL", "7", 1) != order_id(1, "d1", "AAPL", "7", 2)
