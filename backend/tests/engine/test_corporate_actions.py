"""Corporate actions on a small account: what becomes of shares, targets, orders and cash."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from app.domain.deployments import DeploymentState, TradingState
from app.domain.events import (
    CashMoved,
    CorporateActionDue,
    DeploymentPaused,
    OrderAdjusted,
    OrderApproved,
    OrderCanceled,
    OrderSubmitted,
    PositionAdjusted,
    TradeClosed,
    TradingHalted,
)
from app.domain.instruments import Instrument, InstrumentKind
from app.domain.matching import FillModel
from app.domain.orders import Leg
from app.engine.paper import PaperBroker
from tests.trading import OPEN, World, make_order

D = Decimal
MONDAY = date(2024, 3, 4)


def due(world: World, kind: str, symbol: str = "AAPL", **given: Any) -> CorporateActionDue:
    for name in ("ratio", "amount"):
        if name in given:
            given[name] = D(str(given[name]))
    fields = {
        "action_id": f"{symbol}-{kind}-20240304",
        "symbol": symbol,
        "kind": kind,
        "ex_date": MONDAY,
        "session": MONDAY,
        "at": world.now,
    }
    return CorporateActionDue(**{**fields, **given})


def act(world: World, kind: str, symbol: str = "AAPL", **given: Any) -> None:
    world.step(due(world, kind, symbol, **given))


def resting(world: World) -> list[tuple[str, Decimal]]:
    book = world.broker.matcher.resting
    return [(key, one.remaining) for key, one in book.items()]


def bought(quantity: int = 10, **terms: Any) -> World:
    """So many AAPL by hand at 100."""
    world = World(**terms.pop("world", {}))
    world.bar(100)
    world.order("buy" if quantity > 0 else "sell", abs(quantity), **terms)
    world.bar(100)
    assert world.held("AAPL", "manual") == quantity
    return world


def test_a_split_changes_shares_and_prices_and_no_money() -> None:
    world = bought(10, stop_loss=95, take_profit=110)
    before = world.engine.equity, world.engine.cash
    act(world, "split", ratio=4)
    assert (world.engine.equity, world.engine.cash) == before
    position = world.position(ledger="manual")
    assert (position.quantity, position.average_price) == (40, 25)
    assert world.working() == [("stop_loss", "sell", 40), ("take_profit", "sell", 40)]
    stop, profit = world.engine.open_orders
    assert (stop.stop_price, profit.limit_price) == (D("23.75"), D("27.50"))
    target = world.engine.desk.standings["manual", "AAPL"].target
    assert (target.quantity, target.stop_loss, target.take_profit) == (40, D("23.75"), D("27.50"))
    assert resting(world) == [(stop.client_order_id, 40), (profit.client_order_id, 40)]
    world.bar((25, 28, 25, 28))
    assert world.held("AAPL", "manual") == 0
    assert world.of(TradeClosed)[0].trade.pnl == D(100)


def test_a_position_held_over_a_split_wins_what_it_would_have_won() -> None:
    world = bought(9)
    act(world, "split", ratio=7)
    world.order("sell", 63)
    world.bar(15)
    trade = world.of(TradeClosed)[0].trade
    assert trade.pnl == 63 * 15 - 900
    assert (trade.quantity, trade.entry_price) == (63, D("14.28571429"))


def test_a_fraction_is_paid_at_the_last_price() -> None:
    world = bought(5)
    act(world, "split", ratio="0.33333333")
    assert world.held("AAPL", "manual") == 1
    paid = world.of(CashMoved)[0]
    assert paid.amount == D("200.00")
    assert paid.kind == "adjustment"
    assert "0.66666667" in paid.reason
    assert world.engine.equity == 100_000
    world.order("sell", 1)
    world.bar(300)
    assert world.of(TradeClosed)[0].trade.pnl == 0


def test_a_short_position_pays_for_its_fraction() -> None:
    world = bought(-3)
    act(world, "split", ratio="0.5")
    assert world.held("AAPL", "manual") == -1
    assert world.of(CashMoved)[0].amount == D("-100.00")
    assert world.engine.equity == 100_000


def test_a_reverse_split_may_leave_nothing() -> None:
    world = bought(3, stop_loss=95)
    act(world, "split", ratio="0.1")
    assert world.held("AAPL", "manual") == 0
    assert world.of(TradeClosed)[0].trade.pnl == 0
    assert world.working() == []
    assert world.engine.cash == 100_000
    assert len(world.of(OrderCanceled)) == 1


def test_an_order_keeps_what_was_filled_of_it() -> None:
    world = World(model=FillModel(volume_cap=D("0.1"), slippage_bps=D(0)))
    world.bar(100, volume=400)
    world.order("buy", 100, type="limit", limit_price=100, time_in_force="gtc")
    world.bar((100, 100, 99, 100), volume=400)
    assert world.held("AAPL", "manual") == 40
    act(world, "split", ratio=2)
    order = world.engine.open_orders[0]
    assert (order.quantity, order.filled_quantity, order.limit_price) == (160, 40, 50)
    told = world.of(OrderAdjusted)[0]
    assert (told.quantity, told.limit_price, told.symbol) == (160, 50, "AAPL")
    world.bar((50, 50, 49, 50), volume=100_000)
    assert world.held("AAPL", "manual") == 200
    assert world.working() == []


def test_an_order_of_which_less_than_a_lot_is_left_is_cancelled() -> None:
    world = World()
    world.bar(100)
    world.order("buy", 1, type="limit", limit_price=90, time_in_force="gtc")
    act(world, "split", ratio="0.25")
    assert world.working() == []
    assert world.broker.matcher.resting == {}


def test_a_split_of_what_nobody_has_changes_the_price_alone() -> None:
    world = World()
    world.bar(100)
    act(world, "split", ratio=2)
    act(world, "split", "MSFT", ratio=2)
    assert world.engine.book.price("AAPL") == 50
    assert world.names() == ["CorporateActionDue", "CorporateActionDue"]


def test_the_volume_before_a_split_counts_in_new_shares() -> None:
    world = World(model=FillModel(volume_cap=D("0.1"), slippage_bps=D(0)))
    world.bar(100, volume=1_000)
    act(world, "split", ratio=4)
    world.order("buy", 1_000)
    world.bar(25, volume=8_000)
    assert world.held("AAPL", "manual") == 400
    world.bar(25, volume=8_000)
    assert world.held("AAPL", "manual") == 1_000


def test_it_takes_effect_once() -> None:
    world = bought(10)
    act(world, "split", ratio=2)
    count = len(world.journal.entries)
    act(world, "split", ratio=2)
    assert len(world.journal.entries) == count
    assert world.engine.handle(due(world, "split", ratio=2)) == []
    assert world.held("AAPL", "manual") == 20


@pytest.mark.parametrize(("quantity", "amount"), [(10, "8.20"), (-10, "-8.20")])
def test_a_long_position_receives_a_dividend_and_a_short_one_pays(
    quantity: int, amount: str
) -> None:
    world = bought(quantity)
    cash = world.engine.cash
    act(world, "dividend", amount="0.82")
    assert world.engine.cash == cash + D(amount)
    told = world.of(CashMoved)[0]
    assert (told.kind, told.amount, told.ledger) == ("dividend", D(amount), "manual")
    assert (told.ledger_cash, told.account_cash) == (
        world.engine.ledgers["manual"].cash,
        world.engine.cash,
    )


def test_a_dividend_below_half_a_cent_is_none() -> None:
    world = bought(1)
    act(world, "dividend", amount="0.004")
    assert world.of(CashMoved) == []


def test_a_new_symbol_takes_everything_along() -> None:
    world = World()
    world.bar(100)
    world.deploy("AAPL", stop=0.05)
    world.bar(105)
    world.bar(105)
    held = world.held()
    assert held
    world.order("buy", 5, type="limit", limit_price=80, time_in_force="gtc")
    equity = world.engine.equity
    act(world, "symbol_change", new_symbol="PEAR")
    assert world.held() == 0
    assert world.held("PEAR") == held
    assert world.engine.equity == equity
    assert {order.symbol for order in world.engine.open_orders} == {"PEAR"}
    assert ("d1", "PEAR") in world.engine.desk.standings
    assert ("d1", "AAPL") not in world.engine.desk.standings
    (paused,) = world.of(DeploymentPaused)
    assert "PEAR" in paused.reason
    world.bar(PEAR=(79, 79, 79, 79))
    assert world.held("PEAR") == 0
    assert world.held("PEAR", "manual") == 5


def test_what_is_delisted_is_closed_at_its_last_price() -> None:
    world = World()
    world.bar(100, MSFT=100)
    world.deploy("AAPL", "MSFT", stop=0.05)
    world.deploy("MSFT", number=2, capital=1_000)
    world.bar(105, MSFT=105)
    world.bar(110, MSFT=110)
    held, equity = world.held(), world.engine.equity
    assert held > 0
    act(world, "delisting")
    assert world.held() == 0
    assert world.held("MSFT")
    assert world.engine.equity == equity
    assert all(order.symbol == "MSFT" for order in world.engine.open_orders)
    assert world.engine.deployments[1][1] is DeploymentState.PAUSED
    assert world.engine.deployments[2][1] is DeploymentState.RUNNING
    (trade,) = [event.trade for event in world.of(TradeClosed)]
    assert trade.symbol == "AAPL"
    assert trade.quantity == held
    world.bar(MSFT=110)
    assert world.engine.equity == equity


def test_what_is_delisted_for_cash_brings_the_cash() -> None:
    world = bought(10)
    act(world, "delisting", amount="3.5")
    assert world.engine.cash == 100_000 - 1_000 + 35
    assert world.of(TradeClosed)[0].trade.pnl == -965


def test_what_never_had_a_price_goes_at_what_was_paid() -> None:
    world = bought(10)
    world.engine.book._marks.clear()  # as after a merger into what has not traded yet
    world.engine.book._closes.clear()
    act(world, "delisting")
    assert world.engine.cash == 100_000


def test_a_merger_for_cash_pays_it() -> None:
    world = bought(10)
    act(world, "merger", amount="120")
    assert world.engine.cash == 100_000 + 200
    assert world.held("AAPL", "manual") == 0


def test_a_merger_for_shares_and_cash_gives_both() -> None:
    world = bought(10, stop_loss=90)
    act(world, "merger", ratio="0.5", amount="10", new_symbol="BIG")
    assert world.held("BIG", "manual") == 5
    assert world.of(CashMoved)[0].amount == 100
    assert world.position("BIG", "manual").average_price == 200
    assert world.engine.open_orders[0].stop_price == 180
    assert world.engine.equity == 100_000 + 100


def test_a_merger_keeps_a_price_that_the_new_shares_have() -> None:
    world = bought(10)
    world.bar(100, BIG=50)
    act(world, "merger", ratio=2, new_symbol="BIG")
    assert world.engine.book.price("BIG") == 50


def test_a_spin_off_gives_shares_that_cost_nothing_or_cash() -> None:
    world = bought(10)
    act(world, "spin_off", ratio="0.25", new_symbol="TINY")
    assert world.held("TINY", "manual") == 2
    position = world.position("TINY", "manual")
    assert (position.average_price, position.entry_value) == (0, 0)
    world.bar(95, TINY=25)
    world.order("sell", 2, "TINY")
    world.bar(95, TINY=25)
    assert world.of(TradeClosed)[0].trade.pnl == 50
    act(world, "spin_off", action_id="other", amount="1.5")
    assert world.of(CashMoved)[0].amount == 15


def test_a_spin_off_of_less_than_a_share_gives_none() -> None:
    world = bought(3)
    act(world, "spin_off", ratio="0.25", new_symbol="TINY")
    assert world.held("TINY", "manual") == 0


@pytest.mark.parametrize(
    ("kind", "given", "words"),
    [
        ("split", {}, "how many new shares"),
        ("dividend", {}, "how much is paid"),
        ("symbol_change", {}, "the new symbol"),
        ("merger", {}, "neither how many new shares nor how much cash"),
        ("spin_off", {"ratio": 2}, "neither how many new shares nor how much cash"),
        ("dividend", {"amount": 1, "currency": "EUR"}, "EUR"),
        ("split", {"ratio": 2, "is_late": True}, "only after it took effect"),
    ],
)
def test_what_cannot_be_followed_leaves_the_account_in_reduce_only(
    kind: str, given: dict[str, Any], words: str
) -> None:
    world = bought(10)
    act(world, kind, **given)
    assert world.engine.trading_state is TradingState.REDUCING
    assert words in world.of(TradingHalted)[0].reason
    assert world.held("AAPL", "manual") == 10
    assert world.of(PositionAdjusted) == []


def test_a_halt_is_told_what_cannot_be_followed() -> None:
    world = bought(10)
    world.command("trading_halt")
    act(world, "split")
    assert world.engine.trading_state is TradingState.HALTED
    assert "how many new shares" in world.of(TradingHalted)[-1].reason


@pytest.mark.parametrize("kind", ["symbol_change", "merger", "spin_off"])
def test_new_shares_that_are_held_already_need_a_person(kind: str) -> None:
    world = bought(10)
    world.bar(100, BIG=50)
    world.order("buy", 1, "BIG")
    world.bar(100, BIG=50)
    act(world, kind, ratio=1, new_symbol="BIG")
    assert "BIG is held" in world.of(TradingHalted)[0].reason


def test_options_on_it_need_a_person() -> None:
    option = "AAPL240621C00100000"
    world = World(instruments={option: Instrument(option, InstrumentKind.OPTION)})
    world.bar(100, **{option: 5})
    world.order("buy", 1, option)
    world.bar(100, **{option: 5})
    act(world, "dividend", amount=1)
    assert world.engine.trading_state is TradingState.ACTIVE
    act(world, "split", ratio=2)
    assert "options" in world.of(TradingHalted)[0].reason


def test_nobody_minds_what_is_incomplete_and_not_held() -> None:
    world = bought(10)
    world.order("buy", 1, "MSFT", type="limit", limit_price=5, time_in_force="gtc")
    act(world, "split", "IBM")
    act(world, "dividend", "IBM")
    act(world, "split", "MSFT")
    act(world, "split", "IBM", action_id="late", ratio=2, is_late=True)
    assert world.engine.trading_state is TradingState.ACTIVE


def test_a_waiting_limit_order_by_hand_keeps_its_terms() -> None:
    world = World()
    world.bar(100)
    world.order("buy", 4, type="limit", limit_price=80, time_in_force="gtc")
    act(world, "split", ratio=2)
    target = world.engine.desk.standings["manual", "AAPL"].target
    assert target.terms is not None
    assert (target.quantity, target.terms.limit_price) == (8, 40)


def test_legs_cover_exactly_what_there_is_after_a_split() -> None:
    world = bought(5, stop_loss=90)
    world.order("buy", 2)
    world.bar(100, MSFT=100)
    world.order("buy", 1, "MSFT", type="limit", limit_price=5, time_in_force="gtc")
    assert [o.quantity for o in world.engine.desk.legs("manual", "AAPL")] == [7]
    act(world, "split", ratio="1.5")
    legs = world.engine.desk.legs("manual", "AAPL")
    assert sum(leg.remaining_quantity for leg in legs if leg.leg is Leg.STOP_LOSS) == 10
    assert world.held("AAPL", "manual") == 10
    assert {leg.stop_price for leg in legs} == {60}


def test_an_order_that_waits_for_the_wire_is_placed_as_it_was_adjusted() -> None:
    order = make_order(limit_price=80, type="limit")
    adjusted = OrderAdjusted(
        action_id="a",
        client_order_id=order.client_order_id,
        symbol="PEAR",
        quantity=D(20),
        limit_price=D(40),
        stop_price=None,
        at=OPEN,
    )
    broker = PaperBroker()
    submitted = OrderSubmitted(client_order_id=order.client_order_id, at=OPEN)
    broker.restore([OrderApproved(order=order), adjusted, submitted])
    (resting,) = broker.matcher.resting.values()
    assert (resting.order.symbol, resting.remaining, resting.order.limit_price) == ("PEAR", 20, 40)


def test_a_merger_by_halves_is_no_new_volume() -> None:
    broker = PaperBroker()
    broker.restore([due(World(), "merger", ratio=2, new_symbol="BIG")])
    assert broker.matcher.volume_factors == {}
