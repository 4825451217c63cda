"""Tampering with journal and audit trail is found: edit, delete, reorder, truncate, rewrite."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from app.core.clock import system
from app.core.errors import ChainBroken
from app.core.security import subkey
from app.db.anchors import FILE
from app.domain import events as ev
from app.domain.ports import Entry
from app.repositories import audit
from app.repositories.audit import Act
from app.repositories.journal import SharedJournal
from app.services.audit import Chains

MASTER = b"m" * 32
AT = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
AUDIT_KEY = subkey(MASTER, "audit")


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(database_url, min_size=0, max_size=3) as pool:
        yield pool


@pytest.fixture
async def chains(pool: asyncpg.Pool, tmp_path: Path) -> Chains:
    """Five acts in the audit trail, five events in the stream `system`."""
    journal = SharedJournal(pool, subkey(MASTER, "journal"))
    for number in range(5):
        await act(pool, number)
        event = ev.ConfigChanged(key="k", before=number, after=number + 1, actor="ann", at=AT)
        await journal.append([Entry(event)])
    return Chains(pool, MASTER, tmp_path, system)


async def act(pool: asyncpg.Pool, number: int) -> None:
    one = Act(
        actor=f"ann{number}", action="changed", resource="config", resource_id="k",
        address="10.0.0.1", correlation_id="c", before=number, after=number + 1, reason="why",
    )  # fmt: skip
    async with pool.acquire() as db, db.transaction():
        await audit.append(db, AUDIT_KEY, one, AT)


async def tamper(pool: asyncpg.Pool, *statements: str) -> None:
    """As somebody does who owns the database: past the triggers."""
    async with pool.acquire() as db, db.transaction():
        await db.execute("SET LOCAL session_replication_role = replica")
        for statement in statements:
            await db.execute(statement)


AUDIT_SWAP = (
    "UPDATE audit_trail SET seq = 99 WHERE seq = 2",
    "UPDATE audit_trail SET seq = 2 WHERE seq = 3",
    "UPDATE audit_trail SET seq = 3 WHERE seq = 99",
)
JOURNAL_SWAP = tuple(one.replace("audit_trail", "trading_events") for one in AUDIT_SWAP)
AUDIT_EDIT = "UPDATE audit_trail SET payload = replace(payload::text, 'why', 'lie')::json"
CASES = {
    "edit": ("audit", 3, (f"{AUDIT_EDIT} WHERE seq = 3",)),
    "edit of a column": ("audit", 4, ("UPDATE audit_trail SET actor = 'eve' WHERE seq = 4",)),
    "edit of the time": ("audit", 2, ("UPDATE audit_trail SET at = now() WHERE seq = 2",)),
    "edit of the address": ("audit", 1, ("UPDATE audit_trail SET address = NULL WHERE seq = 1",)),
    "delete": ("audit", 2, ("DELETE FROM audit_trail WHERE seq = 2",)),
    "reorder": ("audit", 2, AUDIT_SWAP),
    "truncate": ("audit", 1, ("TRUNCATE audit_trail",)),
    "cut off": ("audit", 4, ("DELETE FROM audit_trail WHERE seq > 3",)),
    "no head": ("audit", 1, ("DELETE FROM journal_streams WHERE stream = 'audit'",)),
    "added": (
        "audit",
        6,
        (
            "INSERT INTO audit_trail (seq, at, actor, action, resource, hash, payload)"
            " SELECT 6, at, actor, action, resource, hash, payload FROM audit_trail WHERE seq = 5",
        ),
    ),
    "journal: edit": (
        "system",
        3,
        ("UPDATE trading_events SET actor = 'eve' WHERE stream = 'system' AND seq = 3",),
    ),
    "journal: delete": ("system", 2, ("DELETE FROM trading_events WHERE seq = 2",)),
    "journal: reorder": ("system", 2, JOURNAL_SWAP),
    "journal: truncate": ("system", 1, ("TRUNCATE trading_events CASCADE",)),
    "journal: cut off": ("system", 5, ("DELETE FROM trading_events WHERE seq = 5",)),
}


@pytest.mark.parametrize("case", CASES)
async def test_tampering_is_found_at_the_first_bad_row(
    pool: asyncpg.Pool, chains: Chains, case: str
) -> None:
    stream, seq, statements = CASES[case]
    if case == "no head":
        await chains.anchor()
    await tamper(pool, *statements)
    verdict = await chains.verify()
    assert not verdict["ok"]
    assert [(bad["stream"], bad["seq"]) for bad in verdict["bad"]] == [(stream, seq)]


async def test_untouched_chains_hold(chains: Chains) -> None:
    verdict = await chains.verify()
    assert (verdict["ok"], verdict["rows"], verdict["streams"]) == (True, 10, 2)
    assert verdict["first_bad"] is None


@pytest.mark.parametrize("stream", ["audit", "system"])
async def test_a_stream_cut_off_together_with_its_head_is_found_by_its_anchor(
    pool: asyncpg.Pool, chains: Chains, stream: str
) -> None:
    await chains.anchor()
    table = "audit_trail" if stream == "audit" else "trading_events"
    await tamper(
        pool,
        f"DELETE FROM {table} WHERE seq > 3",
        f"UPDATE journal_streams SET seq = 3, hash = (SELECT hash FROM {table} WHERE seq = 3)"
        f" WHERE stream = '{stream}'",
    )
    verdict = await chains.verify()
    assert [(bad["stream"], bad["seq"]) for bad in verdict["bad"]] == [(stream, 5)]
    assert "was there at" in verdict["first_bad"]["detail"]


async def test_a_past_that_was_written_anew_with_the_key_is_found_by_its_anchor(
    pool: asyncpg.Pool, chains: Chains
) -> None:
    await chains.anchor()
    await tamper(
        pool,
        "TRUNCATE audit_trail",
        "UPDATE journal_streams SET seq = 0, hash = decode(repeat('00', 32), 'hex')"
        " WHERE stream = 'audit'",
    )
    for number in range(10, 16):
        await act(pool, number)
    assert await audit.verify(pool, AUDIT_KEY) == 6
    verdict = await chains.verify()
    assert "is another than it was" in verdict["first_bad"]["detail"]


async def test_since_the_anchors_only_what_is_new_is_looked_at(
    pool: asyncpg.Pool, chains: Chains
) -> None:
    assert (await chains.anchor())["anchored"] == 2
    assert (await chains.anchor())["anchored"] == 0
    await act(pool, 9)
    verdict = await chains.verify(since_anchors=True)
    assert (verdict["ok"], verdict["rows"]) == (True, 1)
    await tamper(pool, "UPDATE audit_trail SET actor = 'eve' WHERE seq = 6")
    assert (await chains.verify(since_anchors=True))["first_bad"]["seq"] == 6


async def test_a_broken_chain_gets_no_new_anchor(pool: asyncpg.Pool, chains: Chains) -> None:
    await tamper(pool, "DELETE FROM audit_trail WHERE seq = 2")
    assert (await chains.anchor())["anchored"] == 1
    assert (await chains.verify())["anchors"] == 1


async def test_changed_anchors_are_found(chains: Chains, tmp_path: Path) -> None:
    await chains.anchor()
    file = tmp_path / FILE
    file.write_text(file.read_text().replace('"seq":5', '"seq":3', 1))
    verdict = await chains.verify()
    assert [bad["stream"] for bad in verdict["bad"]] == ["anchors"]


async def test_after_a_restore_the_anchors_begin_anew_and_somebody_is_named(
    pool: asyncpg.Pool, chains: Chains, tmp_path: Path
) -> None:
    await chains.anchor()
    old = await chains.restart("console", "restored the backup of Monday")
    assert old is not None
    assert old.parent == (tmp_path / FILE).parent
    assert (await chains.verify())["anchors"] == 0
    last = await pool.fetchrow("SELECT actor, action FROM audit_trail ORDER BY seq DESC LIMIT 1")
    assert tuple(last) == ("console", "anchors.restart")
    assert await chains.restart("console", "again") is None


async def test_the_database_itself_refuses_to_change_what_happened(
    pool: asyncpg.Pool, chains: Chains
) -> None:
    assert (await chains.verify())["ok"]
    for table in ("audit_trail", "trading_events"):
        for statement in (
            f"UPDATE {table} SET actor = 'eve'",
            f"DELETE FROM {table}",
            f"TRUNCATE {table} CASCADE",
        ):
            with pytest.raises(asyncpg.PostgresError, match="append-only"):
                await pool.execute(statement)


async def test_an_error_names_stream_and_row(pool: asyncpg.Pool, chains: Chains) -> None:
    assert chains is not None
    await tamper(pool, "DELETE FROM audit_trail WHERE seq = 2")
    with pytest.raises(ChainBroken) as broken:
        await audit.verify(pool, AUDIT_KEY)
    assert broken.value.context == {"stream": "audit", "seq": 2}
