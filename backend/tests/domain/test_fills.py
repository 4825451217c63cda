"""Fills that are taken back or corrected: the books are as if they had been right at once."""

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.executions import Execution
from app.domain.fills import BookedFill, Fills, Rebooked
from app.domain.portfolio import Ledger, Position, Trade
from tests.trading import MINUTE, OPEN, make_execution

D = Decimal


class Books:
    """One ledger, its fills and the trades that it told of."""

    def __init__(self) -> None:
        self.ledger, self.fills = Ledger(name="d1"), Fills()
        self.trades: list[Trade] = []

    def fill(self, quantity: float, price: float, name: str, commission: float = 1) -> None:
        execution = make_execution(
            quantity, price, execution_id=name, commission=commission, at=OPEN
        )
        before = self.ledger.position("AAPL")
        _, trade = self.ledger.apply(execution, signal_id="s", leg="entry")
        self.fills.add(BookedFill(execution=execution, signal_id="s", leg="entry", before=before))
        if trade is not None:
            self.trades.append(trade)

    def undo(self, name: str, instead: Execution | None = None) -> Rebooked:
        fill = self.fills.find(name)
        assert fill is not None
        done = self.fills.rebook(fill, instead, self.ledger.position("AAPL"))
        self.ledger.positions["AAPL"] = done.position
        self.ledger.cash += done.cash
        self.trades = [one for one in self.trades if one not in done.voided] + [*done.closed]
        return done

    @property
    def position(self) -> Position:
        return self.ledger.position("AAPL")


def books(*fills: tuple[float, float]) -> Books:
    made = Books()
    for number, (quantity, price) in enumerate(fills):
        made.fill(quantity, price, f"x{number}")
    return made


def same(one: Books, other: Books) -> None:
    assert one.position == other.position
    assert one.ledger.cash == other.ledger.cash
    assert one.trades == other.trades


def test_a_busted_entry_leaves_the_average_of_the_others() -> None:
    made = books((10, 100), (10, 110))
    made.undo("x0")
    assert (made.position.quantity, made.position.average_price) == (10, 110)
    assert made.ledger.cash == -1101


def test_a_busted_contract_gives_back_what_a_hundred_shares_cost() -> None:
    fills, of = Fills(), Position(ledger="d1", symbol="AAPL")
    ledger = Ledger(name="d1")
    one = BookedFill(execution=make_execution(2, 3), signal_id="s", leg="entry", before=of)
    now, _ = ledger.apply(one.execution, multiplier=D(100), signal_id="s")
    fills.add(one)
    right = make_execution(2, "2.5", execution_id="x1b")
    assert fills.rebook(one, right, now, D(100)).cash == 100
    changed = msgspec.structs.replace(now, average_price=D(7))
    assert fills.rebook(one, None, changed, D(100)).cash == 500


def test_a_busted_only_fill_leaves_nothing() -> None:
    made = books((10, 100))
    made.undo("x0")
    assert made.position == Position(ledger="d1", symbol="AAPL")
    assert made.ledger.cash == 0


def test_a_busted_entry_of_a_finished_trip_opens_what_closed_it() -> None:
    made = books((10, 100), (-10, 110))
    done = made.undo("x0")
    assert [trade.trade_id for trade in done.voided] == ["d1/x1"]
    assert (made.position.quantity, made.position.average_price) == (-10, 110)
    assert made.trades == []


def test_a_busted_exit_opens_the_trip_again() -> None:
    made = books((10, 100), (-10, 110))
    made.undo("x1")
    same(made, books((10, 100)))


def test_a_corrected_price_changes_the_trade() -> None:
    made = books((10, 100), (-10, 110))
    right = make_execution(10, 101, execution_id="x0b", commission=1)
    done = made.undo("x0", right)
    assert [t.pnl for t in done.voided] == [98]
    assert [t.pnl for t in done.closed] == [88]
    assert made.fills.find("x0") is None
    assert made.fills.find("x0b") is not None


def test_a_correction_can_be_busted_too() -> None:
    made = books((10, 100), (5, 102))
    made.undo("x0", make_execution(20, 101, execution_id="x0b", commission=1))
    assert made.position.quantity == 25
    made.undo("x0b")
    assert (made.position.quantity, made.position.average_price) == (5, 102)


def test_other_ledgers_and_symbols_are_left_alone() -> None:
    made = books((10, 100))
    other = make_execution(7, 50, execution_id="y", ledger="d2", symbol="MSFT")
    elsewhere = Position(ledger="d2", symbol="MSFT")
    made.fills.add(BookedFill(execution=other, signal_id=None, leg=None, before=elsewhere))
    made.fill(10, 110, "x1")
    made.undo("x0")
    assert made.position.average_price == 110
    assert [one.execution.execution_id for one in made.fills.snapshot()] == ["y", "x1"]


@pytest.mark.parametrize("corrected", [False, True])
def test_after_a_split_a_fill_is_undone_by_its_opposite(corrected: bool) -> None:
    made = books((10, 100), (10, 110))
    made.ledger.positions["AAPL"] = msgspec.structs.replace(made.position, quantity=D(40))
    instead = make_execution(10, 101, execution_id="x0b", commission=1) if corrected else None
    made.undo("x0", instead)
    assert made.position.quantity == (40 if corrected else 30)
    assert made.ledger.cash == (-2112 if corrected else -1101)
    assert (made.fills.find("x0b") is not None) is corrected


def test_old_fills_stand_for_ever() -> None:
    made = books((10, 100), (10, 110))
    made.fills.forget(OPEN)
    assert made.fills.find("x0") is not None
    made.fills.forget(OPEN + MINUTE)
    assert made.fills.find("x1") is None


def test_a_checkpoint_is_not_touched_by_what_comes_later() -> None:
    made = books((10, 100), (10, 110))
    kept = made.fills.snapshot()
    made.undo("x0")
    assert kept[1].before.quantity == 10
    again = Fills(kept)
    assert again.find("x0") is not None


moves = st.tuples(st.integers(-9, 9).filter(bool), st.integers(90, 110), st.integers(0, 3))


@given(st.lists(moves, min_size=1, max_size=8), st.data())
def test_books_after_busts_and_corrections_are_those_of_the_right_fills(
    given_fills: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    made, right = Books(), dict(enumerate(given_fills))
    names = {}
    for number, (quantity, price, fee) in right.items():
        names[number] = f"x{number}"
        made.fill(quantity, price, names[number], fee)
    for number in data.draw(st.lists(st.sampled_from(list(right)), unique=True)):
        if data.draw(st.booleans()):
            del right[number]
            made.undo(names[number])
        else:
            quantity, price, fee = right[number]
            right[number] = quantity, price + 1, fee
            names[number] += "b"
            made.undo(
                f"x{number}",
                make_execution(quantity, price + 1, execution_id=names[number], commission=fee),
            )
    wanted = Books()
    for number, (quantity, price, fee) in right.items():
        wanted.fill(quantity, price, names[number], fee)
    assert made.position == wanted.position
    assert made.ledger.cash == wanted.ledger.cash
    assert sorted(made.trades, key=_id) == sorted(wanted.trades, key=_id)


def _id(trade: Trade) -> str:
    return trade.trade_id


def test_time_is_that_of_the_fill() -> None:
    made = Books()
    made.fills.add(
        BookedFill(
            execution=make_execution(1, 1, at=OPEN + timedelta(days=1)),
            signal_id=None,
            leg=None,
            before=Position(ledger="d1", symbol="AAPL"),
        )
    )
    made.fills.forget(OPEN + timedelta(hours=23))
    assert made.fills.find("x1") is not None
