"""What passes through the ingestion of prints and quotes, in numbers for metrics and health."""

from collections import Counter, deque
from datetime import datetime
from typing import Final

import msgspec

_WRITES: Final = 1_000
"Writes whose duration is remembered."
_RATE_SECONDS: Final = 10


class TickStatistics(msgspec.Struct):
    """Counts since the start, and what is waiting now. Durations are in milliseconds."""

    ticks: int = 0
    "Believed, and queued to be stored."
    quotes: int = 0
    ticks_stored: int = 0
    quotes_stored: int = 0
    quotes_one_sided: int = 0
    "Shown, but not stored: they have no bid, or no ask."
    quotes_passed_over: int = 0
    "Not the last of their second."
    repeated: int = 0
    "Came a second time after a connection was made anew."
    late: int = 0
    "Prints for a bar that was over; they are stored."
    unchanged: int = 0
    "Were stored already."
    differing: int = 0
    "Of those, the rows that said something else than what was stored."
    quarantined: Counter[str] = msgspec.field(default_factory=Counter)
    "Refused rows by reason; a row with two reasons counts twice."
    refused: int = 0
    refused_not_kept: int = 0
    "Of the refused rows, those of a flood: counted in the quarantine, not kept."
    quotes_shed: int = 0
    "Dropped because the database could not keep up."
    waits: int = 0
    "Times that a reader had to wait because too many prints were queued."
    ticks_waiting: int = 0
    quotes_waiting: int = 0
    most_waiting: int = 0
    newest_tick: datetime | None = None
    newest_quote: datetime | None = None
    largest_write: int = 0
    is_database_away: bool = False
    write_ms: deque[float] = msgspec.field(default_factory=lambda: deque(maxlen=_WRITES))
    _rates: deque[tuple[int, int]] = msgspec.field(default_factory=deque)

    def wrote(self, rows: int, seconds: float, at: float) -> None:
        """One write of so many rows, at the monotonic second `at`."""
        self.write_ms.append(seconds * 1_000)
        self.largest_write = max(self.largest_write, rows)
        second = int(at)
        if self._rates and self._rates[-1][0] == second:
            rows += self._rates.pop()[1]
        self._rates.append((second, rows))
        while self._rates[0][0] <= second - _RATE_SECONDS:
            self._rates.popleft()

    def rows_per_second(self, at: float) -> float:
        """Rows stored a second over the last ten before the monotonic second `at`."""
        first = int(at) - _RATE_SECONDS
        return sum(rows for second, rows in self._rates if second > first) / _RATE_SECONDS

    def write_percentile(self, share: float) -> float:
        """The duration that `share` of the last writes did not exceed; 0 before the first."""
        ordered = sorted(self.write_ms)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0
