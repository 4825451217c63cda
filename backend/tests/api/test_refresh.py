"""How often screens get prices: changed by anybody who may, and in force at once."""

import httpx

from app.api.parts import Parts
from app.api.refresh import KEY
from tests.api.world import eventually


async def test_the_limit_takes_effect_without_a_restart(
    admin: httpx.AsyncClient, parts: Parts
) -> None:
    assert parts.prices.every == 1
    body = {"key": KEY, "value": 7, "reason": "slow line"}
    answer = await admin.post("/api/trading-engine/config", json=body)
    assert answer.status_code == 200
    await eventually(lambda: parts.prices.every == 7)
    assert (await admin.put(f"/api/config/{KEY}", json={"value": 2})).status_code == 200
    await eventually(lambda: parts.prices.every == 2)


async def test_another_limit_changes_nothing(admin: httpx.AsyncClient, parts: Parts) -> None:
    await admin.put("/api/config/max_concurrent_orders", json={"value": 3})
    await admin.put(f"/api/config/{KEY}", json={"value": 4})
    await eventually(lambda: parts.prices.every == 4)


async def test_it_is_read_again_after_the_database_was_away(parts: Parts) -> None:
    await parts.pool.execute("ALTER TABLE system_config RENAME TO away")
    parts.refresh.catch_up()
    await parts.pool.execute("ALTER TABLE away RENAME TO system_config")
    await parts.pool.execute(f"UPDATE system_config SET value = '9' WHERE key = '{KEY}'")
    parts.refresh.heard(KEY)
    await eventually(lambda: parts.prices.every == 9)
