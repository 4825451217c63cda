"""Restart: the newest checkpoint, then every journaled input again, compared with what followed."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, Final, Protocol, TypeGuard

import asyncpg
import msgspec

from app.core.errors import ConfigurationError
from app.core.logging import get_logger
from app.domain.deployments import Deployment, DeploymentState
from app.domain.events import INPUT_TYPES, Event, Input, decode, encode
from app.domain.resting import BookState
from app.engine.engine import Engine
from app.engine.state import EngineState
from app.repositories import checkpoints, journal
from app.repositories.checkpoints import Checkpoint
from app.repositories.journal import LOST_CONNECTION

Prepare = Callable[[Any], Awaitable[None]]
_TOLD: Final = 5
_AROUND: Final = 60
"Characters shown on each side of the first place that differs."
log = get_logger("trading")


def is_input(event: Event) -> TypeGuard[Input]:
    """Whether the engine learnt this from outside."""
    return type(event) in INPUT_TYPES


class Saved(msgspec.Struct, kw_only=True):
    """A checkpoint's content: the engine, and the paper broker's book where it is ours."""

    engine: EngineState
    book: BookState | None = None


class Rebuildable(Protocol):
    """A broker whose book is a fold of the stream."""

    def state(self) -> BookState: ...

    def restore(self, events: Any, book: BookState | None = None) -> None: ...  # noqa: ANN401


class Recovered(msgspec.Struct):
    """What a restart found."""

    seq: int = 0
    "Checkpoint that it began with; 0: the whole stream was read."
    inputs: int = 0
    differences: list[str] = []
    "Where the engine decided otherwise than it is journaled to have."


class Recovery:
    """Brings a fresh engine, and a paper broker, to where the stream ends."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        account_id: int,
        engine: Engine,
        broker: Rebuildable | None,
        prepare: Prepare,
        load: Callable[[EngineState], Awaitable[None]],
    ) -> None:
        """`prepare` is awaited before each input, `load` before a checkpoint is taken over."""
        self._pool = pool
        self._account_id = account_id
        self._stream = journal.stream_of(account_id)
        self._engine = engine
        self._broker = broker
        self._prepare = prepare
        self._load = load
        self._found = Recovered()

    async def run(self) -> Recovered:
        """Restore, re-handle and compare."""
        await self._restore()
        cause: Input | None = None
        expected: list[str] = []
        since = 0
        async for seq, event, payload in self._events(self._found.seq):
            if is_input(event):
                await self._compare(cause, since, expected)
                cause, since, expected = event, seq, []
            else:
                expected.append(payload)
            if self._broker is not None:
                self._broker.restore((event,))
        await self._compare(cause, since, expected)
        return self._found

    async def _restore(self) -> None:
        checkpoint = await checkpoints.newest(self._pool, self._account_id)
        if checkpoint is None:
            return
        try:
            saved = msgspec.json.decode(checkpoint.state, type=Saved)
            await self._load(saved.engine)
            self._engine.restore(saved.engine)
        except (msgspec.DecodeError, ConfigurationError) as error:
            log.warning("checkpoint_not_read", account_id=self._account_id, error=str(error))
            return
        if self._broker is not None:
            self._broker.restore((), saved.book)
        self._found.seq = checkpoint.seq

    async def _events(self, after: int) -> AsyncIterator[tuple[int, Event, str]]:
        async for record in journal.scan(self._pool, self._stream, after):
            yield record.seq, decode(record.payload), record.payload

    async def _compare(self, cause: Input | None, seq: int, expected: list[str]) -> None:
        if cause is None:
            return
        await self._prepare(cause)
        decided = [encode(event).decode() for event in self._engine.handle(cause)]
        self._found.inputs += 1
        if decided != expected and len(self._found.differences) < _TOLD:
            self._found.differences.append(sentence(seq, expected, decided))


def sentence(seq: int, expected: list[str], decided: list[str]) -> str:
    """For people: where the first decision of input `seq` differs from the journaled one."""
    longest = max(len(expected), len(decided))
    pairs = zip(
        expected + ["nothing"] * (longest - len(expected)),
        decided + ["nothing"] * (longest - len(decided)),
        strict=True,
    )
    was, now = next((was, now) for was, now in pairs if was != now)
    place = next((i for i, (a, b) in enumerate(zip(was, now, strict=False)) if a != b), 0)
    start = max(place - _AROUND, 0)
    return (
        f"input {seq} of the journal led to another {_kind(was)}: "
        f"then …{was[start : place + _AROUND]}…, now …{now[start : place + _AROUND]}…"
    )


def _kind(event: str) -> str:
    return str(json.loads(event)["type"]) if event.startswith("{") else event


def saving(
    pool: asyncpg.Pool, account_id: int, seq: int, engine: Engine, broker: Rebuildable | None
) -> Coroutine[Any, Any, None]:
    """Take the state now, between two steps; awaiting the result stores it."""
    saved = Saved(engine=engine.state(), book=broker.state() if broker else None)
    return _store(pool, account_id, Checkpoint(seq, msgspec.json.encode(saved)))


async def _store(pool: asyncpg.Pool, account_id: int, checkpoint: Checkpoint) -> None:
    try:
        await checkpoints.save(pool, account_id, checkpoint)
    except LOST_CONNECTION as error:
        log.warning("checkpoint_not_stored", account_id=account_id, error=str(error))


def running(state: EngineState) -> list[Deployment]:
    """The deployments at work in a checkpoint."""
    return [one.deployment for one in state.runtimes if one.state is DeploymentState.RUNNING]
