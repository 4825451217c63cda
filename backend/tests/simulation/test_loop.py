"""The simulated loop: the seed decides, time is virtual, the dead stay dead, nothing is real."""

import asyncio
from contextvars import copy_context
from typing import Any

import pytest

from app.simulation.loop import LIFE, Deadlock, Life, Livelock, RealWait, SimLoop, Stopped


async def story() -> tuple[Any, ...]:
    """Queues, locks, time-outs and groups, as the production code uses them."""
    told: list[Any] = []
    queue: asyncio.Queue[tuple[str, int]] = asyncio.Queue(2)
    lock, done = asyncio.Lock(), asyncio.Event()

    async def produce(name: str) -> None:
        for number in range(3):
            async with lock:
                await queue.put((name, number))
            await asyncio.sleep(0)

    async def consume() -> None:
        told.extend([await queue.get() for _ in range(6)])
        done.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(produce("a"))
        group.create_task(produce("b"))
        group.create_task(consume())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await asyncio.sleep(3600)
    told.append(asyncio.get_running_loop().time())
    await asyncio.wait_for(done.wait(), 1)
    told.append(await asyncio.gather(*[asyncio.sleep(n / 10, n) for n in range(3)]))
    return tuple(map(str, told))


def test_the_seed_alone_decides_the_order() -> None:
    told = {seed: SimLoop(seed).run(story()) for seed in range(100)}
    assert {seed: SimLoop(seed).run(story()) for seed in range(100)} == told
    assert len(set(told.values())) > 5


def test_time_jumps_to_the_next_timer() -> None:
    loop = SimLoop(1)

    async def sleep() -> float:
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time()

    assert loop.run(sleep()) == 3600


def test_a_sleep_ends_in_its_time_whether_anybody_still_waits_or_not() -> None:
    loop = SimLoop(1)

    async def doze() -> None:
        await loop.sleep(2.0)

    async def main() -> float:
        given_up = loop.create_task(doze())
        await loop.sleep(1.0)
        given_up.cancel()
        await loop.sleep(2.0)
        return loop.time()

    assert loop.run(main()) == 3.0
    assert loop.errors == []


@pytest.mark.parametrize("what", ["run_in_executor", "add_reader", "sock_connect"])
def test_whatever_is_real_is_refused(what: str) -> None:
    async def reach_out() -> None:
        getattr(asyncio.get_running_loop(), what)

    with pytest.raises(RealWait, match=what):
        SimLoop(1).run(reach_out())


def test_who_waits_for_nobody_is_told() -> None:
    async def wait() -> None:
        await asyncio.get_running_loop().create_future()

    loop = SimLoop(1)
    with pytest.raises(Deadlock):
        loop.run(wait())
    loop.bury()


def test_who_turns_in_circles_is_told() -> None:
    async def turn() -> None:
        await asyncio.sleep(0)
        asyncio.get_running_loop().create_task(turn())

    async def wait() -> None:
        await turn()
        await asyncio.get_running_loop().create_future()

    loop = SimLoop(1)
    with pytest.raises(Livelock):
        loop.run(wait(), most=100)
    loop.bury()


def test_a_run_can_be_stopped() -> None:
    loop = SimLoop(1)

    async def stop() -> None:
        loop.is_stopped = True
        await asyncio.sleep(1)

    with pytest.raises(Stopped):
        loop.run(stop())
    loop.bury()


class Home:
    """A loop with one life in it, whose task writes down what it gets to do."""

    def __init__(self) -> None:
        self.loop, self.life = SimLoop(1), Life("core")
        self.did: list[str] = []

    async def work(self) -> None:
        try:
            self.did.append("begun")
            await asyncio.sleep(1)
            self.did.append("done")
        finally:
            self.did.append("finally")

    def start(self) -> None:
        context = copy_context()
        context.run(LIFE.set, self.life)
        self.loop.create_task(self.work(), context=context)


def test_what_was_killed_is_never_continued() -> None:
    home = Home()

    async def main() -> None:
        home.start()
        await asyncio.sleep(0.5)
        home.life.is_dead = True
        await asyncio.sleep(2)

    home.loop.run(main())
    assert home.did == ["begun"]  # no finally: it is kill -9
    home.loop.bury()


def test_what_is_paused_goes_on_later() -> None:
    home = Home()

    async def main() -> None:
        home.start()
        await asyncio.sleep(0.5)
        home.life.is_paused = True
        await asyncio.sleep(60)
        assert home.did == ["begun"]
        home.loop.wake(home.life)
        await asyncio.sleep(1)

    home.loop.run(main())
    assert home.did == ["begun", "done", "finally"]


def test_an_error_in_a_callback_is_told_and_the_loop_goes_on() -> None:
    loop = SimLoop(1)

    def fail() -> None:
        raise ValueError("no")

    async def main() -> str:
        asyncio.get_running_loop().call_soon(fail)
        await asyncio.sleep(1)
        return "on"

    assert loop.run(main()) == "on"
    assert [str(error["exception"]) for error in loop.errors] == ["no"]


def test_a_task_that_waits_in_its_finally_is_closed_too() -> None:
    loop, ended = SimLoop(1), []

    async def stubborn() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(100)
            ended.append(True)

    async def main() -> None:
        asyncio.get_running_loop().create_task(stubborn())
        await asyncio.sleep(1)

    loop.run(main())
    loop.bury()
    assert ended == []
