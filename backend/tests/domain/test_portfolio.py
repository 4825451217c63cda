from datetime import timedelta
from decimal import Decimal

import msgspec

from app.domain.portfolio import Ledger
from tests.trading import make_execution

D = Decimal


def test_a_round_trip_is_one_trade_net_of_its_commissions() -> None:
    ledger = Ledger(name="d1")
    ledger.apply(make_execution(10, 100, commission=1), signal_id="s1", leg="entry")
    position, trade = ledger.apply(
        make_execution(-10, 103, commission=1), signal_id="s2", leg="exit"
    )
    assert position.quantity == 0
    assert position.realized_pnl == 30
    assert trade is not None
    assert (trade.quantity, trade.entry_price, trade.exit_price) == (D(10), D(100), D(103))
    assert (trade.pnl, trade.commission) == (D(28), D(2))
    assert (trade.entry_signal_id, trade.exit_signal_id, trade.exit_leg) == ("s1", "s2", "exit")
    assert ledger.cash == 28


def test_entries_average_and_partial_exits_realize() -> None:
    ledger = Ledger(name="d1")
    ledger.apply(make_execution(10, 100))
    position, _ = ledger.apply(make_execution(20, 103))
    assert position.average_price == 102
    position, trade = ledger.apply(make_execution(-15, 104))
    assert trade is None
    assert (position.quantity, position.average_price, position.realized_pnl) == (
        D(15),
        D(102),
        D(30),
    )
    assert position.unrealized_pnl(D(101)) == -15
    position, trade = ledger.apply(make_execution(-15, 101))
    assert trade is not None
    assert (trade.quantity, trade.exit_price, trade.pnl) == (D(30), D("102.5"), D(15))


def test_a_fill_through_zero_closes_one_trade_and_opens_another() -> None:
    ledger = Ledger(name="d1")
    ledger.apply(make_execution(10, 100, commission=1))
    position, trade = ledger.apply(make_execution(-30, 90, commission=3), signal_id="s2")
    assert trade is not None
    assert (trade.pnl, trade.commission) == (D(-102), D(2))
    assert (position.quantity, position.average_price) == (D(-20), D(90))
    assert (position.trip_commission, position.signal_id) == (D(2), "s2")
    position, trade = ledger.apply(make_execution(20, 85, commission=1))
    assert trade is not None
    assert (trade.quantity, trade.pnl) == (D(-20), D(97))
    assert position.commission == 5


def test_a_buy_through_zero_closes_a_short() -> None:
    ledger = Ledger(name="d1")
    ledger.apply(make_execution(-10, 100))
    position, trade = ledger.apply(make_execution(15, 99))
    assert trade is not None
    assert (trade.pnl, position.quantity) == (D(10), D(5))


def test_an_average_that_has_no_end_is_rounded_but_the_money_is_not() -> None:
    ledger = Ledger(name="d1")
    ledger.apply(make_execution(1, "10.01"))
    ledger.apply(make_execution(2, "10.02"))
    position, _ = ledger.apply(make_execution(-1, "10.05"))
    assert position.average_price == D("10.01666667")
    position, trade = ledger.apply(make_execution(-2, "10.05"))
    assert trade is not None
    assert trade.pnl == D("0.10") == position.realized_pnl == ledger.cash


def test_an_option_contract_counts_a_hundred_times_its_price() -> None:
    ledger, of = Ledger(name="d1"), {"multiplier": D(100)}
    ledger.apply(make_execution(2, "2.37", commission="1.30"), **of)
    position, _ = ledger.apply(make_execution(1, "2.40", commission="0.65"), **of)
    assert position.average_price == D("2.38")
    assert position.unrealized_pnl(D("2.50"), D(100)) == 36
    assert ledger.cash == D("-715.95")
    position, _ = ledger.apply(make_execution(-1, "2.48"), **of)
    assert (position.realized_pnl, position.average_price) == (D(10), D("2.38"))
    position, trade = ledger.apply(make_execution(-2, "3.01", commission="1.30"), **of)
    assert ledger.cash == D("132.75")
    assert trade is not None
    assert (trade.pnl, trade.entry_price) == (ledger.cash, D("2.38"))
    assert trade.exit_price == D("2.83333333")
    assert position.realized_pnl == D(136)


def test_a_short_option_that_is_turned_around_counts_its_multiplier_on_both_sides() -> None:
    ledger = Ledger(name="d1")
    ledger.apply(make_execution(-2, 3), multiplier=D(100))
    position, trade = ledger.apply(make_execution(3, 2), multiplier=D(100))
    assert trade is not None
    assert (trade.pnl, trade.quantity) == (D(200), D(-2))
    assert (position.quantity, position.entry_value, ledger.cash) == (D(1), D(200), D(0))


def test_a_round_trip_whose_exit_is_told_first_ends_no_earlier_than_it_began() -> None:
    later = make_execution(10, 100)
    earlier = msgspec.structs.replace(make_execution(-10, 103), at=later.at - timedelta(minutes=1))
    ledger = Ledger(name="d1")
    ledger.apply(later)
    _, trade = ledger.apply(earlier)
    assert trade is not None
    assert trade.entry_at == trade.exit_at == later.at
