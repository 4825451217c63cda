from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.domain.events import (
    BrokerReport,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    SessionClosed,
    SliceClosed,
)
from app.domain.instruments import Instrument, InstrumentKind
from app.domain.market import SliceOpened, Timeframe
from app.domain.matching import FREE, FillModel, Matcher
from app.domain.orders import Leg, Order, OrderType, Side, TimeInForce
from tests.trading import DAY, MINUTE, OPEN, Prices, make_bar, make_order

D = Decimal
LIMIT, STOP, STOP_LIMIT = OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT
NEXT = OPEN + MINUTE


def matcher_of(*orders: Order, model: FillModel = FREE, **instruments: Instrument) -> Matcher:
    matcher = Matcher(model, instruments)
    for order in orders:
        matcher.add(order)
    return matcher


def opened(matcher: Matcher, price: float, at: Any = OPEN) -> list[BrokerReport]:
    return matcher.opened(SliceOpened(at, DAY, {"AAPL": price}))


def closed(
    matcher: Matcher, prices: Prices, at: Any = OPEN, volume: float = 10_000
) -> list[BrokerReport]:
    bars = (make_bar("AAPL", prices, at, volume=volume),)
    return matcher.closed(SliceClosed(end=at + MINUTE, session=DAY, base=Timeframe.M1, bars=bars))


def fills(reports: list[BrokerReport]) -> list[tuple[Decimal, Decimal]]:
    return [
        (r.execution.quantity, r.execution.price) for r in reports if isinstance(r, OrderFilled)
    ]


def price_of(reports: list[BrokerReport]) -> Decimal | None:
    return fills(reports)[0][1] if reports else None


def test_a_market_order_fills_at_the_next_open() -> None:
    matcher = matcher_of(make_order())
    (report,) = opened(matcher, 101.5)
    assert isinstance(report, OrderFilled)
    one = report.execution
    assert (one.quantity, one.price, one.at) == (D(10), D("101.50"), OPEN)
    assert one.execution_id == "1-manual-AAPL-c1-e1:20240301T143000:0"
    assert not matcher.resting


def test_an_order_never_meets_a_bar_that_began_before_it() -> None:
    matcher = matcher_of(
        make_order(at=NEXT), make_order(client_order_id="l", at=NEXT, type=LIMIT, limit_price=200)
    )
    assert not opened(matcher, 100)
    assert not closed(matcher, 100)
    assert len(fills(opened(matcher, 100, NEXT))) == 2


def test_an_order_made_at_an_open_that_has_printed_waits_for_the_next() -> None:
    matcher = matcher_of()
    opened(matcher, 100)
    matcher.add(make_order())
    assert not opened(matcher, 100)
    assert not closed(matcher, 100)
    assert fills(opened(matcher, 102, NEXT)) == [(D(10), D(102))]


@pytest.mark.parametrize(
    ("side", "kind", "terms", "open_price", "expected"),
    [
        (Side.BUY, LIMIT, {"limit_price": 100}, 99, 99),
        (Side.BUY, LIMIT, {"limit_price": 100}, 101, None),
        (Side.SELL, LIMIT, {"limit_price": 100}, 103, 103),
        (Side.SELL, LIMIT, {"limit_price": 100}, 99, None),
        (Side.BUY, STOP, {"stop_price": 100}, 104, 104),
        (Side.BUY, STOP, {"stop_price": 100}, 99, None),
        (Side.SELL, STOP, {"stop_price": 100}, 96, 96),
        (Side.SELL, STOP, {"stop_price": 100}, 101, None),
        (Side.BUY, STOP_LIMIT, {"stop_price": 100, "limit_price": 102}, 101, 101),
        (Side.BUY, STOP_LIMIT, {"stop_price": 100, "limit_price": 102}, 103, None),
        (Side.SELL, STOP_LIMIT, {"stop_price": 100, "limit_price": 98}, 99, 99),
    ],
)
def test_what_an_open_gaps_through_fills_at_the_open(
    side: Side, kind: OrderType, terms: Any, open_price: float, expected: float | None
) -> None:
    matcher = matcher_of(make_order(side=side, type=kind, **terms))
    assert price_of(opened(matcher, open_price)) == expected


@pytest.mark.parametrize(
    ("side", "kind", "terms", "bar", "expected"),
    [
        (Side.BUY, LIMIT, {"limit_price": 99}, (100, 101, 98, 100), 99),
        (Side.BUY, LIMIT, {"limit_price": 97}, (100, 101, 98, 100), None),
        (Side.BUY, LIMIT, {"limit_price": 105}, (100, 101, 98, 100), 100),
        (Side.SELL, LIMIT, {"limit_price": 101}, (100, 102, 98, 100), 101),
        (Side.SELL, LIMIT, {"limit_price": 95}, (100, 102, 98, 100), 100),
        (Side.BUY, STOP, {"stop_price": 101}, (100, 102, 98, 100), 101),
        (Side.BUY, STOP, {"stop_price": 103}, (100, 102, 98, 100), None),
        (Side.SELL, STOP, {"stop_price": 99}, (100, 102, 98, 100), 99),
        (Side.SELL, STOP, {"stop_price": 101}, (100, 102, 98, 100), 100),
        (Side.BUY, STOP_LIMIT, {"stop_price": 101, "limit_price": 101}, (100, 102, 98, 100), 101),
        (Side.SELL, STOP_LIMIT, {"stop_price": 99, "limit_price": 98}, (100, 102, 98, 100), 99),
        (Side.BUY, STOP_LIMIT, {"stop_price": 103, "limit_price": 104}, (100, 102, 98, 100), None),
    ],
)
def test_what_a_bar_touches_fills_at_its_price(
    side: Side, kind: OrderType, terms: Any, bar: Prices, expected: float | None
) -> None:
    matcher = matcher_of(make_order(side=side, type=kind, **terms))
    assert price_of(closed(matcher, bar)) == expected


def test_a_stop_limit_that_was_touched_is_a_limit_from_the_next_bar_on() -> None:
    matcher = matcher_of(make_order(type=STOP_LIMIT, stop_price=101, limit_price=100))
    assert not closed(matcher, (100.5, 102, 100, 101))
    assert not opened(matcher, 101, NEXT)
    assert price_of(closed(matcher, (101, 101, 99, 100), NEXT)) == 100


def test_of_a_stop_and_a_profit_in_one_bar_the_stop_is_assumed() -> None:
    legs: Any = {"side": Side.SELL, "group_id": "g"}
    stop = make_order(client_order_id="s", type=STOP, stop_price=95, leg=Leg.STOP_LOSS, **legs)
    profit = make_order(
        client_order_id="t", type=LIMIT, limit_price=105, leg=Leg.TAKE_PROFIT, **legs
    )
    matcher = matcher_of(profit, stop)
    assert fills(closed(matcher, (100, 106, 94, 100))) == [(D(10), D(95))]
    assert "t" in matcher.resting


def test_slippage_makes_market_and_stop_fills_worse_but_not_worse_than_the_bar() -> None:
    model = FillModel(slippage_bps=D(100), volume_cap=None)
    assert price_of(opened(matcher_of(make_order(), model=model), 100)) == 101
    sell = make_order(side=Side.SELL, type=STOP, stop_price=100)
    assert price_of(closed(matcher_of(sell, model=model), (101, 101, 95, 97))) == 99
    assert price_of(closed(matcher_of(sell, model=model), (101, 101, 99.5, 100))) == D("99.50")
    buy = make_order(type=STOP, stop_price=100)
    assert price_of(closed(matcher_of(buy, model=model), (99, 100.5, 99, 100))) == D("100.50")
    limit = make_order(type=LIMIT, limit_price=100)
    assert price_of(opened(matcher_of(limit, model=model), 100)) == 100


def test_the_commission_of_an_order_does_not_depend_on_its_fills() -> None:
    model = FillModel(slippage_bps=D(0), volume_cap=D("0.1"))
    matcher = matcher_of(make_order(quantity=300), model=model)
    matcher.volumes["AAPL"] = 1000
    (first,) = opened(matcher, 100)
    closed(matcher, 100, volume=5000)
    (second,) = opened(matcher, 100, NEXT)
    charged = [r.execution.commission for r in (first, second) if isinstance(r, OrderFilled)]
    assert charged == [D(1), D("0.5")]
    assert model.commission(D(300), D(30_000)) == D("1.5")
    assert model.commission(D(1), D(5)) == D("0.05")


def test_an_order_takes_at_most_its_share_of_the_volume() -> None:
    model = FillModel(slippage_bps=D(0), volume_cap=D("0.1"))
    matcher = matcher_of(make_order(quantity=100), model=model)
    closed(matcher, 100, OPEN - MINUTE, volume=300)
    assert fills(opened(matcher, 100)) == [(D(30), D(100))]
    assert not fills(opened(matcher, 100))
    limit = make_order(client_order_id="l", type=LIMIT, limit_price=100, quantity=100)
    matcher.add(limit)
    assert fills(closed(matcher, 100, volume=500)) == [(D(20), D(100))]
    assert matcher.resting["l"].remaining == 80


def test_currencies_have_no_volume_to_take_a_share_of() -> None:
    model = FillModel(volume_cap=D("0.1"))
    matcher = matcher_of(make_order(), model=model, AAPL=Instrument("AAPL", InstrumentKind.FX))
    closed(matcher, 100, OPEN - MINUTE, volume=0)
    assert len(fills(opened(matcher, 100))) == 1


def test_ioc_takes_what_there_is_and_fok_all_or_nothing() -> None:
    model = FillModel(slippage_bps=D(0), volume_cap=D("0.1"))
    ioc = make_order(time_in_force=TimeInForce.IOC, quantity=100)
    fok = make_order(client_order_id="f", time_in_force=TimeInForce.FOK, quantity=100)
    for order, expected in ((ioc, [(D(30), D(100))]), (fok, [])):
        matcher = matcher_of(order, model=model)
        closed(matcher, 100, OPEN - MINUTE, volume=300)
        reports = opened(matcher, 100)
        assert fills(reports) == expected
        assert isinstance(reports[-1], OrderCanceled)
        assert not matcher.resting
    whole = matcher_of(msg := make_order(time_in_force=TimeInForce.FOK), model=FREE)
    assert [type(r) for r in opened(whole, 100)] == [OrderFilled]
    assert msg.client_order_id not in whole.resting


def test_day_orders_expire_at_the_close_and_those_made_at_it_do_not() -> None:
    close = OPEN + timedelta(hours=6)
    old = make_order(type=LIMIT, limit_price=1)
    new = make_order(client_order_id="n", at=close)
    lasting = make_order(client_order_id="g", time_in_force=TimeInForce.GTC)
    matcher = matcher_of(old, new, lasting)
    (report,) = matcher.session_closed(SessionClosed(session=DAY, at=close))
    assert isinstance(report, OrderExpired)
    assert sorted(matcher.resting) == ["g", "n"]


def test_the_same_order_or_bar_given_twice_changes_nothing() -> None:
    matcher = matcher_of(make_order(type=LIMIT, limit_price=100, quantity=5000), model=FillModel())
    matcher.add(make_order(quantity=1))
    assert fills(closed(matcher, 100)) == [(D(1000), D(100))]
    assert not closed(matcher, 100)
    matcher.closed_until = None
    assert not closed(matcher, 100)
    assert matcher.remove("1-manual-AAPL-c1-e1")
    assert not matcher.remove("1-manual-AAPL-c1-e1")


def test_only_bars_of_the_base_timeframe_meet_orders() -> None:
    matcher = matcher_of(make_order(type=LIMIT, limit_price=100))
    seen = SliceClosed(end=NEXT, session=DAY, base=Timeframe.M5, bars=(make_bar("AAPL", 90),))
    assert not matcher.closed(seen)
    matcher.look(seen)
    assert not matcher.volumes
