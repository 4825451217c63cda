"""Accounts on live data, and the option chains that they follow."""

from decimal import Decimal

import asyncpg
import orjson
import pytest

from app.core.clock import system
from app.core.errors import InvalidInput
from app.db.session import opened_pool
from app.marketdata.option_choice import OptionLimits
from app.repositories import accounts
from app.repositories.accounts import AccountSettings
from app.services.live_accounts import LiveAccounts

KEY = b"a key of a test, 32 bytes long.."


async def other(pool: asyncpg.Pool, dataset: str) -> None:
    async with pool.acquire() as db, db.transaction():
        cash, settings = Decimal(1_000), AccountSettings()
        await accounts.add(db, name="Other", dataset=dataset, cash=cash, settings=settings)


async def test_changed_chains_are_stored_and_audited_and_nothing_else_changes(
    database_url: str,
) -> None:
    async with opened_pool(database_url) as pool:
        service = LiveAccounts(pool, KEY, system)
        opened = await service.open("ada", "Mine", ["databento"], ["SPY"], cash=Decimal(1_000))
        await pool.execute("""UPDATE accounts SET settings = settings || '{"later": 1}'""")
        limits = OptionLimits(days=5, percent=2.0, contracts=40)
        changed = await service.follow_options("ada", "Mine", ["AAPL"], limits)
        same = await service.follow_options("ada", "Mine", ["AAPL", "SPY"])
        stored = orjson.loads(await pool.fetchval("SELECT settings FROM accounts"))
        acts = await pool.fetch("SELECT payload FROM audit_trail ORDER BY seq")
    assert (changed.settings.options, changed.settings.symbols) == (("AAPL",), ("SPY", "AAPL"))
    assert changed.settings.feeds == opened.settings.feeds == ("databento",)
    assert same.settings.option_limits == limits
    assert stored["later"] == 1
    act = orjson.loads(acts[1]["payload"])
    assert (act["before"]["options"], act["after"]["options"]) == ([], ["AAPL"])


async def test_chains_are_followed_by_live_accounts_only(database_url: str) -> None:
    async with opened_pool(database_url) as pool:
        await other(pool, "simulated")
        service = LiveAccounts(pool, KEY, system)
        with pytest.raises(InvalidInput, match="has simulated data"):
            await service.follow_options("ada", "Other", ["AAPL"])
