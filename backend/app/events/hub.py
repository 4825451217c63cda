"""Committed events from the journal to every subscriber: in order, without loss."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final, Protocol

import asyncpg
import msgspec

from app.core import clock
from app.core.logging import get_logger
from app.core.tasks import end
from app.events.envelope import Envelope, envelope
from app.events.outbox import Message, Outbox

_PAGE: Final = 1_000
_BREATH: Final = 50
_POLL_SECONDS: Final = 1.0
_SAMPLES: Final = 2_000
log = get_logger("api")

AWAY: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
"PostgreSQL does not answer just now."


class Journal(Protocol):
    """What the hub reads from."""

    async def after(self, stream: str, seq: int, limit: int) -> list[dict[str, Any]]: ...

    async def heads(self) -> dict[str, int]: ...


class Subscription(msgspec.Struct, eq=False):
    """One client's interest in one topic, in the streams it may see."""

    topic: str
    outbox: Outbox
    sees: Callable[[str], bool]
    positions: dict[str, int] = {}
    "Last seq handed to the outbox, by stream."
    replaying: set[str] = set()
    "Streams that a replay still feeds: live events wait for it."

    def offer(self, event: Envelope, message: Message) -> None:
        """Take a live event, unless it is not ours to see, known, or for the replay to bring."""
        if event.stream in self.replaying or not self.sees(event.stream):
            return
        if event.seq > self.positions.get(event.stream, 0):
            self.outbox.add(message)
            self.positions[event.stream] = event.seq


class Hub:
    """Follows every stream from its head and hands each event to the topics' subscribers."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._subscribers: dict[str, set[Subscription]] = defaultdict(set)
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._wanted: dict[str, int] = {}
        self._delays: deque[float] = deque(maxlen=_SAMPLES)
        self.positions: dict[str, int] = {}
        "Last seq given out, by stream."
        self.is_current = False
        self.ready = asyncio.Event()

    # ------------------------------------------------------------------------------- life

    def start(self) -> None:
        """Follow in the background."""
        self._task = asyncio.create_task(self._run(), name="hub")

    async def stop(self) -> None:
        """Stop following."""
        await end([self._task])

    def heard(self, notice: str) -> None:
        """A notice `<stream>:<seq>` of the journal's channel."""
        stream, _, seq = notice.rpartition(":")
        if stream and seq.isdigit():
            self._wanted[stream] = max(int(seq), self._wanted.get(stream, 0))
        self._wake.set()

    def catch_up(self) -> None:
        """Notices may have been missed."""
        self._wanted.clear()
        self._wake.set()

    @property
    def lag(self) -> int:
        """Events known to be committed but not given out yet."""
        return sum(
            max(0, seq - self.positions.get(stream, seq)) for stream, seq in self._wanted.items()
        )

    def delivery_ms(self) -> float:
        """95th percentile of the time from commit to the subscribers' outboxes."""
        ordered = sorted(self._delays)
        return ordered[int(len(ordered) * 0.95)] * 1000 if ordered else 0.0

    async def _run(self) -> None:
        while True:
            try:
                await (self._turn() if self.ready.is_set() else self._begin())
                self.is_current = True
            except AWAY as error:
                self.is_current = False
                log.warning("hub_waits_for_database", error=str(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(_POLL_SECONDS):
                    await self._wake.wait()
            self._wake.clear()

    async def _begin(self) -> None:
        """Take every stream's head as the present; what came before is for replays."""
        self.positions = await self._journal.heads()
        self.ready.set()

    async def _turn(self) -> None:
        """Bring every stream to its head. A stream that is new is followed from its first event."""
        heads = dict(self._wanted) if self._wanted else await self._journal.heads()
        for stream, head in heads.items():
            await self._follow(stream, head)
        for stream, head in heads.items():
            if self._wanted.get(stream, 0) <= head:
                self._wanted.pop(stream, None)

    async def _follow(self, stream: str, head: int) -> None:
        position = self.positions.setdefault(stream, 0)
        while position < head:
            rows = await self._journal.after(stream, position, _PAGE)
            if not rows:
                return
            now = clock.now()
            for number, row in enumerate(rows, 1):
                self._delays.append(max(0.0, (now - row["recorded_at"]).total_seconds()))
                self._give(envelope(row))
                if number % _BREATH == 0:
                    await asyncio.sleep(0)  # so that what was given out is sent meanwhile
            position = self.positions[stream]

    def _give(self, event: Envelope) -> None:
        for topic in event.topics:
            if subscribers := self._subscribers.get(topic):
                message = Message(event.text(topic), event.stream, event.seq)
                for subscription in subscribers:
                    subscription.offer(event, message)
        self.positions[event.stream] = event.seq

    # ----------------------------------------------------------------------- subscriptions

    def subscribe(self, subscription: Subscription, streams: Iterable[str] = ()) -> None:
        """Begin to deliver; `streams` are brought by `replay` first."""
        subscription.replaying = set(streams)
        for stream, position in self.positions.items():
            subscription.positions.setdefault(stream, position)
        self._subscribers[subscription.topic].add(subscription)

    def unsubscribe(self, subscription: Subscription) -> None:
        """Deliver no more."""
        remaining = self._subscribers[subscription.topic]
        remaining.discard(subscription)
        if not remaining:
            del self._subscribers[subscription.topic]

    async def replay(self, subscription: Subscription, stream: str) -> None:
        """Bring what came after the subscription's position, then let the live events flow.

        No event can fall between: the switch happens without an await, at the hub's own position.
        """
        await self.ready.wait()
        while True:
            position = subscription.positions.get(stream, 0)
            if position >= self.positions.get(stream, 0):
                subscription.replaying.discard(stream)
                return
            await subscription.outbox.room()
            if subscription.outbox.is_full:
                return
            rows = await self._patiently(stream, position)
            for row in rows:
                event = envelope(row)
                if subscription.topic in event.topics:
                    text = event.text(subscription.topic)
                    subscription.outbox.put(text, stream, event.seq)
                subscription.positions[stream] = event.seq
            if not rows:
                subscription.replaying.discard(stream)
                return

    async def _patiently(self, stream: str, position: int) -> list[dict[str, Any]]:
        """The next page, however long PostgreSQL is away."""
        while True:
            try:
                return await self._journal.after(stream, position, _PAGE)
            except AWAY:
                await asyncio.sleep(_POLL_SECONDS)
