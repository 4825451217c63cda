"""`/api/audit`: what people did, and whether it holds."""

import httpx
from fastapi import FastAPI

from app.api.parts import Parts
from tests.api.world import World, client_of, key_of


async def test_what_people_did_is_listed_newest_first_and_holds(browser: httpx.AsyncClient) -> None:
    await browser.put("/api/credentials/QUIVER_API_KEY", json={"value": "CANARYCANARY"})
    await browser.delete("/api/credentials/QUIVER_API_KEY")
    found = (await browser.get("/api/audit?resource=credential")).json()["items"]
    assert [one["action"] for one in found] == ["removed", "stored"]
    assert found[0]["resource_id"] == "QUIVER_API_KEY"
    assert found[1]["after"]["key_id"]
    everything = (await browser.get("/api/audit?limit=1")).json()
    assert everything["next_cursor"]
    verdict = (await browser.get("/api/audit/verify")).json()
    assert (verdict["ok"], verdict["first_bad"]) == (True, None)
    assert verdict["rows"] >= 3


async def test_a_broken_chain_is_said(admin: httpx.AsyncClient, parts: Parts) -> None:
    async with parts.pool.acquire() as db, db.transaction():
        await db.execute("SET LOCAL session_replication_role = replica")
        await db.execute("UPDATE audit_trail SET actor = 'eve' WHERE seq = 1")
    verdict = (await admin.get("/api/audit/verify")).json()
    assert (verdict["ok"], verdict["first_bad"]["seq"]) == (False, 1)


async def test_only_admins_read_it(app: FastAPI, parts: Parts, world: World) -> None:
    user_id = await world.person("tom@example.com", "trader")
    key = await key_of(parts, user_id, "trader", "read", "trade")
    async with client_of(app, key) as client:
        assert (await client.get("/api/audit")).status_code == 403
        assert (await client.get("/api/audit/verify")).status_code == 403
