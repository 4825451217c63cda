"""A live account that follows a chain, from the vendor's gateway to the API, in one process."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.bootstrap import Parts
from app.core.clock import now, to_ns
from app.domain.options import OptionContract, OptionType
from app.main import create_app
from app.marketdata.option_choice import OptionLimits
from app.repositories import accounts, feed_states
from app.repositories.accounts import AccountSettings
from app.runner import live_options
from tests.api.world import World, client_of, key_of
from tests.markets_live import MINUTE, minute
from tests.runner.conftest import CASH, trading, until
from tests.vendors import databento_records as records
from tests.vendors.databento import DatabentoLoopback, raw

UP = "SELECT EXISTS (SELECT FROM feed_states WHERE provider = $1 AND state = 'up')"


@pytest.fixture(autouse=True)
def _redis(monkeypatch: pytest.MonkeyPatch, redis_url: str) -> None:
    """Before the settings are read: chains are shown there too."""
    monkeypatch.setenv("REDIS_URL", redis_url)


@pytest.fixture
def contracts() -> list[str]:
    """Calls and puts around a share at 101 that expire in some weeks, and one far away."""
    expiry = now().date() + timedelta(days=25)
    return [
        OptionContract("AAPL", expiry, Decimal(strike), kind).symbol
        for strike, kind in (
            (100, OptionType.CALL),
            (100, OptionType.PUT),
            (105, OptionType.CALL),
            (150, OptionType.CALL),
        )
    ]


@pytest.fixture
async def vendor(
    monkeypatch: pytest.MonkeyPatch, contracts: list[str]
) -> AsyncIterator[DatabentoLoopback]:
    async with DatabentoLoopback() as loopback:
        for name, value in loopback.environment.items():
            monkeypatch.setenv(name, value)
        listed = to_ns(now() - timedelta(hours=1))
        for number, symbol in enumerate(contracts):
            monkeypatch.setitem(records.INSTRUMENTS, raw(symbol), 1_200_000_000 + number)
            loopback.history.add(records.definition(raw(symbol), "AAPL", listed))
        loopback.history.end = now().isoformat().replace("+00:00", "Z")
        yield loopback


async def following(parts: Parts, *feeds: str, start: datetime) -> int:
    """On an exchange that never closes."""
    settings = AccountSettings(
        feeds=feeds,
        symbols=("AAPL",),
        options=("AAPL",),
        option_limits=OptionLimits(days=40, percent=20),
        exchange="24/7",
        start=start,
    )
    async with parts.pool.acquire() as db, db.transaction():
        return await accounts.add(db, name="Live", dataset="live", cash=CASH, settings=settings)


async def test_quotes_of_a_followed_chain_are_shown_by_the_api(
    parts: Parts, vendor: DatabentoLoopback, contracts: list[str]
) -> None:
    start = now().replace(second=0, microsecond=0) - MINUTE
    batch = minute("AAPL", start, 0)
    first, _, *values = batch.rows.tolist()[0]
    opened, high, low, close, volume = values[:5]
    bar = records.bar("AAPL", "ohlcv-1m", first, (opened, high, low, close, int(volume)))
    wanted = contracts[:3]
    await following(parts, "databento", start=start)
    async with trading(parts):
        await until(parts, UP, "databento")
        vendor.publish(bar)  # what the share costs: strikes can be chosen
        await until(parts, UP, "databento options")
        at = to_ns(now()) // 10**9 * 10**9
        for symbol, price in zip(wanted, (4.0, 2.5, 1.5), strict=True):
            vendor.publish(records.quote(raw(symbol), price - 0.1, price + 0.1, at))
        await until(parts, "SELECT count(*) = 3 FROM options_data")
        states = await feed_states.listed(parts.pool)
        answer = await read(parts)
    assert [(one["provider"], one["place"]) for one in states] == [
        ("databento", 0),
        ("databento options", 1),
    ]
    assert sorted(states[1]["report"]["symbols"]) == sorted(wanted)
    body, figures = answer
    assert (body["dataset"], body["underlying_price"]) == ("live", 101)
    assert {one["symbol"] for one in body["items"]} == set(wanted)
    assert all(0.05 < one["implied_volatility"] < 1 for one in body["items"])
    assert "tradewright_option_contracts 3" in figures
    assert "tradewright_option_quotes_total 3" in figures


async def read(parts: Parts) -> tuple[dict[str, Any], str]:
    """The chain as a program reads it, and the metrics."""
    app = create_app()
    async with app.router.lifespan_context(app):
        user_id = await World(parts.pool).person("ada@example.com")
        key = await key_of(app.state.parts, user_id, "admin", "read", "admin")
        async with client_of(app, key) as client:
            chain = await client.get("/api/stocks/AAPL/options?dataset=live")
            figures = await client.get("/metrics")
    return chain.json(), figures.text


async def test_an_account_whose_providers_carry_no_options_says_so_and_trades_on(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    await following(parts, "yfinance", start=now())
    async with trading(parts):
        await until(parts, "SELECT EXISTS (SELECT FROM alerts)")
    alert = await parts.pool.fetchrow("SELECT title, detail FROM alerts")
    assert alert["title"] == "yfinance gives account Live no options"
    assert "carries no quotes of options" in alert["detail"]


async def test_settings_that_change_are_followed_without_a_restart(
    parts: Parts, vendor: DatabentoLoopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_options, "SETTINGS_SECONDS", 0.05)
    account_id = await following(parts, "databento", start=now())
    change = "UPDATE accounts SET settings = settings || $2::jsonb WHERE id = $1"
    options = "SELECT EXISTS (SELECT FROM feed_states WHERE provider = 'databento options')"
    async with trading(parts):
        await until(parts, options)
        await parts.pool.execute(change, account_id, '{"options": []}')
        await until(parts, f"SELECT NOT ({options})")
        await parts.pool.execute(change, account_id, '{"options": ["AAPL"]}')
        await until(parts, options)
