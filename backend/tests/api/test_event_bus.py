"""The event bus over HTTP: statistics, dead letters and their way back, causes of events."""

import asyncpg
import httpx
import pytest

from app.api.parts import Parts
from app.core.clock import now, system
from app.domain.events import BrokerConnected, BrokerDisconnected, FeedConnected
from app.domain.ports import Entry
from app.events.bus_statistics import HandlerStatistics
from app.events.handlers import CommittedEvent, EventHandler
from app.repositories import heartbeats
from app.repositories.handler_deliveries import HandlerDeliveries
from app.repositories.journal import SharedJournal
from tests.api.world import World, client_of, key_of

KEY = b"k" * 32


class Silent(EventHandler):
    """Only its name matters."""

    name = "silent"
    from_beginning = True

    async def handle(self, event: CommittedEvent, db: asyncpg.Connection) -> None:
        """Nothing."""


@pytest.fixture
def journal(parts: Parts) -> SharedJournal:
    return SharedJournal(parts.pool, KEY)


@pytest.fixture
async def dead(parts: Parts, journal: SharedJournal) -> int:
    """Seq of an event of `system` that was given up; another one waits."""
    deliveries = HandlerDeliveries(parts.pool, journal, system)
    await deliveries.enroll(Silent())
    events = [Entry(FeedConnected(feed=name, at=now())) for name in "ab"]
    last = await journal.append(events)
    first, _ = await deliveries.hand_out(Silent(), "system", 0, last)
    first.attempts = 6
    await deliveries.bury("silent", first, "ValueError: no")
    return first.seq


async def test_a_dead_letter_is_listed_and_sent_again(
    admin: httpx.AsyncClient, parts: Parts, dead: int
) -> None:
    (item,) = (await admin.get("/api/dead-letters?handler=silent&stream=system")).json()["items"]
    assert (item["seq"], item["error"], item["data"]["feed"]) == (dead, "ValueError: no", "a")
    alerts = (await admin.get("/api/alerts?state=open")).json()["items"]
    assert [one["title"] for one in alerts] == ["Handler silent could not handle an event"]
    answer = await admin.post("/api/dead-letters/redrive", json={"handler": "silent"})
    assert answer.json() == {"redriven": 1, "handlers": {"silent": 1}}
    assert (await admin.get("/api/dead-letters")).json()["items"] == []
    assert (await admin.get("/api/alerts?state=open")).json()["items"] == []
    assert await parts.pool.fetchval("SELECT count(*) FROM audit_trail WHERE action = 'redriven'")


async def test_what_cannot_be_sent_again_is_said(admin: httpx.AsyncClient, dead: int) -> None:
    path = "/api/dead-letters/redrive"
    assert (await admin.post(path, json={"handler": "other"})).status_code == 404
    answer = await admin.post(path, json={"seq": dead})
    assert (answer.status_code, answer.json()["field"]) == (422, "stream")
    assert (await admin.post(path, json={"stream": "audit"})).status_code == 404


async def test_only_an_admin_sends_again_and_only_what_one_may_see_is_listed(
    parts: Parts, world: World, app: object, dead: int
) -> None:
    own, other = await world.account("Own"), await world.account("Other")
    deliveries = HandlerDeliveries(parts.pool, SharedJournal(parts.pool, KEY), system)
    for account in (own, other):
        stream = f"account:{account}"
        journal = SharedJournal(parts.pool, KEY, stream)
        last = await journal.append([Entry(BrokerConnected(broker="paper", at=now()))])
        await deliveries.enroll(Silent())
        (one,) = await deliveries.hand_out(Silent(), stream, 0, last)
        await deliveries.bury("silent", one, "no")
    user = await world.person("eve@example.com", "viewer", (own,))
    key = await key_of(parts, user, "viewer", "read")
    async with client_of(app, key) as viewer:  # type: ignore[arg-type]  # the application
        items = (await viewer.get("/api/dead-letters")).json()["items"]
        assert {one["stream"] for one in items} == {"system", f"account:{own}"}
        assert (await viewer.post("/api/dead-letters/redrive", json={})).status_code == 403
        seen = await viewer.get(f"/api/events/account:{own}/1/causation")
        hidden = await viewer.get(f"/api/events/account:{other}/1/causation")
        assert (seen.status_code, hidden.status_code) == (200, 404)


async def test_the_bus_says_how_its_handlers_stand(
    admin: httpx.AsyncClient, parts: Parts, dead: int
) -> None:
    nobody = (await admin.get("/api/event-bus")).json()
    assert nobody["status"] == "unhealthy"
    (handler,) = nobody["handlers"]
    assert (handler["state"], handler["waiting"], handler["dead_letters"]) == ("nobody", 1, 1)
    statistics = HandlerStatistics()
    statistics.published = 2
    statistics.came_through("feed_connected", 1, 0.002, 0.004)
    told = {"is_current": True, "lag": 0, "waiting": 9, "keys_held": 1, "at_work": 0}
    state = {"handlers": {"silent": {**told, **statistics.told()}}}
    await heartbeats.beat(parts.pool, "bus:here:1", state)
    found = (await admin.get("/api/event-bus")).json()
    (handler,) = found["handlers"]
    assert (found["status"], found["published"], found["handled"]) == ("degraded", 2, 1)
    assert (handler["state"], handler["worker"], handler["waiting"]) == ("running", "here:1", 1)
    assert handler["by_type"]["feed_connected"]["mean_ms"] == 2.0
    assert handler["by_lane"]["normal"]["count"] == 1
    assert found["fan_out"] is None
    await admin.post("/api/dead-letters/redrive", json={})
    for worker, lag in (("one", 3), ("two", 1)):
        copied = {"is_connected": True, "published": 5, "lag": lag}
        await heartbeats.beat(parts.pool, f"fan_out:{worker}", copied)
    healthy = (await admin.get("/api/event-bus")).json()
    assert (healthy["status"], healthy["detail"]) == ("healthy", "1 handlers run; 2 events wait.")
    assert healthy["fan_out"] == {"is_connected": True, "published": 10, "lag": 1}


async def test_causes_and_effects_of_an_event_are_found(
    admin: httpx.AsyncClient, journal: SharedJournal
) -> None:
    lost = BrokerDisconnected(broker="paper", reason="test", at=now())
    back = BrokerConnected(broker="paper", at=now())
    await journal.append([Entry(back), Entry(lost)])
    # 3 causes 4 and 5, 4 causes 6; 7 is another story
    await journal.append([Entry(lost), Entry(back, 0), Entry(lost, 0), Entry(back, 1), Entry(lost)])
    found = (await admin.get("/api/events/system/4/causation")).json()
    assert [one["seq"] for one in found["ancestors"]] == [3]
    assert (found["event"]["seq"], found["event"]["caused_by"]) == (4, 3)
    assert [one["seq"] for one in found["descendants"]] == [6]
    assert found["is_complete"]
    root = (await admin.get("/api/events/system/3/causation")).json()
    assert [one["seq"] for one in root["descendants"]] == [4, 5, 6]
    for path in ("/api/events", "/api/trading-engine/event-history"):
        children = (await admin.get(f"{path}?stream=system&caused_by=3")).json()["items"]
        assert [one["seq"] for one in children] == [5, 4]
    assert (await admin.get("/api/events/system/99/causation")).status_code == 404
    strange = await admin.get("/api/events?stream=no stream&caused_by=3")
    assert (strange.status_code, strange.json()["items"]) == (200, [])
    answer = await admin.get("/api/events?caused_by=3")
    assert (answer.status_code, answer.json()["field"]) == (422, "stream")
