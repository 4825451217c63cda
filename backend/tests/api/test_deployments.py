"""Deployments: checked, stored, started, paused, stopped."""

from typing import Any

import httpx
import pytest

from app.api.parts import Parts
from tests.api.world import World, engine

WISH: dict[str, Any] = {
    "strategy": "sma_cross",
    "symbols": ["aapl", "SPY", "AAPL"],
    "parameters": {"fast": 5},
    "capital": "25000",
    "name": "Cross",
}


def started(command: dict[str, Any]) -> dict[str, Any]:
    return {"deployment_id": command["payload"]["deployment_id"], "state": "running"}


async def test_a_deployment_is_stored_and_its_engine_told(
    admin: httpx.AsyncClient, world: World, database_url: str
) -> None:
    account = await world.account()
    async with engine(database_url, account, started) as running:
        answer = await admin.post("/api/deployments", json=WISH)
    assert answer.status_code == 201
    body = answer.json()
    assert body["command"]["state"] == "succeeded"
    found = body["deployment"]
    assert (found["symbols"], found["ledger"]) == (["AAPL", "SPY"], f"d{found['id']}")
    assert found["parameters"]["fast"] == 5
    assert found["parameters"]["slow"] == 30
    payload = running.seen[0]["payload"]
    assert payload["capital"] == "25000.00000000"
    assert payload["deployment_id"] == found["id"]
    listed = (await admin.get("/api/strategies")).json()["items"]
    assert {one["name"]: one["id"] for one in listed}["sma_cross"] == 1


async def test_a_deployment_may_wait_to_be_started(
    admin: httpx.AsyncClient, world: World, database_url: str
) -> None:
    account = await world.account()
    made = await admin.post("/api/deployments", json=WISH | {"start": False})
    assert made.json()["command"] is None
    path = f"/api/deployments/{made.json()['deployment']['id']}"
    assert (await admin.post(f"{path}/start")).status_code == 503
    async with engine(database_url, account, started) as running:
        for action in ("start", "pause", "stop"):
            answer = await admin.post(f"{path}/{action}", json={"reason": "asked"})
            assert answer.json()["kind"] == f"deployment_{action}"
    assert [one["payload"].get("flatten") for one in running.seen] == [None, None, False]


async def test_without_an_engine_nothing_is_left_behind(
    admin: httpx.AsyncClient, world: World, parts: Parts
) -> None:
    await world.account()
    assert (await admin.post("/api/deployments", json=WISH)).status_code == 503
    assert await parts.pool.fetchval("SELECT count(*) FROM deployments") == 0


async def test_a_repeated_deploy_makes_one(
    admin: httpx.AsyncClient, world: World, database_url: str, parts: Parts
) -> None:
    account = await world.account()
    headers = {"idempotency-key": "one"}
    async with engine(database_url, account, started):
        first = await admin.post("/api/deployments", json=WISH, headers=headers)
        again = await admin.post("/api/deployments", json=WISH, headers=headers)
    assert again.json() == first.json()
    assert await parts.pool.fetchval("SELECT count(*) FROM deployments") == 1


@pytest.mark.parametrize(
    ("change", "field", "remedy"),
    [
        ({"strategy": "sma_crss"}, "strategy", "sma_cross"),
        ({"symbols": ["APPL"]}, "symbols", "AAPL"),
        ({"symbols": []}, "symbols", ""),
        ({"parameters": {"fast": 0}}, "fast", ""),
        ({"parameters": {"fsat": 3}}, "fsat", "fast"),
        ({"timeframe": "2m"}, "timeframe", ""),
        ({"strategy": "pairs", "parameters": {}, "symbols": ["AAPL"]}, "symbols", ""),
        ({"capital": "-5"}, "capital", ""),
        ({"account_id": 7}, "account_id", ""),
    ],
)
async def test_what_is_wrong_is_named(
    calm_admin: httpx.AsyncClient, change: dict[str, Any], field: str, remedy: str
) -> None:
    answer = await calm_admin.post("/api/deployments", json=WISH | change)
    assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text
    assert remedy in answer.json().get("remedy", "")


async def test_a_name_is_taken_once(admin: httpx.AsyncClient, world: World) -> None:
    await world.account()
    await admin.post("/api/deployments", json=WISH | {"start": False})
    again = await admin.post("/api/deployments", json=WISH | {"start": False})
    assert again.status_code == 409


@pytest.mark.parametrize("state", ["stopped", "failed"])
async def test_what_has_ended_stays_so(admin: httpx.AsyncClient, world: World, state: str) -> None:
    deployment = await world.deployment(await world.account(), state)
    answer = await admin.post(f"/api/deployments/{deployment}/start")
    assert answer.status_code == 409
    assert state in answer.json()["detail"]


async def test_what_runs_is_not_started_again(admin: httpx.AsyncClient, world: World) -> None:
    deployment = await world.deployment(await world.account())
    assert (await admin.post(f"/api/deployments/{deployment}/start")).status_code == 409


async def test_a_preview_says_when_the_first_opinion_comes(
    admin: httpx.AsyncClient, world: World, parts: Parts
) -> None:
    await world.account()
    await world.bars([100.0] * 40)
    wish = {"strategy": "sma_cross", "symbols": ["AAPL", "SPY"], "parameters": {"slow": 20}}
    body = (await admin.post("/api/deployments/preview", json=wish)).json()
    aapl, spy = body["series"]
    assert (aapl["bars"], spy["bars"]) == (40, 0)
    assert aapl["first_opinion_at"] > aapl["first_start"]
    assert spy["first_opinion_at"] is None
    assert await parts.pool.fetchval("SELECT count(*) FROM deployments") == 0
