"""Channels, deliveries and rules over HTTP: who may, what is refused, and that nothing leaks."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.api.parts import Parts
from app.core.clock import now
from app.domain.events import Severity
from app.repositories import alert_deliveries
from app.repositories import alerts as rows
from app.repositories.alerts import NewAlert
from app.repositories.journal import SharedJournal
from tests.alerting.loopback import web_hook
from tests.api.world import World, client_of, key_of

CHANNELS = "/api/notification-channels"


@pytest.fixture
def private(environment: pytest.MonkeyPatch) -> None:
    """Channels may reach this machine."""
    environment.setenv("NOTIFICATIONS_ALLOW_PRIVATE", "true")
    environment.setenv("NOTIFICATIONS_TIMEOUT_SECONDS", "60")


async def raised(parts: Parts, account_id: int | None = None) -> int:
    alert = NewAlert(
        key=f"disk:{account_id}", category="system", severity=Severity.CRITICAL, title="Disk",
        account_id=account_id, rule="component_unwell",
    )  # fmt: skip
    async with parts.pool.acquire() as db, db.transaction():
        return await rows.raise_alert(db, SharedJournal(parts.pool, b"k" * 32), alert, now())


async def added(client: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    body = {"name": "mail", "url": "json://127.0.0.1:1/s3cret-path", **more}
    answer = await client.post(CHANNELS, json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_channel_is_made_changed_and_removed_and_its_address_is_never_shown(
    browser: httpx.AsyncClient, parts: Parts
) -> None:
    made = await added(browser, quiet_from="22:00", quiet_to="07:00", time_zone="Europe/Berlin")
    assert (made["hint"], made["min_severity"]) == ("json://127.0.0.1:1", "warning")
    place = f"{CHANNELS}/{made['id']}"
    body = {"min_severity": "error", "categories": ["trading"], "is_enabled": False}
    changed = (await browser.put(place, json=body)).json()
    assert (changed["categories"], changed["quiet_from"]) == (["trading"], None)
    url = "jsons://hooks.example.org/T0/s3cret-path"
    moved = (await browser.put(place, json={"url": url})).json()
    assert moved["hint"] == "jsons://hooks.example.org"
    listed = await browser.get(CHANNELS)
    assert [one["name"] for one in listed.json()["items"]] == ["mail"]
    assert "s3cret" not in listed.text
    sealed = await parts.pool.fetchval("SELECT ciphertext FROM notification_channels")
    audited = await parts.pool.fetch("SELECT payload::text AS said FROM audit_trail")
    assert b"s3cret" not in sealed
    assert "s3cret" not in str(audited)
    assert (await browser.delete(place)).status_code == 204
    assert (await browser.delete(place)).status_code == 404
    assert (await browser.put(place, json={})).status_code == 404
    assert (await browser.post(f"{place}/test")).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"url": "quux://example.org"}, "url"),
        ({"url": "syslog://"}, "url"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"quiet_from": "22:00"}, "quiet_to"),
        ({"quiet_to": "22:00"}, "quiet_from"),
        ({"categories": ["weather"]}, "categories.0"),
        ({"name": "<script>"}, "name"),
        ({"level": 10}, "level"),
        ({"min_severity": "loud"}, "min_severity"),
    ],
    ids=str,
)
async def test_what_cannot_be_is_refused_with_the_field(
    calm_browser: httpx.AsyncClient, body: dict[str, Any], field: str
) -> None:
    whole = {"name": "mail", "url": "json://127.0.0.1:1/x", **body}
    answer = await calm_browser.post(CHANNELS, json=whole)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_a_name_is_taken_once(browser: httpx.AsyncClient) -> None:
    await added(browser)
    body = {"name": "mail", "url": "json://127.0.0.1:1/x"}
    assert (await browser.post(CHANNELS, json=body)).status_code == 409


async def test_the_test_button_says_whether_the_message_arrived(
    private: None, browser: httpx.AsyncClient
) -> None:
    async with web_hook() as hook:
        made = await added(browser, url=f"json://127.0.0.1:{hook.port}/x")
        place = f"{CHANNELS}/{made['id']}/test"
        good = (await browser.post(place)).json()
        hook.status = 500
        bad = (await browser.post(place)).json()
        assert len(hook.taken) == 1
    assert (good["is_delivered"], bad["is_delivered"]) == (True, False)
    assert bad["detail"]


@pytest.fixture
async def trader(app: FastAPI, parts: Parts, world: World) -> tuple[httpx.AsyncClient, int, int]:
    """Somebody with an account, and the numbers of theirs and of another one."""
    mine, other = await world.account("Mine"), await world.account("Theirs")
    user = await world.person("grace@example.com", "trader", (mine,))
    client = client_of(app, await key_of(parts, user, "trader", "read", "trade"))
    return client, mine, other


async def test_alerts_of_accounts_that_somebody_does_not_see_are_not_there_for_them(
    trader: tuple[httpx.AsyncClient, int, int], parts: Parts
) -> None:
    client, mine, other = trader
    own, foreign, everybodys = [await raised(parts, one) for one in (mine, other, None)]
    async with client:
        for path in ("", "/deliveries"):
            assert (await client.get(f"/api/alerts/{own}{path}")).status_code == 200
            assert (await client.get(f"/api/alerts/{foreign}{path}")).status_code == 404
            assert (await client.get(f"/api/alerts/{everybodys}{path}")).status_code == 200
        for act in ("acknowledge", "resolve"):
            assert (await client.post(f"/api/alerts/{foreign}/{act}")).status_code == 404
            assert (await client.post(f"/api/alerts/{own}/{act}")).status_code == 200
        assert (await client.get(CHANNELS)).status_code == 403
        change = await client.put("/api/alert-rules/thresholds/x", json={"value": 1})
        assert change.status_code == 403
    state = await parts.pool.fetchval("SELECT resolved_at FROM alerts WHERE id = $1", foreign)
    assert state is None


async def test_deliveries_say_who_was_told_and_why_not(
    admin: httpx.AsyncClient, parts: Parts
) -> None:
    alert = await raised(parts)
    at = now()
    await alert_deliveries.add(parts.pool, alert, ["mail", "phone"], "raised", 1, at)
    claimed = await alert_deliveries.claim(parts.pool, at, at + timedelta(minutes=1), 2)
    await alert_deliveries.delivered(parts.pool, claimed[0]["id"], at)
    await alert_deliveries.give_up(parts.pool, claimed[1]["id"], "dead", "Nobody answers.")
    items = (await admin.get(f"/api/alerts/{alert}/deliveries")).json()["items"]
    told = {one["channel"]: (one["status"], one["error"]) for one in items}
    assert told == {"mail": ("delivered", None), "phone": ("dead", "Nobody answers.")}
    shown = (await admin.get(f"/api/alerts/{alert}")).json()
    assert (shown["rule"], shown["escalations"]) == ("component_unwell", 0)


async def test_rules_are_listed_and_a_threshold_is_changed_with_its_history(
    admin: httpx.AsyncClient,
) -> None:
    place = "/api/alert-rules/thresholds/alerts.backup_hours"
    found = (await admin.get("/api/alert-rules")).json()
    assert {"no_backup", "order_rejected", "failed_sign_ins", "notification_failed"} <= {
        one["name"] for one in found["items"]
    }
    changed = (await admin.put(place, json={"value": 30, "reason": "slow"})).json()
    assert (changed["value"], changed["default"]) == (30, 26)
    assert (await admin.put(place, json={"value": 30})).status_code == 200
    history = (await admin.get("/api/config/history")).json()["items"]
    assert [(one["key"], one["after"]) for one in history if one["reason"]] == [
        ("alerts.backup_hours", 30)
    ]
    refused = await admin.put(place, json={"value": 0})
    assert (refused.status_code, refused.json()["field"]) == (422, "value")
    nearest = await admin.put("/api/alert-rules/thresholds/backup_hour", json={"value": 3})
    assert (nearest.status_code, nearest.json()["remedy"]) == (404, "Did you mean backup_hours?")
