"""All kinds of events: which are inputs, what they are called, how urgent, and of when."""

from collections.abc import Callable
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, get_args

from app.domain.events.base import Priority
from app.domain.events.caused import (
    CancelRequested,
    CashMoved,
    CommandCompleted,
    DeploymentFailed,
    DeploymentPaused,
    DeploymentStarted,
    DeploymentStopped,
    LimitsChanged,
    OrderAdjusted,
    OrderApproved,
    OrderDenied,
    OrderReleased,
    PositionAdjusted,
    PositionChanged,
    ProtectionLost,
    ReconciliationDifference,
    ReplaceRequested,
    SignalExpired,
    SignalRaised,
    SignalSatisfied,
    StrategyNoted,
    TargetSet,
    TradeClosed,
    TradeVoided,
    TradingHalted,
    TradingResumed,
)
from app.domain.events.market import (
    BarLate,
    BarsCorrected,
    ClockTicked,
    CommandReceived,
    CorporateActionDue,
    SessionClosed,
    SessionOpened,
    SliceClosed,
)
from app.domain.events.reports import (
    AbilitiesSeen,
    CashSeen,
    ChangeRejected,
    ExecutionBusted,
    ExecutionCorrected,
    FundsSeen,
    HoldingSeen,
    InstrumentSeen,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReplaced,
    OrderSeen,
    OrdersElsewhere,
    OrderSubmitted,
    OrderUnknown,
    Reconciled,
)
from app.domain.events.system import (
    AlertRaised,
    AlertResolved,
    BacktestFinished,
    BrokerConnected,
    BrokerDisconnected,
    ConfigChanged,
    DataGapDetected,
    FeedConnected,
    FeedDisconnected,
    PerformanceRecorded,
)

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
    | ProtectionLost
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
    ProtectionLost: Priority.CRITICAL,
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
