"""`/api/accounts/{id}/arm`: a person with a fresh proof; a key never."""

import httpx
import pytest

from app.api.parts import Parts
from tests.api.world import World


async def real_account(parts: Parts, world: World) -> int:
    number = await world.account("Real", dataset="live", cash=0)
    await parts.pool.execute(
        "UPDATE accounts SET mode = 'live', broker = 'alpaca' WHERE id = $1", number
    )
    return number


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    environment.setenv("TRADEWRIGHT_LIVE_TRADING", "true")
    return environment


async def test_a_key_cannot_arm_but_may_disarm(
    admin: httpx.AsyncClient, parts: Parts, world: World
) -> None:
    number = await real_account(parts, world)
    refused = await admin.post(f"/api/accounts/{number}/arm", json={"account": str(number)})
    assert refused.status_code == 403
    done = await admin.post(f"/api/accounts/{number}/disarm")
    assert (done.status_code, done.json()["armed_at"]) == (200, None)
    assert done.json()["trading_state"] == "halted"


async def test_an_account_that_is_not_armed_is_not_resumed(
    admin: httpx.AsyncClient, parts: Parts, world: World
) -> None:
    number = await real_account(parts, world)
    await admin.post(f"/api/accounts/{number}/disarm")
    body = {"reason": "over"}
    alone = await admin.post(f"/api/accounts/{number}/resume", json=body)
    assert (alone.status_code, "not armed" in alone.json()["detail"]) == (409, True)
    named = await admin.post("/api/trading-engine/resume", json=body | {"account_id": number})
    assert named.status_code == 409
    everybody = await admin.post("/api/trading-engine/resume", json=body)
    assert number not in everybody.json()["confirmed"] + everybody.json()["unconfirmed"]
    kinds = await parts.pool.fetch("SELECT kind FROM commands")
    assert {row["kind"] for row in kinds} == {"trading_halt"}


async def test_a_person_who_has_just_signed_in_arms_by_typing_the_number(
    browser: httpx.AsyncClient, parts: Parts, world: World
) -> None:
    number = await real_account(parts, world)
    wrong = await browser.post(f"/api/accounts/{number}/arm", json={"account": "yes"})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "account")
    done = await browser.post(f"/api/accounts/{number}/arm", json={"account": str(number)})
    assert (done.status_code, done.json()["name"]) == (200, "Real"), done.text
    assert done.json()["armed_by"]


async def test_an_account_tells_whether_it_is_armed_and_what_has_to_be_typed(
    browser: httpx.AsyncClient, parts: Parts, world: World
) -> None:
    number, paper = await real_account(parts, world), await world.account("Paper")
    path = f"/api/accounts/{number}"
    bare = {"is_allowed": True, "armed_at": None, "armed_by": None, "asks_for_number": False}
    assert (await browser.get(path)).json()["arming"] == bare
    assert (await browser.get(f"/api/accounts/{paper}")).json()["arming"] is None
    done = await browser.post(f"{path}/arm", json={"account": str(number)})
    listed = {one["id"]: one for one in (await browser.get("/api/accounts")).json()["items"]}
    assert listed[number]["arming"]["armed_by"] == done.json()["armed_by"]
    assert listed[number]["arming"]["armed_at"] == done.json()["armed_at"]
    await parts.pool.execute(
        'UPDATE accounts SET settings = settings || \'{"broker": {"account": "U1"}}\''
        " WHERE id = $1",
        number,
    )
    assert (await browser.get(path)).json()["arming"]["asks_for_number"] is True


async def test_an_old_proof_is_not_enough(
    browser: httpx.AsyncClient, parts: Parts, world: World
) -> None:
    number = await real_account(parts, world)
    await parts.pool.execute("UPDATE sessions SET verified_at = now() - interval '1 hour'")
    await parts.redis.flushdb()
    refused = await browser.post(f"/api/accounts/{number}/arm", json={"account": str(number)})
    assert refused.status_code == 403
    assert "step-up" in refused.json()["remedy"]
