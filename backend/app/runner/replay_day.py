"""A day of an account once more: its stored inputs through the engine of today, held against it.

What the engine follows is the journal alone: bars, answers of the broker, commands. What it decides
is compared event by event with what it decided then. The same code must decide the same; where it
does not, the first difference is told with its cause.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import asyncpg
import msgspec

from app.core.errors import ChainBroken, InvalidInput, NotFound
from app.domain.commands import CommandKind
from app.domain.events import CommandReceived, Event, Input, decode, encode, name_of, occurred_at
from app.engine.engine import AccountSetup, Engine
from app.marketdata.calendar import trading_calendar
from app.repositories import checkpoints, explanations, instruments, journal, revisions
from app.repositories.accounts import Account
from app.repositories.chain import Record
from app.repositories.journal import stream_of
from app.repositories.stock_data import StockData
from app.runner.actions import Actions
from app.runner.histories import Histories
from app.runner.preparing import Preparing
from app.runner.recovery import Saved, is_input
from app.runner.strategists import Strategists
from app.strategies.catalog import Catalogue

DAY_ZONE: Final = ZoneInfo("America/New_York")
"Days are the exchange's, as in every report."
COUNTED: Final = {"signal_raised": "signals", "order_denied": "denials", "order_approved": "orders"}
_TOLD: Final = 20
_NOTHING: Final = "nothing"


class Difference(msgspec.Struct, frozen=True):
    """One decision that is another now. `was` and `now` are the events as JSON, or `nothing`."""

    seq: int
    "Of the input that led to it."
    at: datetime
    what: str
    was: str
    now: str


class DayReplay(msgspec.Struct, kw_only=True):
    """What a day came to when it was decided again."""

    account_id: int
    account: str
    day: date
    inputs: int = 0
    events: int = 0
    "Consequences that were compared."
    signals: int = 0
    denials: int = 0
    orders: int = 0
    different: int = 0
    "Inputs that led to something else; after the first the engine is on another path."
    differences: list[Difference] = []
    "The first of them."
    cause: str | None = None

    @property
    def is_same(self) -> bool:
        return not self.different


class _Step(msgspec.Struct, frozen=True):
    """An input with everything that had followed."""

    record: Record
    event: Input
    followed: tuple[Record, ...]

    @property
    def at(self) -> datetime:
        return occurred_at(self.event)


class DayAgain:
    """One replay of one day; made anew for each."""

    def __init__(
        self, pool: asyncpg.Pool, account: Account, catalogue: Catalogue, day: date, key: bytes
    ) -> None:
        self._pool, self._account, self._catalogue, self._key = pool, account, catalogue, key
        self._start = datetime.combine(day, time(), DAY_ZONE)
        self._end = datetime.combine(day + timedelta(days=1), time(), DAY_ZONE)
        self._stream = stream_of(account.id)
        self.found = DayReplay(account_id=account.id, account=account.name, day=day)

    async def run(self) -> DayReplay:
        """Raises NotFound for a day on which nothing is stored."""
        first = await self._decide(self.found)
        if not self.found.inputs:
            raise NotFound(
                f"Nothing is journaled of account {self._account.name} on {self.found.day}.",
                remedy=await self._days(),
            )
        if first is not None:
            self.found.cause = await self._cause(first)
        return self.found

    async def _decide(self, found: DayReplay, upto: int | None = None) -> _Step | None:
        """Follow the stream to the day's end, or to an input; the first step that differs."""
        strategists = Strategists(self._catalogue)
        try:
            engine, preparing, after = await self._begin(strategists)
            return await self._follow(engine, preparing, after, found, upto)
        finally:
            await strategists.close()

    async def _begin(self, strategists: Strategists) -> tuple[Engine, Preparing, int]:
        """The engine where its newest checkpoint before the day was taken, or at the beginning."""
        pool, account = self._pool, self._account
        calendar = trading_calendar(account.settings.exchange)
        bars = StockData(pool, account.dataset)
        histories = Histories(bars, calendar, Actions(pool, account.dataset, calendar, None))
        engine = Engine(
            AccountSetup(account_id=account.id, cash=account.starting_cash),
            strategies=strategists.make,
            histories=histories,
            instruments=await instruments.load(pool),
        )
        preparing = Preparing(pool, account, histories, strategists)
        preparing.engine = engine
        known = await explanations.slice_at(pool, self._stream, self._start)
        upto = known["seq"] if known else 0
        first = await explanations.first_since(pool, self._stream, upto, self._start)
        checkpoint = await checkpoints.before(pool, account.id, first - 1 if first else upto)
        if checkpoint is None:
            return engine, preparing, 0
        saved = msgspec.json.decode(checkpoint.state, type=Saved)
        await preparing.warm(saved.engine)
        engine.restore(saved.engine)
        return engine, preparing, checkpoint.seq

    async def _follow(
        self, engine: Engine, preparing: Preparing, after: int, found: DayReplay, upto: int | None
    ) -> _Step | None:
        first: _Step | None = None
        async for step in self._steps(after):
            if step.at >= self._end or (upto is not None and step.record.seq > upto):
                break
            await preparing.repeat(step.event)
            try:
                decided = engine.handle(step.event)
            except Exception as error:
                if first is None:
                    raise
                # On another path an answer may fit no order: nothing more can be compared.
                self._differs(found, step, [f"{type(error).__name__}: {error}"])
                break
            if self._compare(found, step, decided) and first is None:
                first = step
            await asyncio.sleep(0)
        return first

    async def _steps(self, after: int) -> AsyncIterator[_Step]:
        cause: Record | None = None
        event: Input | None = None
        followed: list[Record] = []
        async for record in journal.scan(self._pool, self._stream, after):
            what = decode(record.payload)
            if not is_input(what):
                followed.append(record)
                continue
            if cause is not None and event is not None:
                yield _Step(cause, event, tuple(followed))
            cause, event, followed = record, what, []
        if cause is not None and event is not None:
            yield _Step(cause, event, tuple(followed))

    # ------------------------------------------------------------------------------ comparing

    def _compare(self, found: DayReplay, step: _Step, decided: list[Event]) -> bool:
        """Whether this differs. What was before the day is followed, and told only if it does."""
        if step.at >= self._start:
            found.inputs += 1
            found.events += len(step.followed)
            many = Counter(COUNTED.get(one.event_type) for one in step.followed)
            found.signals += many["signals"]
            found.denials += many["denials"]
            found.orders += many["orders"]
        now = [encode(event).decode() for event in decided]
        if now == [one.payload for one in step.followed]:
            return False
        self._differs(found, step, now, [name_of(event) for event in decided])
        return True

    def _differs(
        self, found: DayReplay, step: _Step, now: list[str], names: list[str] | None = None
    ) -> None:
        found.different += 1
        if len(found.differences) >= _TOLD:
            return
        was = [one.payload for one in step.followed]
        place = next(
            (n for n, (a, b) in enumerate(zip(was, now, strict=False)) if a != b),
            min(len(was), len(now)),
        )
        named = [one.event_type for one in step.followed][place : place + 1] or (
            names or ["error"]
        )[place : place + 1]
        found.differences.append(
            Difference(
                seq=step.record.seq,
                at=step.at,
                what=named[0] if named else "error",
                was=was[place] if place < len(was) else _NOTHING,
                now=now[place] if place < len(now) else _NOTHING,
            )
        )

    # ------------------------------------------------------------------------------ the cause

    async def _cause(self, step: _Step) -> str:
        """Why the first difference is one, as far as what is stored can tell."""
        return (
            await self._changed_journal()
            or self._lost_strategy(step)
            or await self._corrected_bars(step)
            or await self._chance(step)
            or "The code of the platform or of a strategy is not what it was then."
        )

    async def _changed_journal(self) -> str | None:
        try:
            await journal.verify(self._pool, self._stream, self._key)
        except ChainBroken as error:
            return f"The journal was changed: {error}"
        return None

    def _lost_strategy(self, step: _Step) -> str | None:
        """A strategy that is gone, or that does not take its parameters any more."""
        if not isinstance(step.event, CommandReceived):
            return None
        if step.event.kind != CommandKind.DEPLOYMENT_START:
            return None
        given: dict[str, Any] = step.event.payload
        try:
            self._catalogue.make(given["strategy"], given.get("parameters") or {})
        except (InvalidInput, NotFound) as error:
            return f"Strategy {given['strategy']} cannot be made as it was then: {error}"
        return None

    async def _corrected_bars(self, step: _Step) -> str | None:
        """Bars before the decision that were replaced after it was made."""
        found = await revisions.since(
            self._pool, self._account.dataset, step.at, step.record.recorded_at
        )
        if not found:
            return None
        told = ", ".join(f"{one['bars']} of {one['symbol']} ({one['timeframe']})" for one in found)
        return f"Stored bars were corrected afterwards: {told}."

    async def _chance(self, step: _Step) -> str | None:
        """Decided a third time: what differs from itself depends on chance, clock or files."""
        mine = self.found
        again = DayReplay(account_id=mine.account_id, account=mine.account, day=mine.day)
        await self._decide(again, step.record.seq)
        if again.differences[:1] == self.found.differences[:1]:
            return None
        return "A strategy decides otherwise each time: it uses chance, the clock or files."

    async def _days(self) -> str:
        days = await explanations.days(self._pool, self._stream, DAY_ZONE.key)
        if days is None:
            return "Nothing is journaled of this account yet."
        return f"Its journal goes from {days[0]} to {days[1]}."
