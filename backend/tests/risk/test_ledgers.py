"""The ledgers of an account add up to it, whatever is filled, paid or found."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from app.risk.ledgers import unbalanced
from tests.risk.test_rules import make_book
from tests.trading import World, make_execution, make_order

D = Decimal
ledgers = st.sampled_from(["d1", "d2", "manual", "external"])
cents = st.integers(-500, 500).map(lambda n: D(n) / 100)
fills = st.tuples(ledgers, st.integers(-9, 9).filter(bool), st.integers(1, 10**6), cents)
paid = st.tuples(ledgers, cents)


@settings(max_examples=100, deadline=None)
@given(st.lists(fills | paid, max_size=30))
def test_every_fill_and_cost_is_some_ledgers(steps: list[tuple[object, ...]]) -> None:
    book = make_book()
    for number, step in enumerate(steps):
        match step:
            case (str(ledger), int(quantity), int(price), Decimal() as cost):
                execution = make_execution(
                    quantity, price / 10_000, execution_id=str(number), commission=cost
                )
                order = make_order(ledger=ledger) if number % 2 else None
                book.apply(execution, order)
            case (str(ledger), Decimal() as amount):
                book.pay(ledger, amount)
            case _:
                raise AssertionError(step)
        assert not list(unbalanced(book))


def test_what_is_missing_is_named() -> None:
    book = make_book()
    book.apply(make_execution(3, 100), None)
    book.pay("d1", D("-0.01"))
    book.cash += D("0.01")
    book.net["AAPL"] -= 1
    book.net["IBM"] = D(1)
    assert list(unbalanced(book)) == [
        "the deposit and the ledgers make 99699.99; the account has 99700.00",
        "the ledgers hold 3 AAPL; the account 2",
        "the ledgers hold 0 IBM; the account 1",
    ]


def test_deployments_and_people_on_one_account_add_up_at_every_step() -> None:
    world = World()
    world.deploy("AAPL", number=1, capital=20_000)
    world.deploy("AAPL", number=2, capital=5_000)
    for close in (105, 110, 95, 104, 100, 91):
        world.bar(close)
        assert not list(unbalanced(world.engine.book))
    world.order("buy", 7)
    world.bar(103)
    assert world.held(ledger="manual") == 7
    assert not list(unbalanced(world.engine.book))
