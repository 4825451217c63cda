"""Asking users' strategies in time: ahead of each slice, in threads, while the loop goes on."""

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Any, Final

import msgspec

from app.core.errors import StrategyLost
from app.domain.deployments import DeploymentState
from app.domain.events import SliceClosed
from app.engine.ahead import Question, questions
from app.engine.engine import Engine
from app.engine.runtime import Runtime
from app.hosting.deployed import Deployed
from app.strategies.base import BaseStrategy
from app.strategies.catalog import Catalogue

_THREADS: Final = 8


class Lost(msgspec.Struct, frozen=True):
    """A deployment whose strategies are gone, and why."""

    runtime: Runtime
    reason: str


class Strategists:
    """One account's strategies, wherever they live."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._deployed = Deployed(catalogue)
        self.make = self._deployed.make
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="strategies")
        self._slice: SliceClosed | None = None
        self._asked: list[Question] = []
        self._lost: dict[int, Lost] = {}

    async def prepare(self, wish: Any) -> BaseStrategy:  # noqa: ANN401 - a start or a deployment
        """What the engine will want when it starts this. Raises as `Catalogue.make`."""
        loop = asyncio.get_running_loop()
        given = wish.strategy, wish.parameters, wish.symbols, wish.timeframe
        return await loop.run_in_executor(self._threads, self._deployed.prepare, *given)

    def has_to_ask(self, engine: Engine, event: SliceClosed) -> bool:
        """Whether somebody of another process has a say about this slice, which comes next."""
        self._slice, self._lost = event, {}
        self._asked = questions(engine, event)
        return bool(self._asked)

    async def look(self) -> None:
        """Ask them; the engine may handle other things meanwhile."""
        await self._each(self._asked, Question.ask)

    async def settle(self, engine: Engine, event: SliceClosed) -> list[Lost]:
        """Right before it is handled: everything asked, with what is held now; who was lost."""
        if self._slice is not event and self.has_to_ask(engine, event):
            await self.look()
        await self._each([one for one in self._asked if one.is_outdated], Question.ask_again)
        self._slice, self._asked = None, []
        return [one for one in self._lost.values() if _is_running(one.runtime)]

    async def repeat(self, engine: Engine, event: SliceClosed) -> None:
        """As `settle`, of a slice that was handled before: who is lost now has failed on it."""
        if self.has_to_ask(engine, event):
            asked = self._asked
            await self.look()
            for lost in await self.settle(engine, event):
                for question in asked:
                    if question.runtime is lost.runtime:
                        lost.runtime.ready[question.key] = None, StrategyLost(lost.reason)

    async def _each(self, asked: list[Question], how: Any) -> None:  # noqa: ANN401 - a method
        """Deployments side by side, the symbols of one in turn."""
        loop = asyncio.get_running_loop()
        groups = [list(group) for _, group in groupby(asked, lambda one: id(one.runtime))]
        work = [loop.run_in_executor(self._threads, self._answered, one, how) for one in groups]
        for lost in await asyncio.gather(*work):
            if lost is not None:
                self._lost[lost.runtime.deployment.deployment_id] = lost

    def _answered(self, asked: list[Question], how: Any) -> Lost | None:  # noqa: ANN401 - as above
        for question in asked:
            if question.runtime.deployment.deployment_id in self._lost:
                return None
            try:
                how(question)
            except StrategyLost as error:
                return Lost(question.runtime, str(error))
        return None

    async def sweep(self, runtimes: Iterable[Runtime]) -> None:
        """Between two steps: end the processes of deployments that do not run any more."""
        if not self._deployed.is_used:
            return
        running = [one for one in runtimes if _is_running(one)]
        await asyncio.get_running_loop().run_in_executor(
            self._threads, self._deployed.sweep, running
        )

    async def close(self) -> None:
        """End all of them."""
        await self.sweep(())
        self._threads.shutdown(wait=False)


def _is_running(runtime: Runtime) -> bool:
    return runtime.state is DeploymentState.RUNNING
