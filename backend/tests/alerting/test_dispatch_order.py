"""Channels are served side by side, each in its own order; nothing is done for nothing."""

import asyncio
from collections import Counter

import asyncpg
import pytest

from app.alerting import dispatch
from app.domain.events import Severity
from app.domain.notifications import Message
from app.repositories import alert_deliveries
from tests.alerting.conftest import Desk, PostBox
from tests.waiting import until


class SlowBox(PostBox):
    """Addresses in `slow` take a message only once `go_on` is set."""

    def __init__(self, *slow: str) -> None:
        super().__init__()
        self.slow = set(slow)
        self.begun: list[str] = []
        self.at_work: Counter[str] = Counter()
        self.most = 0
        self.go_on = asyncio.Event()

    async def send(self, url: str, message: Message) -> None:
        self.begun.append(url)
        self.at_work[url] += 1
        self.most = max(self.most, self.at_work[url])
        await asyncio.sleep(0)
        if url in self.slow:
            await self.go_on.wait()
        await super().send(url, message)
        self.at_work[url] -= 1


async def test_a_slow_channel_holds_up_no_other(desk: Desk) -> None:
    box = SlowBox("slow")
    for name in ("slow", "fast"):
        await desk.channel(name)
    for number in range(3):
        await desk.alert(f"disk {number}")
    stopping = asyncio.Event()
    running = asyncio.create_task(desk.another(box).run(stopping))

    async def fast_has_all() -> bool:
        return len(box.titles("fast")) == 3

    await until(fast_has_all)
    assert (box.titles("slow"), box.begun.count("slow")) == ([], 1)
    box.go_on.set()

    async def slow_has_all() -> bool:
        return len(box.titles("slow")) == 3

    await until(slow_has_all)
    stopping.set()
    await running
    expected = [f"[critical] disk {n}" for n in range(3)]
    assert (box.titles("fast"), box.titles("slow"), box.most) == (expected, expected, 1)


async def test_channels_that_fail_leave_a_place_to_one_that_works(desk: Desk) -> None:
    bad = [f"bad {number}" for number in range(dispatch.AT_ONCE + 1)]
    for name in bad:
        await desk.channel(name)
    desk.box.away = set(bad)
    await desk.alert()
    await desk.work()  # all of them have failed once
    desk.wait(minutes=1)
    await desk.channel("good")
    box = SlowBox(*bad)
    dispatcher = desk.another(box)
    await desk.alert("other", Severity.WARNING)

    async def has_it() -> bool:
        await dispatcher.begin()
        return box.titles("good") == ["[warning] other"]

    await until(has_it)
    assert len({url for url in box.begun if url in bad}) == dispatch.AT_ONCE - 1
    box.go_on.set()
    await dispatcher.round()


async def test_two_dispatchers_keep_the_order_of_a_channel(desk: Desk) -> None:
    box = SlowBox()
    await desk.channel("mail")
    for number in range(6):
        await desk.alert(f"disk {number}")
    await asyncio.gather(*(desk.work(desk.another(box)) for _ in range(2)))
    await desk.work(desk.another(box))
    assert box.titles("mail") == [f"[critical] disk {n}" for n in range(6)]
    assert box.most == 1


async def test_a_stop_waits_for_what_is_being_sent_and_then_ends_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "STOP_SECONDS", 0.01)
    box, stopping = SlowBox("mail"), asyncio.Event()
    await desk.channel("mail")
    await desk.alert()
    running = asyncio.create_task(desk.another(box).run(stopping))

    async def has_begun() -> bool:
        return box.begun == ["mail"]

    await until(has_begun)
    stopping.set()
    await running
    assert box.titles("mail") == []
    desk.wait(seconds=91)
    box.go_on.set()
    await desk.work(desk.another(box))
    assert box.titles("mail") == ["[critical] disk"]


async def test_what_the_database_raises_to_a_sending_ends_the_loop(desk: Desk) -> None:
    class Broken(PostBox):
        async def send(self, url: str, message: Message) -> None:
            raise asyncpg.PostgresError("away")

    await desk.channel("mail")
    await desk.alert()
    with pytest.raises(asyncpg.PostgresError, match="away"):
        await desk.another(Broken()).run(asyncio.Event())


async def test_where_nothing_happens_one_look_says_so(desk: Desk) -> None:
    now = desk.clock.now()
    assert not await alert_deliveries.is_any(desk.pool, now)
    await desk.channel("mail")
    alert = await desk.alert()
    assert await alert_deliveries.is_any(desk.pool, now)
    await desk.work()
    assert not await alert_deliveries.is_any(desk.pool, now)
    await alert_deliveries.add(desk.pool, alert, ["phone"], "raised", 2, now)
    assert await alert_deliveries.is_any(desk.pool, now)
