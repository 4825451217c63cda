"""`tradewright drill`: what it refuses, and a drill on an account that really trades."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.cli import main
from app.console import drill
from app.core import drills as asked_for
from app.core.drills import Drill
from app.core.errors import Conflict, InvalidInput, NotFound, Unavailable
from app.domain.deployments import AccountMode
from app.repositories import accounts
from app.repositories.accounts import AccountSettings
from tests.vendors.loopback import until


@pytest.fixture
async def db(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    monkeypatch.setenv("DATABASE_URL", database_url)
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def account(db: Any, name: str, *, drills: bool = True, **given: Any) -> int:
    settings = AccountSettings(
        feeds=("alpaca",), symbols=("AAPL",), broker={"drills": True} if drills else {}
    )
    async with db.transaction():
        return await accounts.add(
            db, name=name, dataset="live", cash=Decimal(0), settings=settings,
            **{"broker": "alpaca", **given},
        )  # fmt: skip


async def engine(db: Any, account_id: int, *, is_reconciled: bool = True) -> None:
    """What an engine that has the account writes."""
    await db.execute(
        "INSERT INTO leases (resource, holder, epoch, acquired_at, expires_at)"
        " VALUES ('account:' || $1::bigint, 'h', 1, now(), now() + $2)",
        account_id,
        timedelta(minutes=5),
    )
    await db.execute(
        "INSERT INTO broker_states (account_id, broker, state, reason, since, looked_at, report)"
        " VALUES ($1, 'alpaca', 'up', '', now(), now(), $2)",
        account_id,
        json.dumps({"is_reconciled": is_reconciled, "differences": [], "failures": 0}),
    )


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["drill", *arguments])
    return int(ended.value.code or 0)


def test_drills_are_listed_with_what_they_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--list") == 0
    said = capsys.readouterr().out
    assert all(str(one) in said for one in Drill)
    assert run("--json") == 0
    assert len(json.loads(capsys.readouterr().out)) == len(Drill)


def test_an_unknown_drill_is_told_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("gateway-restar") == 2
    assert "Did you mean gateway-restart?" in capsys.readouterr().err


def test_a_database_that_is_not_there_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    assert run("429-storm") == 1
    assert "The database does not answer" in capsys.readouterr().err


async def drilled(which: Drill, name: str | None = None) -> drill.Found:
    return await drill.drilled(which, name, 1.0)


async def test_real_money_is_never_drilled(db: Any) -> None:
    await account(db, "Real", mode=AccountMode.LIVE)
    with pytest.raises(Conflict, match="Real trades real money"):
        await drilled(Drill.STORM, "Real")
    with pytest.raises(Conflict, match="that of real money too: Real"):
        await drilled(Drill.DATABASE_LOSS)


async def test_an_account_must_allow_drills(db: Any) -> None:
    await account(db, "Paper", drills=False)
    with pytest.raises(Conflict, match="Paper allows no drills") as refused:
        await drilled(Drill.STORM, "Paper")
    assert "drills=true" in str(refused.value)


async def test_which_account_must_be_plain(db: Any) -> None:
    await account(db, "One")
    await account(db, "Two")
    with pytest.raises(InvalidInput, match="accounts"):
        await drilled(Drill.STORM)
    with pytest.raises(NotFound, match="no account 'Tow'"):
        await drilled(Drill.STORM, "Tow")


async def test_a_system_that_is_not_well_is_not_hurt(db: Any) -> None:
    one = await account(db, "One")
    with pytest.raises(Conflict, match="not well before the drill: no engine has it"):
        await drilled(Drill.STORM, "One")
    await engine(db, one, is_reconciled=False)
    with pytest.raises(Conflict, match="its link is up, not reconciled"):
        await drilled(Drill.STORM, "One")


async def test_fills_are_told_again_only_where_there_are_some(db: Any) -> None:
    await engine(db, await account(db, "One"))
    with pytest.raises(Conflict, match="no fill"):
        await drilled(Drill.DUPLICATE_FILL, "One")


async def test_only_our_own_postgresql_is_killed(
    db: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(tmp_path))
    await engine(db, await account(db, "One"))
    with pytest.raises(Conflict, match="not one that `tradewright up` keeps"):
        await drilled(Drill.DATABASE_LOSS, "One")


async def test_a_fault_that_nobody_notices_is_told_and_ended(
    db: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run").mkdir()
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(tmp_path))
    one = await account(db, "One")
    await engine(db, one)
    with pytest.raises(Unavailable, match="nobody notices it; an engine has it"):
        await drilled(Drill.STORM, "One")
    assert asked_for.asked(tmp_path, one) is None


async def feed(db: Any, account_id: int, state: str) -> None:
    """What a live feed of the account writes."""
    await db.execute(
        "INSERT INTO feed_states (account_id, provider, place, state, report, at)"
        " VALUES ($1, 'alpaca', 0, $2, '{}', now())"
        " ON CONFLICT (account_id, provider) DO UPDATE SET state = excluded.state",
        account_id,
        state,
    )


async def test_only_a_feed_that_is_heard_can_fall_silent(db: Any) -> None:
    one = await account(db, "One")
    await engine(db, one)
    await feed(db, one, "closed")
    with pytest.raises(Conflict, match="hears no live feed"):
        await drilled(Drill.MUTE_FEED, "One")


async def test_a_silence_too_short_to_be_noticed_is_refused(db: Any) -> None:
    one = await account(db, "One")
    await engine(db, one)
    await feed(db, one, "up")
    with pytest.raises(InvalidInput, match="counts as silent after 45 s") as refused:
        await drilled(Drill.MUTE_FEED, "One")
    assert "LIVE_SILENT_SECONDS" in str(refused.value)
    assert drill._long_enough(Drill.MUTE_FEED) > 45 > drill._long_enough(Drill.STORM)


async def test_a_silence_is_timed_until_it_is_noticed_and_until_it_is_over(
    db: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run").mkdir()
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(tmp_path))
    monkeypatch.setenv("LIVE_SILENT_SECONDS", "0.1")
    one = await account(db, "One")
    await engine(db, one)
    await feed(db, one, "up")

    async def notice() -> None:
        await until(lambda: asked_for.asked(tmp_path, one))
        await feed(db, one, "down")
        await until(lambda: asked_for.asked(tmp_path, one) is None)
        await feed(db, one, "up")

    noticing = asyncio.create_task(notice())
    found = await drilled(Drill.MUTE_FEED, "One")
    await noticing
    assert found.is_sound
    assert found.seconds_to_detect is not None
    assert found.seconds_to_recover >= 0
