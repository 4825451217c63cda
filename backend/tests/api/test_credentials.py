"""`/api/credentials`: an admin sets and forgets keys; nobody reads one."""

import httpx
from fastapi import FastAPI

from app.api.parts import Parts
from tests.api.world import World, client_of, key_of

SECRET = "PKCANARYCANARY99"


async def test_a_key_is_set_listed_and_forgotten_and_never_shown(
    browser: httpx.AsyncClient,
) -> None:
    done = await browser.put("/api/credentials/ALPACA_API_KEY", json={"value": SECRET})
    assert done.status_code == 200, done.text
    assert done.json()["is_stored"] is True
    listed = await browser.get("/api/credentials")
    one = await browser.get("/api/credentials/ALPACA_API_KEY")
    assert {item["name"] for item in listed.json()["items"]} >= {"ALPACA_API_KEY", "QUIVER_API_KEY"}
    assert SECRET not in done.text + listed.text + one.text
    assert (await browser.delete("/api/credentials/ALPACA_API_KEY")).status_code == 204
    assert (await browser.delete("/api/credentials/ALPACA_API_KEY")).status_code == 404


async def test_a_refusal_does_not_repeat_the_value(browser: httpx.AsyncClient) -> None:
    unknown = await browser.put("/api/credentials/ALPACA_KEY", json={"value": SECRET})
    assert (unknown.status_code, "ALPACA_API_KEY" in unknown.text) == (404, True)
    extra = await browser.put("/api/credentials/ALPACA_API_KEY", json={"value": SECRET, "x": 1})
    assert extra.status_code == 422
    long = await browser.put("/api/credentials/ALPACA_API_KEY", json={"value": SECRET * 1000})
    assert long.status_code == 422
    assert SECRET not in unknown.text + extra.text + long.text


async def test_only_admins_see_which_keys_there_are(
    app: FastAPI, parts: Parts, world: World
) -> None:
    user_id = await world.person("tom@example.com", "trader")
    key = await key_of(parts, user_id, "trader", "read", "trade")
    async with client_of(app, key) as client:
        assert (await client.get("/api/credentials")).status_code == 403
        assert (
            await client.put("/api/credentials/ALPACA_API_KEY", json={"value": "x"})
        ).status_code == 403
