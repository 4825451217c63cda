"""A clean stop while something is being journaled: what is saved is what the stream says."""

import asyncio

import msgspec

from app.bootstrap import Parts
from app.domain.orders import OrderStatus
from app.repositories import checkpoints, commands
from app.repositories.checkpoints import Checkpoint
from app.repositories.journal import stream_of
from app.runner import recovery
from tests.runner.conftest import trading, until
from tests.runner.test_runner_brokers import (
    OURS,
    READY,
    assert_sound,
    real_account,
    vendor,
    venue,
)
from tests.vendors.twelve_data import TwelveDataLoopback
from tests.venue import Venue

__all__ = ["vendor", "venue"]

HEAD = "SELECT FROM journal_streams WHERE stream = $1 FOR UPDATE"
WAITS = (
    "SELECT count(*) > 0 FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)
ACCEPTED = "SELECT seq FROM trading_events WHERE stream = $1 AND event_type = 'order_accepted'"


async def ends(name: str) -> None:
    """Until no task of this name runs any more."""
    while any(task.get_name() == name for task in asyncio.all_tasks()):  # noqa: ASYNC110 - others' tasks
        await asyncio.sleep(0.001)


def is_accepted(saved: Checkpoint) -> bool:
    """Whether the order is, as the engine remembered it."""
    engine = msgspec.json.decode(saved.state, type=recovery.Saved).engine
    return any(one.order.status is OrderStatus.ACCEPTED for one in engine.book.records)


async def test_a_stop_while_an_answer_is_journaled_saves_nothing_that_the_stream_lacks(
    parts: Parts, vendor: TwelveDataLoopback, venue: Venue
) -> None:
    account_id = await real_account(parts)
    stream = stream_of(account_id)
    venue.faults.hang = asyncio.Event()
    venue.faults.mute = True  # the answer itself is all that is heard
    order = {"symbol": "AAPL", "side": "buy", "quantity": "5", "type": "limit", "limit_price": "90"}
    async with trading(parts) as core:
        await until(parts, READY, account_id)
        await commands.submit(parts.pool, account_id, "order_place", order, "ann")
        await until(parts, OURS, "submitted")
        async with parts.pool.acquire() as other, other.transaction():
            await other.execute(HEAD, stream)
            venue.faults.hang.set()
            await until(parts, WAITS)
            core.stop()
            await ends("invariants")  # right before the accounts are told
            for _ in range(100):
                await asyncio.sleep(0)
    venue.faults.mute = False
    seq = await parts.pool.fetchval(ACCEPTED, stream)
    saved = await checkpoints.newest(parts.pool, account_id)
    assert saved is None or is_accepted(saved) == (seq is not None and seq <= saved.seq)
    async with trading(parts):
        await until(parts, OURS, "accepted")
    await assert_sound(parts, account_id, venue)
