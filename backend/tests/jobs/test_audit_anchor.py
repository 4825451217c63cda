"""The hourly and the nightly check of the chains: heads noted, tampering told at once."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.core.clock import now
from app.core.config import get_settings
from app.core.security import master_key, subkey
from app.db.anchors import FILE
from app.jobs import audit_anchor
from app.jobs.registry import JobContext, jobs
from app.repositories import audit
from app.repositories.audit import Act
from app.repositories.journal import SharedJournal


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(tmp_path))
    get_settings.cache_clear()
    return tmp_path


@pytest.fixture
def given(home: Path, job_context: JobContext) -> JobContext:
    """A run whose journal is chained under the installation's own key."""
    key = subkey(master_key(home), "journal")
    journal = SharedJournal(job_context.pool, key)
    return replace(job_context, settings=get_settings(), journal=journal)


async def act(context: JobContext) -> None:
    key = subkey(master_key(context.settings.home), "audit")
    one = Act(actor="ann", action="changed", resource="config")
    async with context.pool.acquire() as db, db.transaction():
        await audit.append(db, key, one, now())


async def open_alerts(context: JobContext) -> list[str]:
    found = await context.pool.fetch(
        "SELECT severity FROM alerts WHERE key = $1 AND resolved_at IS NULL", audit_anchor.KEY
    )
    return [row["severity"] for row in found]


async def tamper(context: JobContext, actor: str) -> None:
    async with context.pool.acquire() as db, db.transaction():
        await db.execute("SET LOCAL session_replication_role = replica")
        await db.execute("UPDATE audit_trail SET actor = $1 WHERE seq = 2", actor)


async def test_heads_are_noted_and_a_broken_chain_is_a_critical_alert_until_it_is_whole(
    home: Path, given: JobContext
) -> None:
    await act(given)
    found = await audit_anchor.run(given, {})
    assert (found["ok"], found["anchored"]) == (True, 1)
    assert (home / FILE).exists()
    await act(given)
    await tamper(given, "eve")
    assert (await audit_anchor.run(given, {}))["first_bad"]["seq"] == 2
    await audit_anchor.run(given, {})
    assert await open_alerts(given) == ["critical"]
    await tamper(given, "ann")
    await audit_anchor.run_whole(given, {})
    assert await open_alerts(given) == []


def test_both_jobs_have_a_schedule() -> None:
    assert all(jobs()[name].schedule for name in (audit_anchor.NAME, audit_anchor.WHOLE))
