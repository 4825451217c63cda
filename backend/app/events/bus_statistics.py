"""What the event bus counts and times, by handler, by type of event and by lane."""

from collections import deque
from typing import Any, Final

from app.domain.events import Priority

_SAMPLES: Final = 1_000


class Times:
    """How long something took: count, mean and the worst of the last thousand."""

    def __init__(self) -> None:
        self.count = 0
        self._seconds = 0.0
        self._last: deque[float] = deque(maxlen=_SAMPLES)

    def add(self, seconds: float) -> None:
        """One more."""
        self.count += 1
        self._seconds += seconds
        self._last.append(seconds)

    def told(self) -> dict[str, float]:
        """Milliseconds; the percentile and the maximum are of the last thousand."""
        ordered = sorted(self._last)
        at = int(len(ordered) * 0.99)
        return {
            "count": self.count,
            "mean_ms": _ms(self._seconds / self.count if self.count else 0.0),
            "p99_ms": _ms(ordered[at] if ordered else 0.0),
            "max_ms": _ms(ordered[-1] if ordered else 0.0),
        }


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


class HandlerStatistics:
    """One handler since this process began to run it."""

    def __init__(self) -> None:
        self.published = 0
        "Events that were handed to it."
        self.handled = 0
        self.failed = 0
        "Attempts that raised or took too long."
        self.timed_out = 0
        "Of these, the ones that took too long."
        self.retried = 0
        "Attempts at an event that had failed before."
        self.dead = 0
        self.abandoned = 0
        "Attempts that did not even end when they were cancelled."
        self.handling = Times()
        "One attempt that came through, with its transaction."
        self.delay = Times()
        "From the journal's commit to the handler's."
        self.queueing = Times()
        "One turn of reading new events, computing their keys and storing them as waiting."
        self._types: dict[str, Times] = {}
        self._lanes = {priority: Times() for priority in Priority}

    def came_through(self, event_type: str, lane: int, seconds: float, delay: float) -> None:
        """An event was handled and that is committed."""
        self.handled += 1
        self.handling.add(seconds)
        self.delay.add(max(0.0, delay))
        self._types.setdefault(event_type, Times()).add(seconds)
        self._lanes[Priority(lane)].add(seconds)

    def told(self) -> dict[str, Any]:
        """Everything, for people and programs."""
        counts = ("published", "handled", "failed", "timed_out", "retried", "dead", "abandoned")
        return {
            **{name: getattr(self, name) for name in counts},
            "handling": self.handling.told(),
            "delay": self.delay.told(),
            "queueing": self.queueing.told(),
            "by_type": {name: times.told() for name, times in sorted(self._types.items())},
            "by_lane": {lane.name.lower(): times.told() for lane, times in self._lanes.items()},
        }
