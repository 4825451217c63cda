"""What is unwell, slow, stuck, missing or strange is found, and nothing else."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.alerting import conditions, security_rules
from app.alerting.conditions import Look
from app.alerting.rules import Finding
from app.alerting.thresholds import Thresholds
from app.core.clock import ManualClock
from app.domain.events import Severity
from app.repositories import audit, broker_states
from app.repositories.audit import Act
from app.repositories.broker_states import BrokerReport
from app.worker import alerts as worker
from tests import servers
from tests.alerting.conftest import AUDIT_KEY, Desk
from tests.servers import TestServers

OPEN = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
"A Friday, half an hour after New York has opened."
HASH = bytes(32)


@pytest.fixture(scope="module")
def alerting_url(test_servers: TestServers, template_database: str) -> Iterator[str]:
    """A database of these tests' own: conditions look at all there is."""
    with servers.copied(test_servers.database_url, template_database) as url:
        yield url


@pytest.fixture(autouse=True)
async def _nothing_runs(pool: asyncpg.Pool) -> None:
    """Of what the tests before have left."""
    await pool.execute("UPDATE deployments SET state = 'stopped'")
    await pool.execute("UPDATE accounts SET active = false")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(OPEN - timedelta(days=10))


def look(desk: Desk, now: datetime = OPEN, **more: Any) -> Look:
    health = more.pop("health", {})
    thresholds = Thresholds(**more)
    return Look(db=desk.pool, now=now, thresholds=thresholds, health=health, opened=worker.opened)


async def slice_closed(desk: Desk, account_id: int, seq: int, at: datetime) -> None:
    await event(desk, account_id, seq, "slice_closed", at)


async def event(desk: Desk, account_id: int, seq: int, kind: str, at: datetime) -> None:
    await desk.pool.execute(
        "INSERT INTO trading_events (stream, seq, event_type, occurred_at, recorded_at, payload,"
        " hash) VALUES ($1, $2, $3, $4, $4, '{}', $5)",
        f"account:{account_id}",
        seq,
        kind,
        at,
        HASH,
    )


async def running(desk: Desk, dataset: str, since: datetime) -> int:
    account_id = await desk.account(dataset)
    strategy = await desk.pool.fetchval(
        "INSERT INTO strategies (name) VALUES ($1) RETURNING id", f"s{account_id}"
    )
    await desk.pool.execute(
        "INSERT INTO deployments (account_id, strategy_id, symbols, timeframe, state, started_at)"
        " VALUES ($1, $2, '{SPY}', '1m', 'running', $3)",
        account_id,
        strategy,
        since,
    )
    return account_id


def keys(found: list[Finding]) -> list[str]:
    return [one.key for one in found]


async def test_silence_in_an_open_session_is_found_and_between_sessions_is_none(
    desk: Desk,
) -> None:
    live = await running(desk, "live", OPEN - timedelta(days=3))
    await slice_closed(desk, live, 1, OPEN - timedelta(minutes=6))
    [found] = await conditions._no_bar(look(desk))
    assert (found.key, found.account_id) == (f"no_bar:{live}", live)
    assert "360 s" in found.detail
    assert await conditions._no_bar(look(desk, bar_silence_seconds=400)) == []
    assert await conditions._no_bar(look(desk, OPEN + timedelta(hours=8))) == []
    assert await conditions._no_bar(look(desk, OPEN + timedelta(days=1))) == []
    monday = OPEN + timedelta(days=3)
    assert await conditions._no_bar(look(desk, monday - timedelta(minutes=26))) == []
    assert keys(await conditions._no_bar(look(desk, monday))) == [f"no_bar:{live}"]


async def test_a_simulated_market_never_rests_and_a_deployment_may_have_just_begun(
    desk: Desk,
) -> None:
    simulated = await running(desk, "simulated", OPEN)
    night = OPEN + timedelta(hours=14)
    assert await conditions._no_bar(look(desk, OPEN + timedelta(minutes=4))) == []
    assert keys(await conditions._no_bar(look(desk, night))) == [f"no_bar:{simulated}"]
    await slice_closed(desk, simulated, 1, night)
    assert await conditions._no_bar(look(desk, night)) == []
    await desk.pool.execute("UPDATE deployments SET state = 'paused'")
    assert await conditions._no_bar(look(desk, night + timedelta(days=1))) == []


@pytest.mark.parametrize(
    ("minutes", "since"), [(-31, None), (-30, 0), (0, 0), (359, 0), (360, None), (24 * 60, None)]
)
def test_a_session_is_open_from_its_first_instant_to_before_its_last(
    minutes: int, since: int | None
) -> None:
    found = worker.open_since("XNYS", OPEN + timedelta(minutes=minutes))
    assert found == (None if since is None else OPEN - timedelta(minutes=30))


async def backup(desk: Desk, status: str, at: datetime, error: str | None = None) -> None:
    await desk.pool.execute(
        "INSERT INTO backups (path, status, size_bytes, started_at, finished_at, error)"
        " VALUES ('b', $1, 1, $2, $2, $3)",
        status,
        at,
        error,
    )


async def test_a_backup_that_is_missing_or_failed_is_found(desk: Desk) -> None:
    await desk.account()
    await desk.pool.execute("UPDATE accounts SET created_at = $1", OPEN - timedelta(hours=25))
    assert await conditions._no_backup(look(desk)) == []
    [never] = await conditions._no_backup(look(desk, OPEN + timedelta(hours=2)))
    assert never.detail == "There has never been one."
    await backup(desk, "finished", OPEN)
    assert await conditions._no_backup(look(desk, OPEN + timedelta(hours=26))) == []
    [late] = await conditions._no_backup(look(desk, OPEN + timedelta(hours=26, seconds=1)))
    assert "The last one finished at 2026-11-20 15:00 UTC" in late.detail
    await backup(desk, "failed", OPEN + timedelta(hours=1), "The disk is full.")
    [failed] = await conditions._no_backup(look(desk, OPEN + timedelta(hours=2)))
    assert (failed.key, failed.title) == (late.key, "The last backup failed")
    assert "The disk is full." in failed.detail
    await backup(desk, "finished", OPEN + timedelta(hours=2))
    assert await conditions._no_backup(look(desk, OPEN + timedelta(hours=3))) == []


async def test_an_account_at_a_broker_that_is_not_compared_is_found(desk: Desk) -> None:
    account_id = await desk.account("live", "alpaca")
    report = BrokerReport(
        account_id=account_id, broker="alpaca", state="up", since=OPEN - timedelta(hours=5)
    )
    await broker_states.save(desk.pool, report)
    [found] = await conditions._no_reconciliation(look(desk))
    assert found.detail.endswith("never.")
    looked = BrokerReport(
        **{name: getattr(report, name) for name in ("account_id", "broker", "state", "since")},
        looked_at=OPEN - timedelta(minutes=10),
    )
    await broker_states.save(desk.pool, looked)
    assert await conditions._no_reconciliation(look(desk)) == []
    [late] = await conditions._no_reconciliation(look(desk, OPEN + timedelta(hours=1)))
    assert "at 2026-11-20 14:50 UTC" in late.detail
    await desk.pool.execute("UPDATE broker_states SET at = now() - interval '1 minute'")
    assert await conditions._no_reconciliation(look(desk, OPEN + timedelta(hours=1))) == []


async def test_an_order_that_stays_unknown_becomes_critical(desk: Desk) -> None:
    account_id = await desk.account()
    await desk.pool.execute(
        "INSERT INTO orders (account_id, client_order_id, ledger, signal_id, instrument_id, leg,"
        " side, quantity, status, at) VALUES ($1, 'o1', 'manual', '',"
        " (SELECT id FROM instruments LIMIT 1), 'entry', 'buy', 1, 'unknown', $2)",
        account_id,
        OPEN,
    )
    [young] = await conditions._unknown_orders(look(desk, OPEN + timedelta(seconds=60)))
    [old] = await conditions._unknown_orders(look(desk, OPEN + timedelta(seconds=61)))
    assert (young.severity, old.severity) == (None, Severity.CRITICAL)
    assert old.key == f"order_unknown:account:{account_id}:o1"


async def test_slow_commands_are_found_once_there_are_enough(desk: Desk) -> None:
    account_id = await desk.account()
    statement = (
        "INSERT INTO commands (account_id, kind, payload, actor, status, created_at, completed_at)"
        " VALUES ($1, 'order_cancel', '{}', 'ada', 'completed', $2, $3)"
    )
    for _ in range(4):
        await desk.pool.execute(statement, account_id, OPEN - timedelta(seconds=5), OPEN)
    assert await conditions._slow_commands(look(desk)) == []
    await desk.pool.execute(statement, account_id, OPEN - timedelta(seconds=5), OPEN)
    [found] = await conditions._slow_commands(look(desk))
    assert "5000 ms" in found.detail
    assert await conditions._slow_commands(look(desk, command_ms=5_000)) == []
    assert await conditions._slow_commands(look(desk, OPEN + timedelta(minutes=11))) == []


async def test_many_errors_in_five_minutes_are_found(desk: Desk) -> None:
    await desk.pool.execute(
        "INSERT INTO metrics (name, labels, at, value) VALUES ('errors', '{}', $1, 20)", OPEN
    )
    assert keys(await conditions._errors(look(desk))) == ["error_rate"]
    assert await conditions._errors(look(desk, errors_per_5_minutes=21)) == []
    assert await conditions._errors(look(desk, OPEN + timedelta(minutes=5))) == []


async def test_memory_is_measured_against_its_threshold(desk: Desk) -> None:
    assert keys(await conditions._memory(look(desk, memory_percent=0))) == ["memory"]
    assert await conditions._memory(look(desk, memory_percent=100.1)) == []


async def test_components_that_are_unwell_are_found_as_grave_as_they_are(desk: Desk) -> None:
    health = {"database": "unhealthy", "redis": "unhealthy", "disk": "degraded", "cache": "healthy"}
    health["backups"] = "unhealthy"
    found = {one.key: one.severity for one in await conditions._unwell(look(desk, health=health))}
    assert found == {
        "component:database": Severity.CRITICAL,
        "component:redis": Severity.ERROR,
        "component:disk": Severity.WARNING,
    }
    [silent] = await conditions._unwell(look(desk, health=None))
    assert (silent.key, silent.severity) == ("component:api", Severity.CRITICAL)


# ----------------------------------------------------------------------------------- security


async def act(desk: Desk, action: str, actor: str, address: str, at: datetime) -> None:
    one = Act(actor=actor, action=action, resource="user", address=address)
    async with desk.pool.acquire() as db, db.transaction():
        await audit.append(db, AUDIT_KEY, one, at)


async def test_sign_ins_that_fail_again_and_again_are_found_by_address_and_by_person(
    desk: Desk,
) -> None:
    for number in range(5):
        await act(desk, "sign_in_failed", f"p{number}@x.org", "203.0.113.7", OPEN)
        await act(desk, "sign_in_failed", "ada@x.org", f"198.51.100.{number}", OPEN)
    found = await security_rules._failed_sign_ins(look(desk))
    assert set(keys(found)) == {
        "failed_sign_ins:from:203.0.113.7",
        "failed_sign_ins:for:ada@x.org",
    }
    assert await security_rules._failed_sign_ins(look(desk, failed_sign_ins=6)) == []
    later = OPEN + timedelta(minutes=10)
    assert await security_rules._failed_sign_ins(look(desk, later)) == []


async def test_a_stolen_token_is_found_once_a_day_and_address(desk: Desk) -> None:
    for _ in range(2):
        await act(desk, "refresh_token_reused", "user:1", "203.0.113.7", OPEN)
    await act(desk, "ended_key_used", "user:1", "203.0.113.7", OPEN)
    found = await security_rules._stolen(look(desk))
    assert len(set(keys(found))) == 2
    assert all(one.is_once and "203.0.113.7" in one.detail for one in found)


def test_the_audit_trail_has_the_acts_that_are_looked_for() -> None:
    services = Path(security_rules.__file__).parents[1] / "services"
    written = "".join(path.read_text() for path in services.glob("*.py"))
    wanted = [*security_rules.FAILED, *security_rules.STOLEN, "signed_in", "signed_up"]
    assert [one for one in wanted if f'"{one}"' not in written] == []


async def test_an_address_is_new_only_to_who_never_came_from_it_but_came_before(
    desk: Desk,
) -> None:
    before = OPEN - timedelta(days=2)
    await act(desk, "signed_in", "ada@x.org", "203.0.113.7", before)
    await act(desk, "signed_in", "ada@x.org", "203.0.113.7", OPEN)
    await act(desk, "signed_in", "bob@x.org", "198.51.100.9", OPEN)
    assert await security_rules._new_addresses(look(desk)) == []
    await act(desk, "signed_in", "ada@x.org", "198.51.100.9", OPEN)
    found = await security_rules._new_addresses(look(desk))
    assert keys(found) == ["new_address:ada@x.org:198.51.100.9"]


async def test_unusually_many_orders_are_found_on_live_data_only(desk: Desk) -> None:
    live, simulated = await desk.account("live"), await desk.account("simulated")
    for seq in range(1, 5):
        await event(desk, live, seq, "order_approved", OPEN)
        await event(desk, simulated, seq, "order_approved", OPEN)
    found = await security_rules._order_volume(look(desk, order_volume_least=4))
    assert keys(found) == [f"order_volume:{live}"]
    assert await security_rules._order_volume(look(desk, order_volume_least=5)) == []
    for seq in range(5, 40):
        await event(desk, live, seq, "order_approved", OPEN - timedelta(days=1))
    usual = look(desk, order_volume_least=4, order_volume_factor=4)
    assert await security_rules._order_volume(usual) == []
