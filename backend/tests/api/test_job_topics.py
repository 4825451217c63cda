"""/ws, topics of jobs: how runs stand, each change, and nothing for who asks for what is not."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from websockets.asyncio.client import ClientConnection

from app.api.parts import Parts
from app.core.clock import now
from app.repositories import job_runs
from app.repositories.job_runs import NewRun
from tests.api.live import Live, ask, hear, say, serving
from tests.api.world import World, key_of


@pytest.fixture
async def live(environment: pytest.MonkeyPatch) -> AsyncIterator[Live]:
    async with serving() as live:
        yield live


async def added(pool: asyncpg.Pool, job: str = "retention") -> int:
    run_id = await job_runs.add(pool, NewRun(job=job, scheduled_for=now()))
    assert run_id is not None
    return run_id


async def until_says(client: ClientConnection, **facts: Any) -> dict[str, Any]:
    """The first message about a run that says this; what came before it was older."""
    while True:
        message = await hear(client)
        data = message.get("data", {})
        if all(data.get(name) == value for name, value in facts.items()):
            return message


async def test_runs_are_followed_from_how_they_stand_to_their_end(live: Live, world: World) -> None:
    """One server for all of it: each costs seconds."""
    parts: Parts = live.app.state.parts
    key = await key_of(parts, await world.person("ada@example.com"), "viewer", "read")
    over, run = await added(parts.pool), await added(parts.pool)
    await job_runs.begin(parts.pool, over, "w")
    await job_runs.succeed(parts.pool, {"id": over, "attempt": 1}, {})
    await parts.listener.connected.wait()
    async with live.connect() as client:
        assert (await ask(client, op="subscribe", topics=["jobs"]))["code"] == "unauthenticated"
        await ask(client, op="auth", token=key)
        missing = await ask(client, op="subscribe", topics=["jobs:4711"])
        assert (missing["code"], missing["remedy"]) == ("not_found", "See GET /api/jobs.")
        assert (await ask(client, op="subscribe", topics=["jobs"]))["op"] == "subscribed"
        first = await until_says(client, id=run)  # a late notice may tell of the other
        assert (first["topic"], first["type"]) == ("jobs", "job_run")
        assert (first["data"]["id"], first["data"]["status"]) == (run, "queued")
        row = await job_runs.begin(parts.pool, run, "w")
        await job_runs.progress(parts.pool, run, 1, 0.25, "A quarter.")
        said = await until_says(client, id=run, progress=0.25)
        assert (said["data"]["status"], said["data"]["progress_note"]) == ("running", "A quarter.")
        assert row is not None
        await job_runs.succeed(parts.pool, row, {"rows": 3})
        done = (await until_says(client, id=run, status="succeeded"))["data"]
        assert (done["progress"], done["result"]) == (1.0, {"rows": 3})
        listed = await job_runs.by_ids(parts.pool, [run])
        assert done["finished_at"][:19] == listed[0]["finished_at"].isoformat()[:19]
    async with live.connect() as client:
        await ask(client, op="auth", token=key)
        assert (await ask(client, op="subscribe", topics=[f"jobs:{run}"]))["op"] == "subscribed"
        assert (await until_says(client, id=run))["data"]["status"] == "succeeded"
        await job_runs.begin(parts.pool, await added(parts.pool, "backup"), "w")
        await say(client, op="unsubscribe", topics=[f"jobs:{run}"])
        while (message := await hear(client)).get("op") != "unsubscribed":
            assert message["data"]["id"] == run
