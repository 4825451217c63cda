"""A live paper account in the trading process: catches up, says what its feed does, is refused."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from app import bootstrap
from app.bootstrap import Parts
from app.core.clock import now
from app.core.config import NINE_SYMBOLS, get_settings
from app.repositories import accounts, feed_states
from app.repositories.accounts import AccountSettings
from tests.markets_live import MINUTE, minute
from tests.runner.conftest import CASH, trading, until
from tests.vendors.twelve_data import TwelveDataLoopback

MISSED = 10


@pytest.fixture
async def vendor(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TwelveDataLoopback]:
    async with TwelveDataLoopback() as loopback:
        for name, value in loopback.variables.items():
            monkeypatch.setenv(name, value)
        loopback.know("AAPL")
        yield loopback


async def live_account(parts: Parts, start: datetime, *feeds: str) -> int:
    """On an exchange that never closes."""
    settings = AccountSettings(feeds=feeds, symbols=("AAPL",), exchange="24/7", start=start)
    async with parts.pool.acquire() as db, db.transaction():
        return await accounts.add(db, name="Live", dataset="live", cash=CASH, settings=settings)


async def test_what_was_missed_warms_up_and_the_feed_is_seen_to_be_up(
    parts: Parts, vendor: TwelveDataLoopback
) -> None:
    start = now().replace(second=0, microsecond=0) - MISSED * MINUTE
    for number in range(MISSED):
        vendor.hold(minute("AAPL", start + number * MINUTE, number))
    account_id = await live_account(parts, start, "twelve_data")
    async with trading(parts):
        await until(parts, "SELECT EXISTS (SELECT FROM feed_states WHERE state = 'up')")
        await until(
            parts,
            "SELECT count(*) >= $2 FROM trading_events WHERE stream = $1"
            " AND event_type = 'slice_closed'",
            f"account:{account_id}",
            MISSED,
        )
    payloads = await parts.pool.fetch(
        "SELECT payload->>'warm_up' AS warm FROM trading_events WHERE stream = $1"
        " AND event_type = 'slice_closed' ORDER BY seq LIMIT $2",
        f"account:{account_id}",
        MISSED - 2,
    )
    assert {row["warm"] for row in payloads} == {"true"}
    stored = await parts.pool.fetch("SELECT source FROM stock_data WHERE dataset = 'live'")
    assert len(stored) >= MISSED
    assert {row["source"] for row in stored} == {"twelve_data"}
    connected = "SELECT payload->>'feed' FROM trading_events WHERE event_type = 'feed_connected'"
    assert "twelve_data (Live)" in [row[0] for row in await parts.pool.fetch(connected)]
    (state,) = await feed_states.listed(parts.pool)
    assert (state["provider"], state["report"]["symbols"]) == ("twelve_data", ["AAPL"])


async def test_a_refused_key_is_journaled_and_raises_an_alert(
    parts: Parts, vendor: TwelveDataLoopback
) -> None:
    vendor.expire_key()
    await live_account(parts, now() - timedelta(minutes=1), "twelve_data")
    async with trading(parts):
        await until(parts, "SELECT EXISTS (SELECT FROM feed_states WHERE state = 'refused')")
        await until(parts, "SELECT EXISTS (SELECT FROM alerts)")
    alert = await parts.pool.fetchrow("SELECT title, detail FROM alerts")
    assert alert["title"] == "twelve_data gives account Live no data"
    assert "TWELVE_DATA_API_KEY" in alert["detail"]
    reason = await parts.pool.fetchval(
        "SELECT payload->>'reason' FROM trading_events WHERE event_type = 'feed_disconnected'"
    )
    assert "TWELVE_DATA_API_KEY" in reason


async def test_an_account_whose_state_nobody_would_write_any_more_begins_anew(
    parts: Parts, vendor: TwelveDataLoopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, broken = feed_states.save, [True]

    async def break_once(*arguments: Any) -> None:
        if broken:
            broken.clear()
            raise RuntimeError("nobody expected this")
        await save(*arguments)

    monkeypatch.setattr(feed_states, "save", break_once)
    await live_account(parts, now() - timedelta(minutes=1), "twelve_data")
    async with trading(parts):
        await until(
            parts, "SELECT EXISTS (SELECT FROM alerts WHERE detail LIKE '%nobody expected this%')"
        )
        await until(parts, "SELECT EXISTS (SELECT FROM feed_states WHERE state = 'up')")


async def test_a_name_that_does_not_exist_is_answered_with_the_nearest(
    parts: Parts, vendor: TwelveDataLoopback
) -> None:
    await live_account(parts, now(), "twelvedata")
    async with trading(parts):
        await until(parts, "SELECT EXISTS (SELECT FROM alerts)")
    assert "Did you mean twelve_data?" in await parts.pool.fetchval("SELECT detail FROM alerts")


async def test_a_first_start_with_a_key_makes_the_live_account_and_its_deployments(
    configured: None, vendor: TwelveDataLoopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRADEWRIGHT_REPLAY")
    get_settings.cache_clear()
    for symbol in NINE_SYMBOLS:
        vendor.know(symbol)
    async with bootstrap.parts() as parts:
        async with trading(parts):
            await until(parts, "SELECT count(*) = 2 FROM deployments WHERE state = 'running'")
            await until(parts, "SELECT EXISTS (SELECT FROM feed_states)")
        account = await accounts.find(parts.pool, "Live data (paper)")
        assert account is not None
        assert account.settings.symbols == NINE_SYMBOLS
        assert account.settings.chain == ("twelve_data",)
        assert await parts.pool.fetchval("SELECT count(*) FROM accounts") == 1
    asked = {
        (one.query["symbol"], one.query["interval"])
        for one in vendor.asked
        if "interval" in one.query
    }
    assert {(s, i) for s in NINE_SYMBOLS for i in ("1min", "1day")} <= asked
