"""Settings by API: every category in one list, checked, in force at once, taken back."""

import re
from itertools import count
from typing import Any

import httpx
import pytest

from app.api.parts import Parts
from app.core.errors import TooManyRequests
from app.core.retention import RetentionOptions
from app.core.sessions import SessionOptions
from app.core.system_config import current
from tests.api.world import PASSWORD, eventually
from tests.waiting import until

PATIENCE = 30.0
"Seconds: a busy machine is no failure."


async def entry(client: httpx.AsyncClient, key: str) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(f"/api/config/{key}")).json()
    return found


async def test_every_setting_is_listed_with_its_category_source_and_schema(
    calm_admin: httpx.AsyncClient,
) -> None:
    items = (await calm_admin.get("/api/config")).json()["items"]
    assert {one["category"] for one in items} == {
        "limits", "alerts", "log", "sessions", "rates", "backups", "retention", "monitoring",
        "quality", "notifications",
    }  # fmt: skip
    for one in items:
        assert one["description"]
        assert one["value_schema"]
        assert one["source"] in ("default", "profile", "environment", "stored")
        assert one["category"] == "limits" or one["key"].startswith(f"{one['category']}.")
    chosen = (await calm_admin.get("/api/config?category=sessions")).json()["items"]
    assert [one["key"] for one in chosen] == [
        "sessions.idle_minutes",
        "sessions.hours",
        "sessions.refresh_days",
    ]
    assert chosen[1]["value_schema"] == {"type": "integer", "minimum": 1, "maximum": 24}
    assert chosen[1]["variable"] == "SESSION_HOURS"
    assert (await calm_admin.get("/api/config?category=session")).status_code == 404


async def test_a_change_is_in_force_at_once_and_can_be_taken_back(
    admin: httpx.AsyncClient, parts: Parts
) -> None:
    key = "retention.ticks_days"
    before = await entry(admin, key)
    assert (before["value"], before["source"], before["default"]) == (90, "default", 90)
    answer = await admin.put(f"/api/config/{key}", json={"value": 7, "reason": "small disk"})
    assert (answer.json()["value"], answer.json()["source"]) == (7, "stored")
    assert answer.json()["fallback"] == 90
    await eventually(lambda: RetentionOptions().ticks_days == 7, PATIENCE)
    (change,) = (await admin.get(f"/api/config/history?key={key}")).json()["items"]
    assert (change["before"], change["after"], change["reason"]) == (None, 7, "small disk")
    events = (await admin.get("/api/events?type=config_changed")).json()["items"]
    assert events[0]["data"]["key"] == key

    back = await admin.post(f"/api/config/history/{change['id']}/rollback", json={})
    assert (back.json()["value"], back.json()["source"]) == (90, "default")
    await eventually(lambda: RetentionOptions().ticks_days == 90, PATIENCE)
    stored = "SELECT count(*) FROM system_config WHERE key = $1"
    assert await parts.pool.fetchval(stored, key) == 0
    noted = "SELECT count(*) FROM audit_trail WHERE resource = 'config' AND resource_id = $1"
    assert await parts.pool.fetchval(noted, key) == 2


async def test_null_takes_back_what_is_stored(admin: httpx.AsyncClient) -> None:
    key = "alerts.failed_sign_ins"
    assert (await admin.put(f"/api/config/{key}", json={"value": 9})).json()["value"] == 9
    thresholds = (await admin.get("/api/alert-rules")).json()["thresholds"]
    assert {one["key"]: one["value"] for one in thresholds}[key] == 9
    answer = (await admin.put(f"/api/config/{key}", json={"value": None})).json()
    assert (answer["value"], answer["source"]) == (5, "default")


@pytest.mark.parametrize(
    ("key", "body", "status", "why"),
    [
        ("sessions.hours", {"value": 25}, 422, "A whole number from 1 to 24."),
        ("rates.default", {"value": "1/day"}, 422, "must let through"),
        ("alerts.retries", {"value": 0}, 422, "A whole number from 1 to 100."),
        ("log.level", {"value": "DEBUG", "scope": "account:1"}, 422, "for the whole platform"),
        ("log.levl", {"value": "DEBUG"}, 404, "Did you mean log.level?"),
    ],
)
async def test_a_bad_value_is_refused_with_the_reason(
    calm_admin: httpx.AsyncClient, key: str, body: dict[str, Any], status: int, why: str
) -> None:
    answer = await calm_admin.put(f"/api/config/{key}", json=body)
    assert (answer.status_code, why in answer.text) == (status, True), answer.text


async def test_a_rate_limit_counts_as_it_was_changed(
    admin: httpx.AsyncClient, parts: Parts
) -> None:
    numbers = count()

    async def is_narrow() -> bool:
        person = f"user {next(numbers)}"
        try:
            for _ in range(3):
                await parts.gate.limits.admit("orders", person)
        except TooManyRequests:
            return True
        return False

    assert not await is_narrow()
    body = {"value": "2/second"}
    assert (await admin.put("/api/config/rates.orders", json=body)).status_code == 200
    await until(is_narrow, PATIENCE)


async def test_a_session_lasts_as_long_as_it_is_said_now(
    admin: httpx.AsyncClient, visitor: httpx.AsyncClient
) -> None:
    await admin.put("/api/config/sessions.hours", json={"value": 2})
    await eventually(lambda: current(SessionOptions).hours == 2, PATIENCE)
    body = {"email": "ada@example.com", "password": PASSWORD}
    answer = await visitor.post("/api/auth/sign-in", json=body)
    (age,) = re.findall(r"Max-Age=(\d+)", answer.headers["set-cookie"])
    assert 6_000 < int(age) <= 7_200
