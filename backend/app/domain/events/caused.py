"""What follows from inputs: signals, orders, positions, trades, deployments, trading states."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from app.domain.deployments import Deployment, TradingState
from app.domain.events.base import Check, Fact, Severity
from app.domain.orders import Order, OrderChange, OrderType, Side
from app.domain.portfolio import Position, Trade
from app.domain.signals import Signal, Target


class SignalRaised(Fact, frozen=True, kw_only=True):
    signal: Signal


class SignalSatisfied(Fact, frozen=True, kw_only=True):
    """First outcome of a signal that needs no order: the target is already held."""

    signal_id: str
    at: datetime


class SignalExpired(Fact, frozen=True, kw_only=True):
    """The target was not reached before `valid_until`."""

    signal_id: str
    at: datetime


class TargetSet(Fact, frozen=True, kw_only=True):
    """The standing target of one (ledger, symbol) is now this."""

    target: Target
    at: datetime


class OrderDenied(Fact, frozen=True, kw_only=True):
    """Our risk engine said no: `code` says which limit, `value` by how much."""

    signal_id: str
    ledger: str
    symbol: str
    side: Side
    quantity: Decimal
    code: str
    detail: str
    limit: Decimal | None
    value: Decimal | None
    attempt: int
    at: datetime
    checks: tuple[Check, ...] = ()


class OrderApproved(Fact, frozen=True, kw_only=True):
    """The intent, committed before anything is sent. `limited_by` lists the limits that cut it."""

    order: Order
    checks: tuple[Check, ...] = ()
    limited_by: tuple[str, ...] = ()


class CancelRequested(Fact, frozen=True, kw_only=True):
    client_order_id: str
    reason: str
    at: datetime


class ReplaceRequested(Fact, frozen=True, kw_only=True):
    """What the broker is asked to make of an order, whole."""

    client_order_id: str
    quantity: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    reason: str
    at: datetime

    @property
    def change(self) -> OrderChange:
        """Quantity and prices."""
        return OrderChange(
            quantity=self.quantity,
            limit_price=self.limit_price,
            stop_price=self.stop_price,
            trail=self.trail,
        )


class OrderReleased(Fact, frozen=True, kw_only=True):
    """The market reached an order that we held for the broker: it is sent now, as `order_type`."""

    client_order_id: str
    order_type: OrderType
    limit_price: Decimal | None = None
    reason: str
    at: datetime


class PositionChanged(Fact, frozen=True, kw_only=True):
    """A ledger's position after a fill, with the ledger's and the account's cash."""

    position: Position
    ledger_cash: Decimal
    account_cash: Decimal
    at: datetime


class PositionAdjusted(Fact, frozen=True, kw_only=True):
    """A ledger's position after a corporate action; `before` is the quantity that it was."""

    action_id: str
    position: Position
    before: Decimal
    reason: str
    ledger_cash: Decimal
    account_cash: Decimal
    at: datetime


class OrderAdjusted(Fact, frozen=True, kw_only=True):
    """An open order after a corporate action: what is left of it in new shares, at new prices."""

    action_id: str
    client_order_id: str
    symbol: str
    quantity: Decimal
    limit_price: Decimal | None
    stop_price: Decimal | None
    trail: Decimal | None = None
    at: datetime


class CashMoved(Fact, frozen=True, kw_only=True):
    """Cash came (positive) or went other than by a fill: a dividend, cash for a fraction."""

    action_id: str
    ledger: str
    symbol: str
    kind: str
    amount: Decimal
    currency: str
    reason: str
    ledger_cash: Decimal
    account_cash: Decimal
    at: datetime


class ReconciliationDifference(Fact, frozen=True, kw_only=True):
    """The broker's books and ours do not agree on this, and nothing explains it."""

    kind: str
    subject: str
    ours: str
    theirs: str
    detail: str
    at: datetime


class TradeClosed(Fact, frozen=True, kw_only=True):
    trade: Trade


class TradeVoided(Fact, frozen=True, kw_only=True):
    """A bust or a correction undid a round trip; what is left of it is told as TradeClosed."""

    trade_id: str
    ledger: str
    symbol: str
    reason: str
    at: datetime


class ProtectionLost(Fact, frozen=True, kw_only=True):
    """A stop or take-profit of a position that no deployment holds ended, and nobody had asked."""

    ledger: str
    symbol: str
    client_order_id: str
    leg: str
    held: Decimal
    "Signed shares that are held."
    reason: str
    at: datetime


class DeploymentStarted(Fact, frozen=True, kw_only=True):
    deployment: Deployment
    at: datetime


class DeploymentPaused(Fact, frozen=True, kw_only=True):
    deployment_id: int
    reason: str
    at: datetime


class DeploymentStopped(Fact, frozen=True, kw_only=True):
    deployment_id: int
    reason: str
    at: datetime


class DeploymentFailed(Fact, frozen=True, kw_only=True):
    deployment_id: int
    reason: str
    at: datetime
    traceback: str | None = None


class StrategyNoted(Fact, frozen=True, kw_only=True):
    """A line for a person about one deployment: a row of `strategy_events`."""

    deployment_id: int
    kind: str
    severity: Severity
    message: str
    at: datetime
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)


class TradingHalted(Fact, frozen=True, kw_only=True):
    """The account's trading state was tightened to `state` (reducing or halted)."""

    state: TradingState
    reason: str
    actor: str
    at: datetime


class TradingResumed(Fact, frozen=True, kw_only=True):
    actor: str
    at: datetime


class LimitsChanged(Fact, frozen=True, kw_only=True):
    """Limits as the engine uses them from here on, whole."""

    limits: dict[str, Any]
    scope: str = "account"
    "Of a deployment or symbol: only what is limited beyond its account."
    actor: str
    at: datetime


class CommandCompleted(Fact, frozen=True, kw_only=True):
    """What became of a command: `result` goes back to whoever asked."""

    command_id: int
    succeeded: bool
    result: dict[str, Any]
    at: datetime
