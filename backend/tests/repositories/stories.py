"""Short stories of an account, as the engine would journal them."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from app.domain import events as ev
from app.domain.deployments import Deployment
from app.domain.executions import Execution
from app.domain.market import Bar, Timeframe
from app.domain.orders import Leg, Order, Side
from app.domain.portfolio import Position, Trade
from app.domain.ports import Entry
from app.domain.signals import Signal, Target

START = datetime(2024, 3, 1, 14, 30, tzinfo=UTC)


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def make_slice(minute: int, symbol: str = "AAPL", close: float = 100.0) -> ev.SliceClosed:
    bar = Bar(symbol, Timeframe.M1, at(minute - 1), at(minute), close, close, close, close, 100)
    return ev.SliceClosed(end=at(minute), session=date(2024, 3, 1), base=Timeframe.M1, bars=(bar,))


def make_signal(signal_id: str = "s1", exposure: float = 1.0, minute: int = 1) -> Signal:
    return Signal(
        signal_id=signal_id,
        ledger="d1",
        deployment_id=1,
        symbol="AAPL",
        exposure=exposure,
        price=100.0,
        at=at(minute),
        stop_loss=Decimal("95"),
        reasons=("fast crossed slow",),
        indicator_values={"sma_10": 99.5},
    )


def make_order(
    client_order_id: str = "o1",
    signal_id: str = "s1",
    side: Side = Side.BUY,
    quantity: int = 10,
    minute: int = 1,
) -> Order:
    return Order(
        client_order_id=client_order_id,
        ledger="d1",
        signal_id=signal_id,
        symbol="AAPL",
        side=side,
        quantity=Decimal(quantity),
        leg=Leg.ENTRY,
        at=at(minute),
    )


def make_fill(
    order: Order, execution_id: str, quantity: int, price: str = "100.01", minute: float = 1.5
) -> ev.OrderFilled:
    return ev.OrderFilled(
        execution=Execution(
            execution_id=execution_id,
            broker="paper",
            client_order_id=order.client_order_id,
            ledger=order.ledger,
            symbol=order.symbol,
            side=order.side,
            quantity=Decimal(quantity),
            price=Decimal(price),
            commission=Decimal("0.35"),
            at=at(minute),
        )
    )


def started(minute: int = 0) -> list[Entry]:
    deployment = Deployment(
        deployment_id=1,
        strategy="sma_cross",
        parameters={"fast": 10},
        symbols=("AAPL", "SPY"),
        timeframe=Timeframe.M1,
    )
    return [
        Entry(
            ev.CommandReceived(
                command_id=1, kind="deployment_start", payload={}, actor="ann", at=at(minute)
            )
        ),
        Entry(ev.DeploymentStarted(deployment=deployment, at=at(minute)), 0),
        Entry(ev.CommandCompleted(command_id=1, succeeded=True, result={}, at=at(minute)), 0),
    ]


def approved(order: Order, signal: Signal, minute: int = 1) -> list[Entry]:
    """A slice that raises a signal that becomes an order."""
    target = Target(
        ledger="d1",
        symbol="AAPL",
        signal_id=signal.signal_id,
        exposure=signal.exposure,
        quantity=order.quantity,
        attempt=1,
        valid_until=None,
    )
    checks = (
        ev.Check("trading_state", True),
        ev.Check("position", True, Decimal("0.01"), Decimal("0.05")),
    )
    return [
        Entry(make_slice(minute)),
        Entry(ev.SignalRaised(signal=signal), 0),
        Entry(ev.TargetSet(target=target, at=at(minute)), 1),
        Entry(ev.OrderApproved(order=order, checks=checks, limited_by=("position_limit",)), 2),
    ]


def sent(order: Order, minute: float = 1) -> list[list[Entry]]:
    return [
        [Entry(ev.OrderSubmitted(client_order_id=order.client_order_id, at=at(minute)))],
        [
            Entry(
                ev.OrderAccepted(
                    client_order_id=order.client_order_id, broker_order_id="b1", at=at(minute)
                )
            )
        ],
    ]


def held(quantity: int, cash: str, realized: str = "0", minute: float = 1.5) -> ev.PositionChanged:
    return ev.PositionChanged(
        position=Position(
            ledger="d1",
            symbol="AAPL",
            quantity=Decimal(quantity),
            average_price=Decimal("100.01") if quantity else Decimal(0),
            realized_pnl=Decimal(realized),
            commission=Decimal("0.35"),
            opened_at=at(1.5) if quantity else None,
            entry_quantity=Decimal(10),
        ),
        ledger_cash=Decimal(cash),
        account_cash=Decimal(100_000) + Decimal(cash),
        at=at(minute),
    )


def round_trip() -> list[list[Entry]]:
    """Appends of a whole trade: in on two fills, out on one."""
    buy, sell = make_order(), make_order("o2", "s2", Side.SELL, minute=5)
    trade = Trade(
        trade_id="d1:AAPL:1",
        ledger="d1",
        symbol="AAPL",
        quantity=Decimal(10),
        entry_price=Decimal("100.01"),
        exit_price=Decimal("101"),
        entry_at=at(1.5),
        exit_at=at(5.5),
        commission=Decimal("0.70"),
        pnl=Decimal("9.20"),
        entry_signal_id="s1",
        exit_signal_id="s2",
        exit_leg="exit",
    )
    return [
        started(),
        approved(buy, make_signal()),
        *sent(buy),
        [Entry(make_fill(buy, "e1", 4)), Entry(held(4, "-400.39"), 0)],
        [Entry(make_fill(buy, "e2", 6)), Entry(held(10, "-1000.80"), 0)],
        approved(sell, make_signal("s2", 0.0, minute=5), minute=5),
        *sent(sell, 5),
        [
            Entry(make_fill(sell, "e3", 10, "101", 5.5)),
            Entry(held(0, "8.85", "9.90", 5.5), 0),
            Entry(ev.TradeClosed(trade=trade), 1),
        ],
    ]
