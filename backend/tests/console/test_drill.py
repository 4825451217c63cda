"""`tradewright drill`: what it refuses, and a drill on an account that really trades."""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
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
from app.db.home import Servers, held, publish
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


def drill_of(found: Drill = Drill.STORM, **given: Any) -> drill.Found:
    fields: dict[str, Any] = {
        "drill": found, "account": "One", "seconds_to_detect": 1.234, "seconds_to_recover": 2.5,
        "orders_lost": 0, "orders_doubled": 0, "fills_before": 3, "fills_after": 3,
        "alerts": ["Broker alpaca is lost"],
    }  # fmt: skip
    return drill.Found(**{**fields, **given})


def test_what_a_drill_showed_is_told_in_lines() -> None:
    assert drill._lines(drill_of()) == [
        "429-storm on One",
        "noticed after 1.23 s",
        "recovered in 2.50 s",
        "orders lost 0, doubled 0; fills 3 before, 3 after",
        "the operator saw: Broker alpaca is lost",
    ]
    unseen = drill_of(seconds_to_detect=None, orders_doubled=1)
    assert drill._lines(unseen)[1] == "noticed: not measured, see docs/drills.md"
    assert not unseen.is_sound


def of_one_account(url: str, work: Callable[[Any, int], Awaitable[Any]]) -> Any:
    """What an engine and its feeds do beside the command, on a connection of their own."""

    async def connected() -> Any:
        db = await asyncpg.connect(url)
        try:
            (row,) = await db.fetch("SELECT id FROM accounts WHERE name = 'One'")
            return await work(db, row["id"])
        finally:
            await db.close()

    return asyncio.run(connected())


@pytest.mark.parametrize("differences", [[], [{"kind": "position"}]], ids=["sound", "not sound"])
def test_a_whole_drill_from_the_command_line(
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    differences: list[Any],
) -> None:
    (tmp_path / "run").mkdir()
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(tmp_path))

    async def begun() -> None:
        db = await asyncpg.connect(database_url)
        await engine(db, await account(db, "One"))
        await db.close()

    async def noticed(db: Any, account_id: int) -> None:
        state = "UPDATE broker_states SET state = $1, report = report || $2::jsonb"
        await until(lambda: asked_for.asked(tmp_path, account_id))
        await db.execute(state, "down", "{}")
        await until(lambda: asked_for.asked(tmp_path, account_id) is None)
        await db.execute(state, "up", json.dumps({"differences": differences}))

    asyncio.run(begun())
    with ThreadPoolExecutor(1) as beside:
        going = beside.submit(of_one_account, database_url, noticed)
        assert run("429-storm", "--account", "One", "--seconds", "1") == len(differences)
        going.result()
    said = capsys.readouterr().out
    assert "429-storm on One" in said
    assert f"orders lost {len(differences)}, doubled 0" in said


async def test_fills_that_are_told_again_are_awaited_until_books_were_compared(
    db: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run").mkdir()
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(tmp_path))
    one = await account(db, "One")
    await engine(db, one)
    (chosen,) = [it for it in await accounts.active(db) if it.id == one]

    async def compared() -> None:
        await until(lambda: asked_for.asked(tmp_path, one) is Drill.DUPLICATE_FILL)
        await until(lambda: asked_for.asked(tmp_path, one) is None)
        await db.execute("UPDATE broker_states SET looked_at = clock_timestamp()")

    comparing = asyncio.create_task(compared())
    detected, recovered = await drill._at_the_fills(chosen, Drill.DUPLICATE_FILL, 0.2)
    await comparing
    assert detected is None
    assert recovered >= 0


async def test_postgresql_that_was_killed_is_awaited_until_the_engine_holds_on_again(
    db: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(tmp_path))
    one = await account(db, "One")
    await engine(db, one)
    (chosen,) = [it for it in await accounts.active(db) if it.id == one]
    server = subprocess.Popen(["sleep", "600"])  # noqa: ASYNC220 - it is there at once
    try:
        with held(tmp_path, "a test"):
            publish(tmp_path, Servers(pid=os.getpid(), database_url="postgresql:///none"))
            (tmp_path / "postgres").mkdir(exist_ok=True)
            (tmp_path / "postgres" / "postmaster.pid").write_text(f"{server.pid}\n")
            renewing = asyncio.create_task(renewed(db, server))
            detected, recovered = await drill._at_the_database(chosen, Drill.DATABASE_LOSS, 1.0)
            await renewing
        assert server.returncode == -signal.SIGKILL
    finally:
        server.kill()
        server.wait()
    assert detected is None
    assert recovered >= 0


async def renewed(db: Any, server: subprocess.Popen[bytes]) -> None:
    """What the engine does once PostgreSQL is back."""
    await until(lambda: server.poll() is not None)
    await db.execute("UPDATE leases SET expires_at = expires_at + interval '1 minute'")
