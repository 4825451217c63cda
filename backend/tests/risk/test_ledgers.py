"""The ledgers of an account add up to it, whatever is filled, paid or found."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from app.risk.ledgers import Account, Part, unbalanced, unbalanced_book
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
        assert unbalanced_book(book) == ()


def test_what_is_missing_is_named() -> None:
    account = Account(D(90), D(100), {"AAPL": D(3), "IBM": D(0)})
    parts = [Part("d1", D(-10), {"AAPL": D(2)}), Part("d2", D("0.01"), {"MSFT": D(1)})]
    assert unbalanced(account, parts) == (
        "cash: the account has 90, its deposit and ledgers add up to 90.01",
        "AAPL: the account holds 3, its ledgers add up to 2",
        "MSFT: the account holds 0, its ledgers add up to 1",
    )


def test_deployments_and_people_on_one_account_add_up_at_every_step() -> None:
    world = World()
    world.deploy("AAPL", number=1, capital=20_000)
    world.deploy("AAPL", number=2, capital=5_000)
    for close in (105, 110, 95, 104, 100, 91):
        world.bar(close)
        assert unbalanced_book(world.engine.book) == ()
    world.order("buy", 7)
    world.bar(103)
    assert world.held(ledger="manual") == 7
    assert unbalanced_book(world.engine.book) == ()
