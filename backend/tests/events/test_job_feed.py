"""The feed of runs: nothing is read for nobody, and nothing is missed while PostgreSQL is away."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from app.events import job_feed
from app.events.job_feed import JobFeed
from app.events.outbox import Message


class Runs:
    """Runs of a test: a number is over when it is in `over`."""

    def __init__(self) -> None:
        self.open: set[int] = set()
        self.over: set[int] = set()
        self.reads = 0
        self.failures = 0

    async def by_ids(self, ids: Sequence[int]) -> list[dict[str, Any]]:
        self.reads += 1
        if self.failures:
            self.failures -= 1
            raise OSError("away")
        known = [one for one in ids if one in self.open | self.over]
        return [{"id": one, "finished_at": 1 if one in self.over else None} for one in known]

    async def unfinished(self) -> list[int]:
        return sorted(self.open)


class Screen:
    """What a client has been told last of each place."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.news = asyncio.Event()

    def put_price(self, topic: str, message: Message) -> None:
        self.told.append(message.text)
        self.news.set()

    async def has(self, text: str) -> None:
        async with asyncio.timeout(60):
            while text not in self.told:
                self.news.clear()
                await self.news.wait()


@pytest.fixture
def runs() -> Runs:
    return Runs()


@pytest.fixture
async def feed(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[JobFeed]:
    monkeypatch.setattr(job_feed, "_WAIT_SECONDS", 0.001)
    feed = JobFeed(runs, lambda row: f'"{row["id"]} {row["finished_at"]}"')
    feed.start()
    yield feed
    await feed.stop()


def text(topic: str, said: str) -> str:
    return f'{{"topic":"{topic}","type":"job_run","data":"{said}"}}'


async def test_nothing_is_read_while_nobody_follows(feed: JobFeed, runs: Runs) -> None:
    runs.open = {1}
    feed.heard("1")
    feed.catch_up()
    screen = Screen()
    feed.follow("jobs", screen)
    await screen.has(text("jobs", "1 None"))
    assert runs.reads == 1
    feed.leave("jobs", screen)
    feed.leave("jobs", screen)
    feed.heard("1")
    assert runs.reads == 1


async def test_who_follows_one_run_hears_of_no_other(feed: JobFeed, runs: Runs) -> None:
    runs.open = {1, 2}
    one, every = Screen(), Screen()
    feed.follow("jobs:1", one)
    feed.follow("jobs", every)
    feed.heard("2")
    feed.heard("nonsense")
    await every.has(text("jobs", "2 None"))
    await one.has(text("jobs:1", "1 None"))
    assert set(one.told) == {text("jobs:1", "1 None")}


async def test_what_was_missed_is_read_again_and_what_ended_meanwhile_is_told(
    feed: JobFeed, runs: Runs
) -> None:
    runs.open = {1}
    screen = Screen()
    feed.follow("jobs", screen)
    await screen.has(text("jobs", "1 None"))
    runs.open, runs.over, runs.failures = {2}, {1}, 2
    feed.catch_up()
    await screen.has(text("jobs", "1 1"))
    await screen.has(text("jobs", "2 None"))
