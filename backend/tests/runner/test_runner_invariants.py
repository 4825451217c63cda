"""The invariants in production: silence about sound books; of others an alert and reduce-only."""

import asyncpg
import pytest

from app.bootstrap import Parts
from app.core import clock
from app.engine.witness import Violation
from app.monitoring.invariants import AccountWatch
from app.repositories import metrics
from app.runner import invariants
from app.runner.core import Core
from app.runner.invariants import FIGURE, InvariantKeeper
from tests.core_process import REPLAY_OVER
from tests.runner.conftest import trading, until

REDUCED = "SELECT state = 'reducing' FROM trading_state WHERE scope = 'account:1'"


def keeper_of(parts: Parts, core: Core) -> InvariantKeeper:
    return InvariantKeeper(parts, core._at_work)


async def codes(watch: AccountWatch) -> list[str]:
    return [one.code for one in await watch.look()]


async def test_sound_books_break_nothing(parts: Parts) -> None:
    async with trading(parts) as core:
        keeper = keeper_of(parts, core)
        await until(parts, REPLAY_OVER)
        assert await keeper.look() == 0
        assert await keeper.look() == 0  # now only what is new, of which there is nothing
        witness = keeper._watches[1].witness
        assert witness is not None
        assert witness.executions
    assert await parts.pool.fetchval("SELECT count(*) FROM alerts WHERE title LIKE '%books%'") == 0


async def test_tables_that_contradict_the_stream_are_told_once_and_the_account_reduces(
    parts: Parts,
) -> None:
    async with trading(parts) as core:
        keeper = keeper_of(parts, core)
        await until(parts, REPLAY_OVER)
        await parts.pool.execute("UPDATE accounts SET cash = cash + 1 WHERE id = 1")
        assert await keeper.look() == 1
        await until(parts, REDUCED)
        assert await keeper.look() >= 1
    alerts = await parts.pool.fetch("SELECT severity, detail FROM alerts WHERE key = 'invariant:1'")
    assert [alert["severity"] for alert in alerts] == ["critical"]
    assert alerts[0]["detail"].startswith("I13 stored is")
    assert keeper.violations >= 2
    asked = "SELECT count(*) FROM commands WHERE actor = 'invariants'"
    assert await parts.pool.fetchval(asked) == 1


async def test_an_engine_that_says_something_else_is_believed_at_the_second_look(
    parts: Parts,
) -> None:
    async with trading(parts) as core:
        keeper = keeper_of(parts, core)
        await until(parts, REPLAY_OVER)
        found = core._at_work().get(1)
        assert found is not None
        found[0].book.cash += 1
        assert await keeper.look() == 0
        assert await keeper.look() > 0
        await until(parts, REDUCED)


async def test_an_event_that_was_deleted_or_changed_is_seen(parts: Parts) -> None:
    async with trading(parts):
        await until(parts, REPLAY_OVER)
    watch = AccountWatch(parts.pool, 1, parts.journal_key)
    assert await codes(watch) == []
    await _append_slices(parts.pool)
    assert await codes(watch) == ["I11"]
    await parts.pool.execute("UPDATE journal_streams SET seq = seq + 3 WHERE stream = 'account:1'")
    assert await codes(watch) == ["I10"]


async def _append_slices(pool: asyncpg.Pool) -> None:
    """An event that nobody chained."""
    await pool.execute(
        "INSERT INTO trading_events (stream, seq, event_type, priority, occurred_at, recorded_at,"
        " actor, payload, hash) SELECT stream, s.seq + 1, event_type, priority, occurred_at,"
        " recorded_at, actor, payload, e.hash FROM journal_streams s JOIN trading_events e"
        " USING (stream) WHERE stream = 'account:1' AND event_type = 'session_opened' LIMIT 1"
    )
    await pool.execute("UPDATE journal_streams SET seq = seq + 1 WHERE stream = 'account:1'")


async def test_the_figure_is_noted_for_other_processes(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invariants, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr(invariants, "NOTE_SECONDS", 0.05)
    since = clock.now()
    async with trading(parts):
        await until(parts, f"SELECT EXISTS (SELECT FROM metrics WHERE name = '{FIGURE}')")
    assert (await metrics.noted(parts.pool, "invariant_", since)) == {FIGURE: 0.0}


def test_a_violation_is_a_sentence() -> None:
    assert str(Violation("I3", "cash is short")) == "I3 cash is short"
