"""Of several workers one watches conditions; when it is gone, another does."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from app.core.config import get_settings
from app.core.tasks import end
from app.worker import alone as turns
from app.worker.alone import alone
from app.worker.context import WorkerContext
from tests.alerting.conftest import KEY, Desk
from tests.alerting.test_watch import Sight, watching
from tests.waiting import until

HOLDS = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = (\
 SELECT oid FROM pg_database WHERE datname = current_database())"
WAITS = f"""SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database()
  AND application_name LIKE '%worker' AND query LIKE '%pg_try_advisory_lock%'
  AND pid NOT IN ({HOLDS})"""


@pytest.fixture
def made(
    desk: Desk, alerting_url: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], WorkerContext]:
    """Another worker on the same database, in a hurry."""
    monkeypatch.setattr(turns, "TRY_SECONDS", 0.01)

    def made_context() -> WorkerContext:
        return WorkerContext(
            settings=get_settings(), url=alerting_url, pool=desk.pool, journal_key=KEY,
            system=desk.journal, clock=desk.clock,
        )  # fmt: skip

    return made_context


def judging(desk: Desk, context: WorkerContext, sight: Sight) -> Callable[[], Awaitable[None]]:
    async def work() -> None:
        await watching(desk, sight).run(context.stopping)

    return work


async def test_two_that_see_different_things_do_not_raise_and_clear_in_turn(
    desk: Desk, made: Callable[[], WorkerContext]
) -> None:
    await desk.threshold("look_seconds", 0.001)
    here, there = made(), made()
    sees, sees_not = Sight(), Sight()
    sees.says("leak:1")
    first = asyncio.create_task(alone(here, "watch", judging(desk, here, sees)))

    async def is_raised() -> bool:
        return await desk.open_keys() == {"leak:1"}

    await until(is_raised)
    second = asyncio.create_task(alone(there, "watch", judging(desk, there, sees_not)))
    await until(lambda: desk.pool.fetchval(WAITS))
    before = sees.looks

    async def looked_again() -> bool:
        return sees.looks > before + 3

    await until(looked_again)
    assert (sees_not.looks, await desk.open_keys()) == (0, {"leak:1"})
    here.stopping.set()
    await first  # lets go of the lock

    async def is_clear() -> bool:
        return await desk.open_keys() == set()

    await until(is_clear)
    there.stopping.set()
    await second


async def test_whose_connection_is_cut_stops_and_another_takes_over(
    desk: Desk, made: Callable[[], WorkerContext]
) -> None:
    begun: list[str] = []
    contexts = {"here": made(), "there": made()}

    def working(name: str) -> Callable[[], Awaitable[None]]:
        async def work() -> None:
            begun.append(name)
            try:
                await contexts[name].stopping.wait()
            finally:
                begun.remove(name)

        return work

    async def one_begun() -> bool:
        return len(begun) == 1

    first = asyncio.create_task(alone(contexts["here"], "watch", working("here")))
    await until(one_begun)
    second = asyncio.create_task(alone(contexts["there"], "watch", working("there")))
    await until(lambda: desk.pool.fetchval(WAITS))
    holder = await desk.pool.fetchval(HOLDS)
    await desk.pool.execute("SELECT pg_terminate_backend($1)", holder)

    async def another_holds() -> bool:
        now = await desk.pool.fetchval(HOLDS)
        return now not in (None, holder) and len(begun) == 1

    await until(another_holds)
    for context in contexts.values():
        context.stopping.set()
    await end([first, second])


async def test_what_the_work_raises_is_raised_and_the_lock_is_free_again(
    desk: Desk, made: Callable[[], WorkerContext]
) -> None:
    async def work() -> None:
        raise ValueError("no luck")

    with pytest.raises(ValueError, match="no luck"):
        await alone(made(), "watch", work)
    await until(lambda: _is_free(desk))


async def _is_free(desk: Desk) -> bool:
    return await desk.pool.fetchval(HOLDS) is None
