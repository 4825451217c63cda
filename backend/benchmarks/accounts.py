"""An account on a scratch database with deployment 1 of sma_cross, as the engine needs it."""

from decimal import Decimal

import asyncpg

from app.domain.market import Timeframe
from app.repositories import accounts, deployments, stocks
from app.repositories.accounts import AccountSettings

SYMBOL = "AAA"
DATASET = "replay:bench"
CASH = Decimal(100_000)


async def add_account(pool: asyncpg.Pool) -> int:
    """The account's id; its deployment is number 1."""
    async with pool.acquire() as db, db.transaction():
        await stocks.ensure(db, SYMBOL)
        account_id = await accounts.add(
            db, name="Bench", dataset=DATASET, cash=CASH, settings=AccountSettings()
        )
        strategy_id = await db.fetchval(
            "INSERT INTO strategies (name) VALUES ('sma_cross')"
            " ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id"
        )
        await deployments.add(
            db, account_id=account_id, strategy_id=strategy_id, name="Bench", parameters={},
            symbols=[SYMBOL], timeframe=Timeframe.M1, capital=None, created_by=None,
        )  # fmt: skip
    return account_id
