"""The library's schema is what the library wants, and nothing of the surroundings changes it."""

import asyncpg
import pytest

from app.jobs import queue


async def test_the_library_misses_nothing_in_its_schema(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as db:
        plan = await queue.queries(db).plan_upgrade()
        await queue.manager(db).verify_structure()
    assert list(plan.statements) == []
    assert list(plan.notes) == []


def test_variables_of_other_programs_do_not_rename_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CHANNEL", "PGQUEUER_CHANNEL", "FUNCTION", "QUEUE_TABLE", "PGQUEUER_PREFIX"):
        monkeypatch.setenv(name, "theirs")
    queue.names.cache_clear()
    found = queue.names()
    queue.names.cache_clear()
    assert "theirs" not in repr(found)
