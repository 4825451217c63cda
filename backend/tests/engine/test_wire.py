"""The wire of a real broker: nothing waits for an answer, and nothing is ever sent twice blind."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from app.core.errors import BrokerRejected, BrokerUnavailable, Fenced
from app.domain.events import (
    BrokerReport,
    CancelRequested,
    ChangeRejected,
    ClockTicked,
    CommandReceived,
    OrderApproved,
    OrderCanceled,
    OrderFilled,
    OrderReplaced,
    OrderSeen,
    OrderSubmitted,
    OrderUnknown,
    SliceClosed,
)
from app.domain.orders import Order, OrderChange, OrderStatus, OrderType, PendingChange
from app.domain.ports import BrokerAbilities, Entry
from app.engine.journal import MemoryJournal
from app.engine.state import Act
from app.engine.wire import Pace
from tests.floor import Floor
from tests.trading import MINUTE
from tests.venue import VenueBroker, broker_order, execution_of

D = Decimal
S = OrderStatus


class Scripted(VenueBroker):
    """A venue whose next answers are errors that the test names, by kind of request."""

    def __init__(self, venue: Any) -> None:
        super().__init__(venue)
        self.errors: dict[str, list[Exception]] = {"submit": [], "cancel": [], "replace": []}
        self.hang: dict[str, asyncio.Event] = {}

    async def submit(self, order: Order, at: datetime) -> Sequence[BrokerReport]:
        await self._stumble("submit", order.client_order_id)
        return await super().submit(order, at)

    async def cancel(self, client_order_id: str, at: datetime) -> Sequence[BrokerReport]:
        await self._stumble("cancel", client_order_id)
        return await super().cancel(client_order_id, at)

    async def replace(self, order: Order, at: datetime) -> Sequence[BrokerReport]:
        await self._stumble("replace", order.client_order_id)
        return await super().replace(order, at)

    async def _stumble(self, kind: str, identity: str) -> None:
        if self.errors[kind]:
            self.venue.requests.append((f"{kind} failed", identity))
            raise self.errors[kind].pop(0)
        if kind in self.hang:
            self.venue.requests.append((f"{kind} hangs", identity))
            await self.hang[kind].wait()


def scripted(**given: Any) -> Floor:
    floor = Floor(**given)
    floor.broker = floor.driver.broker = Scripted(floor.venue)
    return floor


def resting(**more: Any) -> dict[str, Any]:
    return {"type": "limit", "limit_price": 90, "time_in_force": "gtc", **more}


def replace_by_hand(floor: Floor, identity: str, **values: float) -> Any:
    texts = {name: str(value) for name, value in values.items()}
    return floor.ask("order_replace", client_order_id=identity, **texts)


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


# ----------------------------------------------------------------------------------- replace


async def test_a_replace_changes_the_order_here_and_there() -> None:
    async with Floor() as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "accepted")
        await replace_by_hand(floor, identity, quantity=4, limit_price=95)
        await floor.until(lambda: floor.of(OrderReplaced))
        order, (ticket,) = floor.order_of(identity), floor.venue.exchange.tickets
        assert (order.quantity, order.limit_price) == (4, 95) == (ticket.quantity, ticket.limit)
        assert (order.pending, order.wanted) == (PendingChange.NONE, None)


@pytest.mark.parametrize("is_done", [True, False])
async def test_a_replace_without_an_answer_is_looked_up_before_it_is_asked_again(
    is_done: bool,
) -> None:
    async with Floor() as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "accepted")
        faults = floor.venue.faults
        faults.lose_answers, faults.lose_requests = int(is_done), int(not is_done)
        floor.hears = False
        await replace_by_hand(floor, identity, quantity=4)
        await floor.until(lambda: floor.of(OrderReplaced))
        assert floor.order_of(identity).quantity == 4 == floor.venue.exchange.tickets[0].quantity
        assert len(floor.asked("replace")) == (1 if is_done else 2)
        assert floor.asked("find") == [identity]


async def test_a_replace_that_was_not_sent_or_is_confirmed_later_is_asked_for_again() -> None:
    async with scripted() as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "accepted")
        floor.broker.errors["replace"] = [BrokerUnavailable("pacing", api_name="x")]
        await replace_by_hand(floor, identity, quantity=4)
        await floor.until(lambda: floor.of(OrderReplaced))
        assert floor.asked("find") == []
        later: list[str] = []

        async def yes_later(order: Order, at: datetime) -> Sequence[BrokerReport]:
            later.append(order.client_order_id)
            return ()

        floor.broker.replace = yes_later
        await replace_by_hand(floor, identity, quantity=3)
        await floor.until(lambda: len(later) >= 2)
        assert floor.asked("find")[:1] == [identity]


async def test_a_refused_replace_leaves_the_order_as_it_was() -> None:
    async with scripted() as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "accepted")
        floor.broker.errors["replace"] = [BrokerRejected("no", api_name="x")]
        await replace_by_hand(floor, identity, limit_price=95)
        await floor.until(lambda: floor.of(ChangeRejected))
        order = floor.order_of(identity)
        assert (order.limit_price, order.pending, order.wanted) == (90, PendingChange.NONE, None)


async def test_a_replace_passes_the_gate_too() -> None:
    shut: list[str] = []
    async with Floor(gate=lambda _: shut[0] if shut else None) as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "accepted")
        shut.append("trading is halted")
        await replace_by_hand(floor, identity, quantity=20)
        await floor.until(lambda: floor.of(ChangeRejected))
        assert floor.of(ChangeRejected)[0].reason == "trading is halted"
        assert floor.asked("replace") == []


async def test_a_replace_that_only_makes_it_less_passes_a_closed_gate() -> None:
    """It is a cancel of a part: a halt must not leave a stop that covers more than is held."""
    shut: list[str] = []
    async with Floor(gate=lambda _: shut[0] if shut else None) as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "accepted")
        shut.append("trading is halted")
        await replace_by_hand(floor, identity, quantity=4)
        await floor.until(lambda: floor.of(OrderReplaced))
        await replace_by_hand(floor, identity, quantity=3, limit_price=95)
        await floor.until(lambda: floor.of(ChangeRejected))
        assert len(floor.asked("replace")) == 1


async def test_a_replace_of_an_order_nobody_heard_of_waits() -> None:
    async with Floor() as floor:
        await floor.minute(100)
        floor.venue.faults.lose_answers = 1
        floor.hears = False
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "unknown")
        order = floor.order_of(identity)
        change = OrderChange(quantity=D(4), limit_price=D(90))
        assert floor.engine.desk.replace(order, change, "smaller", floor.now)
        await floor.settled()
        assert floor.asked("replace") == []
        await floor.reconcile()
        await floor.until(lambda: floor.asked("replace"))


async def test_a_cancel_gives_up_a_replace_that_waits() -> None:
    async with Floor() as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "accepted")
        floor.venue.disconnect()
        await floor.until(lambda: not floor.wire.is_up)
        await replace_by_hand(floor, identity, quantity=4)
        await floor.ask("order_cancel", client_order_id=identity)
        floor.venue.connect()
        await floor.becomes(identity, "canceled")
        assert floor.asked("replace") == []


async def test_a_fill_that_beats_a_replace_counts() -> None:
    async with Floor() as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "accepted")
        floor.venue.print("AAPL", 89, 6)
        await floor.becomes(identity, "partially_filled")
        order = floor.order_of(identity)
        change = OrderChange(quantity=D(6), limit_price=D(90))
        async with floor.driver.lock:
            assert floor.engine.desk.replace(order, change, "enough", floor.now)
            await floor.driver.learn(())
        await floor.becomes(identity, "filled")
        assert floor.held(ledger="manual") == 6 == floor.there()


# ------------------------------------------------------------------------------------ clock


async def test_an_accepted_order_that_times_out_is_cancelled_at_the_broker() -> None:
    async with Floor() as floor:
        await floor.minute(100)
        identity = await floor.buy(10)
        await floor.becomes(identity, "accepted")
        await floor.driver.tick(floor.now + 6 * MINUTE)
        await floor.becomes(identity, "canceled")
        assert floor.of(ClockTicked)
        assert floor.venue.exchange.tickets[0].state == "canceled"


async def test_a_wire_without_orders_rests() -> None:
    async with Floor() as floor:
        await floor.settled()
        await floor.minute(100)
        assert floor.of(SliceClosed)
        assert floor.wire.is_idle


# ------------------------------------------------------------------------- orders of others


async def test_fills_told_before_an_order_is_taken_over_count_once() -> None:
    """The fills came as news; then the books, read before the last of them, show the order."""
    async with Floor() as floor:
        ticket = floor.venue.by_hand("buy", 10, limit=100)
        floor.venue.print("AAPL", 99, 9)
        await floor.until(lambda: floor.held(ledger="external") == 9)
        seen = msgspec.structs.replace(broker_order(ticket), filled_quantity=D(8))
        await floor.do(OrderSeen(order=seen, ledger="external", at=floor.now))
        order = floor.order_of(seen.identity)
        assert (order.quantity, order.filled_quantity) == (1, 0)
        for fill in floor.venue.exchange.fills:
            await floor.do(OrderFilled(execution=execution_of(fill)))
        assert floor.held(ledger="external") == 9 == floor.there()
        floor.venue.print("AAPL", 99)
        await floor.becomes(seen.identity, "filled")
        assert floor.held(ledger="external") == 10


async def test_an_order_of_others_that_was_filled_meanwhile_is_not_taken_over() -> None:
    async with Floor() as floor:
        ticket = floor.venue.by_hand("buy", 10, limit=100)
        seen = broker_order(ticket)
        floor.venue.print("AAPL", 99)
        await floor.until(lambda: floor.held(ledger="external") == 10)
        await floor.do(OrderSeen(order=seen, ledger="external", at=floor.now))
        assert not floor.engine.open_orders


async def test_an_order_that_is_canceled_and_changed_at_once_is_canceled() -> None:
    async with Floor() as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "accepted")
        before, desk = floor.order_of(identity), floor.engine.desk
        async with floor.driver.lock:
            desk.cancel(before, "gone", floor.now)
            change = OrderChange(quantity=D(4), limit_price=D(90))
            assert not desk.replace(before, change, "smaller", floor.now)
            await floor.driver.learn(())
        await floor.becomes(identity, "canceled")
        assert floor.asked("replace") == []


async def test_a_request_that_hangs_too_long_is_given_up_for_good() -> None:
    pace = Pace(answer=0.01, change=0.01, again=0.01, longest=0.02, abandon=0.03)
    async with scripted(pace=pace) as floor:
        await floor.minute(100)
        floor.broker.hang["submit"] = asyncio.Event()
        identity = await floor.buy(10)
        await floor.until(lambda: len(floor.of(OrderUnknown)) == 2)
        await floor.settled()
        floor.broker.hang["submit"].set()
        await floor.settled()
        assert floor.status(identity) is S.UNKNOWN
        assert not floor.venue.exchange.tickets


# ------------------------------------------------------------------------------ held here


class Plain(VenueBroker):
    """A broker that knows neither groups nor stops: we hold them."""

    abilities = BrokerAbilities(types=frozenset({OrderType.MARKET, OrderType.LIMIT}))


async def test_orders_that_we_hold_are_changed_and_canceled_without_the_broker() -> None:
    floor = Floor()
    floor.broker = floor.driver.broker = Plain(floor.venue)
    floor.engine.desk.abilities = Plain.abilities
    async with floor:
        await floor.minute(100)
        identity = await floor.buy(10, type="stop", stop_price=120, time_in_force="gtc")
        assert floor.order_of(identity).is_held
        floor.venue.disconnect()
        await floor.until(lambda: not floor.wire.is_up)
        await replace_by_hand(floor, identity, quantity=4)
        await floor.until(lambda: floor.order_of(identity).quantity == 4)
        await floor.ask("order_cancel", client_order_id=identity)
        await floor.becomes(identity, "canceled")
        assert floor.venue.requests == []


# --------------------------------------------------------- what is decided in the meantime


async def test_what_is_over_when_its_turn_comes_is_left_alone() -> None:
    """Each request looks again at the order once it holds the lock."""
    async with scripted() as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "accepted")
        async with floor.driver.lock:
            order, desk = floor.order_of(identity), floor.engine.desk
            change = OrderChange(quantity=D(4), limit_price=D(90))
            desk.replace(order, change, "smaller", floor.now)
            floor.wire.wake()
            await floor.until(lambda: ("replace", identity) in floor.wire._tasks)
            desk.cancel(order, "gone", floor.now)
            floor.wire.wake()
            await floor.until(lambda: ("cancel", identity) in floor.wire._tasks)
            gone = OrderCanceled(client_order_id=identity, reason="x", at=floor.now)
            await floor.driver.learn((gone,))
        await floor.settled()
        assert floor.asked("replace") == floor.asked("cancel") == []


async def test_an_order_that_is_canceled_while_its_submission_waits_is_not_sent() -> None:
    async with scripted() as floor:
        await floor.minute(100)
        for is_over in (False, True):
            await floor.driver.lock.acquire()
            try:
                number = len(floor.of(OrderApproved))
                await floor.driver._step(_place(floor))
                order = floor.of(OrderApproved)[number].order
                key = ("submit", order.client_order_id)
                await floor.until(lambda wanted=key: wanted in floor.wire._tasks)
                floor.engine.desk.cancel(order, "gone", floor.now)
                if is_over:
                    gone = OrderCanceled(
                        client_order_id=order.client_order_id, reason="x", at=floor.now
                    )
                    await floor.driver.learn((gone,))
            finally:
                floor.driver.lock.release()
            await floor.becomes(order.client_order_id, "canceled")
        await floor.settled()
        assert floor.asked("submit") == []


def _place(floor: Floor) -> CommandReceived:
    floor.commands += 1
    payload = {"symbol": "AAPL", "side": "buy", "quantity": "1"}
    return CommandReceived(
        command_id=floor.commands, kind="order_place", payload=payload, actor="anna", at=floor.now
    )


async def test_an_account_that_may_not_be_ours_any_more_sends_and_changes_nothing() -> None:
    lost: list[str] = []
    async with Floor(fence=lambda: lost[0] if lost else None) as floor:
        await floor.minute(100)
        first = await floor.buy(10, **resting())
        await floor.becomes(first, "accepted")
        lost.append("the lease may have run out")
        second = await floor.buy(10, **resting())
        await replace_by_hand(floor, first, quantity=4)
        await floor.settled()
        assert floor.status(second) is S.APPROVED
        assert floor.asked("replace") == []
        lost.clear()
        await floor.becomes(second, "accepted")
        await floor.until(lambda: floor.order_of(first).quantity == 4)


async def test_doubts_about_an_order_that_was_answered_change_nothing() -> None:
    async with Floor() as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "accepted")
        await floor.wire._unanswered(identity)
        await floor.wire._unanswered("nobody")
        async with floor.driver.lock:
            await floor.wire._unsent(identity, "?")
        assert floor.status(identity) is S.ACCEPTED


async def test_an_alarm_that_nobody_listens_to_is_no_harm() -> None:
    floor = Floor()
    floor.driver._alarm = None
    await floor.driver.alarm("title", "detail")


async def test_a_cancel_that_nobody_wants_any_more_is_not_possible() -> None:
    async with scripted() as floor:
        await floor.minute(100)
        identity = await floor.buy(10, **resting())
        await floor.becomes(identity, "accepted")
        order = floor.order_of(identity)
        assert order.pending is PendingChange.NONE
        assert not floor.wire._is_possible(Act("cancel", identity), order)
