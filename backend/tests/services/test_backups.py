"""Backups as a whole: made, proved, copied, forgotten, and what went wrong noted."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import psycopg2
import pytest
from moto.server import ThreadedMotoServer
from pydantic import SecretStr

from app.core.backup import BackupOptions
from app.core.clock import ManualClock
from app.core.config import get_settings
from app.core.errors import BackupError, NotFound, Unavailable
from app.db import backup, backup_restore
from app.db import backup_database as databases
from app.db.backup_bucket import Bucket
from app.db.session import opened_pool
from app.repositories import backups
from app.services.backups import Backups, Place, place_of

AT = datetime(2026, 11, 20, 6, 30, tzinfo=UTC)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    async with opened_pool(database_url, min_size=0, max_size=2) as pool:
        yield pool


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(AT)


def service(
    pool: asyncpg.Pool,
    url: str,
    folder: Path,
    clock: ManualClock,
    said: list[float] | None = None,
    **options: object,
) -> Backups:
    """`said` collects how far it says that it is."""
    chosen, told = BackupOptions(spare_mb=0, **options), [] if said is None else said
    place = Place(url=url, folder=folder, options=chosen)
    return Backups(pool, place, clock, lambda share, _: told.append(share))


def cut(path: Path) -> bytes:
    """Tear the end off a file; what is missing now."""
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    return whole[-9:]


def mend(path: Path, missing: bytes) -> None:
    with path.open("ab") as file:
        file.write(missing)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


async def test_a_backup_is_proved_copied_and_noted(
    pool: asyncpg.Pool, database_url: str, tmp_path: Path, clock: ManualClock, endpoint: str
) -> None:
    there = {
        "s3_bucket": "kept",
        "s3_endpoint": endpoint,
        "s3_region": "us-east-1",
        "s3_access_key_id": "loopback",
        "s3_secret_access_key": SecretStr("loopback-secret"),
    }
    said: list[float] = []
    key = SecretStr("a key for tests, long")
    made = service(pool, database_url, tmp_path, clock, said, key=key, **there)
    with pytest.raises(BackupError, match="Bucket kept took no copy"):
        await made.make("ann", verify=False)
    failed = await backups.last(pool)
    assert failed
    assert failed["status"] == "failed"
    assert "took no copy" in failed["error"]

    bucket = Bucket(BackupOptions(**there))
    bucket._client.create_bucket(Bucket="kept")
    said.clear()
    row = await made.make("ann")
    assert said == [0.0, 0.4, 0.8]
    assert row["status"] == "finished"
    assert row["verified_at"] == AT
    assert row["is_encrypted"]
    assert row["requested_by"] == "ann"
    assert row["details"]["tables"]["public.users"] >= 0
    assert row["state_hash"] == (await backups.get(pool, row["id"]))["state_hash"]
    assert row["copied_to"] == f"s3://kept/tradewright/{Path(row['path']).name}"
    assert bucket.names() == [Path(row["path"]).name]
    proof = await backups.last_proof(pool)
    assert proof
    assert proof["id"] == row["id"]
    assert await backups.by_path(pool, row["path"]) == row["id"]
    listed = await backups.listing(pool)(10, None)
    assert [one["id"] for one in listed.items] == [row["id"], failed["id"]]


async def test_a_backup_that_cannot_be_made_is_noted(
    pool: asyncpg.Pool, tmp_path: Path, clock: ManualClock
) -> None:
    wrong = service(pool, "postgresql://nobody:hidden-word@127.0.0.1:9/x", tmp_path, clock)
    with pytest.raises(Exception, match="does not answer"):
        await wrong.make("schedule")
    row = await backups.last(pool)
    assert row
    assert row["status"] == "failed"
    assert "does not answer" in row["error"]
    assert "hidden-word" not in row["error"]
    with pytest.raises(BackupError, match="there is no file to prove"):
        await wrong.verify(row["id"])
    with pytest.raises(NotFound, match="no backup 999"):
        await wrong.verify(999)


async def test_a_file_that_was_torn_since_is_not_proved_any_more(
    pool: asyncpg.Pool, database_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    broken_off = await backups.begin(pool, tmp_path, None, AT - timedelta(hours=1))
    made = service(pool, database_url, tmp_path, clock)
    row = await made.make("ann", verify=False)
    assert row["verified_at"] is None
    assert (await backups.get(pool, broken_off))["status"] == "failed"
    missing = cut(Path(row["path"]))
    with pytest.raises(BackupError, match="torn"):
        await made.verify(row["id"])
    row = await backups.get(pool, row["id"])
    assert (row["status"], row["check_error"]) == ("failed", row["error"])
    mend(Path(row["path"]), missing)
    row = await made.verify(row["id"])
    assert (row["status"], row["error"], row["verified_at"]) == ("finished", None, AT)


async def test_old_ones_go_but_never_the_last_that_was_proved(
    pool: asyncpg.Pool, database_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    made = service(pool, database_url, tmp_path, clock, keep_daily=1, keep_weekly=0)
    proved = await made.make("ann", verify=False)
    await backups.proved(pool, proved["id"], 1.0, AT)
    clock.move_to(AT + timedelta(days=2))
    unproved = await made.make("ann", verify=False)
    clock.move_to(AT + timedelta(days=4))
    newest = await made.make("ann", verify=False)
    states = {row["id"]: row["status"] for row in (await backups.listing(pool)(9, None)).items}
    assert states == {
        proved["id"]: "finished",
        unproved["id"]: "deleted",
        newest["id"]: "finished",
    }
    assert {found.path.name for found in backup.listed(tmp_path, None)} == {
        Path(proved["path"]).name,
        Path(newest["path"]).name,
    }


async def test_a_proof_that_could_not_be_tried_says_nothing_about_the_backup(
    pool: asyncpg.Pool,
    database_url: str,
    tmp_path: Path,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = service(pool, database_url, tmp_path, clock)
    row = await made.make("ann", verify=False)
    with databases.alone(database_url), pytest.raises(databases.NotTried, match="at work"):
        await made.verify(row["id"])

    @backup.explained()
    def cut_off(*_: object, **__: object) -> None:
        raise psycopg2.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(backup_restore, "verify", cut_off)
    with pytest.raises(Unavailable, match="went away"):
        await made.verify(row["id"])
    row = await backups.get(pool, row["id"])
    assert (row["status"], row["error"], row["check_error"]) == ("finished", None, None)


async def test_old_ones_go_though_no_new_one_is_proved(
    pool: asyncpg.Pool,
    database_url: str,
    tmp_path: Path,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unproved(*_: object, **__: object) -> None:
        raise BackupError("It does not hold.")

    monkeypatch.setattr(backup_restore, "verify", unproved)
    made = service(pool, database_url, tmp_path, clock, keep_daily=1, keep_weekly=0)
    for days in (0, 2, 4):
        clock.move_to(AT + timedelta(days=days))
        with pytest.raises(BackupError, match="does not hold"):
            await made.make("ann")
    assert len(backup.listed(tmp_path, None)) == 1


async def test_a_backup_that_was_cancelled_did_not_fail(
    pool: asyncpg.Pool,
    database_url: str,
    tmp_path: Path,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stopped(_: Backups) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(Backups, "_create", stopped)
    with pytest.raises(asyncio.CancelledError):
        await service(pool, database_url, tmp_path, clock).make("schedule")
    row = (await backups.listing(pool)(1, None)).items[0]
    assert (row["status"], row["error"]) == ("deleted", "It was interrupted.")
    assert await backups.last(pool) is None


def test_the_place_is_made_of_the_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(tmp_path))
    monkeypatch.setenv("BACKUP_KEEP_DAILY", "3")
    place = place_of(get_settings(), "postgresql://127.0.0.1/x")
    assert place.folder == tmp_path / "backups"
    assert place.options.keep_daily == 3
    assert len(place.secret_id) == 16
