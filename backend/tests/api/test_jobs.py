"""`/api/jobs`: what there is, run now, pause and resume, history; changes are an admin's."""

import httpx
from fastapi import FastAPI

from app.api.parts import Parts
from tests.api.world import World, client_of, key_of


async def test_every_job_is_listed_with_its_schedule_and_next_time(
    admin: httpx.AsyncClient,
) -> None:
    items = (await admin.get("/api/jobs")).json()["items"]
    found = {item["name"]: item for item in items}
    assert list(found) == sorted(found)
    retention = found["retention"]
    assert retention["schedule"] == "20 3 * * * (UTC)"
    assert retention["next_at"].endswith("03:20:00Z")
    assert (retention["is_paused"], retention["last_run"]) == (False, None)
    assert (await admin.get("/api/jobs/retention")).json() == retention


async def test_a_run_that_is_asked_for_is_queued_and_listed_and_audited(
    admin: httpx.AsyncClient, parts: Parts
) -> None:
    done = await admin.post("/api/jobs/retention/run", json={"payload": {"why": "a test"}})
    assert done.status_code == 202, done.text
    row = done.json()
    assert (row["status"], row["trigger"]) == ("queued", "person")
    assert row["requested_by"].startswith("ada@example.com")
    assert row["payload"] == {"why": "a test"}
    runs = (await admin.get("/api/jobs/retention/runs")).json()["items"]
    assert [one["id"] for one in runs] == [row["id"]]
    failed = await admin.get("/api/jobs/retention/runs", params={"status": "failed"})
    assert failed.json()["items"] == []
    assert (await admin.get("/api/jobs/retention")).json()["last_run"]["id"] == row["id"]
    queued = "SELECT count(*) FROM pgqueuer.pgqueuer WHERE entrypoint = 'retention'"
    assert await parts.pool.fetchval(queued) == 1
    act = "SELECT action FROM audit_trail WHERE resource = 'job' AND resource_id = 'retention'"
    assert await parts.pool.fetchval(act) == "run"


async def test_a_paused_job_has_no_next_time_until_it_is_resumed(
    admin: httpx.AsyncClient,
) -> None:
    for _ in range(2):
        paused = (await admin.post("/api/jobs/retention/pause")).json()
        assert (paused["is_paused"], paused["next_at"]) == (True, None)
        assert paused["paused_by"].startswith("ada@example.com")
    assert (await admin.post("/api/jobs/retention/run")).status_code == 202
    for _ in range(2):
        resumed = (await admin.post("/api/jobs/retention/resume")).json()
        assert (resumed["is_paused"], resumed["next_at"] is None) == (False, False)


async def test_an_unknown_job_is_answered_with_the_nearest_name(admin: httpx.AsyncClient) -> None:
    for method, path in (
        ("GET", "/api/jobs/retentoin"),
        ("GET", "/api/jobs/retentoin/runs"),
        ("POST", "/api/jobs/retentoin/run"),
        ("POST", "/api/jobs/retentoin/pause"),
        ("POST", "/api/jobs/retentoin/resume"),
    ):
        answer = await admin.request(method, path)
        assert (answer.status_code, answer.json()["remedy"]) == (404, "Did you mean retention?")


async def test_what_a_run_is_given_has_a_limit(admin: httpx.AsyncClient) -> None:
    long = await admin.post("/api/jobs/retention/run", json={"payload": {"x": "x" * 20_000}})
    assert (long.status_code, long.json()["field"]) == (422, "payload")


async def test_a_trader_may_look_and_no_more(app: FastAPI, parts: Parts, world: World) -> None:
    user_id = await world.person("tom@example.com", "trader")
    key = await key_of(parts, user_id, "trader", "read", "trade")
    async with client_of(app, key) as client:
        assert (await client.get("/api/jobs")).status_code == 200
        for act in ("run", "pause", "resume"):
            assert (await client.post(f"/api/jobs/retention/{act}")).status_code == 403
