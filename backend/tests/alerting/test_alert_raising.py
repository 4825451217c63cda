"""Raising an alert: of two who do so at once, the graver one is told."""

import asyncio

import pytest

from app.domain.events import Severity
from app.repositories import alerts
from app.repositories.alerts import NewAlert
from tests.alerting.conftest import Desk
from tests.waiting import until

WAITS = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid)))"


@pytest.mark.parametrize(
    ("second", "severity", "rounds"),
    [(Severity.CRITICAL, "critical", 2), (Severity.WARNING, "warning", 1)],
)
async def test_of_two_who_raise_at_once_the_second_grows_the_first(
    desk: Desk, second: Severity, severity: str, rounds: int
) -> None:
    first = NewAlert(key="disk", category="system", severity=Severity.WARNING, title="disk")
    async with desk.pool.acquire() as db:
        async with db.transaction():
            found = await alerts.raise_alert(db, desk.journal, first, desk.clock.now())
            other = asyncio.create_task(desk.alert("disk", second))
            await until(lambda: desk.pool.fetchval(WAITS, db.get_server_pid()), 60)
        assert await other == found
    row = await desk.pool.fetchrow("SELECT * FROM alerts")
    assert (row["severity"], row["round"], row["occurrences"]) == (severity, rounds, 2)
