"""The time: the only module that asks the machine for it."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time. Simulated time implements the same two methods."""

    def now(self) -> datetime:
        """The instant, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards, for measuring; its zero means nothing."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class ManualClock:
    """A clock that stands still until it is moved: for replay and tests."""

    def __init__(self, at: datetime) -> None:
        self._at = _utc(at)
        self._start = self._at

    def now(self) -> datetime:
        return self._at

    def monotonic(self) -> float:
        return (self._at - self._start).total_seconds()

    def move_to(self, at: datetime) -> None:
        """Raises ValueError for an instant before the present one."""
        at = _utc(at)
        if at < self._at:
            raise ValueError(f"A clock cannot go back from {self._at} to {at}.")
        self._at = at


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone; everything inside is UTC.")
    return at.astimezone(UTC)


system = SystemClock()


def now() -> datetime:
    """The machine's time in UTC; what decides takes a Clock or an event's own time instead."""
    return system.now()


def elapsed() -> float:
    """Seconds that never run backwards and go on while the machine sleeps: for leases.

    `monotonic` stands still then, so that a lease would seem good long after it ran out.
    """
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def to_ns(at: datetime) -> int:
    """Nanoseconds since 1970 of an aware instant, exact to the microsecond."""
    delta = _utc(at) - _EPOCH
    return ((delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds) * 1_000


def from_ns(ns: int) -> datetime:
    """The instant of nanoseconds since 1970, cut to the microsecond."""
    seconds, rest = divmod(ns, 1_000_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1_000)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
