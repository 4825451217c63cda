"""Publishers: handed over at once, stored in order and in batches, through an outage too."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import asyncpg
import pytest

from app.core.clock import system
from app.core.errors import Unavailable
from app.db.session import create_pool
from app.domain.events import Event
from app.domain.ports import Entry
from app.events.publishers import Publisher, SystemEvents
from app.repositories import journal
from app.repositories.journal import SharedJournal
from tests.events.bus_world import KEY, connected


class Listed:
    """A stream as a list; may be away, and cannot store one feed."""

    def __init__(self) -> None:
        self.stored: list[Event] = []
        self.batches: list[int] = []
        self.outages = 0

    async def append(self, entries: Sequence[Entry]) -> int:
        await asyncio.sleep(0)
        if self.outages:
            self.outages -= 1
            raise asyncpg.InterfaceError("away")
        if any(getattr(entry.event, "feed", "") == "bad" for entry in entries):
            raise ValueError("cannot be stored")
        self.stored += [entry.event for entry in entries]
        self.batches.append(len(entries))
        return len(self.stored)


@pytest.fixture
def stream() -> Listed:
    return Listed()


@pytest.fixture
async def publisher(stream: Listed) -> AsyncIterator[Publisher]:
    publisher = Publisher(stream)
    publisher.start()
    yield publisher
    await publisher.stop()


async def test_events_are_stored_in_order_and_many_at_once(
    publisher: Publisher, stream: Listed
) -> None:
    events = [connected(str(number)) for number in range(1_200)]
    seqs = [publisher.publish(event) for event in events]
    await publisher.flush()
    assert (stream.stored, stream.batches) == (events, [500, 500, 200])
    assert [seq.result() for seq in seqs] == list(range(1, 1_201))
    assert (len(publisher), publisher.published) == (0, 1_200)


async def test_an_outage_is_waited_for(publisher: Publisher, stream: Listed) -> None:
    stream.outages = 2
    assert await publisher.publish(connected("a")) == 1


async def test_what_cannot_be_stored_is_refused_alone(publisher: Publisher, stream: Listed) -> None:
    first, bad, last = (publisher.publish(connected(name)) for name in ("a", "bad", "b"))
    with pytest.raises(ValueError, match="cannot be stored"):
        await bad
    assert (await first, await last) == (1, 2)


async def test_more_than_fits_is_refused_with_the_reason(stream: Listed) -> None:
    publisher = Publisher(stream, most_waiting=2)
    publisher.publish(connected("a"))
    publisher.publish(connected("b"))
    with pytest.raises(Unavailable, match="2 events wait"):
        publisher.publish(connected("c"))
    await publisher.stop(seconds=0)  # nobody stores: it says what is lost and returns
    assert len(publisher) == 2


async def test_every_fact_of_the_platform_reaches_the_journal(database_url: str) -> None:
    pool = await create_pool(database_url, max_size=2)
    publisher = Publisher(SharedJournal(pool, KEY))
    publisher.start()
    facts = SystemEvents(publisher, system)
    facts.feed_connected("databento")
    facts.feed_disconnected("databento", "lost")
    last = await facts.tell(connected("a"))
    await publisher.stop()
    rows = await journal.read(pool, "system")
    assert [row.event_type for row in rows] == [
        "feed_connected", "feed_disconnected", "feed_connected",
    ]  # fmt: skip
    assert await journal.verify(pool, "system", KEY) == last == 3
    await pool.close()
