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
from app.marketdata.batch import BAR, BarBatch, Nanos, to_datetime
from app.marketdata.calendar import TradingCalendar

AT_ONCE: Final = 4
"Symbols that are fetched at the same time."
_AGAIN_SECONDS: Final = (5.0, 15.0, 30.0, 60.0)
_PARTIAL_SECONDS: Final = 5.0
"So long after its end the minute is fetched in which a connection began."
_NEWEST_SECONDS: Final = (5.0, 15.0)
"Where the newest minutes are missing from an answer they are asked for again: history is behind."
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
        self._asked_again: dict[str, tuple[int, int]] = {}
        "The newest minute's end, and how often it was asked for again."
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
        come = reach
        if len(self._grid(start, reach)):
            answer = await self._ask(symbol, start, reach)
            if answer is None:
                self._put_off(symbol, (start, reach))
                return
            come = answer
        self._failures.pop(symbol, None)
        if self._is_behind(symbol, come, reach):
            self._owed[symbol] = come, self._owed[symbol][1]
        elif self._owed[symbol][1] > reach:
            self._owed[symbol] = reach, self._owed[symbol][1]
            self._plan_rest(symbol)
        else:
            del self._owed[symbol]

    def _put_off(self, symbol: str, span: Span) -> None:
        """Nobody answered: say so once, ask again later."""
        failures = self._failures[symbol] = self._failures.get(symbol, 0) + 1
        if failures == 1:
            self._unanswered.append((symbol, span))
        wait = _AGAIN_SECONDS[min(failures, len(_AGAIN_SECONDS)) - 1]
        self._due[symbol] = self._clock.monotonic() + wait

    def _is_behind(self, symbol: str, come: int, reach: int) -> bool:
        """Whether the newest minutes are missing and worth asking for again, which is planned.

        A vendor's history may have a minute only seconds after its end. Where nobody traded there
        will be none: so it is asked for again twice, not for ever.
        """
        if not len(self._grid(come, reach)):
            self._asked_again.pop(symbol, None)
            return False
        end, times = self._asked_again.get(symbol, (reach, 0))
        times = times if end == reach else 0
        if times >= len(_NEWEST_SECONDS) or self._is_settled(reach):
            self._asked_again.pop(symbol, None)
            return False
        self._asked_again[symbol] = reach, times + 1
        self._due[symbol] = self._clock.monotonic() + _NEWEST_SECONDS[times]
        return True

    def _is_settled(self, end: int) -> bool:
        """Whether a minute ended so long ago that who has it not will not have it soon."""
        return to_ns(self._clock.now()) - end > _MINUTE

    def _plan_rest(self, symbol: str) -> None:
        """The minute in which the connection began: once it is over."""
        start, until = self._owed[symbol]
        if not len(self._grid(start, until)):
            del self._owed[symbol]
            return
        wait = max(0.0, (until - to_ns(self._clock.now())) / _NS) + _PARTIAL_SECONDS
        self._due[symbol] = self._clock.monotonic() + wait

    async def _ask(self, symbol: str, start: int, until: int) -> int | None:
        """The end of the newest bar of the first provider that has any, `start` where nobody has.

        None when none of them answers.
        """
        answered: int | None = None
        for link in self._links:
            if link.state is LinkState.REFUSED or symbol in link.unknown:
                continue
            batch = await self._history(link, symbol, start, until)
            if batch is None:
                continue
            answered = start
            whole = batch[(batch.end <= until) & (batch.start >= start)]
            if len(whole):
                log.info("caught_up", feed=link.name, symbol=symbol, bars=len(whole))
                self._fetched.append((whole, link.name))
                return int(whole.end.max())
        return answered

    async def _history(self, link: Link, symbol: str, start: int, until: int) -> BarBatch | None:
        """What a provider answers, nothing where it knows nothing; None when it fails."""
        span = to_datetime(start), to_datetime(until)
        try:
            return await link.provider.history(symbol, Timeframe.M1, *span)
        except NotFound:
            return BarBatch(symbol, Timeframe.M1, np.empty(0, dtype=BAR))
        except TradewrightError as error:
            log.warning("not_caught_up", feed=link.name, symbol=symbol, error=str(error))
        except Exception as error:
            log.warning("not_caught_up", feed=link.name, symbol=symbol, exc_info=error)
        return None

    def _grid(self, start: int, until: int) -> Nanos:
        """Starts of the minutes in [start, until) at which the exchange is open."""
        first = start - start % _MINUTE
        minutes = np.arange(first, max(until - _MINUTE + 1, first), _MINUTE, dtype=np.int64)
        minutes = minutes[minutes >= start]
        if self._extended:
            return minutes
        return minutes[self._calendar.is_regular(minutes)] if len(minutes) else minutes
