"""Which facts of the journal are failures, what is said of each, and which facts end it.

The keys of some are those that the engine's own alarms have (`reconciliation:1`, `external:1`):
told twice, it is one alert.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from app.alerting.rules import Finding, Rule, Source
from app.domain import events as e
from app.domain.denials import Denial
from app.domain.deployments import TradingState
from app.domain.events import EVENT_NAMES, Priority, Severity
from app.domain.orders import Leg

PERSON: Final = "A person resolves it."
SETTLES: Final = "By itself when it has not happened again for the settle hours, or by a person."

FAILURE_WORDS: Final = re.compile(
    r"(^|_)(failed|failure|rejected|denied|unknown|busted|corrected|voided|disconnected|lost|gap"
    r"|difference|halted|missed|dead|broken|refused|expired|late|error|violated|revoked)(_|$)"
)

QUIET: Final[Mapping[str, str]] = {
    "bar_late": "Stored and never traded; the share of late bars is a target of data quality.",
    "bars_corrected": "History was made better; replays read what was known then.",
    "order_expired": "Its time in force ended, as whoever placed it had asked.",
    "command_received": "Somebody asked for something; what became of it is told to them.",
    "order_filled": "What was wanted.",
    "order_released": "An order that we held goes to the broker, as planned.",
    "trading_resumed": "Ends the alert about the halt.",
    "alert_raised": "It is the alert.",
}
"""Types whose name or priority looks like a failure, and why nobody is woken."""


class Where(msgspec.Struct, frozen=True):
    """The stream that an event is in."""

    stream: str

    @property
    def account_id(self) -> int | None:
        """None in `system`."""
        kind, _, number = self.stream.partition(":")
        return int(number) if kind == "account" and number.isdigit() else None


Tell = Callable[[Any, Where], Finding | None]
"""What to say of an event; None: this one is no failure."""
Over = Callable[[Any, Where], str | None]
"""The key of the alert that an event ends, if it does."""


class EventRule(msgspec.Struct, frozen=True):
    """A rule with what it says of each of its types, and what ends it."""

    rule: Rule
    tells: Mapping[type[e.Fact], Tell]
    over: Mapping[type[e.Fact], Over] = {}


def _rule(
    name: str,
    title: str,
    severity: Severity,
    *types: type[e.Fact],
    category: str = "trading",
    clears: str = SETTLES,
    patience: str | None = None,
) -> Rule:
    return Rule(
        name=name,
        title=title,
        source=Source.EVENT,
        category=category,
        severity=severity,
        clears=clears,
        events=tuple(str(one.__struct_config__.tag) for one in types),
        thresholds=("settle_hours",) if clears is SETTLES else (),
        patience=patience,
    )


def _order(title: str, name: str) -> Tell:
    """One alert an account: the newest order in its detail, the others in its count."""

    def tell(event: e.OrderRejected | e.ChangeRejected, where: Where) -> Finding:
        return Finding(
            key=f"{name}:{where.stream}",
            title=title,
            detail=f"Order {event.client_order_id}: {event.reason}",
            account_id=where.account_id,
        )

    return tell


_TOLD_BY_THE_HALT: Final = frozenset({Denial.TRADING_HALTED, Denial.REDUCE_ONLY})
_EVERYDAY: Final = frozenset({Denial.SESSION_CLOSED, Denial.BELOW_LOT})


def _denied(event: e.OrderDenied, where: Where) -> Finding | None:
    if event.code in _TOLD_BY_THE_HALT:
        return None
    return Finding(
        severity=Severity.INFO if event.code in _EVERYDAY else None,
        key=f"order_denied:{where.stream}:{event.code}",
        title=f"Orders are denied by our limits: {event.code}",
        detail=f"{event.side} {event.quantity} {event.symbol} ({event.ledger}): {event.detail}",
        account_id=where.account_id,
    )


def _unknown(event: e.OrderUnknown, where: Where) -> Finding:
    return Finding(
        key=f"order_unknown:{where.stream}:{event.client_order_id}",
        title="Nobody knows what became of an order",
        detail=f"Order {event.client_order_id}: {event.reason}",
        account_id=where.account_id,
    )


def _busted(event: e.ExecutionBusted, where: Where) -> Finding:
    return Finding(
        key=f"execution_busted:{where.stream}:{event.execution_id}",
        title="The broker took a fill back",
        detail=f"Execution {event.execution_id} of order {event.client_order_id}: {event.reason}",
        account_id=where.account_id,
    )


def _corrected(event: e.ExecutionCorrected, where: Where) -> Finding:
    return Finding(
        key=f"execution_corrected:{where.stream}:{event.corrects}",
        title="The broker corrected a fill",
        detail=f"Execution {event.corrects} is {event.execution.execution_id} now: {event.reason}",
        account_id=where.account_id,
    )


def _voided(event: e.TradeVoided, where: Where) -> Finding:
    return Finding(
        key=f"trade_voided:{where.stream}:{event.trade_id}",
        title=f"A round trip in {event.symbol} is void",
        detail=f"{event.trade_id} of {event.ledger}: {event.reason}",
        account_id=where.account_id,
    )


def _bare(event: e.ProtectionLost, where: Where) -> Finding:
    what = "take-profit" if event.leg == Leg.TAKE_PROFIT else "stop"
    return Finding(
        key=f"protection_lost:{where.stream}:{event.ledger}:{event.symbol}:{event.leg}",
        title=f"A position in {event.symbol} is without its {what}",
        detail=f"{event.held} {event.symbol} ({event.ledger}): order {event.client_order_id} is"
        f" gone: {event.reason}. Place another one, or close the position.",
        account_id=where.account_id,
    )


def _expired(event: e.SignalExpired, where: Where) -> Finding:
    return Finding(
        key=f"signal_expired:{where.stream}",
        title="A signal ran out before its target was reached",
        detail=f"Signal {event.signal_id}.",
        account_id=where.account_id,
    )


def _failed(event: e.DeploymentFailed, where: Where) -> Finding:
    return Finding(
        key=f"deployment_failed:{event.deployment_id}",
        title=f"Deployment {event.deployment_id} failed",
        detail=event.reason,
        account_id=where.account_id,
        deployment_id=event.deployment_id,
    )


def _restarted(event: e.DeploymentStarted, _where: Where) -> str:
    return f"deployment_failed:{event.deployment.deployment_id}"


def _stopped(event: e.DeploymentStopped, _where: Where) -> str:
    return f"deployment_failed:{event.deployment_id}"


def _noted(event: e.StrategyNoted, where: Where) -> Finding | None:
    if event.severity not in (Severity.ERROR, Severity.CRITICAL):
        return None
    return Finding(
        key=f"strategy_noted:{event.deployment_id}:{event.kind}",
        title=f"Deployment {event.deployment_id}: {event.kind}",
        detail=event.message,
        severity=event.severity,
        account_id=where.account_id,
        deployment_id=event.deployment_id,
    )


def _halted_key(_event: object, where: Where) -> str:
    return f"trading_halted:{where.stream}"


def _halted(event: e.TradingHalted, where: Where) -> Finding:
    is_halted = event.state is TradingState.HALTED
    what = "is halted" if is_halted else "may only reduce positions"
    return Finding(
        key=_halted_key(event, where),
        title=f"Trading {what} on {where.stream}",
        detail=f"By {event.actor}: {event.reason}",
        severity=Severity.CRITICAL if is_halted else Severity.ERROR,
        account_id=where.account_id,
    )


def _difference(event: e.ReconciliationDifference, where: Where) -> Finding:
    return Finding(
        key=f"reconciliation:{where.account_id}",
        title=f"The broker's books and ours do not agree on {event.subject}",
        detail=event.detail,
        account_id=where.account_id,
    )


def _agreed(event: e.Reconciled, where: Where) -> str | None:
    return None if event.differences else f"reconciliation:{where.account_id}"


def _foreign(event: e.OrderSeen | e.HoldingSeen, where: Where) -> Finding:
    seen = (
        f"order {event.client_order_id}"
        if isinstance(event, e.OrderSeen)
        else f"{event.quantity} {event.symbol} held: {event.reason}"
    )
    return Finding(
        key=f"external:{where.account_id}",
        title=f"Somebody else traded on {where.stream}",
        detail=f"Seen at the broker: {seen}.",
        account_id=where.account_id,
    )


def _late_action(event: e.CorporateActionDue, where: Where) -> Finding | None:
    if not event.is_late:
        return None
    return Finding(
        key=f"corporate_action_late:{where.stream}:{event.action_id}",
        title=f"A {event.kind} of {event.symbol} became known late",
        detail=f"Its session {event.session} was under way; nobody can say what was held of it.",
        account_id=where.account_id,
    )


def _feed_lost(event: e.FeedDisconnected, _where: Where) -> Finding:
    return Finding(
        key=f"feed_lost:{event.feed}", title=f"{event.feed} is lost", detail=event.reason
    )


def _broker_lost(event: e.BrokerDisconnected, _where: Where) -> Finding:
    return Finding(
        key=f"broker_lost:{event.broker}", title=f"{event.broker} is lost", detail=event.reason
    )


def _gap(event: e.DataGapDetected, _where: Where) -> Finding:
    return Finding(
        key=f"data_gap:{event.dataset}:{event.symbol}:{event.timeframe}",
        title=f"Bars of {event.symbol} {event.timeframe} are missing ({event.dataset})",
        detail=f"From {event.start:%Y-%m-%d %H:%M} to {event.end:%Y-%m-%d %H:%M} UTC.",
    )


EVENT_RULES: Final[tuple[EventRule, ...]] = (
    EventRule(
        _rule("order_rejected", "A broker rejects orders", Severity.ERROR, e.OrderRejected),
        {e.OrderRejected: _order("A broker rejects orders", "order_rejected")},
    ),
    EventRule(
        _rule("order_denied", "Our limits deny orders", Severity.WARNING, e.OrderDenied),
        {e.OrderDenied: _denied},
    ),
    EventRule(
        _rule(
            "order_unknown", "Nobody knows what became of an order", Severity.ERROR,
            e.OrderUnknown, clears="When the broker says what became of it.",
            patience="unknown_order_seconds",
        ),
        {e.OrderUnknown: _unknown},  # `conditions` ends it: events of every order would be many
    ),
    EventRule(
        _rule("change_rejected", "A broker refuses changes", Severity.WARNING, e.ChangeRejected),
        {e.ChangeRejected: _order("A broker refuses to change or cancel orders",
                                  "change_rejected")},
    ),
    EventRule(
        _rule("execution_busted", "A broker took a fill back", Severity.CRITICAL,
              e.ExecutionBusted, clears=PERSON),
        {e.ExecutionBusted: _busted},
    ),
    EventRule(
        _rule("execution_corrected", "A broker corrected a fill", Severity.WARNING,
              e.ExecutionCorrected),
        {e.ExecutionCorrected: _corrected},
    ),
    EventRule(
        _rule("trade_voided", "A round trip is void", Severity.WARNING, e.TradeVoided),
        {e.TradeVoided: _voided},
    ),
    EventRule(
        _rule("protection_lost", "A position is without its stop", Severity.CRITICAL,
              e.ProtectionLost, clears=PERSON),
        {e.ProtectionLost: _bare},
    ),
    EventRule(
        _rule("signal_expired", "A signal's target was not reached", Severity.INFO,
              e.SignalExpired),
        {e.SignalExpired: _expired},
    ),
    EventRule(
        _rule("deployment_failed", "A deployment failed", Severity.CRITICAL, e.DeploymentFailed,
              clears="When it is started again or stopped."),
        {e.DeploymentFailed: _failed},
        {e.DeploymentStarted: _restarted, e.DeploymentStopped: _stopped},
    ),
    EventRule(
        _rule("strategy_noted", "A strategy reports an error", Severity.ERROR, e.StrategyNoted),
        {e.StrategyNoted: _noted},
    ),
    EventRule(
        _rule("trading_halted", "Trading is halted or may only reduce", Severity.CRITICAL,
              e.TradingHalted, clears="When trading is resumed."),
        {e.TradingHalted: _halted},
        {e.TradingResumed: _halted_key},
    ),
    EventRule(
        _rule("reconciliation_difference", "A broker's books and ours differ", Severity.CRITICAL,
              e.ReconciliationDifference, clears="When a comparison leaves nothing unexplained."),
        {e.ReconciliationDifference: _difference},
        {e.Reconciled: _agreed},
    ),
    EventRule(
        _rule("foreign_activity", "Somebody else trades on an account", Severity.WARNING,
              e.OrderSeen, e.HoldingSeen),
        {e.OrderSeen: _foreign, e.HoldingSeen: _foreign},
    ),
    EventRule(
        _rule("corporate_action_late", "A corporate action became known late", Severity.WARNING,
              e.CorporateActionDue),
        {e.CorporateActionDue: _late_action},
    ),
    EventRule(
        _rule("feed_lost", "A live feed is lost", Severity.WARNING, e.FeedDisconnected,
              category="system", clears="When it is connected again.", patience="blip_seconds"),
        {e.FeedDisconnected: _feed_lost},
        {e.FeedConnected: lambda event, _: f"feed_lost:{event.feed}"},
    ),
    EventRule(
        # The account's own alarm is critical, and knows a planned pause from an outage.
        _rule("broker_lost", "A connection to a broker is lost", Severity.INFO,
              e.BrokerDisconnected, category="system", clears="When it is connected again.",
              patience="blip_seconds"),
        {e.BrokerDisconnected: _broker_lost},
        {e.BrokerConnected: lambda event, _: f"broker_lost:{event.broker}"},
    ),
    EventRule(
        _rule("data_gap", "Bars are missing", Severity.WARNING, e.DataGapDetected,
              category="system"),
        {e.DataGapDetected: _gap},
    ),
)  # fmt: skip


def looks_like_failure(name: str, event: type, priority: Priority) -> bool:
    """By its name, or because subscribers should hear of it soon."""
    return bool(FAILURE_WORDS.search(name)) or priority >= Priority.HIGH


def _anything(name: str) -> EventRule:
    """For a type that somebody adds without a rule: said in its own words."""
    said = name.replace("_", " ").capitalize()

    def tell(event: msgspec.Struct, where: Where) -> Finding:
        fields = msgspec.to_builtins(event)
        detail = ", ".join(f"{key}: {value}" for key, value in fields.items() if key != "type")
        key = f"{name}:{where.stream}"
        return Finding(key=key, title=said, detail=detail[:500], account_id=where.account_id)

    event = EVENT_NAMES[name]
    return EventRule(_rule(name, said, Severity.ERROR, event, category="system"), {event: tell})


def _complete() -> tuple[EventRule, ...]:
    known = {name for one in EVENT_RULES for name in one.rule.events} | QUIET.keys()
    rest = [
        name
        for name, event in EVENT_NAMES.items()
        if name not in known and looks_like_failure(name, event, e.priority_of_type(event))
    ]
    return (*EVENT_RULES, *map(_anything, rest))


RULES: Final = _complete()
"""Those above, and one for each other type that looks like a failure."""
TELLS: Final[Mapping[str, tuple[EventRule, Tell]]] = {
    str(kind.__struct_config__.tag): (one, tell)
    for one in RULES
    for kind, tell in one.tells.items()
}
"""By the type that raises."""
OVERS: Final[Mapping[str, Over]] = {
    str(kind.__struct_config__.tag): over for one in RULES for kind, over in one.over.items()
}
"""By the type that ends: each ends one rule's alerts."""
TYPES: Final = frozenset({*TELLS, *OVERS})
