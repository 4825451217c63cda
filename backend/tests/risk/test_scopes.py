"""Limits of deployments and symbols: the tightest that applies holds, and says whose it is."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from app.core.errors import InvalidInput
from app.domain.denials import Denial
from app.domain.limits import UNLIMITED, Limits
from app.domain.orders import Leg, OrderStatus, OrderTerms, OrderType, Side
from app.domain.scopes import NOBODY, checked, scope, tightest, typed
from tests.risk.test_rules import approved, denied, hold, make_book
from tests.trading import OPEN, make_order

D = Decimal


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("deployments:1", {}),
        ("deployment:0", {}),
        ("symbol:aapl", {}),
        ("deployment:1", {"max_sector_exposure": "0.1"}),
        ("symbol:AAPL", {"max_daily_loss": "0.1"}),
        ("symbol:AAPL", {"max_position_size": "20"}),
        ("symbol:AAPL", {"max_position_size": "much"}),
        ("symbol:AAPL", {"max_position": "0.1"}),
    ],
)
def test_a_scope_that_cannot_be_is_refused(name: str, given: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        scope(name, given)


def test_an_accounts_value_may_be_any_limit() -> None:
    assert typed("max_sector_exposure", "0.1") == D("0.1")
    assert checked("account:12") == "account:12"


def test_the_tightest_of_all_that_apply_holds() -> None:
    limits = tightest(
        Limits(restricted_symbols=("A",), allowed_symbols=("B", "C"), max_daily_loss=None),
        {"max_position_size": D("0.10"), "max_daily_loss": D("0.02"), "allow_short": True},
        {"max_position_size": D("0.01"), "price_collar": None, "restricted_symbols": ("B", "A")},
        {"allowed_symbols": ("C", "D"), "settled_cash_only": True, "day_trade_equity": D(1)},
    )
    assert limits.max_position_size == D("0.01")
    assert limits.max_daily_loss == D("0.02")
    assert limits.price_collar == D("0.10")
    assert limits.restricted_symbols == ("A", "B")
    assert limits.allowed_symbols == ("C",)
    assert not limits.allow_short
    extended = Limits(trade_extended_hours=True)
    assert not tightest(extended, {"trade_extended_hours": False}).trade_extended_hours
    assert limits.settled_cash_only
    assert limits.day_trade_equity == 25_000


def test_lists_with_nothing_in_common_allow_nobody() -> None:
    limits = tightest(Limits(allowed_symbols=("A",)), {"allowed_symbols": ("B",)})
    assert limits.allowed_symbols == NOBODY
    book = make_book(allowed_symbols=("AAPL",))
    book.limit("deployment:1", {"allowed_symbols": ["IBM"]})
    denial = denied(book)
    assert denial.code == Denial.SYMBOL_NOT_ALLOWED
    assert tightest(Limits(), {"allowed_symbols": ("B",)}).allowed_symbols == ("B",)


def test_nothing_given_changes_nothing() -> None:
    assert tightest(UNLIMITED) is UNLIMITED


def test_a_symbols_position_is_the_accounts() -> None:
    book = make_book(max_position_size=D("0.05"))
    book.limit("symbol:AAPL", {"max_position_size": "0.02"})
    hold(book, 15, ledger="d2")
    answer = approved(book, 80)
    assert (answer.order.quantity, answer.limited_by) == (D(5), ("position_limit",))
    check = next(one for one in answer.checks if one.rule == "position_limit")
    assert (check.scope, check.limit) == ("symbol:AAPL", D("0.02"))
    assert approved(book, 80, symbol="IBM").order.quantity == 50


def test_a_looser_scope_has_no_effect() -> None:
    book = make_book(max_position_size=D("0.05"))
    book.limit("symbol:AAPL", {"max_position_size": "0.5"})
    answer = approved(book, 80)
    check = next(one for one in answer.checks if one.rule == "position_limit")
    assert (answer.order.quantity, check.scope) == (D(50), None)


def test_a_deployments_position_is_its_ledgers_with_its_orders() -> None:
    book = make_book()
    book.limit("deployment:1", {"max_position_size": "0.02", "max_portfolio_exposure": "0.03"})
    hold(book, 500, ledger="d2")
    hold(book, 5)
    book.put(make_order(quantity=5, ledger="d1", status=OrderStatus.UNKNOWN, symbol="IBM"))
    book.put(make_order(client_order_id="s", quantity=5, ledger="d1", side=Side.SELL,
                        leg=Leg.STOP_LOSS, status=OrderStatus.ACCEPTED))  # fmt: skip
    answer = approved(book, 80)
    assert answer.order.quantity == 15
    assert answer.limited_by == ("position_limit",)
    answer = approved(book, 80, symbol="MSFT")
    assert (answer.order.quantity, answer.limited_by) == (
        D(5),
        ("position_limit", "exposure_limit"),
    )
    denial = denied(book, 1, symbol="MSFT", attempt=2)
    assert (denial.code, denial.checks[-1].scope) == (Denial.EXPOSURE_LIMIT, "deployment:1")
    assert "the limit of deployment:1 is 0.03" in denial.detail
    approved(book, 1, ledger="d3", symbol="MSFT")
    short = make_book()
    short.limit("deployment:1", {"max_position_size": "0.02"})
    hold(short, -5)
    assert approved(short, 80, side=Side.SELL).order.quantity == 15


def test_a_deployments_orders_are_counted_on_their_own() -> None:
    book = make_book(max_concurrent_orders=3)
    book.limit("deployment:1", {"max_concurrent_orders": 1, "max_orders_per_minute": 2})
    approved(book, ledger="d2", symbol="MSFT")
    approved(book)
    denial = denied(book, symbol="IBM")
    assert (denial.code, denial.value, denial.limit) == (Denial.CONCURRENT_ORDERS, D(2), D(1))
    assert denial.checks[-1].scope == "deployment:1"
    book.put(msgspec.structs.replace(book.open["1-d1-AAPL-1-e1"], status=OrderStatus.FILLED))
    approved(book, symbol="IBM")
    book.put(msgspec.structs.replace(book.open["1-d1-IBM-1-e1"], status=OrderStatus.FILLED))
    assert denied(book, symbol="MSFT").code == Denial.ORDER_RATE


def test_a_deployments_loss_of_the_day_is_its_own() -> None:
    book = make_book(max_daily_loss=None)
    book.limit("deployment:1", {"max_daily_loss": "0.01"})
    hold(book, 100)
    hold(book, 100, "MSFT", "d2")
    book.begin_session(OPEN.date())
    book.mark("MSFT", 50, OPEN)
    approved(book, 1, symbol="IBM")
    book.mark("AAPL", 90.01, OPEN)
    approved(book, 1, symbol="IBM", attempt=2)
    book.mark("AAPL", 90, OPEN)
    denial = denied(book, 1, symbol="IBM", attempt=3)
    assert (denial.code, denial.value) == (Denial.DAILY_LOSS, D("0.01"))
    approved(book, 1, symbol="IBM", ledger="d2")
    approved(book, 1, symbol="IBM", ledger="d9")


def test_money_moved_is_counted_by_scope() -> None:
    book = make_book()
    book.limit("symbol:AAPL", {"max_daily_notional": "1500"})
    hold(book, 10, ledger="d2")
    hold(book, 10, "IBM")
    answer = approved(book, 10)
    assert (answer.order.quantity, answer.limited_by) == (D(5), ("daily_notional",))
    assert denied(book, 10, attempt=2).checks[-1].scope == "symbol:AAPL"
    approved(book, 100, symbol="IBM")


def test_plain_limits_name_the_scope_that_tightens_them() -> None:
    book = make_book(price_collar=D("0.5"))
    book.limit("deployment:1", {"price_collar": "0.2", "allow_short": False})
    book.limit("symbol:AAPL", {"price_collar": "0.1", "stale_price_seconds": 10})
    terms = OrderTerms(type=OrderType.LIMIT, limit_price=D(80))
    denial = denied(book, terms=terms)
    assert (denial.code, denial.checks[-1].scope) == (Denial.PRICE_COLLAR, "symbol:AAPL")
    denial = denied(book, side=Side.SELL, symbol="IBM")
    assert (denial.code, denial.checks[-1].scope) == (Denial.SHORT_SALE, "deployment:1")
    assert denial.detail.endswith("That is the limit of deployment:1.")


def test_an_account_without_equity_has_nothing_for_its_parts() -> None:
    book = make_book(cash=0, max_position_size=D("0.05"))
    book.limit("deployment:1", {"max_position_size": "0.02"})
    denial = denied(book)
    assert (denial.code, denial.value) == (Denial.POSITION_LIMIT, None)


def test_a_scope_without_limits_is_gone() -> None:
    book = make_book()
    book.limit("symbol:AAPL", {"max_position_size": "0.02"})
    book.limit("symbol:AAPL", {"max_position_size": None})
    assert not book.scopes
    assert book.limits_of("d1", "AAPL") is book.limits
    assert book.scopes_of("d1", "AAPL") == ()


def test_merged_limits_follow_the_accounts() -> None:
    book = make_book(order_timeout_seconds=60)
    book.limit("symbol:AAPL", {"order_timeout_seconds": 30})
    assert book.limits_of("d1", "AAPL").order_timeout_seconds == 30
    assert book.limits_of("d1", "AAPL") is book.limits_of("d1", "AAPL")
    book.limits = msgspec.structs.replace(book.limits, order_timeout_seconds=20)
    assert book.limits_of("d1", "AAPL").order_timeout_seconds == 20
    assert book.limits_of("d1", "IBM").order_timeout_seconds == 20
