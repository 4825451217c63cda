"""Every open WebSocket of this process: counted per person, ended when their credential is."""

import asyncio
from collections import defaultdict
from contextlib import suppress
from typing import Final, Protocol

from app.core.logging import get_logger
from app.core.tasks import end
from app.domain.users import Caller
from app.events.hub import AWAY
from app.services.access import Access

MOST_PER_PERSON: Final = 5
SIGNED_OUT: Final = 4401
CHANGED: Final = 1012
_SWEEP_SECONDS: Final = 20.0
log = get_logger("api")


class Open(Protocol):
    """A connection that can be ended."""

    caller: Caller | None

    def end(self, code: int, reason: str) -> None: ...


class Sockets:
    """Registers connections; checks them when something was revoked, and now and then anyway."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._by_user: dict[int, set[Open]] = defaultdict(set)
        self._changed: set[int] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.sent = 0

    @property
    def count(self) -> int:
        """Connections that are open and signed in."""
        return sum(map(len, self._by_user.values()))

    def start(self) -> None:
        """Check in the background."""
        self._task = asyncio.create_task(self._run(), name="sockets")

    async def stop(self) -> None:
        """End everything: the server goes."""
        await end([self._task])
        for opened in self.opened():
            opened.end(1001, "The server stops.")

    def admit(self, opened: Open, caller: Caller) -> bool:
        """Register a connection; False when the person has five already."""
        mine = self._by_user[caller.user_id]
        if len(mine) >= MOST_PER_PERSON:
            return False
        mine.add(opened)
        return True

    def leave(self, opened: Open) -> None:
        """Forget a connection that is closed."""
        if opened.caller is None:
            return
        mine = self._by_user.get(opened.caller.user_id, set())
        mine.discard(opened)
        if not mine:
            self._by_user.pop(opened.caller.user_id, None)

    def heard(self, notice: str) -> None:
        """A notice of the channel `access`: something of this person was revoked or changed."""
        if notice.isdigit():
            self._changed.add(int(notice))
        self._wake.set()

    def catch_up(self) -> None:
        """Notices may have been missed."""
        self._access.doubt()
        self._changed.update(self._by_user)
        self._wake.set()

    def opened(self) -> list[Open]:
        """Connections that are open and signed in."""
        return [opened for mine in self._by_user.values() for opened in mine]

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_SWEEP_SECONDS):
                    await self._wake.wait()
            users = set() if self._wake.is_set() else set(self._by_user)
            self._wake.clear()
            changed, self._changed = self._changed, set()
            try:
                for user_id in changed:
                    await self._access.forget(user_id)
                await self._check(changed | users)
            except AWAY as error:
                self._changed |= changed
                log.warning("sockets_not_checked", error=str(error))

    async def _check(self, users: set[int]) -> None:
        for opened in self.opened():
            caller = opened.caller
            if caller is None or caller.user_id not in users:
                continue
            renewed = await self._access.renewed(caller)
            if renewed is None:
                opened.end(SIGNED_OUT, "Signed out.")
            elif not caller.may_as(renewed):
                opened.end(CHANGED, "What you may see has changed; connect again.")
