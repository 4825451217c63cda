"""A simulated event loop: virtual time, a seeded choice among ready callbacks, and no real I/O.

Every callback belongs to the *life* (the simulated process) in whose context it was made. A life
that was killed is never run again: no `finally`, no `except`, as after kill -9. A life that is
paused is run later, as between SIGSTOP and SIGCONT.
"""

import asyncio
from asyncio.events import _set_running_loop
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from functools import partial
from heapq import heappop, heappush
from random import Random
from typing import Any, Final, TypeVar, cast
from warnings import catch_warnings, simplefilter

import msgspec

T = TypeVar("T")
_CLOSINGS: Final = 10
MOST_STEPS: Final = 100_000
"More callbacks than this in one run: something turns in circles."


class Deadlock(Exception):
    """Nothing is ready and no timer is set: what waits would wait for ever."""


class Livelock(Exception):
    """Time no longer goes on, or far too much happens in it."""


class Stopped(Exception):
    """Somebody has seen enough."""


class RealWait(Exception):
    """Something wanted a thread, a socket or a file: the simulation has none."""


class Handle(msgspec.Struct):
    """A callback that waits for its turn: what asyncio's own handles can, and lighter."""

    callback: Callable[..., object]
    args: tuple[object, ...]
    context: Context
    at: float = 0.0
    is_cancelled: bool = False

    def cancel(self) -> None:
        self.is_cancelled = True

    def cancelled(self) -> bool:
        return self.is_cancelled

    def when(self) -> float:
        return self.at


class Life:
    """One simulated process: killed, it never runs again; paused, it runs later."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_dead = False
        self.is_paused = False
        self.parked: list[Handle] = []
        "What became ready while it was paused."


LIFE: Final[ContextVar[Life | None]] = ContextVar("life", default=None)


class SimLoop:
    """Runs callbacks one at a time in an order that the seed alone decides.

    It has what tasks, futures, queues and time-outs need of a loop, and nothing that reaches out.
    """

    def __init__(self, seed: int) -> None:
        self._random = Random(seed).random  # nosec B311 - the seed must decide
        self._as_loop: Any = self
        self.create_future: Callable[[], asyncio.Future[Any]] = partial(
            asyncio.Future, loop=cast(Any, self)
        )
        self._now = 0.0
        self._ready: list[Handle] = []
        self._timers: list[tuple[float, int, Handle]] = []
        self._number = 0
        self._is_running = False
        self._tasks: list[asyncio.Task[Any]] = []
        self.steps = 0
        self.is_stopped = False
        self.errors: list[dict[str, Any]] = []
        "What nobody caught, as asyncio tells it."

    # ------------------------------------------------------------------- what asyncio needs

    def time(self) -> float:
        return self._now

    def call_soon(
        self, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> Handle:
        handle = Handle(callback, args, copy_context() if context is None else context)
        self._ready.append(handle)
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: object,
        context: Context | None = None,
    ) -> Handle:
        return self._at(self._now + delay if delay > 0.0 else self._now, callback, args, context)

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: object,
        context: Context | None = None,
    ) -> Handle:
        return self._at(when, callback, args, context)

    def _at(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[object, ...],
        context: Context | None,
    ) -> Handle:
        handle = Handle(callback, args, copy_context() if context is None else context, when)
        self._number += 1
        heappush(self._timers, (when, self._number, handle))
        return handle

    def create_task(
        self,
        coro: Coroutine[Any, Any, Any],
        **options: Any,  # noqa: ANN401 - asyncio's own
    ) -> "asyncio.Task[Any]":
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self._as_loop, **options)
        self._tasks.append(task)
        return task

    get_debug = staticmethod(bool)
    "No: and every future asks."

    def sleep(self, delay: float) -> "asyncio.Future[None]":
        """To be awaited: as `asyncio.sleep`, which costs twice as much."""
        future: asyncio.Future[None] = self.create_future()
        self._at(self._now + delay, _finish, (future,), None)
        return future

    def is_running(self) -> bool:
        return self._is_running

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.errors.append(context)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a loop may have
        raise RealWait(f"there is no {name} in the simulation")

    async def shutdown_asyncgens(self) -> None:
        """Generators end with their tasks."""

    # ------------------------------------------------------------------------------- running

    def run(self, main: Coroutine[Any, Any, T], most: int = MOST_STEPS) -> T:
        """Run until `main` is done. Raises Deadlock, Livelock, and what `main` raises."""
        _set_running_loop(self._as_loop)
        self._is_running = True
        try:
            task: asyncio.Task[T] = self.create_task(main)
            while not task.done():
                self._step()
                if self.is_stopped:
                    raise Stopped
                if self.steps > most:
                    raise Livelock(f"{most} callbacks within {self._now:.0f} virtual seconds")
            return task.result()
        finally:
            self._is_running = False
            _set_running_loop(None)

    def _step(self) -> None:
        """Run one of those that are ready, or the next timer: then it is as late as it says."""
        ready = self._ready
        if ready:
            count = len(ready)
            handle = ready.pop(int(self._random() * count)) if count > 1 else ready.pop()
        elif self._timers:
            when, _, handle = heappop(self._timers)
            if when > self._now and not handle.is_cancelled:
                self._now = when
        else:
            raise Deadlock("nothing is ready and no timer is set")
        if handle.is_cancelled:
            return
        life = handle.context.get(LIFE)
        if life is not None and (life.is_dead or life.is_paused):
            if not life.is_dead:
                life.parked.append(handle)
            return
        self.steps += 1
        try:
            handle.context.run(handle.callback, *handle.args)
        except Exception as error:  # noqa: BLE001  as asyncio: told, and the loop goes on
            self.errors.append({"message": "raised in a callback", "exception": error})

    def wake(self, life: Life) -> None:
        """Let a paused life go on."""
        life.is_paused = False
        self._ready += life.parked
        life.parked = []

    def bury(self) -> None:
        """Close what still waits, so that the collector has nothing to say. Nothing runs again."""
        _set_running_loop(self._as_loop)
        try:
            with catch_warnings():
                # What was never begun was never awaited either.
                simplefilter("ignore", RuntimeWarning)
                while self._tasks:
                    _close(self._tasks.pop())
        finally:
            _set_running_loop(None)
        self._ready.clear()
        self._timers.clear()


def _finish(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _close(task: "asyncio.Task[Any]") -> None:
    if task.done():
        return
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # asyncio's own
    coroutine = task.get_coro()
    for _ in range(_CLOSINGS):
        try:
            if coroutine is not None:
                coroutine.close()
        except RuntimeError:
            continue  # it awaits something in a `finally`: that is closed next
        return
