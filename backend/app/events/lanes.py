"""Which key of a handler is next: four priority lanes, order within a key, keys that are held."""

from collections import deque
from collections.abc import Iterable
from heapq import heappop, heappush
from typing import Final

import msgspec

from app.domain.events import Priority

MOST_OF_A_KEY: Final = 1_000
"Events of one key in memory; what is beyond waits in PostgreSQL."

Place = tuple[str, int]
"Stream and seq."


class Waiting(msgspec.Struct, gc=False):
    """An event that a handler has not handled yet: where it is, not what it says."""

    stream: str
    seq: int
    key: str
    lane: int
    event_type: str
    attempts: int = 0
    due_in: float = 0.0
    "Seconds until the next attempt, as of when it was read."

    @property
    def place(self) -> Place:
        return self.stream, self.seq


class _Key:
    """One key's queue."""

    def __init__(self) -> None:
        self.queue: deque[Waiting] = deque()
        self.by_lane = [0] * len(Priority)
        self.lane: int | None = None
        "Among the ready keys of this lane; None while it is at work or held."
        self.is_busy = False
        self.is_beyond = False
        "More of it waits in PostgreSQL."
        self.held_until: float | None = None
        self.is_careful = False
        "A batch of it failed: one by one until one has come through."

    @property
    def urgency(self) -> int:
        return max(lane for lane, count in enumerate(self.by_lane) if count)


class Lanes:
    """A handler's waiting events in memory. No I/O: times are seconds of the loop's clock.

    A key is as urgent as the most urgent event that waits in it: a critical event waits for those
    before it in its key, but not for other keys. It never overtakes within its key.
    """

    def __init__(self, most_of_a_key: int = MOST_OF_A_KEY) -> None:
        self._most = most_of_a_key
        self._keys: dict[str, _Key] = {}
        self._ready: list[dict[str, None]] = [{} for _ in Priority]
        self._held: list[tuple[float, str]] = []
        self._known: set[Place] = set()

    def __len__(self) -> int:
        return len(self._known)

    @property
    def held(self) -> int:
        """Keys that wait for their next attempt."""
        return sum(one.held_until is not None for one in self._keys.values())

    def add(self, waiting: Iterable[Waiting], now: float) -> None:
        """Take in what is to be handled; events of a key come in their order."""
        for one in waiting:
            if one.place in self._known:
                continue
            key = self._keys.setdefault(one.key, _Key())
            if key.is_beyond or len(key.queue) >= self._most:
                key.is_beyond = True
                continue
            if one.due_in > 0 and not key.queue and not key.is_busy:
                self._hold(one.key, key, now + one.due_in)
            key.queue.append(one)
            key.by_lane[one.lane] += 1
            self._known.add(one.place)
            self._offer(one.key, key)

    def take(self, most: int) -> list[Waiting]:
        """The first events of the most urgent ready key, which is at work until it is given back;
        empty when no key is ready."""
        for ready in reversed(self._ready):
            for name in ready:
                key = self._keys[name]
                del ready[name]
                key.lane, key.is_busy = None, True
                count = 1 if key.is_careful else min(most, len(key.queue))
                return [key.queue[index] for index in range(count)]
        return []

    def done(self, taken: list[Waiting]) -> None:
        """They are settled; the key goes on."""
        key = self._keys[taken[0].key]
        for one in taken:
            assert key.queue[0] is one
            key.queue.popleft()
            key.by_lane[one.lane] -= 1
            self._known.discard(one.place)
        key.is_careful = False
        self._give_back(taken[0].key, key)

    def one_by_one(self, taken: list[Waiting]) -> None:
        """A batch failed as a whole: take its events singly."""
        key = self._keys[taken[0].key]
        key.is_careful = True
        self._give_back(taken[0].key, key)

    def hold(self, one: Waiting, until: float) -> None:
        """The key's first event failed: nothing of the key before `until`."""
        key = self._keys[one.key]
        key.is_busy = False
        key.is_careful = True
        self._hold(one.key, key, until)

    def release(self, now: float) -> None:
        """Keys whose time has come are ready again."""
        while self._held and self._held[0][0] <= now:
            until, name = heappop(self._held)
            key = self._keys.get(name)
            if key is not None and key.held_until == until:
                key.held_until = None
                self._offer(name, key)

    def next_due(self) -> float | None:
        """When the next held key is to be released."""
        return self._held[0][0] if self._held else None

    def to_refill(self) -> list[str]:
        """Keys that have nothing left in memory but more in PostgreSQL."""
        return [
            name
            for name, key in self._keys.items()
            if key.is_beyond and not key.queue and not key.is_busy
        ]

    def refill(self, name: str, waiting: list[Waiting], now: float) -> None:
        """The next events of such a key, fewer than fit when these are all that there are."""
        self._keys[name].is_beyond = False
        self.add(waiting, now)
        key = self._keys[name]
        key.is_beyond = len(waiting) >= self._most
        self._forget_empty(name, key)

    def _hold(self, name: str, key: _Key, until: float) -> None:
        key.held_until = until
        heappush(self._held, (until, name))

    def _offer(self, name: str, key: _Key) -> None:
        """Put a key into the lane of its most urgent event, unless it is at work or held."""
        if key.is_busy or key.held_until is not None:
            return
        lane = key.urgency
        if key.lane != lane:
            if key.lane is not None:
                del self._ready[key.lane][name]
            key.lane = lane
            self._ready[lane][name] = None

    def _give_back(self, name: str, key: _Key) -> None:
        key.is_busy = False
        if key.queue:
            self._offer(name, key)
        else:
            self._forget_empty(name, key)

    def _forget_empty(self, name: str, key: _Key) -> None:
        if not key.queue and not key.is_beyond:
            del self._keys[name]
