"""What other limits would say: beside the production answer, which stays what it was."""

from decimal import Decimal
from typing import Any

import pytest

from app.core.errors import InvalidInput
from app.domain.orders import Leg, Side
from app.risk.rules import Intent
from app.risk.what_if import AskingRiskEngine, Supposed
from tests.risk.test_rules import make_book
from tests.trading import OPEN

D = Decimal


def ask(supposed: Supposed, quantity: int = 80, **given: Any) -> AskingRiskEngine:
    """One purchase of AAPL in an account whose positions are limited to 5 %."""
    book = make_book(max_position_size=D("0.05"))
    book.limit("symbol:AAPL", {"max_position_size": "0.04"})
    risk = AskingRiskEngine(supposed)
    risk.is_asking = given.pop("is_asking", True)
    fields: dict[str, Any] = {
        "ledger": "d1", "signal_id": "s", "symbol": "AAPL", "side": Side.BUY,
        "quantity": D(quantity), "leg": Leg.ENTRY, "adds": True, "at": OPEN,
        "instrument": book.instrument("AAPL"), "price": D(100),
    }  # fmt: skip
    risk.review(Intent(**{**fields, **given}), book)
    assert book.limits.max_position_size == D("0.05")
    return risk


def test_a_tighter_limit_would_have_cut_more() -> None:
    (answer,) = ask(Supposed({"max_position_size": "0.02"})).answers
    assert (answer.wanted, answer.made, answer.would_be) == (D(80), D(40), D(20))
    assert (answer.code, answer.was_code, answer.differs) == (
        "position_limit",
        "position_limit",
        True,
    )
    assert answer.client_order_id == "1-s-e1"


def test_a_tighter_limit_would_have_denied() -> None:
    (answer,) = ask(Supposed({"restricted_symbols": ["AAPL"]})).answers
    assert (answer.made, answer.would_be, answer.code) == (D(40), D(0), "symbol_restricted")
    assert answer.detail


def test_a_looser_limit_would_have_let_more_through() -> None:
    (answer,) = ask(Supposed({"max_position_size": None}, "symbol:AAPL")).answers
    assert (answer.made, answer.would_be, answer.code) == (D(40), D(50), "position_limit")
    (answer,) = ask(Supposed({"max_position_size": "0.01"}, "symbol:AAPL")).answers
    assert answer.would_be == 10
    (answer,) = ask(Supposed({"max_position_size": "0.01"}, "deployment:1")).answers
    assert answer.would_be == 10
    (answer,) = ask(Supposed({"max_daily_loss": None})).answers
    assert not answer.differs


def test_a_denial_may_be_one_no_more() -> None:
    book_limits = Supposed({"max_position_size": None}, "symbol:AAPL")
    (answer,) = ask(book_limits, price=None).answers
    assert (answer.client_order_id, answer.was_code, answer.would_be) == (None, "no_price", D(0))


def test_an_order_that_fits_both_names_no_limit() -> None:
    (answer,) = ask(Supposed({"max_position_size": "0.02"}), quantity=5).answers
    assert (answer.code, answer.was_code, answer.differs) == (None, None, False)


@pytest.mark.parametrize("given", [{"adds": False, "leg": Leg.EXIT}, {"is_asking": False}])
def test_reductions_and_orders_before_the_period_are_not_asked_about(given: Any) -> None:
    assert not ask(Supposed({"max_position_size": "0.02"}), **given).answers


def test_a_limit_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput, match="max_position cannot be set"):
        Supposed({"max_position": "0.02"})
