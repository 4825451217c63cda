"""Every minute: do all invariants hold? What does not is told, and the account only reduces."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import asyncpg

from app.bootstrap import Parts
from app.core import clock
from app.core.logging import get_logger
from app.domain.commands import CommandKind
from app.engine import invariants
from app.engine.engine import Engine
from app.engine.witness import Violation
from app.monitoring.invariants import AccountWatch
from app.repositories import commands, metrics
from app.repositories.journal import LOST_CONNECTION

SECONDS: Final = 60.0
FIRST_SECONDS: Final = 20.0
NOTE_SECONDS: Final = 15.0
FIGURE: Final = "invariant_violations_total"
ACTOR: Final = "invariants"
AtWork = Callable[[], Mapping[int, tuple[Engine, Callable[[], int]]]]
"Engines at work in this process by account, each with the last number of its stream."
log = get_logger("trading")


class InvariantKeeper:
    """Looks at all accounts of this process, and counts what does not hold: it must stay 0."""

    def __init__(self, parts: Parts, at_work: AtWork) -> None:
        self._parts, self._at_work = parts, at_work
        self._watches: dict[int, AccountWatch] = {}
        self._suspected: dict[int, list[Violation]] = {}
        self._told: set[tuple[int, str]] = set()
        self.violations = 0

    async def run(self) -> None:
        """For ever; whatever breaks is tried again the next time."""
        time = asyncio.get_running_loop().time
        due = time() + FIRST_SECONDS
        while True:
            await asyncio.sleep(NOTE_SECONDS)
            try:
                if time() >= due:
                    due = time() + SECONDS
                    await self.look()
                await metrics.note(
                    self._parts.pool, "core", {FIGURE: float(self.violations)}, clock.now()
                )
            except (*LOST_CONNECTION, asyncpg.PostgresError) as error:
                log.warning("invariants_not_looked_at", error=str(error))

    async def look(self) -> int:
        """One look at every account; how many violations there are now."""
        found = 0
        for account_id, (engine, seq) in self._at_work().items():
            watch = self._watches.get(account_id)
            if watch is None:
                watch = AccountWatch(self._parts.pool, account_id, self._parts.journal_key)
                self._watches[account_id] = watch
            broken = await watch.look() or self._engine(account_id, watch, engine, seq)
            found += len(broken)
            await self._act(account_id, broken)
        self.violations += found
        return found

    def _engine(
        self, account_id: int, watch: AccountWatch, engine: Engine, seq: Callable[[], int]
    ) -> list[Violation]:
        """What the engine says otherwise, twice in a row: for the time of a commit it is ahead."""
        witness, before = watch.witness, self._suspected.pop(account_id, [])
        if witness is None or seq() != witness.seq:
            return []
        broken = invariants.engine_holds(witness, engine.book)
        if broken:
            self._suspected[account_id] = broken
        return broken if before else []

    async def _act(self, account_id: int, broken: list[Violation]) -> None:
        """A person must hear of it, and nothing may add risk until one has looked."""
        new = [one for one in broken if (account_id, one.code) not in self._told]
        if not new:
            return
        self._told |= {(account_id, one.code) for one in new}
        detail = "; ".join(str(one) for one in new)
        log.critical("invariant_broken", account_id=account_id, detail=detail)
        title = "The books contradict each other: reduce-only"
        await self._parts.alarm("invariant", title, detail, account_id)
        reason = f"An invariant does not hold: {new[0].code}."
        payload = {"reason": reason}
        await commands.submit(
            self._parts.pool, account_id, CommandKind.TRADING_REDUCE, payload, ACTOR
        )
