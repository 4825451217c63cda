"""The last signal of a symbol: remembered until there is a newer one."""

from datetime import datetime, timedelta

import httpx
from fastapi import FastAPI

from app.api.parts import Parts
from app.core.security import master_key, subkey
from app.domain.events import SignalRaised
from app.domain.ports import Entry
from app.domain.signals import Signal
from app.repositories.journal import SharedJournal
from tests.api.world import World, eventually, key_of
from tests.factories import utc
from tests.waiting import until

AT = utc("2024-03-01 15:00")


async def raise_signal(parts: Parts, account: int, signal_id: str, at: datetime) -> None:
    """Store a signal and journal it, as an engine does."""
    await parts.pool.execute(
        "INSERT INTO signals (account_id, signal_id, ledger, instrument_id, signal_type, exposure,"
        " price, at, stop_loss) SELECT $1, $2, 'manual', id, 'long', 0.5, 100, $3, 95.5"
        " FROM instruments WHERE symbol = 'AAPL'",
        account,
        signal_id,
        at,
    )
    key = subkey(master_key(parts.settings.home), "journal")
    signal = Signal(
        signal_id=signal_id,
        ledger="manual",
        deployment_id=None,
        symbol="AAPL",
        exposure=0.5,
        price=100,
        at=at,
    )
    journal = SharedJournal(parts.pool, key, f"account:{account}")
    await journal.append([Entry(SignalRaised(signal=signal))])


async def test_it_is_remembered_until_there_is_a_newer_one(
    admin: httpx.AsyncClient, parts: Parts, world: World
) -> None:
    account = await world.account()
    await eventually(lambda: parts.hub.is_current)
    await raise_signal(parts, account, "first", AT)
    path = f"/api/stocks/aapl/signal?account_id={account}"
    await until(lambda: hits(admin, parts, path))
    found = (await admin.get(path)).json()
    assert (found["signal_id"], found["exposure"], found["stop_loss"]) == ("first", 0.5, "95.5")
    assert "executed" not in found
    await raise_signal(parts, account, "second", AT + timedelta(minutes=1))

    async def is_newer() -> bool:
        return bool((await admin.get(path)).json()["signal_id"] == "second")

    await until(is_newer)


async def hits(admin: httpx.AsyncClient, parts: Parts, path: str) -> bool:
    """Whether asking once more is answered by the cache."""
    before = (await parts.cache.figures())["cache_signal_hits_total"]
    await admin.get(path)
    return (await parts.cache.figures())["cache_signal_hits_total"] > before


async def test_without_a_signal_it_says_so(
    calm_admin: httpx.AsyncClient,
) -> None:
    answer = await calm_admin.get("/api/stocks/AAPL/signal?account_id=1")
    assert (answer.status_code, answer.json()["detail"]) == (
        404,
        "No signal of AAPL was raised on account 1.",
    )


async def test_an_account_that_one_may_not_see_is_none(
    calm_app: FastAPI, calm_admin: httpx.AsyncClient
) -> None:
    parts = calm_app.state.parts
    stranger = await World(parts.pool).person("stranger@example.com", "viewer")
    key = await key_of(parts, stranger, "viewer", "read")
    headers = {"authorization": f"Bearer {key}"}
    answer = await calm_admin.get("/api/stocks/AAPL/signal?account_id=1", headers=headers)
    assert answer.json()["detail"] == "There is no account 1."
