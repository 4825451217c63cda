from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from app.domain.events import (
    BrokerReport,
    OrderAdjusted,
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
TRAILING = OrderType.TRAILING_STOP
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


# ------------------------------------------------------------------------------ trailing stops


def trailing(
    side: Side = Side.SELL, stop: float | None = 98, trail: str = "2", **given: Any
) -> Order:
    return make_order(side=side, type=TRAILING, stop_price=stop, trail=D(trail), **given)


def walk(matcher: Matcher, *bars: Prices) -> list[tuple[Decimal, Decimal]]:
    """What one bar after the other fills, at its open and in it."""
    found: list[tuple[Decimal, Decimal]] = []
    for number, prices in enumerate(bars):
        at = OPEN + number * MINUTE
        first = prices[0] if isinstance(prices, tuple) else prices
        found += fills(opened(matcher, first, at)) + fills(closed(matcher, prices, at))
    return found


def stop_of(matcher: Matcher) -> Decimal | None:
    (resting,) = matcher.resting.values()
    return resting.stop


@pytest.mark.parametrize(
    ("side", "stop", "bars", "expected"),
    [
        (Side.SELL, 98, [(100, 103, 99, 102)], 101),
        (Side.SELL, 98, [(100, 103, 99, 102), (102, 102.5, 101.5, 102)], 101),
        (Side.BUY, 102, [(100, 101, 97, 98)], 99),
        (Side.BUY, 102, [(100, 101, 97, 98), (98, 98.5, 97.5, 98)], 99),
        (Side.SELL, None, [(100, 101, 96, 97)], 99),
    ],
)
def test_a_trailing_stop_follows_the_best_price_and_never_goes_back(
    side: Side, stop: float | None, bars: list[Prices], expected: float
) -> None:
    matcher = matcher_of(trailing(side, stop))
    assert not walk(matcher, *bars)
    assert stop_of(matcher) == expected


def test_a_bar_meets_a_trailing_stop_where_it_stood_before_the_bar() -> None:
    """Whether a bar's high came before its low is unknown: the old stop must be touched."""
    matcher = matcher_of(trailing())
    assert not walk(matcher, (100, 110, 99, 100))
    assert stop_of(matcher) == 108
    assert fills(opened(matcher, 100, NEXT)) == [(D(10), D(100))], "the open is beyond it by now"


def test_a_trailing_stop_that_is_touched_fills_like_a_stop() -> None:
    assert walk(matcher_of(trailing()), (100, 103, 99, 102), (102, 104, 100.5, 103)) == [(10, 101)]
    assert walk(matcher_of(trailing(Side.BUY, 102)), (100, 101, 99, 100), (100, 103, 100, 102)) == [
        (10, 101)
    ]


def test_a_trailing_stop_is_moved_only_by_bars_that_began_after_it() -> None:
    matcher = matcher_of(trailing(at=OPEN + MINUTE / 2))
    assert not walk(matcher, (100, 110, 90, 100))
    assert stop_of(matcher) == 98


def test_a_trailing_stop_that_fills_in_parts_stays_triggered() -> None:
    matcher = matcher_of(trailing(quantity=50), model=FillModel(slippage_bps=D(0)))
    assert fills(closed(matcher, (100, 100, 97, 99), volume=300)) == [(D(30), D(98))]
    assert fills(opened(matcher, 110, NEXT)) == [(D(20), D(110))]


def test_a_trailing_stop_follows_bars_that_nobody_meets() -> None:
    met, passed = matcher_of(trailing()), matcher_of(trailing())
    walk(met, (100, 104, 100, 103), (103, 107, 103, 106))
    (resting,) = passed.resting.values()
    passed.follow(resting, 107, 100)
    assert stop_of(met) == stop_of(passed) == 105


def test_a_split_moves_a_trailing_stop_with_the_prices() -> None:
    matcher = matcher_of(trailing(stop=98))
    walk(matcher, (100, 110, 99, 109))
    matcher.adjust(
        OrderAdjusted(
            action_id="a",
            client_order_id="1-manual-AAPL-c1-e1",
            symbol="AAPL",
            quantity=D(20),
            limit_price=None,
            stop_price=D(49),
            trail=D(1),
            at=NEXT,
        )
    )
    assert stop_of(matcher) == 54
    closed(matcher, (54.5, 57, 54.5, 57), NEXT)
    assert stop_of(matcher) == 56


def test_a_restart_knows_how_far_a_trailing_stop_had_got() -> None:
    bars = [make_bar("AAPL", prices, OPEN + n * MINUTE) for n, prices in enumerate([103, 101.5])]
    seen = [SliceClosed(end=bar.end, session=DAY, base=Timeframe.M1, bars=(bar,)) for bar in bars]
    one, again = matcher_of(trailing()), matcher_of(trailing())
    for each in seen:
        one.closed(each)
        again.look(each)
    assert stop_of(one) == stop_of(again) == 101
    low = SliceClosed(
        end=NEXT + 2 * MINUTE,
        session=DAY,
        base=Timeframe.M1,
        bars=(make_bar("AAPL", 90, NEXT + MINUTE),),
    )
    again.look(low)
    assert [one.is_triggered for one in again.resting.values()] == [True]


# ---------------------------------------------------------------------------------- the fill model


def test_an_order_is_late_by_the_latency() -> None:
    matcher = matcher_of(
        make_order(), model=msgspec.structs.replace(FREE, latency_seconds=D("0.25"))
    )
    assert walk(matcher, 100, 101) == [(10, 101)]
    limit = make_order(type=LIMIT, limit_price=100)
    slow = matcher_of(limit, model=msgspec.structs.replace(FREE, latency_seconds=D(60)))
    assert walk(slow, (100, 100, 90, 95), (98, 98, 90, 95)) == [(10, 98)]


def test_the_same_orders_are_refused_every_time() -> None:
    some = msgspec.structs.replace(FREE, reject_rate=D("0.5"))
    answers = [some.refuses(f"1-manual-AAPL-c{n}-e1") for n in range(1000)]
    assert 400 < sum(answers) < 600
    assert answers == [some.refuses(f"1-manual-AAPL-c{n}-e1") for n in range(1000)]
    assert not FREE.refuses("any")
    assert msgspec.structs.replace(FREE, reject_rate=D(1)).refuses("any")


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
        assert isinstance(reports[-1], OrderExpired)
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


def test_a_fill_within_a_bar_that_was_told_before_a_restart_does_not_come_again() -> None:
    before = matcher_of(make_order(type=LIMIT, limit_price=100), model=FillModel())
    (report,) = closed(before, 99)
    assert isinstance(report, OrderFilled)
    after = matcher_of(make_order(type=LIMIT, limit_price=100), model=FillModel())
    after.refill(report.execution)
    assert not after.resting
    assert not after.opened_at
    after.refill(report.execution)
    assert after.used["AAPL"] == (OPEN, D(20))
