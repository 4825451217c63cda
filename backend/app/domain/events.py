"""Everything that can happen. An event is a fact: past tense, frozen, never edited.

INPUTS are what the engine learns from outside (and the journal remembers before it is handled);
every other event is caused by one. Encoding is msgspec JSON with `type` as the tag, so the journal,
the hash chain, the WebSocket and a restart all read the same bytes.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import IntEnum, StrEnum
from operator import attrgetter
from typing import Any, Final, Literal, get_args

import msgspec

from app.domain.deployments import Deployment, TradingState
from app.domain.executions import Execution
from app.domain.market import Bar, Timeframe
from app.domain.orders import BrokerOrder, Order, OrderChange, OrderType, Side, TimeInForce
from app.domain.portfolio import Position, Trade
from app.domain.signals import Signal, Target


class Priority(IntEnum):
    """How soon a subscriber should hear of it. Never reorders the journal."""

    LOW = 0
    NORMAL = 1
    HIGH = 2
    CRITICAL = 3


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class Check(msgspec.Struct, frozen=True, gc=False):
    """One risk rule's answer: `value` measured against `limit`. Both in the rule's own unit."""

    rule: str
    passed: bool
    value: Decimal | None = None
    limit: Decimal | None = None
    scope: str | None = None
    "Whose limit it is, where it is not the account's own: `deployment:3`, `symbol:AAPL`."


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))


class Fact(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=_snake, tag_field="type"):
    """Base of every event; the tag is the class name in snake case, e.g. `order_filled`."""


# ---------------------------------------------------------------- inputs: what the engine learns


class SliceClosed(Fact, frozen=True, kw_only=True):
    """All bars that ended at `end`. Only bars of the `base` timeframe meet resting orders."""

    end: datetime
    session: date
    base: Timeframe
    bars: tuple[Bar, ...]
    warm_up: bool = False
    "True after an outage: indicators and marks move, nothing is decided."


class BarLate(Fact, frozen=True, kw_only=True):
    """A bar that came after its slice was closed: stored, never traded."""

    bar: Bar
    at: datetime


class BarsCorrected(Fact, frozen=True, kw_only=True):
    """Stored bars of [start, end) were replaced; what they were is in `stock_data_revisions`.

    The engine hears of it between sessions, before the first slice that may rest on them.
    """

    symbol: str
    timeframe: Timeframe
    start: datetime
    end: datetime
    bars: int
    source: str
    at: datetime


class CorporateActionDue(Fact, frozen=True, kw_only=True):
    """A corporate action takes effect, before the first slice of `session`.

    `ratio` is new shares for one old, `amount` cash a share. `is_late`: it became known only when
    its session was under way, so that nobody can say what was held of it.
    """

    action_id: str
    symbol: str
    kind: str
    ex_date: date
    session: date
    at: datetime
    ratio: Decimal | None = None
    amount: Decimal | None = None
    currency: str = "USD"
    new_symbol: str | None = None
    is_late: bool = False


class ClockTicked(Fact, frozen=True, kw_only=True):
    at: datetime


class SessionOpened(Fact, frozen=True, kw_only=True):
    session: date
    at: datetime


class SessionClosed(Fact, frozen=True, kw_only=True):
    session: date
    at: datetime


class CommandReceived(Fact, frozen=True, kw_only=True):
    """Somebody asked for something; `payload` depends on `kind` (see engine.commands)."""

    command_id: int
    kind: str
    payload: dict[str, Any]
    actor: str
    at: datetime


class OrderSubmitted(Fact, frozen=True, kw_only=True):
    """Committed just before the wire is written: from here on the broker may have it."""

    client_order_id: str
    at: datetime


class OrderAccepted(Fact, frozen=True, kw_only=True):
    client_order_id: str
    broker_order_id: str
    at: datetime


class OrderRejected(Fact, frozen=True, kw_only=True):
    """The broker's definite no (ours is OrderDenied)."""

    client_order_id: str
    reason: str
    at: datetime


class OrderUnknown(Fact, frozen=True, kw_only=True):
    """Anything ambiguous: counts against every limit until the broker is asked again."""

    client_order_id: str
    reason: str
    at: datetime


class OrderCanceled(Fact, frozen=True, kw_only=True):
    client_order_id: str
    reason: str
    at: datetime
    is_unsent: bool = False
    "It certainly never reached the broker, and what it was for is still wanted."


class OrderExpired(Fact, frozen=True, kw_only=True):
    client_order_id: str
    reason: str
    at: datetime


class OrderFilled(Fact, frozen=True, kw_only=True):
    execution: Execution


class OrderReplaced(Fact, frozen=True, kw_only=True):
    """The broker changed the order: these are its quantity (fills before count) and prices now."""

    client_order_id: str
    broker_order_id: str
    quantity: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
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


class ChangeRejected(Fact, frozen=True, kw_only=True):
    """A definite no to a cancel or a replace: the order is as it was before."""

    client_order_id: str
    change: Literal["cancel", "replace"]
    reason: str
    at: datetime


class ExecutionBusted(Fact, frozen=True, kw_only=True):
    """The broker took a fill back: it never was."""

    broker: str
    execution_id: str
    client_order_id: str
    reason: str
    at: datetime


class ExecutionCorrected(Fact, frozen=True, kw_only=True):
    """`execution` stands in the place of the one with the id `corrects`, under an id of its own."""

    execution: Execution
    corrects: str
    reason: str
    at: datetime


class OrderSeen(Fact, frozen=True, kw_only=True):
    """The broker has an order that our books had not: from now on it is one of `ledger`.

    `order.filled_quantity` is what was filled without an execution of it being told to us; only
    the rest of the order is taken over.
    """

    order: BrokerOrder
    ledger: str
    at: datetime

    @property
    def client_order_id(self) -> str:
        return self.order.identity


class HoldingSeen(Fact, frozen=True, kw_only=True):
    """The broker holds `quantity` (signed, whole) of a symbol, and no order explains it.

    What our books had less or more goes to the ledger `external`: saying it twice changes nothing.
    """

    symbol: str
    quantity: Decimal
    average_price: Decimal | None = None
    "What was paid on average, where the broker says so."
    reason: str
    at: datetime


class CashSeen(Fact, frozen=True, kw_only=True):
    """The broker counts `cash`; what our books had less or more is booked as a cash movement.

    Saying it twice changes nothing. `is_flow`: somebody paid in or out, so that gains and losses
    are measured anew from there; else it is a cost or interest of the broker's.
    """

    cash: Decimal
    currency: str = "USD"
    is_flow: bool = False
    reason: str
    at: datetime


class Difference(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One thing that the broker's books and ours do not agree on, and nothing explains."""

    kind: str
    "One of `engine.reconciliation.Kind`."
    subject: str
    "The order, the symbol, or the account's currency."
    ours: str
    theirs: str
    detail: str
    "A sentence for people."


class OrdersElsewhere(Fact, frozen=True, kw_only=True):
    """Open orders, protective ones aside, of the user's other accounts; they share one limit."""

    count: int
    at: datetime


class InstrumentSeen(Fact, frozen=True, kw_only=True):
    """What limits ask about a symbol, from here on; `sector` None: unknown."""

    symbol: str
    sector: str | None
    shortable: bool
    "Whether the broker lends it now."
    at: datetime


class FundsSeen(Fact, frozen=True, kw_only=True):
    """What the broker lets the account spend, its open orders taken off; None: it does not say."""

    buying_power: Decimal | None
    settled_cash: Decimal | None = None
    at: datetime


class AbilitiesSeen(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """What the account's broker can do by itself, from now on: we hold the rest.

    Journaled, so that the stream alone explains what was held (`domain.ports.BrokerAbilities`).
    """

    order_types: tuple[OrderType, ...]
    times_in_force: tuple[TimeInForce, ...]
    can_replace: bool
    links_orders: bool
    takes_both_sides: bool = True
    at: datetime


class Reconciled(Fact, frozen=True, kw_only=True):
    """The broker's books were compared with ours; `differences` is what could not be explained."""

    at: datetime
    open_orders: int
    positions: int
    differences: tuple[str, ...] = ()
    found: tuple[Difference, ...] = ()
    "Those of the differences that are the broker's and not our own."
    may_resume: bool = False
    "Whether trading goes on by itself once nothing is left unexplained."


# ------------------------------------------------------------------------- caused: what follows


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
    metadata: dict[str, Any] = {}


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


# ------------------------------------------------------- facts of the `system` stream (no engine)


class FeedConnected(Fact, frozen=True, kw_only=True):
    feed: str
    at: datetime


class FeedDisconnected(Fact, frozen=True, kw_only=True):
    feed: str
    reason: str
    at: datetime


class DataGapDetected(Fact, frozen=True, kw_only=True):
    dataset: str
    symbol: str
    timeframe: Timeframe
    start: datetime
    end: datetime
    at: datetime


class BrokerConnected(Fact, frozen=True, kw_only=True):
    broker: str
    at: datetime


class BrokerDisconnected(Fact, frozen=True, kw_only=True):
    broker: str
    reason: str
    at: datetime


class AlertRaised(Fact, frozen=True, kw_only=True):
    alert_id: int
    category: str
    severity: Severity
    title: str
    detail: str
    at: datetime


class AlertResolved(Fact, frozen=True, kw_only=True):
    alert_id: int
    actor: str
    at: datetime


class ConfigChanged(Fact, frozen=True, kw_only=True):
    key: str
    before: Any
    after: Any
    actor: str
    at: datetime


class PerformanceRecorded(Fact, frozen=True, kw_only=True):
    """How a ledger, or the whole `account`, did in a session; fractions of one.

    `pnl` is what was made, net of costs, whether the positions are closed or not.
    """

    account_id: int
    ledger: str
    session: date
    equity: Decimal
    pnl: Decimal
    total_return: float
    drawdown: float
    at: datetime


class BacktestFinished(Fact, frozen=True, kw_only=True):
    backtest_id: int
    strategy: str
    final_equity: Decimal
    at: datetime


Input = (
    SliceClosed
    | BarLate
    | BarsCorrected
    | CorporateActionDue
    | ClockTicked
    | SessionOpened
    | SessionClosed
    | CommandReceived
    | OrderSubmitted
    | OrderAccepted
    | OrderRejected
    | OrderUnknown
    | OrderCanceled
    | OrderExpired
    | OrderFilled
    | OrderReplaced
    | ChangeRejected
    | ExecutionBusted
    | ExecutionCorrected
    | OrderSeen
    | OrdersElsewhere
    | InstrumentSeen
    | FundsSeen
    | AbilitiesSeen
    | HoldingSeen
    | CashSeen
    | Reconciled
)
Caused = (
    SignalRaised
    | SignalSatisfied
    | SignalExpired
    | TargetSet
    | OrderDenied
    | OrderApproved
    | CancelRequested
    | ReplaceRequested
    | OrderReleased
    | PositionChanged
    | PositionAdjusted
    | OrderAdjusted
    | CashMoved
    | ReconciliationDifference
    | TradeClosed
    | TradeVoided
    | DeploymentStarted
    | DeploymentPaused
    | DeploymentStopped
    | DeploymentFailed
    | StrategyNoted
    | TradingHalted
    | TradingResumed
    | LimitsChanged
    | CommandCompleted
)
System = (
    FeedConnected
    | FeedDisconnected
    | DataGapDetected
    | BrokerConnected
    | BrokerDisconnected
    | AlertRaised
    | AlertResolved
    | ConfigChanged
    | PerformanceRecorded
    | BacktestFinished
)
Event = Input | Caused | System
BrokerReport = (
    OrderAccepted
    | OrderRejected
    | OrderUnknown
    | OrderCanceled
    | OrderExpired
    | OrderFilled
    | OrderReplaced
    | ChangeRejected
    | ExecutionBusted
    | ExecutionCorrected
    | OrderSeen
)

INPUT_TYPES: Final = frozenset(get_args(Input))
EVENT_NAMES: Final = {
    event.__struct_config__.tag: event
    for event in get_args(Input) + get_args(Caused) + get_args(System)
}
"""Every `event_type` by name, e.g. "order_filled" -> OrderFilled."""
_NAMES: Final[dict[type, str]] = {event: str(name) for name, event in EVENT_NAMES.items()}

_PRIORITIES: Final[dict[type, Priority]] = {
    SliceClosed: Priority.LOW,
    ClockTicked: Priority.LOW,
    OrderRejected: Priority.HIGH,
    OrderDenied: Priority.HIGH,
    OrderUnknown: Priority.CRITICAL,
    TradingHalted: Priority.CRITICAL,
    DeploymentFailed: Priority.CRITICAL,
    OrderFilled: Priority.HIGH,
    ExecutionBusted: Priority.CRITICAL,
    ExecutionCorrected: Priority.CRITICAL,
    OrderSeen: Priority.HIGH,
    ChangeRejected: Priority.HIGH,
    OrderReleased: Priority.HIGH,
    TradeVoided: Priority.HIGH,
    CorporateActionDue: Priority.HIGH,
    HoldingSeen: Priority.HIGH,
    ReconciliationDifference: Priority.CRITICAL,
    TradingResumed: Priority.HIGH,
    CommandReceived: Priority.HIGH,
    FeedDisconnected: Priority.HIGH,
    BrokerDisconnected: Priority.CRITICAL,
    AlertRaised: Priority.HIGH,
}


def name_of(event: Event) -> str:
    """The `event_type` as stored, e.g. `order_filled`."""
    return _NAMES[type(event)]


def priority_of(event: Event) -> Priority:
    return priority_of_type(type(event))


def priority_of_type(event: type) -> Priority:
    """The same before there is one."""
    return _PRIORITIES.get(event, Priority.NORMAL)


_OCCURRED: Final[dict[type, Callable[[Any], datetime]]] = {
    SliceClosed: attrgetter("end"),
    OrderFilled: attrgetter("execution.at"),
    SignalRaised: attrgetter("signal.at"),
    OrderApproved: attrgetter("order.at"),
    TradeClosed: attrgetter("trade.exit_at"),
}
"""Where an event keeps its time, if it is not in `at`."""
_at: Final[Callable[[Any], datetime]] = attrgetter("at")


def occurred_at(event: Event) -> datetime:
    """Event time: the input's own time, never the wall clock."""
    return _OCCURRED.get(type(event), _at)(event)


_encoder: Final = msgspec.json.Encoder(order="deterministic")
_decoder: Final = msgspec.json.Decoder(Event)


def encode(event: Event) -> bytes:
    """Canonical bytes: what is stored, hashed and sent."""
    return _encoder.encode(event)


def encode_all(events: Sequence[Event]) -> bytes:
    """The canonical bytes of all these events, one after the other; faster than one by one."""
    # JSON escapes the line feeds inside of strings, so that those left are between events.
    return _encoder.encode_lines(events).replace(b"\n", b"")


def decode(data: bytes | str) -> Event:
    """The event back from its canonical bytes; `decode(encode(e)) == e`."""
    event: Event = _decoder.decode(data)
    return event
