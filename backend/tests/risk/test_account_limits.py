"""Limits that look beyond one order: the day's money and round trips, other accounts, funds."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from app.domain.denials import Denial
from app.domain.deployments import TradingState
from app.domain.orders import Leg, OrderStatus, Side
from app.risk.book import Book, Funds
from tests.risk.test_rules import approved, denied, make_book
from tests.trading import OPEN, make_execution, make_order

D = Decimal
SESSIONS = [date(2024, 3, day) for day in (1, 4, 5, 6, 7, 8)]


def trade(book: Book, quantity: float, symbol: str = "AAPL", ledger: str = "d1") -> None:
    execution = make_execution(quantity, 100, symbol=symbol, ledger=ledger)
    book.apply(execution, None)


def day_trade(book: Book, symbol: str = "AAPL") -> None:
    trade(book, 1, symbol)
    trade(book, -1, symbol)


def cancel(book: Book, client_order_id: str) -> None:
    order = book.open[client_order_id]
    book.put(msgspec.structs.replace(order, status=OrderStatus.CANCELED))


def small(**limits: Any) -> Book:
    book = make_book(cash=20_000, max_day_trades=3, day_trade_equity=D(25_000), **limits)
    book.begin_session(SESSIONS[0])
    return book


def test_the_fourth_day_trade_is_denied_before_it_is_opened() -> None:
    book = small()
    day_trade(book)
    day_trade(book)
    approved(book, 1)
    cancel(book, "1-d1-AAPL-1-e1")
    day_trade(book)
    denial = denied(book, 1)
    assert (denial.code, denial.value, denial.limit) == (Denial.DAY_TRADES, D(4), D(3))


def test_what_grew_today_counts_as_if_it_had_to_go_today() -> None:
    book = small()
    trade(book, 1, "AAPL")
    trade(book, 1, "MSFT")
    trade(book, 1, "IBM")
    denied(book, 1, symbol="NEW", price=D(10), instrument=book.instrument("IBM"))
    approved(book, 1, symbol="IBM")
    book.begin_session(SESSIONS[1])
    trade(book, -1, "MSFT")
    assert not book.day.trades
    approved(book, 1, symbol="MSFT", attempt=2)


def test_an_unknown_entry_counts_and_a_resting_stop_does_not() -> None:
    book = small()
    day_trade(book)
    day_trade(book)
    book.put(make_order(symbol="MSFT", status=OrderStatus.UNKNOWN))
    book.put(
        make_order(client_order_id="s", symbol="IBM", leg=Leg.EXIT, status=OrderStatus.ACCEPTED)
    )
    assert denied(book, 1, symbol="AAPL").code == Denial.DAY_TRADES


def test_day_trades_are_forgotten_after_five_sessions() -> None:
    book = small()
    for _ in range(3):
        day_trade(book)
    for session in SESSIONS[1:5]:
        book.begin_session(session)
        assert denied(book, 1).code == Denial.DAY_TRADES
    book.begin_session(SESSIONS[5])
    approved(book, 1)


@pytest.mark.parametrize(
    ("fills", "count"),
    [
        ([5, -2, -3], 1),
        ([5, 5, -10], 1),
        ([5, -5, 5, -5], 2),
        ([5, -10, 5], 2),
        ([5, -5, -5, 5], 2),
        ([-5], 0),
    ],
)
def test_a_day_trade_is_a_position_that_grew_and_shrank(fills: list[int], count: int) -> None:
    book = small()
    for quantity in fills:
        trade(book, quantity)
    assert len(book.day.trades) == count


def test_ledgers_share_the_accounts_day_trades() -> None:
    book = small()
    trade(book, 5, ledger="d1")
    trade(book, -5, ledger="d2")
    assert len(book.day.trades) == 1


def test_rich_and_cash_accounts_may_trade_within_the_day() -> None:
    for limits in ({"settled_cash_only": True}, {}):
        book = small(**limits)
        if not limits:
            book.limits = msgspec.structs.replace(book.limits, day_trade_equity=D(20_000))
        for _ in range(4):
            day_trade(book)
        approved(book, 1)


def test_fills_before_the_first_session_count_for_none() -> None:
    book = make_book()
    day_trade(book)
    assert not book.day.trades


def test_the_days_money_is_cut_and_then_denied() -> None:
    book = make_book(max_daily_notional=D(5_000))
    trade(book, 10)
    trade(book, -10)
    book.put(make_order(quantity=10, symbol="MSFT", status=OrderStatus.UNKNOWN))
    answer = approved(book, 30)
    assert (answer.order.quantity, answer.limited_by) == (D(20), ("daily_notional",))
    denial = denied(book, 1, symbol="IBM")
    assert (denial.value, denial.limit) == (D(5_100), D(5_000))
    approved(book, 10, adds=False, leg=Leg.EXIT, side=Side.SELL, attempt=3)
    book = make_book(max_daily_notional=D(1_000))
    trade(book, 10)
    assert denied(book, 1).code == Denial.DAILY_NOTIONAL
    book.begin_session(OPEN.date())
    approved(book, 10)


def test_an_order_that_spends_exactly_what_is_left_is_not_cut() -> None:
    answer = approved(make_book(max_daily_notional=D(1_000)), 10)
    assert (answer.order.quantity, answer.limited_by) == (D(10), ())


def test_orders_of_the_users_other_accounts_count() -> None:
    book = make_book(max_concurrent_orders=10)
    book.elsewhere = 8
    approved(book)
    book.put(make_order(client_order_id="u", symbol="IBM", status=OrderStatus.UNKNOWN))
    denial = denied(book, symbol="MSFT")
    assert (denial.code, denial.value, denial.limit) == (Denial.CONCURRENT_ORDERS, D(11), D(10))


def test_the_brokers_buying_power_is_what_may_be_spent() -> None:
    book = make_book()
    book.hear_funds(Funds(buying_power=D(3_000)))
    assert approved(book, 10).order.quantity == 10
    answer = approved(book, 50, symbol="MSFT")
    assert (answer.order.quantity, answer.limited_by) == (D(20), ("buying_power",))
    denial = denied(book, 1, symbol="IBM")
    assert (denial.code, denial.value, denial.limit) == (Denial.BUYING_POWER, D(100), D(0))
    book.hear_funds(Funds(buying_power=D(250_000)))
    assert approved(book, 1_500, symbol="IBM").order.quantity == 1_500


def test_what_the_broker_may_not_have_counted_is_taken_off() -> None:
    book = make_book()
    book.put(make_order(quantity=10, status=OrderStatus.UNKNOWN))
    book.put(
        make_order(client_order_id="a", symbol="MSFT", quantity=10, status=OrderStatus.ACCEPTED)
    )
    book.put(
        make_order(client_order_id="s", quantity=9, leg=Leg.STOP_LOSS, status=OrderStatus.APPROVED)
    )
    book.hear_funds(Funds(buying_power=D(2_000)))
    assert approved(book, 50, symbol="IBM").order.quantity == 10
    approved(book, 5, symbol="IBM", adds=False, leg=Leg.EXIT, side=Side.SELL, attempt=2)
    assert book.committed == 2_000


def test_what_was_approved_and_is_not_made_after_all_costs_nothing() -> None:
    book = make_book()
    book.hear_funds(Funds(buying_power=D(3_000)))
    before = book.committed
    book.dismiss(approved(book, 10).order)
    assert book.committed == before
    assert approved(book, 30, symbol="MSFT").order.quantity == 30


def test_settled_cash_is_the_brokers_where_it_says_so() -> None:
    book = make_book(settled_cash_only=True)
    book.hear_funds(Funds(settled_cash=D(1_500)))
    answer = approved(book, 50)
    assert (answer.order.quantity, answer.limited_by) == (D(15), ("settled_cash",))
    assert denied(book, 1, symbol="IBM").code == Denial.SETTLED_CASH


def test_sales_settle_with_the_next_session() -> None:
    book = make_book(cash=1_000, settled_cash_only=True)
    book.begin_session(SESSIONS[0])
    trade(book, 10)
    trade(book, -10)
    assert denied(book, 1, symbol="IBM").code == Denial.SETTLED_CASH
    book.begin_session(SESSIONS[0])
    assert denied(book, 1, symbol="IBM").code == Denial.SETTLED_CASH
    book.begin_session(SESSIONS[1])
    assert approved(book, 10, symbol="IBM").order.quantity == 10


def test_a_sector_that_changes_counts_from_then_on() -> None:
    book = make_book(max_sector_exposure=D("0.3"))
    trade(book, 250)
    assert approved(book, 300, symbol="IBM").order.quantity == 300
    book.see("IBM", "tech", shortable=True)
    assert denied(book, 1, symbol="IBM", attempt=2).code == Denial.SECTOR_LIMIT
    book.see("AAPL", None, shortable=True)
    cancel(book, "1-d1-IBM-1-e1")
    assert approved(book, 300, symbol="IBM", attempt=3).order.quantity == 300


def test_what_the_broker_no_longer_lends_is_not_sold_short() -> None:
    book = make_book()
    approved(book, side=Side.SELL)
    book.see("AAPL", "tech", shortable=False)
    assert denied(book, side=Side.SELL, attempt=2).code == Denial.NOT_SHORTABLE
    approved(book, side=Side.SELL, adds=False, leg=Leg.EXIT, attempt=3)


def test_a_latched_drawdown_lets_only_reductions_pass_and_says_why() -> None:
    book = make_book(max_drawdown=D("0.2"))
    book.peak, book.is_drawn_down = D(125_000), True
    book.trading_state = TradingState.REDUCING
    denial = denied(book)
    assert (denial.code, denial.value, denial.limit) == (Denial.DRAWDOWN, D("0.2"), D("0.2"))
    approved(book, adds=False, leg=Leg.EXIT, side=Side.SELL)
    book.rearm()
    assert (book.peak, book.is_drawn_down) == (D(100_000), False)


@pytest.mark.parametrize(
    ("limits", "peak", "fallen"),
    [
        ({"max_drawdown": D("0.2")}, 125_000, True),
        ({"max_drawdown": D("0.2")}, 124_999, False),
        ({"max_drawdown": None}, 10**9, False),
        ({"max_drawdown": D("0.2"), "risk_checking": False}, 125_000, False),
        ({"max_drawdown": D("0.2")}, 0, False),
    ],
)
def test_an_account_has_fallen_at_its_limit(
    limits: dict[str, Any], peak: int, fallen: bool
) -> None:
    book = make_book(**limits)
    book.peak = D(peak)
    assert book.has_fallen is fallen


def test_a_book_is_the_same_after_a_checkpoint() -> None:
    book = small(max_drawdown=D("0.5"))
    day_trade(book)
    trade(book, 3, "IBM", "d2")
    book.see("IBM", "tech", shortable=False)
    book.hear_funds(Funds(D(9_000), D(8_000)))
    approved(book, 2)
    book.limit("deployment:1", {"max_position_size": "0.02", "allowed_symbols": ["IBM"]})
    book.elsewhere, book.is_drawn_down = 4, True
    state = book.snapshot()
    other = Book(1, D(0), book.limits, {})
    other.restore(msgspec.json.decode(msgspec.json.encode(state), type=type(state)))
    assert msgspec.json.encode(other.snapshot()) == msgspec.json.encode(state)
    assert other.instrument("IBM").sector == "tech"
    assert other.limits_of("d1", "X") == book.limits_of("d1", "X")
    day_trade(book, "MSFT")
    book.limit("deployment:1", {"max_position_size": None, "allowed_symbols": None})
    assert msgspec.json.encode(other.snapshot()) == msgspec.json.encode(state)


def test_orders_of_the_last_minute_are_forgotten() -> None:
    book = make_book()
    approved(book)
    assert book.recent_orders(OPEN + timedelta(seconds=59)) == 1
    assert book.recent_orders(OPEN + timedelta(seconds=60)) == 0
