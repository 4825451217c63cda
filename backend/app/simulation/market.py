"""The simulated market: a price path that prints at the venue, and a feed with its faults.

The feed is a tape of what the ingestion would hand to an engine: sessions, slices, late bars. Bad
ticks are judged by the production rules; what they refuse is not in a slice.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Final

import msgspec
import numpy as np

from app.domain.events import BarLate, SessionClosed, SessionOpened, SliceClosed
from app.domain.market import Bar, Timeframe
from app.marketdata.batch import BarBatch, to_ns
from app.marketdata.calendar import trading_calendar
from app.marketdata.validation import validate
from app.simulation.profile import Profile

START: Final = datetime(2024, 3, 1, 14, 30, tzinfo=UTC)
SYMBOLS: Final = ("AAPL", "MSFT")
MINUTE: Final = timedelta(minutes=1)
PRINTS: Final = 3
"Prints of each symbol a minute."
LENGTHS: Final = (8, 6)
"Minutes of the two sessions; a half day's second one is shorter."
HALF: Final = 4
PAUSE: Final = 2
"Minutes between the sessions: nights are short here."
EXCHANGE: Final = "XNYS"
_BAD: Final = (0.0, -1.0, float("nan"), 10.0)
"What a bad tick multiplies a price with."

Item = SessionOpened | SessionClosed | SliceClosed | BarLate


class Print(msgspec.Struct, frozen=True):
    """A trade somewhere: `at` is seconds of the run."""

    at: float
    symbol: str
    price: Decimal


class Told(msgspec.Struct, frozen=True):
    """An item of the feed and when it comes."""

    at: float
    item: Item


class Market(msgspec.Struct, frozen=True):
    """Everything that the market does in one run, written down before it begins."""

    prints: tuple[Print, ...]
    tape: tuple[Told, ...]
    sessions: tuple[tuple[float, bool], ...]
    "When the exchange opens (True) and closes."
    length: float
    closes: dict[tuple[str, datetime], float]
    "The true close of each symbol's bar, by its end."


class Maker:
    """Writes one run's market down."""

    def __init__(self, rng: Random, profile: Profile) -> None:
        self._rng, self._profile = rng, profile
        self._prices = {symbol: 100.0 + 5.0 * rng.random() for symbol in SYMBOLS}
        self._prints: list[Print] = []
        self._tape: list[Told] = []
        self._sessions: list[tuple[float, bool]] = []
        self._bars: dict[str, list[Bar]] = {symbol: [] for symbol in SYMBOLS}

    def make(self) -> Market:
        """Both sessions with everything that goes wrong in them."""
        lengths = (LENGTHS[0], HALF if self._profile.half_day else LENGTHS[1])
        minute = 1
        spans = []
        for day, length in enumerate(lengths):
            spans.append((date(2024, 3, 1 + 3 * day), minute, minute + length))
            for number in range(minute, minute + length):
                self._trade(number)
            minute += length + PAUSE
        closes = {(s, bar.end): bar.close for s, bars in self._bars.items() for bar in bars}
        kept = {symbol: self._judged(bars) for symbol, bars in self._bars.items()}
        for session, first, last in spans:
            self._tell_session(session, first, last, kept)
        self._tape.sort(key=_when)
        return Market(
            tuple(self._prints),
            tuple(self._tape),
            tuple(self._sessions),
            (minute - PAUSE) * 60.0,
            closes,
        )

    def _trade(self, minute: int) -> None:
        """One minute of prints, and its bars."""
        for symbol in SYMBOLS:
            path = [self._prices[symbol]]
            for number in range(PRINTS):
                path.append(self._next(path[-1]))
                at = minute * 60.0 + (number + self._rng.random()) * 60.0 / PRINTS
                self._prints.append(Print(at, symbol, Decimal(f"{path[-1]:.2f}")))
            self._prices[symbol] = path[-1]
            start = START + minute * MINUTE
            bar = Bar(
                symbol, Timeframe.M1, start, start + MINUTE,
                path[0], max(path), min(path), path[-1], 10_000.0,
            )  # fmt: skip
            self._bars[symbol].append(bar)

    def _next(self, price: float) -> float:
        pull = (100.0 - price) * 0.05
        return round(max(price + pull + self._rng.gauss(0.0, 2.0), 20.0), 2)

    def _judged(self, bars: list[Bar]) -> dict[datetime, Bar]:
        """The bars that the production rules let through, some of them spoilt before, by end."""
        if not self._profile.bad_ticks:
            return {bar.end: bar for bar in bars}
        spoilt = [bars[0], *(self._spoilt(bar) for bar in bars[1:])]
        columns = {
            name: np.array([getattr(bar, name) for bar in spoilt], dtype=np.float64)
            for name in ("open", "high", "low", "close", "volume")
        }
        start = np.array([to_ns(bar.start) for bar in spoilt])
        end = np.array([to_ns(bar.end) for bar in spoilt])
        batch = BarBatch.of(bars[0].symbol, Timeframe.M1, start, end, **columns)
        verdict = validate(batch, trading_calendar(EXCHANGE), in_order=True)
        return {bar.end: bar for bar in verdict.good.bars()}

    def _spoilt(self, bar: Bar) -> Bar:
        if self._rng.random() >= self._profile.bad_ticks:
            return bar
        worse = self._rng.choice(_BAD)
        return msgspec.structs.replace(bar, close=bar.close * worse, high=bar.high * max(worse, 1))

    # ---------------------------------------------------------------------------------- feed

    def _tell_session(
        self, session: date, first: int, last: int, kept: dict[str, dict[datetime, Bar]]
    ) -> None:
        opens, closes = first * 60.0, last * 60.0
        self._sessions += [(opens, True), (closes, False)]
        opened = SessionOpened(session=session, at=START + first * MINUTE)
        self._tape.append(Told(opens + 0.01, opened))
        for number in range(first, last):
            end = START + (number + 1) * MINUTE
            bars = tuple(k[end] for k in kept.values() if end in k)
            for item in self._slice(session, end, bars):
                self._tape.append(Told((number + 1) * 60.0 + 0.5 + self._rng.random(), item))
        closed = SessionClosed(session=session, at=START + last * MINUTE)
        self._tape.append(Told(closes + 3.0, closed))

    def _slice(self, session: date, end: datetime, bars: tuple[Bar, ...]) -> Iterator[Item]:
        """A slice, perhaps twice, perhaps without a bar that comes late or never."""
        rng, profile = self._rng, self._profile
        if bars and rng.random() < profile.gaps:
            bars = bars[1:]
        elif bars and rng.random() < profile.late_bars:
            late, bars = bars[0], bars[1:]
            yield BarLate(bar=late, at=end + timedelta(seconds=2))
        if not bars:
            return
        made = SliceClosed(end=end, session=session, base=Timeframe.M1, bars=bars)
        yield made
        if rng.random() < profile.repeated:
            yield made


def _when(told: Told) -> float:
    return told.at
