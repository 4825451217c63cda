from datetime import UTC, datetime
from decimal import Decimal

import pytest

from app.core.errors import InvalidTransition
from app.domain.events import (
    EVENT_NAMES,
    INPUT_TYPES,
    ClockTicked,
    Event,
    OrderApproved,
    OrderFilled,
    Priority,
    SignalRaised,
    SliceClosed,
    TradeClosed,
    decode,
    encode,
    name_of,
    occurred_at,
    priority_of,
)
from app.domain.instruments import Instrument, to_grid
from app.domain.market import Timeframe, stamp
from app.domain.orders import OrderStatus, Side
from app.domain.portfolio import Trade
from app.domain.signals import Signal, SignalType
from tests.trading import DAY, OPEN, make_bar, make_execution, make_order

D = Decimal


def make_signal(exposure: float = 1.0, quantity: Decimal | None = None) -> Signal:
    return Signal(
        signal_id="s",
        ledger="d1",
        deployment_id=1,
        symbol="AAPL",
        exposure=exposure,
        price=1.0,
        at=OPEN,
        quantity=quantity,
    )


def make_trade() -> Trade:
    return Trade(
        trade_id="t",
        ledger="d1",
        symbol="AAPL",
        quantity=D(1),
        entry_price=D(1),
        exit_price=D(2),
        entry_at=OPEN,
        exit_at=OPEN,
        commission=D(0),
        pnl=D(1),
    )


EVENTS: list[Event] = [
    SliceClosed(end=OPEN, session=DAY, base=Timeframe.M1, bars=(make_bar("AAPL", 1.5),)),
    OrderFilled(execution=make_execution(1, 100)),
    SignalRaised(signal=make_signal()),
    OrderApproved(order=make_order()),
    TradeClosed(trade=make_trade()),
    ClockTicked(at=OPEN),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_survives_its_bytes_and_knows_its_time(event: Event) -> None:
    assert decode(encode(event)) == event
    assert occurred_at(event) == OPEN
    assert EVENT_NAMES[name_of(event)] is type(event)


def test_fills_are_more_urgent_than_bars() -> None:
    assert priority_of(EVENTS[1]) is Priority.HIGH
    assert priority_of(EVENTS[0]) is Priority.LOW
    assert priority_of(EVENTS[3]) is Priority.NORMAL
    assert type(EVENTS[1]) in INPUT_TYPES
    assert type(EVENTS[3]) not in INPUT_TYPES


def test_a_signals_type_follows_from_what_it_wants() -> None:
    assert make_signal(0.3).signal_type is SignalType.LONG
    assert make_signal(0.0).signal_type is SignalType.FLAT
    assert make_signal(0.0, D(-5)).signal_type is SignalType.SHORT


def test_prices_and_quantities_lie_on_their_grids() -> None:
    assert str(to_grid(100.005, D("0.01"))) == "100.00"
    assert to_grid(100.13, D("0.25")) == D("100.25")
    assert Instrument("X", tick=D("0.05")).price(1.02) == D("1.00")
    assert Instrument("X").round_price(D("1.005")) == D("1.00")
    assert Instrument("X", lot=D(10)).quantity(D("19.9")) == 10
    assert Instrument("X").quantity(D("-19.9")) == -19


def test_an_instant_is_short_in_ids() -> None:
    assert stamp(datetime(2024, 3, 1, 14, 30, 5, 123, tzinfo=UTC)) == "20240301T143005"


def test_sides_and_statuses_know_their_opposites() -> None:
    assert Side.BUY.opposite is Side.SELL
    assert Side.SELL.opposite is Side.BUY
    assert Side.SELL.sign == -1
    assert Timeframe.H1.duration.total_seconds() == 3600
    assert not make_order(status=OrderStatus.FILLED).is_open
    assert make_order(side=Side.SELL).signed_remaining == -10


def test_an_order_moves_only_along_its_edges() -> None:
    with pytest.raises(InvalidTransition, match="cannot become filled"):
        make_order().to(OrderStatus.FILLED)
