"""The link of a broker to its Gateway: made, watched, made again; what is planned is said so."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from app.adapters.clients.ibkr import IbkrSession
from app.adapters.clients.ibkr_errors import planned_until
from app.core.clock import Clock
from app.core.errors import FeedLost, TradewrightError
from app.core.logging import get_logger
from app.domain.ports import BrokerLink

log = get_logger("trading")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds."""

    answer: float = 10.0
    "For the Gateway's word on an order, a change or a cancel; then nobody knows."
    question: float = 20.0
    commission: float = 1.0
    "That a fill waits for its commission."
    taken: float = 1.0
    "That an answer waits until what was told before it is learnt."
    first_retry: float = 0.5
    longest_retry: float = 15.0
    probe: float = 15.0
    "Between two questions whether the Gateway is alive."


class Link:
    """Keeps the connection. `synchronise` reads what was missed; only then the link is up."""

    def __init__(
        self,
        session: IbkrSession,
        clock: Clock,
        patience: Patience,
        synchronise: Callable[[], Awaitable[None]],
        tell: Callable[[BrokerLink], None],
        down: Callable[[FeedLost], None],
    ) -> None:
        """`down` is called at once when the connection is lost, before `tell`."""
        self.is_up = False
        self.trouble = "The connection to the Gateway was not made yet."
        self._session, self._clock, self._patience = session, clock, patience
        self._synchronise, self._tell, self._down = synchronise, tell, down
        self._changed = asyncio.Event()
        self._is_told = False

    def notice(self) -> None:
        """Something about the connection changed: look at once."""
        self._changed.set()

    async def run(self) -> None:
        """For ever."""
        unwatch = self._session.watch(self._on_lost)
        wait = self._patience.first_retry
        try:
            while True:
                self._changed.clear()
                if await self._raise():
                    wait = self._patience.first_retry
                    await self._stay()
                else:
                    await self._pause(wait)
                    wait = min(2 * wait, self._patience.longest_retry)
        finally:
            unwatch()

    async def _raise(self) -> bool:
        """Connect and catch up; whether that succeeded."""
        try:
            await self._session.connect()
            if not self._session.servers_are_there:
                raise self._session.lost("The Gateway has lost its connection to IBKR's servers.")
            await self._synchronise()
            if self._changed.is_set():
                raise self._session.lost("The connection to the Gateway changed meanwhile.")
        except TradewrightError as error:
            self._fall(str(error))
            return False
        except Exception as error:  # a link that nobody keeps would never come back
            log.exception("ibkr_link_failed")
            self._fall(f"{type(error).__name__}: {error}")
            return False
        self.is_up, self._is_told = True, True
        self._tell(BrokerLink(is_up=True, at=self._clock.now()))
        return True

    async def _stay(self) -> None:
        """Until the link is down; a silent Gateway is asked whether it lives."""
        while self.is_up:
            try:
                async with asyncio.timeout(self._patience.probe):
                    await self._changed.wait()
            except TimeoutError:
                await self._probe()
            else:
                self._changed.clear()
                if self.is_up:
                    self._fall("The Gateway found IBKR's servers again: what was missed is read.")

    async def _probe(self) -> None:
        try:
            await self._session.probe()
        except (TradewrightError, ConnectionError) as error:
            self._fall(str(error))

    async def _pause(self, seconds: float) -> None:
        """Before the next attempt; shorter when something happens."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return
        await asyncio.sleep(self._patience.first_retry)

    def _on_lost(self, error: FeedLost) -> None:
        self._down(error)
        self._fall(str(error))
        self._changed.set()

    def _fall(self, why: str) -> None:
        was_up, self.is_up, self.trouble = self.is_up, False, why
        if self._is_told and not was_up:
            return
        self._is_told = True
        now = self._clock.now()
        until = planned_until(now, self._session.options.restart_at)
        log.warning("ibkr_link_down", reason=why, planned_until=until)
        self._tell(BrokerLink(is_up=False, reason=why, at=now, planned_until=until))
