"""`/api/backups`: what was made and proved; an admin's, and the work is a job."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from fastapi import FastAPI

from app.api.parts import Parts
from app.core import clock
from app.core.config import get_settings
from app.jobs import backup as job
from app.jobs.registry import JobContext
from app.repositories import backups
from app.repositories.journal import SharedJournal
from tests.api.world import World, client_of, key_of

AT = datetime(2026, 11, 20, 6, 30, tzinfo=UTC)


async def test_backups_are_listed_newest_first(admin: httpx.AsyncClient, parts: Parts) -> None:
    first = await backups.begin(parts.pool, Path("backups"), "schedule", AT)
    await backups.fail(parts.pool, first, "The disk is full.", AT)
    second = await backups.begin(parts.pool, Path("backups"), "ann", AT + timedelta(days=1))
    page = (await admin.get("/api/backups")).json()
    assert [(one["id"], one["status"]) for one in page["items"]] == [
        (second, "running"),
        (first, "failed"),
    ]
    failed = (await admin.get("/api/backups", params={"status": "failed"})).json()["items"]
    assert [one["error"] for one in failed] == ["The disk is full."]
    assert (await admin.get(f"/api/backups/{second}")).json()["requested_by"] == "ann"
    missing = await admin.get("/api/backups/999")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


async def test_making_and_proving_are_runs_of_the_job(
    admin: httpx.AsyncClient, parts: Parts
) -> None:
    asked = await admin.post("/api/backups")
    assert asked.status_code == 202, asked.text
    run = asked.json()
    assert (run["job"], run["status"]) == ("backup", "queued")
    row = await worked(parts, run)
    assert row["status"] == "finished"
    assert row["requested_by"].startswith("ada@example.com")
    assert row["verified_at"]

    proved = await admin.post(f"/api/backups/{row['id']}/verify")
    assert proved.json()["payload"] == {"verify": row["id"]}
    assert (await admin.post("/api/backups/999/verify")).status_code == 404


async def worked(parts: Parts, run: dict[str, object]) -> dict[str, object]:
    """What the worker would do with a run; the backup that it was about."""
    context = JobContext(
        run_id=1,
        scheduled_for=AT,
        attempt=1,
        settings=get_settings(),
        url=parts.settings.database.url,
        pool=parts.pool,
        journal=SharedJournal(parts.pool, b"k" * 32),
        clock=clock.system,
        worker="a test",
    )
    payload = run["payload"]
    assert isinstance(payload, dict)
    done = await job.run(context, payload)
    return await backups.get(parts.pool, done["id"])


async def test_only_an_admin_sees_them(app: FastAPI, parts: Parts, world: World) -> None:
    user_id = await world.person("tom@example.com", "trader")
    key = await key_of(parts, user_id, "trader", "read", "trade")
    async with client_of(app, key) as trader:
        answers = await asyncio.gather(
            trader.get("/api/backups"), trader.post("/api/backups"), trader.get("/api/backups/1")
        )
    assert [one.status_code for one in answers] == [403, 403, 403]
