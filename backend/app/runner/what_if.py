"""What other limits would have done: an account's stream again through the production engine.

Two engines read the same inputs. One decides as it did, and at every order that was asked for the
supposed limits are asked too: that answer is exact, for the state that the order met. The other has
the supposed limits itself and is followed until its decisions differ: from there on its fills, and
so its positions, would be others, and nobody can know which.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import asyncpg
import msgspec

from app.core.errors import ConfigurationError, InvalidInput, NotFound
from app.domain.commands import CommandKind
from app.domain.deployments import DeploymentState
from app.domain.events import (
    BarsCorrected,
    CommandReceived,
    Event,
    Input,
    decode,
    encode,
    name_of,
    occurred_at,
)
from app.engine.commands import DeploymentStart, parse
from app.engine.engine import AccountSetup, Engine
from app.marketdata.calendar import trading_calendar
from app.repositories import checkpoints, explanations, instruments, journal
from app.repositories.accounts import Account
from app.repositories.journal import stream_of
from app.repositories.stock_data import StockData
from app.risk.engine import RiskEngine
from app.risk.what_if import Answer, AskingRiskEngine, Supposed
from app.runner.actions import Actions
from app.runner.histories import Histories
from app.runner.recovery import Saved, is_input, running
from app.strategies.catalog import Catalogue

_DECISIONS: Final = frozenset(
    {"order_approved", "order_denied", "cancel_requested", "trading_halted", "target_set"}
)
_NUMBER: Final = 2**62
"Id of the command that only we have given."


class Divergence(msgspec.Struct, frozen=True):
    """Where the supposed limits first led to other decisions."""

    seq: int
    at: datetime
    was: str
    would_be: str


class WhatIf(msgspec.Struct, kw_only=True):
    """What other limits would have said to the orders of a period."""

    account_id: int
    start: datetime
    end: datetime
    supposed: dict[str, Any]
    scope: str
    inputs: int = 0
    answers: list[Answer] = []
    divergence: Divergence | None = None
    unlike: int | None = None
    "Seq of the first input to which the engine now answers otherwise than is journaled."

    @property
    def notes(self) -> list[str]:
        """What cannot be known from this."""
        notes = [
            "Each order is judged on the state that it really met: what had been held, open and"
            " lost by then. The trading state and its latches are as they were.",
        ]
        if self.divergence is not None:
            notes.append(
                f"From {self.divergence.at:%Y-%m-%d %H:%M:%S} UTC (event {self.divergence.seq}) on"
                " the account would have taken another path: other fills, positions and cash."
                " What is said of later orders holds for the path that was taken."
            )
        if self.unlike is not None:
            notes.append(
                f"The engine of today does not decide as is journaled from event {self.unlike} on"
                " (a strategy or stored bars changed): later answers rest on what it decides now."
            )
        return notes


class Replayed:
    """An engine of an account, made anew, with histories of its own."""

    def __init__(
        self, pool: asyncpg.Pool, account: Account, catalogue: Catalogue, risk: RiskEngine
    ) -> None:
        self._account, self._catalogue = account, catalogue
        calendar, bars = (
            trading_calendar(account.settings.exchange),
            StockData(pool, account.dataset),
        )
        self._histories = Histories(bars, calendar, Actions(pool, account.dataset, calendar, None))
        self._pool, self._risk = pool, risk
        self.engine: Engine

    async def begin(self, state: bytes | None) -> None:
        """Where a checkpoint was taken, or where the account began."""
        account = self._account
        self.engine = Engine(
            AccountSetup(account_id=account.id, cash=account.starting_cash),
            strategies=self._catalogue.make,
            histories=self._histories,
            instruments=await instruments.load(self._pool),
            risk=self._risk,
        )
        if state is None:
            return
        saved = msgspec.json.decode(state, type=Saved).engine
        until = saved.slice_end or account.settings.start
        for deployment in running(saved):
            await self._load(deployment, until)
        self.engine.restore(saved)

    async def handle(self, event: Input) -> list[Event]:
        """What follows; histories are loaded first, where strategies start or bars changed."""
        until = self.engine.slice_end or self._account.settings.start
        if isinstance(event, BarsCorrected):
            for deployment, state in self.engine.deployments.values():
                if state is DeploymentState.RUNNING and event.symbol in deployment.symbols:
                    await self._load(deployment, until)
        elif isinstance(event, CommandReceived) and event.kind == CommandKind.DEPLOYMENT_START:
            try:
                wish = parse(event.kind, event.payload)
            except InvalidInput:
                return self.engine.handle(event)
            assert isinstance(wish, DeploymentStart)
            await self._load(wish, until)
        return self.engine.handle(event)

    async def _load(self, wish: Any, until: datetime | None) -> None:  # noqa: ANN401 - a start or a deployment
        try:
            strategy = self._catalogue.make(wish.strategy, wish.parameters)
        except (InvalidInput, NotFound):
            return  # the engine says so
        await self._histories.load(strategy, wish.symbols, wish.timeframe, until)


class Replay:
    """One question about a period of an account."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        account: Account,
        catalogue: Catalogue,
        supposed: Supposed,
        start: datetime,
        end: datetime,
    ) -> None:
        if end <= start:
            raise InvalidInput("The period ends before it begins.", field="end")
        self._pool, self._account, self._supposed = pool, account, supposed
        self._asking = AskingRiskEngine(supposed)
        self._as_was = Replayed(pool, account, catalogue, self._asking)
        self._other: Replayed | None = Replayed(pool, account, catalogue, RiskEngine())
        self._told = False
        self.found = WhatIf(
            account_id=account.id,
            start=start,
            end=end,
            supposed=dict(supposed.limits),
            scope=supposed.scope,
        )

    async def run(self) -> WhatIf:
        """Read the stream up to the end of the period. Raises ConfigurationError when it is cut."""
        stream = stream_of(self._account.id)
        before = await explanations.slice_at(self._pool, stream, self.found.start)
        upto = before["seq"] if before else 0
        checkpoint = await checkpoints.before(self._pool, self._account.id, upto)
        state = checkpoint.state if checkpoint else None
        after = checkpoint.seq if checkpoint else 0
        for one in (self._as_was, self._other):
            if one is not None:
                await one.begin(state)
        cause: tuple[int, Input] | None = None
        journaled: list[str] = []
        async for record in journal.scan(self._pool, stream, after):
            if cause is None and not after and record.seq != 1:
                raise ConfigurationError(
                    "The beginning of the account's journal was archived.",
                    remedy="Ask about a period after its oldest checkpoint.",
                )
            event = decode(record.payload)
            if not is_input(event):
                journaled.append(record.payload)
                continue
            if cause is not None and not await self._learn(*cause, journaled):
                cause = None
                break
            cause, journaled = (record.seq, event), []
        if cause is not None:
            await self._learn(*cause, journaled)
        self.found.answers = self._asking.answers
        return self.found

    async def _learn(self, seq: int, event: Input, journaled: list[str]) -> bool:
        """One input with what had followed; False beyond the period."""
        at = occurred_at(event)
        if at > self.found.end:
            return False
        self._asking.is_asking = at >= self.found.start
        if self._asking.is_asking and not self._told:
            await self._suppose(at)
        decided = await self._as_was.handle(event)
        self.found.inputs += 1
        if self.found.unlike is None and _texts(decided) != journaled:
            self.found.unlike = seq
        if self._other is not None:
            self._compare(seq, at, decided, await self._other.handle(event))
        return True

    async def _suppose(self, at: datetime) -> None:
        """From here on the other engine has the supposed limits."""
        self._told = True
        payload = {"limits": dict(self._supposed.limits), "scope": self._supposed.scope}
        assert self._other is not None
        await self._other.handle(
            CommandReceived(
                command_id=_NUMBER,
                kind=CommandKind.LIMITS_CHANGE,
                payload=payload,
                actor="what-if",
                at=at,
            )
        )

    def _compare(self, seq: int, at: datetime, was: list[Event], other: list[Event]) -> None:
        """Remember the first decision that differs; the other path is not followed any further."""
        before, after = _decisions(was), _decisions(other)
        if before == after:
            return
        pairs = zip([*before, *[None] * len(after)], [*after, *[None] * len(before)], strict=False)
        mine, theirs = next((one, two) for one, two in pairs if one != two)
        self.found.divergence = Divergence(seq, at, _told(mine), _told(theirs))
        self._other = None


def _texts(events: list[Event]) -> list[str]:
    return [encode(event).decode() for event in events]


def _decisions(events: list[Event]) -> list[Event]:
    return [event for event in events if name_of(event) in _DECISIONS]


def _told(event: Event | None) -> str:
    """A decision in a few words."""
    if event is None:
        return "nothing"
    data: Mapping[str, Any] = msgspec.to_builtins(event)
    about = data.get("order") or data.get("target") or data
    words = [name_of(event).replace("_", " ")]
    words += [str(about[key]) for key in ("side", "quantity", "symbol", "code") if about.get(key)]
    return " ".join(words)
