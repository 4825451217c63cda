"""What strategies look back on: loaded before an input needs it; their indicators stored behind."""

import asyncio
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

import asyncpg

from app.core.errors import InvalidInput, NotFound, StrategyLost
from app.core.logging import get_logger
from app.domain.commands import CommandKind
from app.domain.deployments import DeploymentState
from app.domain.events import BarsCorrected, CommandReceived, SliceClosed
from app.engine.commands import DeploymentStart, parse
from app.engine.driver import Item
from app.engine.engine import Engine
from app.engine.state import EngineState
from app.repositories.accounts import Account
from app.repositories.journal import LOST_CONNECTION
from app.runner import recovery
from app.runner.histories import Histories
from app.runner.strategists import Strategists
from app.strategies.base import BaseStrategy

FLUSH_SECONDS: Final = 1.0
log: Final = get_logger("trading")
agents: Final = get_logger("agents")


class Preparing:
    """Of one account; `engine` is set as soon as there is one."""

    def __init__(
        self, pool: asyncpg.Pool, account: Account, histories: Histories, strategists: Strategists
    ) -> None:
        self.engine: Engine
        self._pool, self._account = pool, account
        self._histories, self._strategists = histories, strategists

    async def prepare(self, item: Item) -> None:
        """Load what strategies that start, or whose bars were corrected, will look back on."""
        if isinstance(item, BarsCorrected):
            for deployment, state in self.engine.deployments.values():
                if state is DeploymentState.RUNNING and item.symbol in deployment.symbols:
                    runtime = self.engine.runtimes[deployment.deployment_id]
                    await self._load(deployment, self.engine.slice_end, runtime.every_strategy[0])
            return
        if isinstance(item, CommandReceived) and item.kind == CommandKind.DEPLOYMENT_START:
            with suppress(InvalidInput):
                wish = parse(item.kind, item.payload)
                if isinstance(wish, DeploymentStart):
                    until = self.engine.slice_end or self._account.settings.start
                    await self._load(wish, until)

    async def warm(self, state: EngineState) -> None:
        """What deployments of a checkpoint look back on."""
        for deployment in recovery.running(state):
            await self._load(deployment, state.slice_end or self._account.settings.start)

    async def repeat(self, item: Item) -> None:
        """What an input needs that is handled again, after a restart."""
        await self.prepare(item)
        if isinstance(item, SliceClosed):
            await self._strategists.repeat(self.engine, item)

    async def _load(
        self,
        wish: Any,  # noqa: ANN401 - a start or a deployment
        until: datetime | None,
        strategy: BaseStrategy | None = None,
    ) -> None:
        try:
            strategy = strategy or await self._strategists.prepare(wish)
        except (InvalidInput, NotFound, StrategyLost):
            return  # the engine says so
        await self._histories.load(strategy, wish.symbols, wish.timeframe, until)
        agents.info(
            "strategy_prepared",
            account_id=self._account.id,
            strategy=wish.strategy,
            symbols=wish.symbols,
            timeframe=wish.timeframe,
            lookback=strategy.lookback,
        )

    async def flush(self) -> None:
        """Store the indicators that were computed, for ever."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.store()

    async def store(self) -> None:
        """Those that wait."""
        try:
            while await self._histories.flush(self._pool):
                pass
        except (*LOST_CONNECTION, asyncpg.PostgresError) as error:
            log.warning("indicators_not_stored", account_id=self._account.id, error=str(error))
