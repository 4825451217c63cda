"""A vendor account's allowance of calls, shared by everything in this process that uses it."""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final
from weakref import WeakValueDictionary

from app.core.clock import Clock, system
from app.core.errors import TransientError

PATIENCE_SECONDS: Final = 90.0
"The longest that a call waits for its turn: a minute's allowance comes back within that."
PENALTY_SECONDS: Final = 5.0
"After a 429 that does not say how long."
_LEFT: Final = ("x-ratelimit-remaining", "ratelimit-remaining", "api-credits-left")
_RESET: Final = ("x-ratelimit-reset", "ratelimit-reset")
_EPOCH_SECONDS: Final = 1_000_000_000
"A reset time above this is an instant, below it a number of seconds."


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `credits` in any span of `seconds`."""

    credits: float
    seconds: float


class Budget:
    """Calls wait here for their turn. What the vendor says about our use of it is believed."""

    def __init__(
        self, name: str, *rates: Rate, reserve: float = 0.0, clock: Clock = system
    ) -> None:
        """`reserve` credits of every rate are left for urgent calls: orders pass a backfill by."""
        self.name = name
        self.waited_seconds = 0.0
        self.refusals = 0
        "How often the vendor said 429."
        self._windows = [_Window(rate, min(reserve, rate.credits - 1)) for rate in rates]
        self._clock = clock
        self._closed_until = 0.0
        self._turn = asyncio.Lock()

    async def take(
        self, cost: float = 1.0, *, urgent: bool = False, patience: float = PATIENCE_SECONDS
    ) -> None:
        """Wait until `cost` credits may be spent, first come, first served; then they are spent.

        Raises TransientError at once when that takes more than `patience` seconds. Raises
        ValueError for more credits than any span allows.
        """
        if any(cost > window.rate.credits for window in self._windows):
            raise ValueError(f"{cost} credits are more than {self.name} allows at once")
        if urgent:
            await self._wait(cost, patience, urgent=True)
            return
        async with self._turn:
            await self._wait(cost, patience, urgent=False)

    def pause(self, seconds: float) -> None:
        """Nobody calls for so long: the vendor asked for it (429, Retry-After)."""
        self._closed_until = max(self._closed_until, self._clock.monotonic() + seconds)

    def learn(self, status: int, headers: Mapping[str, str]) -> None:
        """Adopt what an answer says: a wait after a 429, or how much is left of the first rate."""
        known = {name.lower(): value for name, value in headers.items()}
        if status == 429:
            self.refusals += 1
            self.pause(self._asked_wait(known) or PENALTY_SECONDS)
            return
        left = _number(known, _LEFT)
        if left is None or not self._windows:
            return
        self._windows[0].set_left(left, self._clock.monotonic())
        if left <= 0 and (wait := self._until_reset(known)):
            self.pause(wait)

    def left(self) -> float:
        """Credits that could be spent this instant."""
        now = self._clock.monotonic()
        if now < self._closed_until:
            return 0.0
        return min((window.left(now) for window in self._windows), default=float("inf"))

    async def _wait(self, cost: float, patience: float, *, urgent: bool) -> None:
        deadline = self._clock.monotonic() + patience
        while (seconds := self._delay(cost, urgent=urgent)) > 0:
            if self._clock.monotonic() + seconds > deadline:
                raise TransientError(
                    f"The allowance of {self.name} is used up; the next call fits in"
                    f" {seconds:.0f} s.",
                    remedy="Wait, ask for less, or take a larger plan.",
                    api_name=self.name,
                    retry_after=seconds,
                )
            self.waited_seconds += seconds
            await asyncio.sleep(seconds)
        now = self._clock.monotonic()
        for window in self._windows:
            window.spend(cost, now)

    def _delay(self, cost: float, *, urgent: bool) -> float:
        now = self._clock.monotonic()
        waits = [window.delay(cost, now, urgent=urgent) for window in self._windows]
        return max([self._closed_until - now, *waits])

    def _asked_wait(self, headers: Mapping[str, str]) -> float | None:
        said = headers.get("retry-after", "").strip()
        if said.replace(".", "", 1).isdigit():
            return float(said)
        if said:
            try:
                return (parsedate_to_datetime(said) - self._clock.now()).total_seconds()
            except ValueError:
                pass
        return self._until_reset(headers)

    def _until_reset(self, headers: Mapping[str, str]) -> float | None:
        at = _number(headers, _RESET)
        if at is None:
            return None
        return at - self._clock.now().timestamp() if at > _EPOCH_SECONDS else at


class _Window:
    """What was spent within the last span of one rate: exact, where refilling drops would burst."""

    def __init__(self, rate: Rate, reserve: float) -> None:
        self.rate = rate
        self._reserve = reserve
        self._spent: deque[tuple[float, float]] = deque()
        self._sum = 0.0

    def left(self, now: float) -> float:
        while self._spent and self._spent[0][0] <= now - self.rate.seconds:
            self._sum -= self._spent.popleft()[1]
        return self.rate.credits - self._sum

    def spend(self, cost: float, now: float) -> None:
        self._spent.append((now, cost))
        self._sum += cost

    def set_left(self, left: float, now: float) -> None:
        """The vendor counts more than we do: others use the account too."""
        unseen = self.left(now) - left
        if unseen > 0:
            self.spend(unseen, now)

    def delay(self, cost: float, now: float, *, urgent: bool) -> float:
        """Seconds until `cost` fits."""
        kept = 0.0 if urgent else min(self._reserve, self.rate.credits - cost)
        missing = cost + kept - self.left(now)
        for at, amount in self._spent:
            if missing <= 0:
                break
            missing -= amount
            if missing <= 0:
                return max(at + self.rate.seconds - now, 0.001)
        return 0.0


def _number(headers: Mapping[str, str], names: tuple[str, ...]) -> float | None:
    for name in names:
        try:
            return float(headers[name])
        except (KeyError, ValueError):
            continue
    return None


_shared: WeakValueDictionary[tuple[str, str], Budget] = WeakValueDictionary()


def shared_budget(name: str, key: str, *rates: Rate, reserve: float = 0.0) -> Budget:
    """The one budget of a vendor account in this process, as long as somebody holds it.

    `key` tells accounts apart (a hash of the API key, say); the first caller's rates count.
    """
    known = _shared.get((name, key))
    if known is None:
        known = _shared[name, key] = Budget(name, *rates, reserve=reserve)
    return known
