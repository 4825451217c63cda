"""Each limit: what it lets through, what it cuts, what it denies, and with which code."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from app.domain.denials import MEANING, Denial
from app.domain.deployments import TradingState
from app.domain.events import OrderApproved, OrderDenied
from app.domain.instruments import Instrument
from app.domain.limits import UNLIMITED, Limits
from app.domain.orders import Leg, OrderStatus, OrderTerms, OrderType, Side
from app.risk.book import Book
from app.risk.engine import RiskEngine
from app.risk.rules import Intent
from tests.trading import OPEN, make_execution, make_order

D = Decimal
TECH = {s: Instrument(s, sector="tech") for s in ("AAPL", "MSFT")}


def make_book(cash: int = 100_000, **limits: Any) -> Book:
    """An account with 100 000 and AAPL, MSFT and IBM at 100, under `limits` alone."""
    given = msgspec.structs.replace(UNLIMITED, **limits)
    book = Book(1, D(cash), given, dict(TECH))
    for symbol in ("AAPL", "MSFT", "IBM"):
        book.mark(symbol, 100.0, OPEN)
    return book


def review(book: Book, quantity: float = 10, **given: Any) -> OrderApproved | OrderDenied:
    symbol = given.get("symbol", "AAPL")
    fields: dict[str, Any] = {
        "ledger": "d1",
        "signal_id": f"d1-{symbol}-1",
        "symbol": symbol,
        "side": Side.BUY,
        "quantity": D(quantity),
        "leg": Leg.ENTRY,
        "adds": True,
        "at": OPEN,
        "instrument": book.instrument(symbol),
        "price": book.price(symbol),
    }
    return RiskEngine().review(Intent(**{**fields, **given}), book)


def denied(book: Book, quantity: float = 10, **given: Any) -> OrderDenied:
    answer = review(book, quantity, **given)
    assert isinstance(answer, OrderDenied)
    return answer


def approved(book: Book, quantity: float = 10, **given: Any) -> OrderApproved:
    answer = review(book, quantity, **given)
    assert isinstance(answer, OrderApproved)
    return answer


def hold(book: Book, quantity: float, symbol: str = "AAPL", ledger: str = "d1") -> None:
    book.apply(make_execution(quantity, 100, symbol=symbol, ledger=ledger), None)


def test_every_check_is_recorded_with_limit_and_value() -> None:
    answer = approved(make_book(max_position_size=D("0.05")))
    checks = {check.rule: check for check in answer.checks}
    assert checks["position_limit"].value == D("0.01")
    assert checks["position_limit"].limit == D("0.05")
    assert all(check.passed for check in answer.checks)
    assert answer.order.client_order_id == "1-d1-AAPL-1-e1"


def test_a_halted_account_denies_new_orders() -> None:
    book = make_book()
    book.trading_state = TradingState.HALTED
    assert denied(book).code == Denial.TRADING_HALTED
    assert denied(book, leg=Leg.EXIT, adds=False).code == Denial.TRADING_HALTED
    approved(book, leg=Leg.FLATTEN, adds=False)


def test_a_reducing_account_sends_only_reductions() -> None:
    book = make_book()
    book.trading_state = TradingState.REDUCING
    assert denied(book).code == Denial.REDUCE_ONLY
    approved(book, leg=Leg.EXIT, adds=False)


def test_limits_never_deny_reductions() -> None:
    nothing = Limits(max_position_size=D(0), max_orders_per_minute=0, max_concurrent_orders=0)
    book = make_book()
    book.limits = nothing
    approved(book, side=Side.SELL, leg=Leg.EXIT, adds=False)


def test_without_risk_checking_only_the_trading_state_counts() -> None:
    book = make_book(risk_checking=False, max_position_size=D(0))
    assert len(approved(book).checks) == 1
    book.trading_state = TradingState.HALTED
    denied(book)


def test_a_position_is_cut_to_its_limit_and_then_denied() -> None:
    book = make_book(max_position_size=D("0.05"))
    answer = approved(book, 80)
    assert answer.order.quantity == 50
    assert answer.limited_by == ("position_limit",)
    denial = denied(book, 1)
    assert (denial.code, denial.limit, denial.value) == ("position_limit", D("0.05"), D("0.051"))
    assert "It is 0.051000; the limit is 0.05." in denial.detail


def test_a_cut_order_is_a_whole_number_of_lots() -> None:
    book = make_book(max_position_size=D("0.0555"))
    book.instruments["IBM"] = Instrument("IBM", lot=D(10))
    assert approved(book, 80, symbol="IBM").order.quantity == 50


def test_shorts_are_measured_by_their_absolute_value() -> None:
    book = make_book(max_position_size=D("0.05"))
    assert approved(book, 80, side=Side.SELL).order.quantity == 50


def test_working_and_unknown_orders_of_all_ledgers_count() -> None:
    book = make_book(max_position_size=D("0.05"))
    book.put(make_order(quantity=20, ledger="d2", status=OrderStatus.UNKNOWN, symbol="MSFT"))
    hold(book, 10, "MSFT", "d3")
    assert denied(book, 50, symbol="MSFT").code == Denial.ORDER_UNKNOWN
    book.put(make_order(quantity=20, ledger="d2", status=OrderStatus.ACCEPTED, symbol="MSFT"))
    assert approved(book, 50, symbol="MSFT").order.quantity == 20


def test_a_sector_is_limited_and_an_unknown_one_is_its_own() -> None:
    book = make_book(max_sector_exposure=D("0.3"))
    hold(book, 250)
    assert approved(book, 100, symbol="MSFT").order.quantity == 50
    assert approved(book, 300, symbol="IBM").order.quantity == 300


def test_the_sum_of_all_positions_is_limited() -> None:
    book = make_book(max_portfolio_exposure=D("0.8"))
    hold(book, 500)
    hold(book, -200, "MSFT")
    answer = approved(book, 200, symbol="IBM")
    assert (answer.order.quantity, answer.limited_by) == (D(100), ("exposure_limit",))


def test_nothing_is_bought_on_credit() -> None:
    book = make_book()
    answer = approved(book, 1500, symbol="IBM")
    assert (answer.order.quantity, answer.limited_by) == (D(1000), ("buying_power",))
    assert denied(book, 1, symbol="MSFT").code == Denial.BUYING_POWER
    book.limits = msgspec.structs.replace(book.limits, max_portfolio_exposure=D("0.5"))
    assert denied(book, 1, symbol="MSFT").code == Denial.EXPOSURE_LIMIT


def test_an_account_without_equity_buys_nothing() -> None:
    book = make_book(cash=0)
    denial = denied(book)
    assert (denial.code, denial.value) == (Denial.POSITION_LIMIT, None)


def test_settled_cash_buys_and_yesterdays_sales_settle() -> None:
    book = make_book(settled_cash_only=True)
    hold(book, 500)
    hold(book, -400)
    approved(book, 100, symbol="IBM")
    answer = approved(book, 600, symbol="MSFT")
    assert (answer.order.quantity, answer.limited_by) == (D(400), ("settled_cash",))
    assert denied(book, 1, symbol="MSFT").code == Denial.SETTLED_CASH
    book.begin_session(OPEN.date())
    approved(book, 100, symbol="MSFT")
    approved(book, 10, side=Side.SELL, symbol="IBM", ledger="d1")


def test_daily_loss_and_drawdown_stop_additions() -> None:
    book = make_book(max_daily_loss=D("0.03"), max_drawdown=D("0.2"))
    hold(book, 500)
    book.begin_session(OPEN.date())
    book.mark("AAPL", 95, OPEN)
    approved(book, 1, symbol="IBM")
    book.mark("AAPL", 94, OPEN)
    denial = denied(book, 1, symbol="IBM")
    assert (denial.code, denial.value) == (Denial.DAILY_LOSS, D("0.03"))
    book.limits = msgspec.structs.replace(book.limits, max_daily_loss=None)
    approved(book, 1, symbol="IBM")
    book.raise_peak_to(D(125_000))
    assert denied(book, 1, symbol="IBM").code == Denial.DRAWDOWN
    book.peak = D(0)
    assert denied(book, 1, symbol="IBM").code == Denial.DRAWDOWN


def test_orders_are_counted_at_once_and_by_the_minute() -> None:
    book = make_book(max_concurrent_orders=2)
    approved(book, symbol="AAPL")
    book.put(make_order(client_order_id="s", leg=Leg.STOP_LOSS, status=OrderStatus.ACCEPTED))
    approved(book, symbol="MSFT")
    assert denied(book, symbol="IBM").code == Denial.CONCURRENT_ORDERS
    book = make_book(max_orders_per_minute=1)
    approved(book)
    assert denied(book, at=OPEN + timedelta(seconds=59)).code == Denial.ORDER_RATE
    approved(book, at=OPEN + timedelta(seconds=60), attempt=2)


def test_prices_must_exist_and_be_fresh() -> None:
    book = make_book(stale_price_seconds=300)
    assert denied(book, symbol="NEW").code == Denial.NO_PRICE
    approved(book, at=OPEN + timedelta(seconds=300))
    denial = denied(book, at=OPEN + timedelta(seconds=301))
    assert (denial.code, denial.value, denial.limit) == (Denial.STALE_PRICE, D(301), D(300))


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        (OrderTerms(type=OrderType.LIMIT, limit_price=D(91)), None),
        (OrderTerms(type=OrderType.LIMIT, limit_price=D(89)), Denial.PRICE_COLLAR),
        (OrderTerms(type=OrderType.STOP, stop_price=D(111)), Denial.PRICE_COLLAR),
        (OrderTerms(), None),
    ],
)
def test_an_order_far_from_the_price_is_denied(terms: OrderTerms, code: str | None) -> None:
    answer = review(make_book(price_collar=D("0.1")), terms=terms)
    assert (answer.code if isinstance(answer, OrderDenied) else None) == code


def test_symbols_may_be_restricted_or_listed() -> None:
    assert denied(make_book(restricted_symbols=("AAPL",))).code == Denial.SYMBOL_RESTRICTED
    assert denied(make_book(allowed_symbols=("IBM",))).code == Denial.SYMBOL_NOT_ALLOWED
    approved(make_book(restricted_symbols=("IBM",), allowed_symbols=("AAPL",)))


def test_short_sales_need_permission_and_a_lender() -> None:
    assert denied(make_book(allow_short=False), side=Side.SELL).code == Denial.SHORT_SALE
    book = make_book()
    book.instruments["IBM"] = Instrument("IBM", shortable=False)
    assert denied(book, symbol="IBM", side=Side.SELL).code == Denial.NOT_SHORTABLE


def test_ledgers_do_not_trade_with_each_other() -> None:
    book = make_book(prevent_self_crossing=True)
    book.put(make_order(ledger="d2", side=Side.SELL, status=OrderStatus.ACCEPTED))
    assert denied(book).code == Denial.SELF_CROSSING
    approved(book, symbol="IBM")


def resting(book: Book, **given: Any) -> None:
    """An order of our own to sell 10 AAPL at a broker that takes nothing that could meet it."""
    book.takes_both_sides = False
    fields = {"side": Side.SELL, "status": OrderStatus.ACCEPTED, "client_order_id": "1-x"}
    book.put(make_order(**fields | given))


def test_a_broker_that_takes_no_order_against_a_resting_one_is_not_asked() -> None:
    book = make_book()
    stop: dict[str, Any] = {"leg": Leg.STOP_LOSS, "type": OrderType.STOP, "stop_price": 90}
    resting(book, **stop)
    denial = denied(book)
    assert denial.code == Denial.OPPOSITE_ORDER
    assert denial.detail.endswith("Order 1-x (sell 10 AAPL, stop) rests there.")
    approved(book, symbol="IBM")
    approved(book, side=Side.SELL, terms=OrderTerms())
    book.takes_both_sides = True
    approved(book)


def test_what_is_held_here_is_not_in_the_way_at_the_broker() -> None:
    book = make_book()
    resting(book, is_held=True, leg=Leg.TAKE_PROFIT)
    approved(book)


@pytest.mark.parametrize(
    ("side", "price", "other", "passes"),
    [
        (Side.BUY, 99, 101, True),
        (Side.BUY, 101, 101, False),
        (Side.SELL, 101, 99, True),
        (Side.SELL, 99, 99, False),
    ],
)
def test_limits_that_cannot_meet_are_taken(
    side: Side, price: int, other: int, passes: bool
) -> None:
    book = make_book()
    against = Side.SELL if side is Side.BUY else Side.BUY
    resting(book, side=against, type=OrderType.LIMIT, limit_price=other)
    answer = review(book, side=side, terms=OrderTerms(type=OrderType.LIMIT, limit_price=D(price)))
    assert isinstance(answer, OrderApproved) is passes


def test_a_closed_exchange_takes_no_entries_unless_extended_hours_are_traded() -> None:
    book = make_book()
    book.is_open = False
    assert denied(book).code == Denial.SESSION_CLOSED
    book.limits = msgspec.structs.replace(book.limits, trade_extended_hours=True)
    approved(book)


def test_every_denial_has_a_sentence() -> None:
    assert set(MEANING) == set(Denial)


@pytest.mark.parametrize("given", [{}, {"terms": OrderTerms(limit_price=D(10) ** 9)}])
def test_an_absurd_order_is_denied_with_a_figure_that_fits_the_tables(given: Any) -> None:
    book = make_book(cash=0, price_collar=D("0.1"), max_position_size=D("0.05"))
    book.cash = D("0.00000001")
    book.mark("AAPL", 0.01 if given else 1e9, OPEN)
    answer = denied(book, 10**9, **given, price=book.price("AAPL"))
    assert answer.value is not None
    assert answer.value <= D(10) ** 12
