"""The hub on a journal in memory: order, resume, and clients that stall."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import orjson
import pytest

from app.core.clock import now
from app.events.envelope import deployment_of, envelope
from app.events.hub import Hub, Subscription
from app.events.outbox import Outbox


class MemoryJournal:
    """Streams as lists; can be away."""

    def __init__(self) -> None:
        self.streams: dict[str, list[dict[str, Any]]] = {}
        self.is_away = False

    def append(self, stream: str, kind: str = "order_filled", **data: object) -> str:
        rows = self.streams.setdefault(stream, [])
        rows.append(
            {
                "stream": stream,
                "seq": len(rows) + 1,
                "type": kind,
                "priority": "high",
                "occurred_at": now(),
                "recorded_at": now(),
                "caused_by": None,
                "correlation_id": None,
                "actor": "engine",
                "data": orjson.dumps({"type": kind, **data}).decode(),
            }
        )
        return f"{stream}:{len(rows)}"

    async def after(self, stream: str, seq: int, limit: int) -> list[dict[str, Any]]:
        self._check()
        return self.streams.get(stream, [])[seq : seq + min(limit, 3)]

    async def heads(self) -> dict[str, int]:
        self._check()
        return {stream: len(rows) for stream, rows in self.streams.items()}

    def _check(self) -> None:
        if self.is_away:
            raise asyncpg.InterfaceError("away")


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()


@pytest.fixture
async def hub(journal: MemoryJournal) -> AsyncIterator[Hub]:
    hub = Hub(journal)
    hub.start()
    await hub.ready.wait()
    yield hub
    await hub.stop()


def subscription(topic: str, outbox: Outbox | None = None, **positions: int) -> Subscription:
    return Subscription(
        topic,
        Outbox() if outbox is None else outbox,
        lambda stream: stream != "account:9",
        positions,
    )


async def seqs(taker: Subscription, count: int) -> list[int]:
    found: list[int] = []
    async with asyncio.timeout(60):
        while len(found) < count:
            found += [message.seq for message in await taker.outbox.take()]
    return found


async def test_history_is_not_told_to_whoever_only_listens(journal: MemoryJournal) -> None:
    journal.append("account:1")
    hub = Hub(journal)
    hub.start()
    await hub.ready.wait()
    taker = subscription("events")
    hub.subscribe(taker)
    hub.heard(journal.append("account:1"))
    assert await seqs(taker, 1) == [2]
    await hub.stop()


async def test_each_topic_gets_its_own(journal: MemoryJournal, hub: Hub) -> None:
    topics = ("events", "events:order_filled", "account:1", "deployment:3", "deployment:4")
    takers = {topic: subscription(topic) for topic in topics}
    for taker in takers.values():
        hub.subscribe(taker)
    hub.heard(journal.append("account:1", execution={"ledger": "d3"}))
    hub.heard(journal.append("account:2", "order_denied", ledger="manual"))
    await seqs(takers["events"], 2)
    heard = {topic: len(taker.outbox) for topic, taker in takers.items()}
    assert heard == {
        "events": 0, "events:order_filled": 1, "account:1": 1, "deployment:3": 1, "deployment:4": 0,
    }  # fmt: skip


async def test_a_lost_notice_is_made_good_by_looking(journal: MemoryJournal, hub: Hub) -> None:
    taker = subscription("events")
    hub.subscribe(taker)
    journal.append("account:1")
    assert await seqs(taker, 1) == [1]


async def test_a_hidden_stream_stays_hidden(journal: MemoryJournal, hub: Hub) -> None:
    taker = subscription("events")
    hub.subscribe(taker)
    hub.heard(journal.append("account:9"))
    hub.heard(journal.append("account:1"))
    [message] = await taker.outbox.take()
    assert message.stream == "account:1"


async def test_a_replay_and_live_events_meet_without_a_seam(
    journal: MemoryJournal, hub: Hub
) -> None:
    for _ in range(20):
        journal.append("account:1")
    hub.catch_up()
    taker = subscription("events", **{"account:1": 5})
    hub.subscribe(taker, ["account:1"])
    replay = asyncio.create_task(hub.replay(taker, "account:1"))
    for _ in range(20):
        hub.heard(journal.append("account:1"))
        await asyncio.sleep(0)
    await replay
    hub.heard(journal.append("account:1"))
    assert await seqs(taker, 36) == list(range(6, 42))


async def test_a_stalled_client_costs_the_others_nothing(journal: MemoryJournal, hub: Hub) -> None:
    stalled, reading = subscription("events", Outbox(messages=3)), subscription("events")
    for taker in (stalled, reading):
        hub.subscribe(taker)
    for _ in range(10):
        hub.heard(journal.append("account:1"))
    assert await seqs(reading, 10) == list(range(1, 11))
    assert stalled.outbox.unsent == {"account:1": 1}


async def test_the_database_away_delays_and_loses_nothing(journal: MemoryJournal, hub: Hub) -> None:
    taker = subscription("events")
    hub.subscribe(taker)
    journal.is_away = True
    hub.heard(journal.append("account:1"))
    async with asyncio.timeout(60):
        while hub.is_current:  # noqa: ASYNC110 - a flag, no event
            await asyncio.sleep(0.01)
    assert hub.lag == 1
    journal.is_away = False
    assert await seqs(taker, 1) == [1]
    assert hub.lag == 0
    assert hub.delivery_ms() >= 0


async def test_nobody_listens_any_more(journal: MemoryJournal, hub: Hub) -> None:
    taker, other = subscription("events"), subscription("events:order_filled")
    hub.subscribe(taker)
    hub.subscribe(other)
    hub.unsubscribe(taker)
    hub.heard(journal.append("account:1"))
    await seqs(other, 1)
    assert len(taker.outbox) == 0


@pytest.mark.parametrize("notice", ["", "x", "account:1:", ":", "account:1:x"])
async def test_nonsense_notices_are_ignored(hub: Hub, notice: str) -> None:
    hub.heard(notice)
    assert hub.lag == 0


@pytest.mark.parametrize(
    ("data", "deployment"),
    [
        ({"deployment_id": 3}, 3),
        ({"deployment": {"deployment_id": 4}}, 4),
        ({"order": {"ledger": "d12"}}, 12),
        ({"ledger": "d5"}, 5),
        ({"ledger": "manual"}, None),
        ({"signal": {"deployment_id": None, "ledger": "d7"}}, 7),
        ({"position": "d7"}, None),
        ({}, None),
    ],
)
def test_the_deployment_of_an_event(data: dict[str, Any], deployment: int | None) -> None:
    assert deployment_of(data) == deployment


def test_a_message_is_json_with_topic_stream_and_seq() -> None:
    journal = MemoryJournal()
    journal.append("account:1", feed='quo"te')
    event = envelope(journal.streams["account:1"][0])
    message = orjson.loads(event.text("events"))
    assert (message["topic"], message["stream"], message["seq"]) == ("events", "account:1", 1)
    assert message["data"]["feed"] == 'quo"te'
