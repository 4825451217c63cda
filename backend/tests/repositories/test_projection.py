"""State tables follow the stream, in the append's own transaction, and equal its fold."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import get_args

import asyncpg
import pytest

from app.core.errors import JournalError
from app.domain import events as ev
from app.domain.deployments import TradingState
from app.domain.orders import OrderStatus, Side
from app.domain.ports import Entry
from app.repositories import commands, fold_check, trading_state
from app.repositories import journal as journals
from app.repositories.journal import PostgresJournal, stream_of
from app.repositories.projection import FOLDS, JOURNAL_ONLY, Projection

from .conftest import KEY
from .stories import (
    approved,
    at,
    held,
    make_fill,
    make_order,
    make_signal,
    make_slice,
    round_trip,
    sent,
    started,
)


@pytest.fixture
async def journal(pool: asyncpg.Pool, account_id: int) -> AsyncIterator[PostgresJournal]:
    await commands.submit(pool, account_id, "deployment_start", {}, "ann")
    journal = await make_journal(pool, account_id)
    yield journal
    await journal.close()


async def make_journal(pool: asyncpg.Pool, account_id: int) -> PostgresJournal:
    stream = stream_of(account_id)
    folds = Projection(account_id, stream)
    return await PostgresJournal(pool, stream, account_id, 0, KEY, folds).open()


async def test_a_round_trip_fills_every_table(
    pool: asyncpg.Pool, account_id: int, journal: PostgresJournal
) -> None:
    for entries in round_trip():
        await journal.append(entries)
    order = await pool.fetchrow("SELECT * FROM orders WHERE client_order_id = 'o1'")
    assert (order["status"], order["filled_quantity"]) == ("filled", 10)
    assert order["average_price"] == Decimal("100.01")
    assert order["limited_by"] == ["position_limit"]
    assert order["submitted_at"] == order["accepted_at"] == at(1)
    trade = await pool.fetchrow("SELECT * FROM trades")
    assert (trade["pnl"], trade["strategy_id"], trade["deployment_id"]) == (Decimal("9.20"), 1, 1)
    assert str(trade["trade_date"]) == "2024-03-01"
    assert '"sma_10": 99.5' in trade["market_context"]
    assert trade["stop_loss"] == 95
    signal = await pool.fetchrow("SELECT * FROM signals WHERE signal_id = 's1'")
    assert (signal["outcome"], signal["executed"]) == ("order", True)
    assert await pool.fetchval("SELECT state FROM deployments") == "running"
    account = await pool.fetchrow("SELECT * FROM accounts")
    assert (account["cash"], account["clock_at"]) == (Decimal("100008.85"), at(5.5))
    ledger = await pool.fetchrow("SELECT * FROM ledgers")
    assert (ledger["cash"], ledger["realized_pnl"]) == (Decimal("8.85"), Decimal("9.90"))
    command = await pool.fetchrow("SELECT * FROM commands")
    assert (command["status"], command["result"]) == ("completed", "{}")
    assert await pool.fetchval("SELECT count(*) FROM risk_checks") == 4
    assert await pool.fetchval("SELECT event_type FROM strategy_events") == "started"
    assert await fold_check.differences(pool, account_id) == []


async def test_the_fold_goes_on_where_another_process_stopped(
    pool: asyncpg.Pool, account_id: int, journal: PostgresJournal
) -> None:
    """As after a crash: every append by a writer that has only the tables to remember by."""
    await journal.close()
    for entries in round_trip():
        journal = await make_journal(pool, account_id)
        await journal.append(entries)
        await journal.close()
    assert await fold_check.differences(pool, account_id) == []


async def test_a_brokers_answer_belongs_to_the_chain_that_approved_the_order(
    pool: asyncpg.Pool, account_id: int, journal: PostgresJournal
) -> None:
    order = make_order()
    await journal.append(approved(order, make_signal()))
    for entries in sent(order):
        await journal.append(entries)
    await journal.close()
    journal = await make_journal(pool, account_id)
    await journal.append([Entry(make_fill(order, "e1", 10))])
    records = await journals.read(pool, journal.stream, 4)
    assert {record.caused_by for record in records} == {4}
    assert {record.correlation_id for record in records} == {f"{journal.stream}:1"}
    await journal.close()


async def test_the_same_fill_twice_changes_nothing(
    pool: asyncpg.Pool, account_id: int, journal: PostgresJournal
) -> None:
    order = make_order()
    await journal.append(approved(order, make_signal()))
    for _ in range(2):
        await journal.append([Entry(make_fill(order, "e1", 4))])
    assert await pool.fetchval("SELECT filled_quantity FROM orders") == 4
    assert await pool.fetchval("SELECT count(*) FROM executions") == 1
    assert await fold_check.differences(pool, account_id) == []


async def test_a_denial_is_a_violation_with_its_code(
    pool: asyncpg.Pool, account_id: int, journal: PostgresJournal
) -> None:
    denied = ev.OrderDenied(
        signal_id="s1",
        ledger="d1",
        symbol="AAPL",
        side=Side.BUY,
        quantity=Decimal(10),
        code="position_limit",
        detail="too much",
        limit=Decimal("0.05"),
        value=Decimal(1) / 3,
        attempt=1,
        at=at(1),
        checks=(ev.Check("position", False, Decimal(1) / 3, Decimal("0.05")),),
    )
    await journal.append([Entry(ev.SignalRaised(signal=make_signal())), Entry(denied, 0)])
    row = await pool.fetchrow("SELECT * FROM risk_violations")
    assert (row["code"], row["value"]) == ("position_limit", Decimal("0.33333333"))
    assert await pool.fetchval("SELECT outcome FROM signals") == "denied"
    assert await fold_check.differences(pool, account_id) == []


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (ev.OrderRejected(client_order_id="o1", reason="no", at=at(2)), OrderStatus.REJECTED),
        (ev.OrderUnknown(client_order_id="o1", reason="?", at=at(2)), OrderStatus.UNKNOWN),
        (ev.OrderCanceled(client_order_id="o1", reason="us", at=at(2)), OrderStatus.CANCELED),
        (ev.OrderExpired(client_order_id="o1", reason="day", at=at(2)), OrderStatus.EXPIRED),
    ],
)
async def test_an_order_ends_as_the_broker_says(
    pool: asyncpg.Pool, journal: PostgresJournal, event: ev.Event, status: OrderStatus
) -> None:
    order = make_order()
    await journal.append(approved(order, make_signal()))
    await journal.append(sent(order)[0])
    asked = ev.CancelRequested(client_order_id="o1", reason="us", at=at(2))
    await journal.append([Entry(asked)])
    assert await pool.fetchval("SELECT pending FROM orders") == "cancel"
    await journal.append([Entry(event)])
    row = await pool.fetchrow("SELECT * FROM orders")
    assert row["status"] == status
    assert (row["closed_at"] is None) == (status is OrderStatus.UNKNOWN)


async def test_an_edge_that_does_not_exist_leaves_the_status(
    pool: asyncpg.Pool, journal: PostgresJournal
) -> None:
    order = make_order()
    await journal.append(approved(order, make_signal()))
    submitted, accepted = sent(order)
    await journal.append(submitted)
    await journal.append([Entry(make_fill(order, "e1", 4))])
    await journal.append(accepted)
    row = await pool.fetchrow("SELECT status, broker_order_id FROM orders")
    assert tuple(row) == ("partially_filled", "b1")


async def test_what_the_database_refuses_is_not_half_written(
    pool: asyncpg.Pool, account_id: int, journal: PostgresJournal
) -> None:
    order = make_order(quantity=-1)
    with pytest.raises(JournalError):
        await journal.append(approved(order, make_signal()))
    assert await pool.fetchval("SELECT count(*) FROM trading_events") == 0
    assert await pool.fetchval("SELECT count(*) FROM signals") == 0
    with pytest.raises(JournalError, match="opened anew"):
        await journal.append([Entry(make_slice(1))])


async def test_a_resume_does_not_lift_a_newer_emergency_stop(
    pool: asyncpg.Pool, account_id: int, journal: PostgresJournal
) -> None:
    scope = f"account:{account_id}"
    asked = ev.CommandReceived(
        command_id=2, kind="trading_resume", payload={}, actor="ann", at=at(3)
    )
    resume = [Entry(asked), Entry(ev.TradingResumed(actor="ann", at=at(3)), 0)]
    await trading_state.latch(pool, scope, TradingState.HALTED, "first", "bob")
    await commands.submit(pool, account_id, "trading_resume", {}, "ann")
    await trading_state.latch(pool, scope, TradingState.HALTED, "second", "bob")
    await journal.append(resume)
    assert await state_of(pool, scope) == "halted"
    await commands.submit(pool, account_id, "trading_resume", {}, "ann")
    later = ev.CommandReceived(
        command_id=3, kind="trading_resume", payload={}, actor="ann", at=at(4)
    )
    await journal.append([Entry(later), Entry(ev.TradingResumed(actor="ann", at=at(4)), 0)])
    assert await state_of(pool, scope) == "active"


async def test_the_engines_own_halt_tightens_the_latch(
    pool: asyncpg.Pool, account_id: int, journal: PostgresJournal
) -> None:
    scope = f"account:{account_id}"
    for state in (TradingState.HALTED, TradingState.REDUCING):
        event = ev.TradingHalted(state=state, reason="drawdown", actor="engine", at=at(1))
        await journal.append([Entry(make_slice(1)), Entry(event, 0)])
        assert await state_of(pool, scope) == "halted"


async def state_of(pool: asyncpg.Pool, scope: str) -> str:
    return str(await pool.fetchval("SELECT state FROM trading_state WHERE scope = $1", scope))


async def test_deployments_follow_their_events_and_tell_people(
    pool: asyncpg.Pool, account_id: int, journal: PostgresJournal
) -> None:
    await journal.append(started())
    note = ev.StrategyNoted(
        deployment_id=1, kind="warmed_up", severity=ev.Severity.INFO, message="ok", at=at(1)
    )
    paused = ev.DeploymentPaused(deployment_id=1, reason="lunch", at=at(2))
    failed = ev.DeploymentFailed(deployment_id=1, reason="boom", at=at(3), traceback="line 1")
    stopped = ev.DeploymentStopped(deployment_id=1, reason="done", at=at(4))
    for event, state in (
        (note, "running"),
        (paused, "paused"),
        (failed, "failed"),
        (stopped, "stopped"),
    ):
        await journal.append([Entry(event)])
        assert await pool.fetchval("SELECT state FROM deployments") == state
    lines = await pool.fetch("SELECT event_type, severity FROM strategy_events ORDER BY seq")
    assert [tuple(line) for line in lines] == [
        ("started", "info"),
        ("warmed_up", "info"),
        ("paused", "warning"),
        ("failed", "critical"),
        ("stopped", "info"),
    ]
    assert await fold_check.differences(pool, account_id) == []


async def test_a_reconciliation_is_kept_with_its_differences(
    pool: asyncpg.Pool, account_id: int, journal: PostgresJournal
) -> None:
    event = ev.Reconciled(at=at(1), open_orders=2, positions=1, differences=("o9 is missing",))
    await journal.append([Entry(event)])
    assert await pool.fetchval("SELECT differences FROM reconciliations") == ["o9 is missing"]
    assert await pool.fetchval("SELECT reconciled_at FROM accounts") == at(1)
    assert await fold_check.differences(pool, account_id) == []


async def test_an_unknown_symbol_stays_in_the_journal_only(
    pool: asyncpg.Pool, account_id: int, journal: PostgresJournal
) -> None:
    position = held(1, "-100").position
    event = ev.PositionChanged(
        position=type(position)(ledger="d1", symbol="NOSUCH"),
        ledger_cash=Decimal(0),
        account_cash=Decimal(5),
        at=at(1),
    )
    await journal.append([Entry(event)])
    assert await pool.fetchval("SELECT count(*) FROM positions") == 0
    assert await pool.fetchval("SELECT cash FROM accounts") == 5


async def test_a_changed_row_is_a_difference(
    pool: asyncpg.Pool, account_id: int, journal: PostgresJournal
) -> None:
    for entries in round_trip():
        await journal.append(entries)
    await pool.execute("UPDATE positions SET realized_pnl = 1")
    await pool.execute("DELETE FROM trades")
    found = await fold_check.differences(pool, account_id)
    assert {difference.table for difference in found} == {"positions", "trades"}


def test_every_event_of_an_account_has_its_fold() -> None:
    """A new event type must say what it does to the tables, or that it does nothing."""
    assert FOLDS.keys() | JOURNAL_ONLY == {*get_args(ev.Input), *get_args(ev.Caused)}
