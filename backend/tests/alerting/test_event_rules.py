"""No failure event without a route, and each says what happened and how it ends."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import orjson
import pytest

from app.alerting import event_rules
from app.alerting.catalogue import RULES
from app.alerting.event_rules import OVERS, QUIET, TELLS, EventRule, Where, looks_like_failure
from app.alerting.handler import AlertHandler
from app.alerting.thresholds import EXPLANATIONS, default
from app.core.environment import project_root
from app.domain import events as e
from app.domain.deployments import TradingState
from app.domain.events import EVENT_NAMES, Severity, priority_of_type
from app.domain.market import Timeframe
from app.domain.orders import Side
from app.events.handlers import CommittedEvent
from tests.alerting.conftest import Desk

AT = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
FAILURES = sorted(
    name
    for name, event in EVENT_NAMES.items()
    if looks_like_failure(name, event, priority_of_type(event)) and name not in QUIET
)
ACCOUNT = Where("account:1")


@pytest.mark.parametrize("name", FAILURES)
def test_each_failure_has_a_rule_that_is_listed(name: str) -> None:
    rule, _ = TELLS[name]
    assert rule.rule in RULES
    assert name in rule.rule.events


def test_what_is_quiet_has_a_reason_and_exists() -> None:
    assert set(QUIET) <= set(EVENT_NAMES)
    assert all(len(reason) > 10 for reason in QUIET.values())
    assert not set(QUIET) & set(TELLS)


def test_words_of_failure_are_seen_in_names_that_do_not_exist_yet() -> None:
    words = ("job_failed", "backup_failed", "chain_broken", "token_revoked", "handler_dead")
    assert all(looks_like_failure(name, e.Fact, e.Priority.NORMAL) for name in words)
    assert not looks_like_failure("performance_recorded", e.Fact, e.Priority.NORMAL)


def test_a_type_that_nobody_wrote_a_rule_for_tells_what_it_holds() -> None:
    made: EventRule = event_rules._anything("backtest_finished")
    event = e.BacktestFinished(backtest_id=3, strategy="x", final_equity=Decimal(5), at=AT)
    found = made.tells[e.BacktestFinished](event, Where("system"))
    assert found is not None
    assert found.key == "backtest_finished:system"
    assert "backtest_id: 3" in found.detail


def test_every_rule_is_named_once_and_uses_thresholds_that_exist() -> None:
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names) > 25
    used = {name for rule in RULES for name in rule.thresholds}
    used |= {rule.patience for rule in RULES if rule.patience}
    assert used <= set(EXPLANATIONS)
    assert all(rule.clears and rule.title for rule in RULES)


def test_what_ends_an_alert_is_no_failure_of_another_rule() -> None:
    assert not set(OVERS) & set(TELLS)


def denied() -> e.OrderDenied:
    return e.OrderDenied(
        signal_id="s", ledger="d1", symbol="SPY", side=Side.BUY, quantity=Decimal(1),
        code="max_order_value", detail="Too large.", limit=None, value=None, attempt=1, at=AT,
    )  # fmt: skip


SAID: list[tuple[e.Event, str, str, Severity]] = [
    (e.OrderRejected(client_order_id="o1", reason="no margin", at=AT),
     "order_rejected:account:1", "o1", Severity.ERROR),
    (denied(), "order_denied:account:1:max_order_value", "Too large.", Severity.WARNING),
    (e.OrderUnknown(client_order_id="o1", reason="timed out", at=AT),
     "order_unknown:account:1:o1", "timed out", Severity.ERROR),
    (e.ExecutionBusted(broker="b", execution_id="x", client_order_id="o1", reason="bust", at=AT),
     "execution_busted:account:1:x", "bust", Severity.CRITICAL),
    (e.TradeVoided(trade_id="t", ledger="d1", symbol="SPY", reason="bust", at=AT),
     "trade_voided:account:1:t", "bust", Severity.WARNING),
    (e.ProtectionLost(ledger="manual", symbol="SPY", client_order_id="o1", leg="stop_loss",
                      held=Decimal(7), reason="by hand", at=AT),
     "protection_lost:account:1:manual:SPY:stop_loss", "7 SPY (manual)", Severity.CRITICAL),
    (e.SignalExpired(signal_id="s1", at=AT), "signal_expired:account:1", "s1", Severity.INFO),
    (e.DeploymentFailed(deployment_id=3, reason="KeyError", at=AT),
     "deployment_failed:3", "KeyError", Severity.CRITICAL),
    (e.StrategyNoted(deployment_id=3, kind="error", severity=Severity.ERROR, message="m", at=AT),
     "strategy_noted:3:error", "m", Severity.ERROR),
    (e.TradingHalted(state=TradingState.HALTED, reason="r", actor="ada", at=AT),
     "trading_halted:account:1", "By ada: r", Severity.CRITICAL),
    (e.TradingHalted(state=TradingState.REDUCING, reason="r", actor="ada", at=AT),
     "trading_halted:account:1", "By ada: r", Severity.ERROR),
    (e.ReconciliationDifference(kind="k", subject="SPY", ours="1", theirs="2", detail="d", at=AT),
     "reconciliation:1", "d", Severity.CRITICAL),
    (e.HoldingSeen(symbol="SPY", quantity=Decimal(3), reason="by hand", at=AT),
     "external:1", "by hand", Severity.WARNING),
    (e.CorporateActionDue(action_id="a", symbol="SPY", kind="split", ex_date=date(2026, 1, 2),
                          session=date(2026, 1, 2), at=AT, is_late=True),
     "corporate_action_late:account:1:a", "under way", Severity.WARNING),
    (e.FeedDisconnected(feed="alpaca", reason="r", at=AT), "feed_lost:alpaca", "r",
     Severity.WARNING),
    (e.BrokerDisconnected(broker="ibkr", reason="r", at=AT), "broker_lost:ibkr", "r",
     Severity.INFO),
    (e.DataGapDetected(dataset="live", symbol="SPY", timeframe=Timeframe.M1, start=AT, end=AT,
                       at=AT), "data_gap:live:SPY:1m", "14:30", Severity.WARNING),
]  # fmt: skip


@pytest.mark.parametrize(
    ("event", "key", "detail", "severity"), SAID, ids=lambda one: type(one).__name__
)
def test_a_failure_is_told_in_words(
    event: e.Event, key: str, detail: str, severity: Severity
) -> None:
    rule, tell = TELLS[e.name_of(event)]
    found = tell(event, ACCOUNT)
    assert found is not None
    assert (found.key, found.severity or rule.rule.severity) == (key, severity)
    assert detail in found.detail


def test_what_is_no_failure_of_its_kind_is_not_told() -> None:
    note = e.StrategyNoted(
        deployment_id=3, kind="k", severity=Severity.INFO, message="started", at=AT
    )
    assert TELLS["strategy_noted"][1](note, ACCOUNT) is None
    action = e.CorporateActionDue(
        action_id="a", symbol="SPY", kind="split", ex_date=AT.date(), session=AT.date(), at=AT
    )
    assert TELLS["corporate_action_due"][1](action, ACCOUNT) is None


def test_a_denial_of_every_day_is_told_more_quietly_and_that_of_a_halt_not_again() -> None:
    _, tell = TELLS["order_denied"]
    said = {
        code: tell(msgspec.structs.replace(denied(), code=code), ACCOUNT)
        for code in ("trading_halted", "reduce_only", "session_closed", "position_limit")
    }
    assert said["trading_halted"] is said["reduce_only"] is None
    quiet, loud = said["session_closed"], said["position_limit"]
    assert quiet is not None
    assert loud is not None
    assert (quiet.severity, loud.severity) == (Severity.INFO, None)


def committed(event: e.Event, stream: str = "account:1") -> CommittedEvent:
    return CommittedEvent(
        stream=stream, seq=1, event_type=e.name_of(event), priority="normal", occurred_at=AT,
        recorded_at=AT, caused_by=None, correlation_id=None, actor="engine",
        data=e.encode(event).decode(),
    )  # fmt: skip


async def handled(desk: Desk, *events: e.Event, stream: str = "system") -> None:
    handler = AlertHandler(desk.journal, desk.clock)
    for event in events:
        async with desk.pool.acquire() as db, db.transaction():
            await handler.handle(committed(event, stream), db)


async def test_a_lost_feed_is_told_and_its_return_ends_that(desk: Desk) -> None:
    lost = e.FeedDisconnected(feed="alpaca", reason="reset by peer", at=AT)
    await handled(desk, lost)
    assert await desk.open_keys() == {"feed_lost:alpaca"}
    row = await desk.pool.fetchrow("SELECT rule, category, severity, detail FROM alerts")
    assert tuple(row) == ("feed_lost", "system", "warning", "reset by peer")
    await handled(desk, e.FeedConnected(feed="iex", at=AT))
    assert await desk.open_keys() == {"feed_lost:alpaca"}
    await handled(desk, e.FeedConnected(feed="alpaca", at=AT))
    assert await desk.open_keys() == set()


async def test_a_comparison_that_leaves_nothing_open_ends_the_difference(desk: Desk) -> None:
    account = await desk.account()
    difference = e.ReconciliationDifference(
        kind="k", subject="SPY", ours="1", theirs="2", detail="d", at=AT
    )
    still = e.Reconciled(at=AT, open_orders=0, positions=1, differences=("SPY",))
    await handled(desk, difference, still, stream=f"account:{account}")
    assert await desk.open_keys() == {f"reconciliation:{account}"}
    agreed = msgspec.structs.replace(still, differences=())
    await handled(desk, agreed, stream=f"account:{account}")
    assert await desk.open_keys() == set()


async def test_an_event_that_is_handled_twice_is_counted_not_told_twice(desk: Desk) -> None:
    await desk.channel("mail")
    gap = e.DataGapDetected(
        dataset="live", symbol="SPY", timeframe=Timeframe.M1, start=AT, end=AT, at=AT
    )
    await handled(desk, gap, gap)
    await desk.work()
    assert await desk.pool.fetchval("SELECT occurrences FROM alerts") == 2
    assert len(desk.box.taken) == 1


def test_the_handler_asks_for_what_raises_and_for_what_ends() -> None:
    assert set(TELLS) | set(OVERS) == AlertHandler.types
    assert orjson.loads(committed(denied()).data)["type"] == "order_denied"


def test_the_stream_says_whose_event_it_is() -> None:
    numbers: list[Any] = [Where(one).account_id for one in ("account:7", "system", "account:x")]
    assert numbers == [7, None, None]


def test_the_page_names_every_rule_and_every_threshold_with_its_default() -> None:
    page = (project_root() / "docs" / "alerts.md").read_text()
    assert [rule.name for rule in RULES if f"| `{rule.name}` | {rule.title}" not in page] == []
    rows = [
        f"| `alerts.{name}` | {default(name):g} | {why} |" for name, why in EXPLANATIONS.items()
    ]
    assert [row for row in rows if row not in page] == []


def test_how_an_alert_ends_is_told_in_plain_words() -> None:
    for rule in RULES:
        assert "`" not in rule.clears, rule.name
        assert rule.clears.endswith("."), rule.name
