"""Real money is traded only with the setting, a person's proof, and the account's number typed."""

from collections.abc import AsyncIterator
from decimal import Decimal

import asyncpg
import orjson
import pytest

from app import bootstrap
from app.core.clock import system
from app.core.config import get_settings
from app.core.errors import ConfigurationError, Conflict, InvalidInput, NotFound
from app.domain.deployments import AccountMode, TradingState
from app.domain.orders import Leg
from app.events.publishers import Publisher, SystemEvents
from app.repositories import accounts
from app.repositories.accounts import AccountSettings
from app.repositories.journal import SharedJournal
from app.runner.gate import WireGate
from app.services.interlock import Interlock, check
from app.strategies.catalog import Catalogue
from tests.runner.test_runner_gate import make_order

KEY = b"a key of a test, 32 bytes long.."


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(database_url, min_size=0, max_size=3) as pool:
        yield pool


async def opened(
    pool: asyncpg.Pool, mode: AccountMode = AccountMode.LIVE, number: str | None = None
) -> int:
    settings = AccountSettings(feeds=("alpaca",), broker={"account": number} if number else {})
    async with pool.acquire() as db, db.transaction():
        return await accounts.add(
            db, name="Real", dataset="live", cash=Decimal(0), settings=settings,
            broker="alpaca", mode=mode,
        )  # fmt: skip


def interlock(pool: asyncpg.Pool, *, is_on: bool = True) -> Interlock:
    return Interlock(pool, KEY, system, is_on=is_on)


async def test_an_account_of_real_money_waits_until_it_is_armed(pool: asyncpg.Pool) -> None:
    number = await opened(pool)
    with pytest.raises(ConfigurationError, match="is not armed"):
        check(await accounts.get(pool, number), is_on=True)
    armed = await interlock(pool).arm("ada", None, number, f" {number} ")
    assert (armed.name, armed.armed_by) == ("Real", "ada")
    check(await accounts.get(pool, number), is_on=True)
    await interlock(pool).disarm("ada", None, number)
    with pytest.raises(ConfigurationError, match="is not armed"):
        check(await accounts.get(pool, number), is_on=True)
    acts = await pool.fetch("SELECT action, actor, payload FROM audit_trail ORDER BY seq")
    assert [act["action"] for act in acts] == ["account.armed", "account.disarmed"]
    assert orjson.loads(acts[1]["payload"])["before"]["armed_by"] == "ada"


async def test_disarming_halts_real_money_at_once_and_arming_does_not_resume(
    pool: asyncpg.Pool,
) -> None:
    number = await opened(pool)
    armed = await interlock(pool).arm("ada", None, number, str(number))
    assert armed.trading_state is TradingState.ACTIVE
    disarmed = await interlock(pool).disarm("ada", None, number)
    assert disarmed.trading_state is TradingState.HALTED
    gate = WireGate(number)
    await gate.refresh(pool)
    assert gate(make_order(Leg.ENTRY)) == f"trading is halted (account:{number})"
    asked = await pool.fetchrow("SELECT kind, payload::text AS payload FROM commands")
    assert asked["kind"] == "trading_halt"
    assert orjson.loads(asked["payload"]) == {"reason": "disarmed", "flatten": False}
    again = await interlock(pool).arm("ada", None, number, str(number))
    assert again.trading_state is TradingState.HALTED


async def test_paper_is_not_halted_by_disarming(pool: asyncpg.Pool) -> None:
    number = await opened(pool, AccountMode.PAPER)
    disarmed = await interlock(pool).disarm("ada", None, number)
    assert disarmed.trading_state is TradingState.ACTIVE
    assert await pool.fetchval("SELECT count(*) FROM commands") == 0


async def test_the_setting_goes_before_everything(pool: asyncpg.Pool) -> None:
    number = await opened(pool)
    await interlock(pool).arm("ada", None, number, str(number))
    with pytest.raises(ConfigurationError, match="TRADEWRIGHT_LIVE_TRADING=true"):
        check(await accounts.get(pool, number), is_on=False)
    with pytest.raises(Conflict, match="switched off"):
        await interlock(pool, is_on=False).arm("ada", None, number, str(number))


@pytest.mark.parametrize("typed", ["", "yes", "U7654321", "1"])
async def test_another_number_does_not_arm(pool: asyncpg.Pool, typed: str) -> None:
    number = await opened(pool, number="U1234567")
    with pytest.raises(InvalidInput) as refused:
        await interlock(pool).arm("ada", None, number, typed)
    assert refused.value.field == "account"
    assert "U1234567" not in str(refused.value)
    assert (await accounts.get(pool, number)).settings.armed_at is None
    await interlock(pool).arm("ada", None, number, "U1234567")


async def test_paper_needs_no_arming(pool: asyncpg.Pool) -> None:
    number = await opened(pool, AccountMode.PAPER)
    check(await accounts.get(pool, number), is_on=False)
    with pytest.raises(Conflict, match="trades no real money"):
        await interlock(pool).arm("ada", None, number, str(number))
    with pytest.raises(NotFound):
        await interlock(pool).arm("ada", None, 99, "99")


async def test_the_trading_process_makes_no_broker_for_an_account_that_is_not_armed(
    pool: asyncpg.Pool, database_url: str
) -> None:
    account = await accounts.get(pool, await opened(pool))
    parts = bootstrap.Parts(
        settings=get_settings(), url=database_url, pool=pool, journal_key=KEY,
        system=SharedJournal(pool, KEY), catalogue=Catalogue(()), publisher=None,
        facts=SystemEvents(Publisher(SharedJournal(pool, KEY)), system),
    )  # fmt: skip
    with pytest.raises(ConfigurationError, match="switched off"):
        parts.broker(account, {})
