"""A figure with labels, and figures remembered for a moment so that asking stays cheap."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class Reading(msgspec.Struct, frozen=True):
    """One value of one named figure."""

    name: str
    value: float
    labels: Mapping[str, str] = {}


class Remembered(Generic[T]):
    """An answer that may be `seconds` old; whoever asks meanwhile waits for the same question.

    With `stale` what is too old is given while the next is fetched, so that nobody waits for a
    question that takes long; once that fails, the next who asks waits, and hears why. A question
    that takes long is asked less often, so that it never takes more than `share` of the time.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[T]],
        seconds: float,
        *,
        stale: bool = False,
        share: float = 1.0,
    ) -> None:
        self._ask = ask
        self._seconds = seconds
        self._stale = stale
        self._share = share
        self._took = 0.0
        self._known: tuple[float, T] | None = None
        self._asking: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """What is known, or what is found out now. Raises what the question raises."""
        known = self._known
        good_for = max(self._seconds, self._took / self._share - self._took)
        if known is not None and time.monotonic() - known[0] < good_for:
            return known[1]
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._renew(), name="figures")
            self._asking.add_done_callback(_seen)
        if known is not None and self._stale:
            return known[1]
        return await asyncio.shield(self._asking)

    async def _renew(self) -> T:
        began = time.monotonic()
        try:
            found = await self._ask()
        except BaseException:
            self._known = None
            raise
        self._known = time.monotonic(), found
        self._took = self._known[0] - began
        return found


def _seen(task: asyncio.Task[T]) -> None:
    """Nobody may have waited for it: the loop need not complain."""
    if not task.cancelled():
        task.exception()
