"""One engine an account: fenced leases, taken over when the holder is gone or silent."""

import asyncpg
import pytest

from app.core.errors import Fenced
from app.domain.ports import Entry
from app.repositories import checkpoints, leases
from app.repositories.checkpoints import Checkpoint
from app.repositories.journal import PostgresJournal, stream_of

from .conftest import KEY
from .stories import make_slice


async def test_a_lease_is_taken_renewed_and_released(pool: asyncpg.Pool, account_id: int) -> None:
    async with pool.acquire() as mine, pool.acquire() as other:
        assert await leases.take(mine, account_id, "a") == 1
        assert await leases.is_held(pool, account_id)
        assert await leases.take(other, account_id, "b") is None
        assert await leases.renew(mine, account_id, 1)
        await leases.release(mine, account_id, 1)
        assert not await leases.is_held(pool, account_id)
        assert await leases.take(other, account_id, "b") == 2
        assert not await leases.renew(mine, account_id, 1)


async def test_a_dead_holder_is_replaced_at_once(pool: asyncpg.Pool, account_id: int) -> None:
    async with pool.acquire() as other:
        mine = await pool.acquire()
        assert await leases.take(mine, account_id, "a") == 1
        await pool.release(mine)  # its session gives the advisory lock back
        assert await leases.take(other, account_id, "b") == 2


async def test_a_silent_holder_is_replaced_when_its_lease_runs_out(
    pool: asyncpg.Pool, account_id: int
) -> None:
    async with pool.acquire() as mine, pool.acquire() as other:
        await leases.take(mine, account_id, "a", seconds=0)
        assert await leases.take(other, account_id, "b") == 2
        assert not await leases.lock(other, account_id, 1)
        assert await leases.take(mine, account_id, "a") is None


async def test_the_old_holder_can_not_append_any_more(pool: asyncpg.Pool, account_id: int) -> None:
    async with pool.acquire() as mine, pool.acquire() as other:
        epoch = await leases.take(mine, account_id, "a", seconds=0)
        journal = PostgresJournal(pool, stream_of(account_id), account_id, epoch, KEY)
        await journal.open()
        await leases.take(other, account_id, "b")
        with pytest.raises(Fenced):
            await journal.append([Entry(make_slice(1))])
        await journal.close()


async def test_the_newest_checkpoint_wins_and_few_are_kept(
    pool: asyncpg.Pool, account_id: int
) -> None:
    assert await checkpoints.newest(pool, account_id) is None
    for seq in range(5):
        await checkpoints.save(pool, account_id, Checkpoint(seq, b"state %d" % seq))
    assert await checkpoints.newest(pool, account_id) == Checkpoint(4, b"state 4")
    assert await pool.fetchval("SELECT count(*) FROM engine_checkpoints") == checkpoints.KEPT
    await checkpoints.drop(pool, account_id)
    assert await checkpoints.newest(pool, account_id) is None


async def test_one_that_was_replaced_does_not_take_the_account_back(
    pool: asyncpg.Pool, account_id: int
) -> None:
    """Its connections are as alive as those of the one that holds the account now."""
    async with pool.acquire() as mine, pool.acquire() as other, pool.acquire() as again:
        await leases.take(mine, account_id, "a", seconds=0)
        assert await leases.take(other, account_id, "b") == 2
        assert not await leases.renew(mine, account_id, 1)
        await mine.execute("SELECT pg_advisory_unlock_all()")
        assert await leases.take(again, account_id, "a") is None
