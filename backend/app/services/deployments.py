"""Strategies put to work: checked, stored, started, paused and stopped."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import asyncpg
import msgspec

from app.core.errors import Conflict, InvalidInput, NotFound
from app.domain.commands import CommandKind, Desk, Once
from app.domain.deployments import DeploymentState
from app.domain.market import Timeframe
from app.domain.notional_caps import refuse_unbounded
from app.domain.options import refuse_option
from app.domain.users import Caller
from app.repositories import (
    account_reports,
    deployment_reports,
    deployments,
    stock_reports,
    stocks,
    strategies,
)
from app.repositories.paging import Db, Row
from app.repositories.stock_data import StockData
from app.strategies.base import BaseStrategy
from app.strategies.catalog import Catalogue

_FINAL = frozenset({DeploymentState.STOPPED, DeploymentState.FAILED})


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to deploy. `account_id` None: the only account."""

    strategy: str
    parameters: dict[str, Any]
    symbols: Sequence[str]
    timeframe: Timeframe
    account_id: int | None = None
    capital: Decimal | None = None
    name: str | None = None


class Made(msgspec.Struct, frozen=True):
    """A new deployment, and what became of starting it."""

    deployment_id: int
    command: Row | None


class Deployments:
    """The use cases of a deployment."""

    def __init__(self, pool: asyncpg.Pool, desk: Desk, catalogue: Catalogue) -> None:
        self._pool = pool
        self._desk = desk
        self._catalogue = catalogue

    async def create(self, caller: Caller, wish: Wish, *, start: bool, once: Once) -> Made:
        """Check, store and start. Raises InvalidInput or NotFound with the nearest name."""
        refuse_unbounded(caller)
        if once.command_id is not None:
            row = await self._desk.ask(0, CommandKind.DEPLOYMENT_START, {}, caller.actor, once)
            return Made(row["payload"]["deployment_id"], row)
        account_id = await self.account(caller, wish.account_id)
        strategy = self.strategy(wish.strategy, wish.parameters)
        symbols = await self.symbols(wish.symbols)
        strategy.check_deployment(symbols, wish.timeframe)

        async def make(db: Db) -> dict[str, Any]:
            deployment_id = await deployments.add(
                db,
                account_id=account_id,
                strategy_id=await self.ensure_strategy(db, wish.strategy),
                name=wish.name,
                parameters=strategy.parameters,
                symbols=symbols,
                timeframe=wish.timeframe,
                capital=wish.capital,
                created_by=caller.user_id,
            )
            return start_payload(await deployment_reports.get(db, deployment_id))

        if start:
            row = await self._desk.ask(
                account_id, CommandKind.DEPLOYMENT_START, make, caller.actor, once
            )
            return Made(row["payload"]["deployment_id"], row)
        async with self._pool.acquire() as db, db.transaction():
            await once.claim(db)
            return Made((await make(db))["deployment_id"], None)

    async def start(self, caller: Caller, deployment_id: int) -> Row:
        """The command's row. Raises Conflict for one that has ended, or runs."""
        refuse_unbounded(caller)
        found = await self._live(caller, deployment_id)
        if found["state"] == DeploymentState.RUNNING:
            raise Conflict(f"Deployment {deployment_id} is running already.")
        return await self._desk.ask(
            found["account_id"], CommandKind.DEPLOYMENT_START, start_payload(found), caller.actor
        )

    async def pause(self, caller: Caller, deployment_id: int, reason: str) -> Row:
        """The command's row. Positions and their protective orders stay."""
        found = await self._live(caller, deployment_id)
        payload = {"deployment_id": deployment_id, "reason": reason}
        return await self._desk.ask(
            found["account_id"], CommandKind.DEPLOYMENT_PAUSE, payload, caller.actor
        )

    async def stop(self, caller: Caller, deployment_id: int, reason: str, *, flatten: bool) -> Row:
        """The command's row. With `flatten` what it holds is closed too."""
        found = await self._live(caller, deployment_id)
        payload = {"deployment_id": deployment_id, "reason": reason, "flatten": flatten}
        return await self._desk.ask(
            found["account_id"], CommandKind.DEPLOYMENT_STOP, payload, caller.actor
        )

    async def preview(self, caller: Caller, wish: Wish) -> Row:
        """What a deployment would see: nothing is stored."""
        account_id = await self.account(caller, wish.account_id)
        strategy = self.strategy(wish.strategy, wish.parameters)
        dataset = await stock_reports.dataset_of(self._pool, account_id)
        stored = StockData(self._pool, str(dataset))
        symbols = await self.symbols(wish.symbols)
        strategy.check_deployment(symbols, wish.timeframe)
        series = [
            await _seen(stored, symbol, wish.timeframe, strategy.lookback) for symbol in symbols
        ]
        return {"parameters": strategy.parameters, "lookback": strategy.lookback, "series": series}

    def strategy(self, name: str, parameters: dict[str, Any]) -> BaseStrategy:
        """The strategy with these parameters. Raises NotFound or InvalidInput with the remedy."""
        try:
            return self._catalogue.make(name, parameters)
        except NotFound as error:
            raise InvalidInput(error.message, field="strategy", remedy=error.remedy) from None

    async def symbols(self, wanted: Sequence[str]) -> list[str]:
        """Known symbols, once each. Raises InvalidInput with the nearest."""
        found = []
        for symbol in wanted:
            refuse_option(symbol, "symbols")
            try:
                found.append((await stocks.get(self._pool, symbol)).symbol)
            except NotFound as error:
                raise InvalidInput(error.message, field="symbols", remedy=error.remedy) from None
        return list(dict.fromkeys(found))

    async def account(self, caller: Caller, account_id: int | None) -> int:
        """The account that is meant. Raises InvalidInput."""
        visible = await account_reports.ids(self._pool, caller.visible)
        if account_id is None and len(visible) == 1:
            return visible[0]
        if account_id not in visible or account_id is None:
            several = "There are several accounts."
            what = several if account_id is None else f"There is no account {account_id}."
            raise InvalidInput(what, field="account_id", remedy="Name one of GET /api/accounts.")
        return account_id

    async def ensure_strategy(self, db: Db, name: str) -> int:
        """Id of the strategy's row."""
        said = self._catalogue.describe(name)
        return await strategies.ensure(
            db, name, said.description, said.defaults, said.parameters_schema, said.origin
        )

    async def _live(self, caller: Caller, deployment_id: int) -> Row:
        found = await deployment_reports.get(self._pool, deployment_id, caller.visible)
        if found["state"] in _FINAL:
            raise Conflict(
                f"Deployment {deployment_id} has {found['state']}; that is final.",
                remedy="Deploy the strategy again.",
            )
        return found


def start_payload(found: Row) -> dict[str, Any]:
    """What `deployment_start` carries."""
    return {
        "deployment_id": found["id"],
        "strategy": found["strategy"],
        "parameters": found["parameters"],
        "symbols": list(found["symbols"]),
        "timeframe": found["timeframe"],
        "capital": None if found["capital"] is None else str(found["capital"]),
    }


async def _seen(stored: StockData, symbol: str, timeframe: Timeframe, lookback: int) -> Row:
    batch = await stored.bars(symbol, timeframe)
    return {
        "symbol": symbol,
        "bars": len(batch),
        "first_start": batch.bar(0).start if len(batch) else None,
        "last_start": batch.bar(-1).start if len(batch) else None,
        "first_opinion_at": batch.bar(lookback - 1).start if len(batch) >= lookback > 0 else None,
    }
