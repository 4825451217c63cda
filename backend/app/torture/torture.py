"""Kill, restart, compare: again and again, until so many deaths were survived."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from math import ceil, inf
from random import Random
from typing import Final, TypeVar

import asyncpg
import msgspec

from app.core.tasks import end
from app.monitoring.invariants import AccountWatch
from app.repositories import evidence, fold_check, journal
from app.repositories.journal import stream_of
from app.torture.machine import Machine, NotSurvived
from app.torture.people import AWAY, Person
from app.torture.plan import Kill, Victim, draw

T = TypeVar("T")
LOOK_SECONDS: Final = 0.02
RECOVERY_SECONDS: Final = 120.0
"Longer than this is not slow but broken."
POINT_SECONDS: Final = 20.0
"A named point that is not reached by then will not be: the process is killed where it is."
ACT_SECONDS: Final = 0.1
Truth = Callable[[], Awaitable[list[str]]]


class Summary(msgspec.Struct, kw_only=True):
    """What a torture came to. Times are seconds from a start until the books agreed again."""

    kills: int = 0
    orders: int = 0
    duplicates: int = 0
    lost: int = 0
    violations: int = 0
    by_victim: dict[str, int] = {}
    by_point: dict[str, int] = {}
    "How often the process died at each named point."
    acknowledged: int = 0
    "Commands that people were told are safe."
    events: int = 0
    recoveries: int = 0
    recovery_p50: float = 0.0
    recovery_p99: float = 0.0
    seed: int = 0
    found: list[str] = []
    "What was found, in sentences."

    @property
    def is_sound(self) -> bool:
        return not (self.duplicates or self.lost or self.violations)


async def _nothing() -> list[str]:
    return []


class Torture:
    """One machine, its accounts and the people on them."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        machine: Machine,
        people: Sequence[Person],
        chance: Random,
        *,
        only: Victim | None = None,
        progress: Callable[[int], None] = lambda _: None,
        truth: Truth = _nothing,
    ) -> None:
        """`truth` says where the books of real brokers are not ours, once all is told."""
        self.found = Summary()
        self._pool, self._machine, self._people = pool, machine, people
        self._chance, self._only, self._progress, self._truth = chance, only, progress, truth
        self._accounts = [person.account_id for person in people]
        self._watches = {
            number: AccountWatch(pool, number, machine.journal_key) for number in self._accounts
        }
        self._took: list[float] = []

    async def run(self, kills: int, seconds: float = inf) -> Summary:
        """Survive `kills` deaths, or as many as `seconds` allow; then compare everything."""
        deadline = asyncio.get_running_loop().time() + seconds
        self._machine.begin()
        await self._until(self._reconciled, dict.fromkeys(self._accounts, 0))
        working = [asyncio.create_task(self._work(person)) for person in self._people]
        try:
            while self.found.kills < kills and asyncio.get_running_loop().time() < deadline:
                await self._cycle(draw(self._chance, self._only))
                await self._look()
                self._progress(self.found.kills)
        finally:
            await end(working)
        await self._finish()
        return self.found

    async def _work(self, person: Person) -> None:
        while True:
            await person.act()
            await asyncio.sleep(ACT_SECONDS)

    # ------------------------------------------------------------------------------ the deaths

    async def _cycle(self, kill: Kill) -> None:
        if kill.victim is Victim.APP:
            await self._kill_app(kill)
            ends = await self._patiently(self._ends)
            recovered = self._reconciled
            since = asyncio.get_running_loop().time()
            self._machine.begin()
        else:
            await asyncio.sleep(kill.after)
            since = asyncio.get_running_loop().time()
            self._machine.kill(kill.victim)
            self._count(kill.victim)
            ends = await self._patiently(self._ends)
            recovered = self._went_on
        await self._until(recovered, ends)
        self._took.append(asyncio.get_running_loop().time() - since)

    async def _kill_app(self, kill: Kill) -> None:
        """Kill it where it is; one that is to die elsewhere is started again for that."""
        machine = self._machine
        if not kill.is_special:
            await asyncio.sleep(kill.after)
        machine.kill(Victim.APP)
        self._count(Victim.APP)
        if not kill.is_special:
            return
        machine.begin(kill.failpoint)
        if kill.point is not None and await machine.death(POINT_SECONDS):
            self.found.by_point[kill.point] = self.found.by_point.get(kill.point, 0) + 1
        else:
            await asyncio.sleep(kill.after)
            machine.kill(Victim.APP)
        self._count(Victim.APP)

    def _count(self, victim: Victim) -> None:
        self.found.kills += 1
        self.found.by_victim[victim] = self.found.by_victim.get(victim, 0) + 1

    # -------------------------------------------------------------------------- the recoveries

    async def _until(
        self, is_so: Callable[[dict[int, int]], Awaitable[bool]], ends: dict[int, int]
    ) -> None:
        """Wait for it. Raises NotSurvived with the process's last words when it never comes."""
        time = asyncio.get_running_loop().time
        deadline = time() + RECOVERY_SECONDS
        while not await self._patiently(is_so, ends):
            if time() > deadline or not self._machine.is_alive:
                what = "did not recover" if self._machine.is_alive else "ended by itself"
                words = self._machine.last_words()
                raise NotSurvived(f"The trading process {what}. It said:\n{words}")
            await asyncio.sleep(LOOK_SECONDS)

    async def _reconciled(self, ends: dict[int, int]) -> bool:
        """Each account's books agree, and it said so in this life."""
        for number, seq in ends.items():
            if not await evidence.is_reconciled(self._pool, stream_of(number), seq):
                return False
        return True

    async def _went_on(self, ends: dict[int, int]) -> bool:
        """Each account wrote something since."""
        now = await self._ends()
        return all(now[number] > seq for number, seq in ends.items())

    async def _ends(self) -> dict[int, int]:
        return {n: await evidence.last(self._pool, stream_of(n)) for n in self._accounts}

    async def _patiently(self, ask: Callable[..., Awaitable[T]], *given: object) -> T:
        """The answer of a database that may just have been killed."""
        while True:
            try:
                return await ask(*given)
            except AWAY:
                await asyncio.sleep(LOOK_SECONDS)

    # ------------------------------------------------------------------------------ the truth

    async def _look(self) -> None:
        """All invariants that can be asked while it goes on."""
        for number, watch in self._watches.items():
            broken = await self._patiently(watch.look)
            self.found.violations += len(broken)
            self._say(f"account {number} after {self.found.kills} kills: {one}" for one in broken)

    async def _finish(self) -> None:
        """What was asked is answered, the process stops well, and everything agrees."""
        await self._until(self._answered, {})
        differences = await self._settled()
        self.found.lost += len(differences)
        self._say(differences)
        if code := await asyncio.to_thread(self._machine.end):
            raise NotSurvived(f"Exit code {code} at the end.\n{self._machine.last_words()}")
        await self._look()
        for person in self._people:
            await self._hold(person)
        self._reckon()

    async def _settled(self) -> list[str]:
        """Where brokers' books are not ours, when that lasts."""
        time = asyncio.get_running_loop().time
        deadline = time() + RECOVERY_SECONDS
        while (found := await self._truth()) and time() < deadline:  # noqa: ASYNC110 - asks brokers
            await asyncio.sleep(LOOK_SECONDS * 10)
        return found

    async def _answered(self, _: dict[int, int]) -> bool:
        for person in self._people:
            number, asked = person.account_id, person.acknowledged
            if await evidence.waiting(self._pool, number, asked):
                return False
        return True

    async def _hold(self, person: Person) -> None:
        number, found = person.account_id, self.found
        stream = stream_of(number)
        found.events += await journal.verify(self._pool, stream, self._machine.journal_key)
        found.orders += await evidence.orders(self._pool, number)
        found.acknowledged += len(person.acknowledged)
        twice = await evidence.doubles(self._pool, stream)
        gone = await evidence.unanswered(self._pool, number, person.acknowledged)
        unlike = await fold_check.differences(self._pool, number)
        found.duplicates += len(twice)
        found.lost += len(gone)
        found.violations += len(unlike)
        self._say(f"account {number}: twice: {one}" for one in twice)
        self._say(f"account {number}: command {one} has no outcome" for one in gone)
        self._say(f"account {number}: I13 {one}" for one in unlike)

    def _say(self, sentences: Iterable[str]) -> None:
        self.found.found += sentences

    def _reckon(self) -> None:
        ranked = sorted(self._took)
        self.found.recoveries = len(ranked)
        if ranked:
            self.found.recovery_p50 = round(ranked[ceil(len(ranked) * 0.5) - 1], 3)
            self.found.recovery_p99 = round(ranked[ceil(len(ranked) * 0.99) - 1], 3)
