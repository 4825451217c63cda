"""A feed read while its last items are still being stored: one item when quiet, many when busy."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from app.core.tasks import end
from app.domain.market import SliceOpened
from app.marketdata.batch import BarBatch
from app.marketdata.ports import Feed


@asynccontextmanager
async def read_ahead(
    feed: Feed, ahead: int
) -> AsyncIterator[AsyncIterator[list[SliceOpened | BarBatch]]]:
    """Rounds of everything that has come meanwhile; the feed waits when `ahead` items do."""
    queue: asyncio.Queue[SliceOpened | BarBatch | None] = asyncio.Queue(ahead)

    async def pump() -> None:
        async with aclosing(feed):
            async for item in feed:
                await queue.put(item)
        await queue.put(None)

    async def rounds() -> AsyncIterator[list[SliceOpened | BarBatch]]:
        while True:
            taken = [await _next(queue, task)]
            while not queue.empty():
                taken.append(queue.get_nowait())
            if items := [item for item in taken if item is not None]:
                yield items
            if None in taken:
                return

    task = asyncio.create_task(pump(), name="read ahead")
    try:
        yield rounds()
    finally:
        await end([task])


async def _next(
    queue: "asyncio.Queue[SliceOpened | BarBatch | None]", task: "asyncio.Task[None]"
) -> SliceOpened | BarBatch | None:
    """The next item, or the provider's error."""
    waiting = asyncio.ensure_future(queue.get())
    try:
        await asyncio.wait([waiting, task], return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            task.result()
        return await waiting
    finally:
        waiting.cancel()
