"""The wire of a real broker: nothing waits for an answer, and nothing is ever sent twice blind."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import pytest

from app.core.errors import BrokerRejected, BrokerUnavailable, Fenced
from app.domain.events import (
    BrokerReport,
    CancelRequested,
    ChangeRejected,
    OrderApproved,
    OrderCanceled,
    OrderReplaced,
    OrderSubmitted,
    OrderUnknown,
)
from app.domain.orders import PendingChange
from app.domain.ports import Entry
from app.engine.journal import MemoryJournal
from app.engine.wire import Pace
from tests.floor import Floor
from tests.scripted import S, replace_by_hand, resting, scripted
from tests.trading import MINUTE

# ------------------------------------------------------------------------------------ submit


async def test_an_order_goes_out_and_comes_back_filled() -> None:
    async with Floor() as floor:
        await floor.minute(100)
        floor.venue.print("AAPL", 100)
        identity = await floor.buy(10)
        await floor.becomes(identity, "filled")
        assert floor.asked("submit") == [identity]
        assert floor.held(ledger="manual") == 10 == floor.there()


async def test_a_submit_that_hangs_stops_neither_slices_nor_commands_nor_cancels() -> None:
    async with scripted(pace=Pace(answer=3600)) as floor:
        await floor.minute(100)
        other = await floor.buy(1, **resting())
        await floor.becomes(other, "accepted")
        floor.broker.hang["submit"] = asyncio.Event()
        identity = await floor.buy(10)
        await floor.until(lambda: floor.asked("submit hangs"))
        await floor.minute(101)
        assert floor.engine.slice_end == floor.now
        await floor.ask("trading_halt")
        await floor.becomes(other, "canceled")
        assert floor.status(identity) is S.SUBMITTED
        floor.broker.hang["submit"].set()
        await floor.becomes(identity, "canceled")
        assert floor.there() == 0


async def test_what_waits_in_the_adapter_is_on_its_way_until_it_is_answered() -> None:
    """A stop must not be called in force while an order that passed before it may still go out."""
    under_way: list[str] = []

    @contextmanager
    def sending() -> Iterator[None]:
        under_way.append("something")
        try:
            yield
        finally:
            under_way.pop()

    async with scripted(pace=Pace(answer=3600), sending=sending) as floor:
        await floor.minute(100)
        floor.broker.hang["submit"] = asyncio.Event()
        identity = await floor.buy(10, **resting())
        await floor.until(lambda: floor.asked("submit hangs"))
        await floor.ask("trading_halt")
        assert under_way
        floor.broker.hang["submit"].set()
        await floor.becomes(identity, "canceled")
        await floor.until(lambda: not under_way)


async def test_a_missing_answer_makes_an_order_unknown_and_is_heard_when_it_comes() -> None:
    async with scripted() as floor:
        await floor.minute(100)
        floor.broker.hang["submit"] = asyncio.Event()
        identity = await floor.buy(10)
        await floor.becomes(identity, "unknown")
        assert floor.of(OrderUnknown)[0].reason == "no answer within 0.02 s"
        floor.broker.hang["submit"].set()
        await floor.becomes(identity, "accepted")
        assert len(floor.venue.exchange.tickets) == 1


async def test_nothing_is_sent_before_the_books_were_compared() -> None:
    async with Floor() as floor:
        await floor.minute(100)
        floor.driver.ready(is_ready=False)
        identity = await floor.buy(10)
        await floor.settled()
        assert floor.status(identity) is S.APPROVED
        assert not floor.of(OrderSubmitted)
        floor.driver.ready(is_ready=True)
        await floor.becomes(identity, "accepted")


async def test_an_order_waits_for_the_connection_until_its_time_is_up() -> None:
    async with Floor() as floor:
        await floor.minute(100)
        floor.venue.disconnect()
        await floor.until(lambda: not floor.wire.is_up)
        first, second = await floor.buy(10), await floor.buy(1)
        await floor.ask("order_cancel", client_order_id=second)
        await floor.becomes(second, "canceled")
        assert floor.of(OrderCanceled)[0].reason == "canceled before it was sent"
        await floor.driver.tick(floor.now + 4 * MINUTE)
        assert floor.status(first) is S.APPROVED
        await floor.driver.tick(floor.now + 6 * MINUTE)
        await floor.becomes(first, "canceled")
        floor.venue.connect()
        await floor.until(lambda: floor.wire.is_up)
        await floor.settled()
        assert floor.asked("submit") == []


async def test_what_was_certainly_not_sent_is_asked_for_again_under_another_id() -> None:
    async with scripted() as floor:
        await floor.minute(100)
        floor.broker.errors["submit"] = [BrokerUnavailable("pacing", api_name="x")] * 2
        first = await floor.buy(10)
        await floor.until(lambda: floor.asked("submit"))
        ends = floor.of(OrderCanceled)
        assert [(end.is_unsent, end.reason) for end in ends] == [(True, "not sent: pacing")] * 2
        tried = [event.order.client_order_id for event in floor.of(OrderApproved)]
        assert tried[0] == first
        assert len(set(tried)) == 3
        assert floor.asked("submit") == tried[2:]


async def test_a_broker_that_says_how_long_to_wait_is_asked_after_that() -> None:
    async with scripted() as floor:
        await floor.minute(100)
        error = BrokerUnavailable("429", api_name="x", retry_after=3600)
        floor.broker.errors["submit"] = [error]
        await floor.buy(10)
        await floor.until(lambda: len(floor.of(OrderApproved)) == 2)
        await floor.settled()
        assert floor.asked("submit") == []
        floor.driver.linked(is_up=True)  # a new connection begins anew
        await floor.until(lambda: floor.asked("submit"))


async def test_an_order_by_hand_that_cannot_be_sent_is_given_up_after_its_time() -> None:
    async with scripted() as floor:
        await floor.minute(100)
        floor.broker.hang["submit"] = asyncio.Event()
        await floor.buy(10)
        await floor.until(lambda: floor.asked("submit hangs"))
        floor.clock.move_to(floor.now + 6 * MINUTE)
        floor.broker.errors["submit"] = []
        (made,) = floor.of(OrderApproved)
        await floor.do(
            OrderCanceled(
                client_order_id=made.order.client_order_id,
                reason="not sent",
                at=floor.clock.now(),
                is_unsent=True,
            )
        )
        assert len(floor.of(OrderApproved)) == 1


async def test_a_connection_that_breaks_during_the_journal_sends_nothing() -> None:
    floor = Floor()

    class Breaking(MemoryJournal):
        async def append(self, entries: Sequence[Entry]) -> int:
            if isinstance(entries[0].event, OrderSubmitted):
                floor.driver.linked(is_up=False)
            return await super().append(entries)

    floor.journal = floor.driver.journal = Breaking(keeps_time=True)
    async with floor:
        await floor.minute(100)
        await floor.buy(10)
        await floor.until(lambda: floor.of(OrderCanceled))
        (gone,) = floor.of(OrderCanceled)
        assert (gone.is_unsent, gone.reason) == (True, "not sent: the connection was lost")
        assert floor.asked("submit") == []


async def test_the_gate_withdraws_before_and_after_the_journal() -> None:
    for answers in ([], [None]):
        given = list(answers)
        async with Floor(gate=lambda _, left=given: left.pop(0) if left else "halted") as floor:
            await floor.minute(100)
            identity = await floor.buy(10)
            await floor.becomes(identity, "canceled")
            assert floor.of(OrderCanceled)[0].reason == "halted"
            assert len(floor.of(OrderSubmitted)) == len(answers)
            assert floor.asked("submit") == []


async def test_a_definite_no_is_a_rejection() -> None:
    async with Floor() as floor:
        await floor.minute(100)
        floor.venue.faults.refuse = "no such symbol"
        identity = await floor.buy(10)
        await floor.becomes(identity, "rejected")


async def test_a_late_certainty_that_nothing_was_sent_ends_an_unknown_order() -> None:
    async with scripted() as floor:
        await floor.minute(100)
        floor.broker.hang["submit"] = asyncio.Event()
        first = await floor.buy(10)
        await floor.becomes(first, "unknown")
        floor.venue.is_up = False
        floor.broker.hang.pop("submit").set()
        await floor.becomes(first, "canceled")
        assert floor.of(OrderCanceled)[0].is_unsent


async def test_what_the_journal_refuses_ends_the_wire() -> None:
    class Refusing(MemoryJournal):
        async def append(self, entries: Sequence[Entry]) -> int:
            if isinstance(entries[0].event, OrderSubmitted):
                raise Fenced("another engine has the account")
            return await super().append(entries)

    floor = Floor()
    floor.journal = floor.driver.journal = Refusing(keeps_time=True)
    async with floor:
        await floor.minute(100)
        wire, _ = floor._tasks
        await floor.buy(1)
        with pytest.raises(Fenced):
            await wire
        assert floor.asked("submit") == []


# ------------------------------------------------------------------------------------ cancel


async def test_a_cancel_without_an_answer_is_asked_for_until_there_is_one() -> None:
    async with scripted() as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "accepted")
        floor.broker.errors["cancel"] = [ConnectionError("gone")] * 4
        await floor.ask("order_cancel", client_order_id=identity)
        await floor.becomes(identity, "canceled")
        assert len(floor.asked("cancel failed")) == 4
        assert len(floor.of(CancelRequested)) == 1, "what we want is said once"
        assert floor.alarms == [f"The broker does not answer the cancel of order {identity}"]


async def test_a_cancel_is_asked_again_during_a_halt_too() -> None:
    async with scripted() as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "accepted")
        floor.broker.hang["cancel"] = asyncio.Event()
        await floor.ask("trading_halt")
        await floor.until(lambda: len(floor.asked("cancel hangs")) >= 2)
        floor.broker.hang.pop("cancel")
        await floor.becomes(identity, "canceled")


async def test_a_cancel_waits_for_the_connection() -> None:
    async with Floor() as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "accepted")
        floor.venue.disconnect()
        await floor.until(lambda: not floor.wire.is_up)
        await floor.ask("order_cancel", client_order_id=identity)
        await floor.settled()
        assert floor.asked("cancel") == []
        floor.venue.connect()
        await floor.becomes(identity, "canceled")


async def test_a_cancel_that_is_confirmed_later_is_asked_for_again_meanwhile() -> None:
    async with scripted() as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "accepted")
        asked: list[str] = []

        async def yes_later(client_order_id: str, at: datetime) -> Sequence[BrokerReport]:
            asked.append(client_order_id)
            return ()

        floor.broker.cancel = yes_later
        await floor.ask("order_cancel", client_order_id=identity)
        await floor.until(lambda: len(asked) >= 3)
        assert floor.order_of(identity).pending is PendingChange.CANCEL
        await floor.do(OrderCanceled(client_order_id=identity, reason="x", at=floor.now))
        await floor.settled()
        count = len(asked)
        await floor.minute(100)
        assert len(asked) == count


async def test_a_cancel_that_comes_too_late_leaves_the_order_as_it_is() -> None:
    async with scripted() as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "accepted")
        floor.broker.errors["cancel"] = [BrokerRejected("filling", api_name="x")]
        await floor.ask("order_cancel", client_order_id=identity)
        await floor.until(lambda: floor.of(ChangeRejected))
        assert floor.order_of(identity).pending is PendingChange.NONE
        assert floor.status(identity) is S.ACCEPTED
        await floor.settled()
        await floor.ask("order_cancel", client_order_id=identity)
        await floor.becomes(identity, "canceled")


async def test_a_cancel_of_an_unknown_order_is_asked_until_its_fate_is_known() -> None:
    async with scripted() as floor:
        await floor.minute(100)
        floor.venue.faults.lose_requests = 1
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "unknown")
        await floor.ask("order_cancel", client_order_id=identity)
        await floor.until(lambda: len(floor.asked("cancel")) >= 2)
        order = floor.order_of(identity)
        assert (order.status, order.pending) == (S.UNKNOWN, PendingChange.CANCEL)


async def test_an_engine_that_may_have_lost_its_account_cancels_nothing() -> None:
    lost: list[str] = []
    async with Floor(fence=lambda: lost[0] if lost else None) as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "accepted")
        lost.append("the lease may have run out")
        await floor.ask("order_cancel", client_order_id=identity)
        await floor.settled()
        assert floor.asked("cancel") == []
        lost.clear()
        await floor.becomes(identity, "canceled")


async def test_an_engine_that_may_have_lost_its_account_sends_nothing() -> None:
    lost = ["the lease may have run out"]
    async with Floor(fence=lambda: lost[0] if lost else None) as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.settled()
        assert (floor.asked("submit"), floor.order_of(identity).status) == ([], S.APPROVED)
        lost.clear()
        await floor.becomes(identity, "accepted")


async def test_a_lease_that_ran_out_while_the_journal_wrote_sends_nothing() -> None:
    reads: list[int] = []

    def fence() -> str | None:
        reads.append(1)
        return "the lease may have run out" if len(reads) == 2 else None

    async with Floor(fence=fence) as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "canceled")
        assert identity not in floor.asked("submit")


async def test_an_engine_that_may_have_lost_its_account_changes_nothing() -> None:
    lost: list[str] = []
    async with Floor(fence=lambda: lost[0] if lost else None) as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "accepted")
        lost.append("the lease may have run out")
        await replace_by_hand(floor, identity, quantity=4, limit_price=95)
        await floor.settled()
        assert floor.asked("replace") == []
        lost.clear()
        await floor.until(lambda: floor.of(OrderReplaced))
