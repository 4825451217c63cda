"""Runs of jobs to whoever follows them: the newest state of each, soon after it changed."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from app.core.logging import get_logger
from app.core.tasks import end
from app.events.hub import AWAY
from app.events.outbox import Message

EVERY: Final = "jobs"
"The topic of all runs; that of one is `jobs:17`."
_WAIT_SECONDS: Final = 1.0
log = get_logger("api")


class Runs(Protocol):
    """What the feed reads from."""

    async def by_ids(self, ids: Sequence[int]) -> list[dict[str, Any]]: ...

    async def unfinished(self) -> list[int]: ...


class Sink(Protocol):
    """Where a state goes: an outbox, in which a newer state takes the place of an older."""

    def put_price(self, topic: str, message: Message) -> None: ...


class JobFeed:
    """One reader a process, shared by all clients; reads nothing while nobody follows."""

    def __init__(self, runs: Runs, render: Callable[[dict[str, Any]], str]) -> None:
        """`render` makes a row of a run the JSON that clients get."""
        self._runs = runs
        self._render = render
        self._followers: dict[str, set[Sink]] = defaultdict(set)
        self._changed: set[int] = set()
        self._open: set[int] = set()
        self._doubts = False
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Read in the background."""
        self._task = asyncio.create_task(self._run(), name="job feed")

    async def stop(self) -> None:
        """Read no more."""
        await end([self._task])

    def heard(self, notice: str) -> None:
        """A notice of the channel `job_runs`: a run's number."""
        if notice.isdigit() and self._followers:
            self._changed.add(int(notice))
            self._wake.set()

    def catch_up(self) -> None:
        """Notices may have been missed: of runs that began meanwhile, and of those that ended."""
        if self._followers:
            self._doubts = True
            self._wake.set()

    def follow(self, topic: str, sink: Sink) -> None:
        """Send how things stand, and from now on what changes.

        Of `jobs` the runs that wait or are under way, of `jobs:17` that one.
        """
        self._followers[topic].add(sink)
        number = topic.partition(":")[2]
        if number:
            self._changed.add(int(number))
            self._wake.set()
        else:
            self.catch_up()

    def leave(self, topic: str, sink: Sink) -> None:
        """Send no more of it."""
        listeners = self._followers.get(topic, set())
        listeners.discard(sink)
        if not listeners:
            self._followers.pop(topic, None)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._turn()
            except AWAY as error:
                log.warning("job_feed_waits_for_database", error=str(error))
                self._wake.set()
                await asyncio.sleep(_WAIT_SECONDS)

    async def _turn(self) -> None:
        if self._doubts:
            self._changed |= {*self._open, *await self._runs.unfinished()}
            self._doubts = False
        changed, self._changed = self._changed, set()  # a notice from here on means another read
        try:
            rows = await self._runs.by_ids(sorted(changed))
        except AWAY:
            self._changed |= changed
            raise
        for row in rows:
            self._give(row)

    def _give(self, row: dict[str, Any]) -> None:
        self._note(row)
        for topic in (EVERY, f"{EVERY}:{row['id']}"):
            if sinks := self._followers.get(topic):
                message = self._message(topic, row)
                for sink in sinks:
                    sink.put_price(_place(topic, row), message)

    def _note(self, row: dict[str, Any]) -> None:
        if row["finished_at"] is None:
            self._open.add(row["id"])
        else:
            self._open.discard(row["id"])

    def _message(self, topic: str, row: dict[str, Any]) -> Message:
        return Message(f'{{"topic":"{topic}","type":"job_run","data":{self._render(row)}}}')


def _place(topic: str, row: dict[str, Any]) -> str:
    """Of each run only the newest state waits to be sent."""
    return f"{topic}#{row['id']}"
