"""Bars that were missed, fetched from the first provider of a chain that has them."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from app.core.clock import Clock, to_ns
from app.core.errors import NotFound, TradewrightError
from app.core.logging import get_logger
from app.domain.market import Timeframe
from app.ingest.link import Link, LinkState
from app.marketdata.batch import BarBatch, Nanos, to_datetime
from app.marketdata.calendar import TradingCalendar

AT_ONCE: Final = 4
"Symbols that are fetched at the same time."
_AGAIN_SECONDS: Final = (5.0, 15.0, 30.0, 60.0)
_PARTIAL_SECONDS: Final = 5.0
"So long after its end the minute is fetched in which a connection began."
_NS: Final = 1_000_000_000
_MINUTE: Final = 60 * _NS
log = get_logger("trading")

Span = tuple[int, int]


class CatchUp:
    """What is owed to each symbol, and the tasks that fetch it. Tried until somebody answers."""

    def __init__(
        self,
        links: Sequence[Link],
        clock: Clock,
        calendar: TradingCalendar,
        *,
        extended_hours: bool = False,
    ) -> None:
        self._links = links
        self._clock = clock
        self._calendar = calendar
        self._extended = extended_hours
        self._owed: dict[str, Span] = {}
        self._due: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._fetched: list[tuple[BarBatch, str]] = []
        self._unanswered: list[tuple[str, Span]] = []
        self._turns = asyncio.Semaphore(AT_ONCE)

    @property
    def tasks(self) -> list["asyncio.Task[None]"]:
        return list(self._running.values())

    @property
    def is_busy(self) -> bool:
        """Whether something is being fetched now; what is tried again later does not count."""
        return bool(self._running)

    @property
    def owed(self) -> Mapping[str, Span]:
        """Symbols whose bars of a span (ns) are still to be fetched."""
        return self._owed

    def begin(self, missing: Mapping[str, Span]) -> bool:
        """Fetch the bars of each symbol's span; True when there is anything to wait for.

        A minute that is not over yet is fetched a little after its end.
        """
        now = to_ns(self._clock.now())
        found = False
        for symbol, (start, until) in missing.items():
            known = self._owed.get(symbol, (start, until))
            first, last = min(start, known[0]), max(until, known[1])
            self._owed[symbol] = first, last
            if len(self._grid(first, min(last, now))):
                found = True
                self._start(symbol)
            else:
                self._plan_rest(symbol)
        return found

    def unanswered(self) -> list[tuple[str, Span]]:
        """Spans that no provider answered for, once each; they are tried again."""
        taken, self._unanswered = self._unanswered, []
        return taken

    def fetched(self) -> list[tuple[BarBatch, str]]:
        """Bars that came since the last call, with their providers."""
        taken, self._fetched = self._fetched, []
        return taken

    def try_again(self) -> None:
        """Begin what is due."""
        now = self._clock.monotonic()
        for symbol in [symbol for symbol, due in self._due.items() if due <= now]:
            del self._due[symbol]
            self._start(symbol)

    # ------------------------------------------------------------------------------ inside

    def _start(self, symbol: str) -> None:
        if symbol not in self._running:
            self._due.pop(symbol, None)
            task = asyncio.create_task(self._run(symbol), name=f"catch up {symbol}")
            self._running[symbol] = task

    async def _run(self, symbol: str) -> None:
        try:
            async with self._turns:
                await self._once(symbol)
        finally:
            self._running.pop(symbol, None)

    async def _once(self, symbol: str) -> None:
        start, until = self._owed[symbol]
        now = to_ns(self._clock.now())
        reach = min(until, now - now % _MINUTE)
        if len(self._grid(start, reach)) and not await self._ask(symbol, start, reach):
            failures = self._failures[symbol] = self._failures.get(symbol, 0) + 1
            if failures == 1:
                self._unanswered.append((symbol, (start, reach)))
            wait = _AGAIN_SECONDS[min(failures, len(_AGAIN_SECONDS)) - 1]
            self._due[symbol] = self._clock.monotonic() + wait
            return
        self._failures.pop(symbol, None)
        if self._owed[symbol][1] > reach:
            self._owed[symbol] = reach, self._owed[symbol][1]
            self._plan_rest(symbol)
        else:
            del self._owed[symbol]

    def _plan_rest(self, symbol: str) -> None:
        """The minute in which the connection began: once it is over."""
        start, until = self._owed[symbol]
        if not len(self._grid(start, until)):
            del self._owed[symbol]
            return
        wait = max(0.0, (until - to_ns(self._clock.now())) / _NS) + _PARTIAL_SECONDS
        self._due[symbol] = self._clock.monotonic() + wait

    async def _ask(self, symbol: str, start: int, until: int) -> bool:
        """The first provider that answers; False when none does."""
        answered = False
        for link in self._links:
            if link.state is LinkState.REFUSED or symbol in link.unknown:
                continue
            try:
                batch = await link.provider.history(
                    symbol, Timeframe.M1, to_datetime(start), to_datetime(until)
                )
            except NotFound:
                answered = True
                continue
            except TradewrightError as error:
                log.warning("not_caught_up", feed=link.name, symbol=symbol, error=str(error))
                continue
            answered = True
            whole = batch[(batch.end <= until) & (batch.start >= start)]
            if len(whole):
                log.info("caught_up", feed=link.name, symbol=symbol, bars=len(whole))
                self._fetched.append((whole, link.name))
                return True
        return answered

    def _grid(self, start: int, until: int) -> Nanos:
        """Starts of the minutes in [start, until) at which the exchange is open."""
        first = start - start % _MINUTE
        minutes = np.arange(first, max(until - _MINUTE + 1, first), _MINUTE, dtype=np.int64)
        minutes = minutes[minutes >= start]
        if self._extended:
            return minutes
        return minutes[self._calendar.is_regular(minutes)] if len(minutes) else minutes
