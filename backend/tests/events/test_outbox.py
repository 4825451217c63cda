"""Facts in order and never dropped unnoticed; prices only the newest."""

import asyncio

import pytest

from app.events.outbox import Message, Outbox


async def texts(outbox: Outbox) -> list[str]:
    return [message.text for message in await outbox.take()]


async def test_facts_keep_their_order_and_go_before_prices() -> None:
    outbox = Outbox()
    outbox.put_price("quotes:A", Message("price"))
    outbox.put("one", "s", 1)
    outbox.put("two", "s", 2)
    assert await texts(outbox) == ["one", "two", "price"]


async def test_a_price_replaces_the_one_before() -> None:
    outbox = Outbox()
    for number in range(1000):
        outbox.put_price("quotes:A", Message(str(number)))
    outbox.put_price("quotes:B", Message("other"))
    assert len(outbox) == 2
    assert outbox.conflated == 999
    assert await texts(outbox) == ["999", "other"]


async def test_an_unsent_price_is_forgotten_after_an_unsubscribe() -> None:
    outbox = Outbox()
    outbox.put_price("quotes:A", Message("1"))
    outbox.drop_price("quotes:A")
    outbox.put("fact")
    assert await texts(outbox) == ["fact"]


async def test_taking_waits_for_the_first() -> None:
    outbox = Outbox()
    taking = asyncio.create_task(outbox.take())
    await asyncio.sleep(0)
    assert not taking.done()
    outbox.put("fact")
    assert [message.text for message in await taking] == ["fact"]


@pytest.mark.parametrize("bounds", [{"messages": 2}, {"characters": 8}])
async def test_overflow_tells_from_where_to_resume(bounds: dict[str, int]) -> None:
    called: list[bool] = []
    outbox = Outbox(lambda: called.append(True), **bounds)
    for seq in range(1, 6):
        outbox.put("text", "account:1", seq)
    outbox.put("text", "system", 9)
    assert called == [True]
    assert outbox.is_full
    assert outbox.unsent == {"account:1": 1, "system": 9}


async def test_what_is_on_its_way_counts_as_unsent() -> None:
    outbox = Outbox(messages=1)
    outbox.put("a", "s", 4)
    await outbox.take()
    outbox.put("b", "s", 5)
    outbox.put("c", "s", 6)
    assert outbox.unsent == {"s": 4}


async def test_a_replay_waits_until_half_is_gone() -> None:
    outbox = Outbox(messages=4)
    for number in range(3):
        outbox.put(str(number))
    waiting = asyncio.create_task(outbox.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    await outbox.take()
    await asyncio.wait_for(waiting, 60)


async def test_an_overflow_frees_a_waiting_replay() -> None:
    outbox = Outbox(messages=4)
    for number in range(4):
        outbox.put(str(number))
    waiting = asyncio.create_task(outbox.room())
    await asyncio.sleep(0)
    outbox.put("too much")
    await asyncio.wait_for(waiting, 60)
