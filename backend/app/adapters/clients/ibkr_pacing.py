"""When the next historical request may go out: IBKR's pacing rules."""

import asyncio
from dataclasses import dataclass
from typing import Final

from app.adapters.clients.budget import Budget, Rate
from app.core.clock import Clock, system

SMALL_BARS: Final = Rate(60, 600)
SAME_CONTRACT: Final = Rate(5, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacing:
    """What IBKR allows. Its strict rules are about bars below a minute, and prints.

    https://interactivebrokers.github.io/tws-api/historical_limitations.html; the libraries hold
    back messages beyond 45 a second themselves (50 are allowed).
    """

    small: Rate = SMALL_BARS
    same_contract: Rate = SAME_CONTRACT
    identical_seconds: float = 15.0
    at_once: int = 10
    "Open historical requests; 50 are the limit, and fewer are faster."
    pause_seconds: float = 15.0
    "After a pacing violation."
    tries: int = 3


class Turns:
    """Historical requests of one session wait here. What IBKR says about our pace is believed."""

    def __init__(self, pacing: Pacing, clock: Clock = system) -> None:
        self.pacing = pacing
        self._clock = clock
        self._all = Budget("IBKR history", clock=clock)
        self._small = Budget("IBKR history below a minute", pacing.small, clock=clock)
        self._contracts: dict[str, Budget] = {}
        self._identical: dict[tuple[object, ...], float] = {}

    @property
    def violations(self) -> int:
        """How often IBKR complained."""
        return self._all.refusals

    async def take(self, what: tuple[object, ...], symbol: str, *, is_small: bool) -> None:
        """Wait until the rules allow a request; `what` is equal for identical ones.

        `is_small`: for bars below a minute, or for prints.
        """
        if is_small:
            await self._wait_small(what, symbol)
        await self._all.take(patience=2 * self.pacing.pause_seconds + 1)

    def complain(self) -> None:
        """A request was refused for its pace: all wait."""
        self._all.refusals += 1
        self._all.pause(self.pacing.pause_seconds)

    async def _wait_small(self, what: tuple[object, ...], symbol: str) -> None:
        wait = self._identical_wait(what)
        if wait > 0:
            await asyncio.sleep(wait)
        await self._small.take(patience=self.pacing.small.seconds + 1)
        name = f"IBKR history of {symbol}"
        known = self._contracts.setdefault(
            symbol, Budget(name, self.pacing.same_contract, clock=self._clock)
        )
        await known.take()
        self._identical[what] = self._clock.monotonic()

    def _identical_wait(self, what: tuple[object, ...]) -> float:
        """Seconds until an identical request is old enough; old ones are forgotten."""
        now, span = self._clock.monotonic(), self.pacing.identical_seconds
        self._identical = {key: at for key, at in self._identical.items() if now - at < span}
        last = self._identical.get(what)
        return 0.0 if last is None else last + span - now
