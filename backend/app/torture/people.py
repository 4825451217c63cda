"""People at work while everything dies: an account, a deployment, and orders by hand."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from random import Random
from typing import Any, Final

import asyncpg

from app.domain.commands import CommandKind
from app.domain.market import Timeframe
from app.repositories import accounts, commands, deployments, stocks, strategies
from app.repositories import evidence as stored
from app.repositories.accounts import AccountSettings
from app.repositories.journal import LOST_CONNECTION
from app.strategies.catalog import Catalogue

SYMBOLS: Final = ("AAPL", "MSFT", "NVDA", "SPY", "QQQ")
STRATEGY: Final = "sma_cross"
PARAMETERS: Final = {"fast": 3, "slow": 8}
"Often wrong, never in doubt: it trades with nearly every swing."
START: Final = datetime.combine(date(2025, 6, 2), time(), UTC)
SPEED: Final = 6_000.0
"Market seconds a second: a hundred minute bars."
ACTOR: Final = "torture"
CENT: Final = Decimal("0.01")
AWAY: Final = (*LOST_CONNECTION, asyncpg.PostgresError)
"What a database answers that is being killed."


async def open_account(pool: asyncpg.Pool) -> int:
    """A paper account on the simulated market, with a strategy at work."""
    settings = AccountSettings(symbols=SYMBOLS, start=START, speed=SPEED)
    said = Catalogue(()).describe(STRATEGY)
    parameters = Catalogue(()).make(STRATEGY, PARAMETERS).parameters
    async with pool.acquire() as db, db.transaction():
        for symbol in SYMBOLS:
            await stocks.ensure(db, symbol)
        account_id = await accounts.add(
            db, name="Torture", dataset="simulated", cash=Decimal(100_000), settings=settings
        )
        strategy_id = await strategies.ensure(
            db, STRATEGY, said.description, said.defaults, said.parameters_schema, said.origin
        )
        deployment_id = await deployments.add(
            db,
            account_id=account_id,
            strategy_id=strategy_id,
            name=None,
            parameters=parameters,
            symbols=list(SYMBOLS),
            timeframe=Timeframe.M1,
            capital=None,
            created_by=None,
        )
        wish = {
            "deployment_id": deployment_id,
            "strategy": STRATEGY,
            "parameters": parameters,
            "symbols": list(SYMBOLS),
            "timeframe": Timeframe.M1,
            "capital": None,
        }
        await commands.submit(db, account_id, CommandKind.DEPLOYMENT_START, wish, ACTOR)
    return account_id


class Person:
    """Places, changes and cancels orders on one account, as the API would: by commands.

    `acknowledged` are the commands whose commit the database confirmed: none may be lost.
    """

    def __init__(
        self, pool: asyncpg.Pool, account_id: int, symbols: tuple[str, ...], chance: Random
    ) -> None:
        self.acknowledged: list[int] = []
        self.account_id = account_id
        self._pool, self._symbols, self._chance = pool, symbols, chance

    async def act(self, prices: Mapping[str, Decimal] | None = None) -> None:
        """Ask for one thing; a database that is away has acknowledged nothing."""
        try:
            known = prices or await stored.prices(self._pool, self.account_id)
            kind, payload = await self._wish(known)
            number = await commands.submit(self._pool, self.account_id, kind, payload, ACTOR)
        except AWAY:
            return
        self.acknowledged.append(number)

    async def _wish(self, prices: Mapping[str, Decimal]) -> tuple[CommandKind, dict[str, Any]]:
        """Mostly orders; now and then a change or a cancel of one that rests."""
        drawn = self._chance.random()
        resting = await stored.resting(self._pool, self.account_id) if drawn < 0.4 else []
        if not resting:
            return CommandKind.ORDER_PLACE, self._order(prices)
        order = self._chance.choice(resting)
        about: dict[str, Any] = {"client_order_id": order["client_order_id"]}
        if drawn < 0.2 or order["limit_price"] is None:
            return CommandKind.ORDER_CANCEL, about
        limit = (order["limit_price"] * Decimal("0.999")).quantize(CENT)
        return CommandKind.ORDER_REPLACE, about | {"limit_price": str(limit)}

    def _order(self, prices: Mapping[str, Decimal]) -> dict[str, Any]:
        symbol = self._chance.choice(self._symbols)
        side = self._chance.choice(("buy", "buy", "sell"))
        order = {"symbol": symbol, "side": side, "quantity": str(self._chance.randint(1, 5))}
        price = prices.get(symbol)
        if price is None or self._chance.random() < 0.5:
            return order | {"type": "market"}
        away = Decimal("0.998") if side == "buy" else Decimal("1.002")
        limit = str((price * away).quantize(CENT))
        return order | {"type": "limit", "limit_price": limit}
