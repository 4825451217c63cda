"""What went wrong elsewhere, each by its name in the design: it cannot go wrong here.

`engine` and `driver` decide these; the broker is a venue that remembers the truth.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from app.core.errors import BrokerRejected, BrokerUnavailable
from app.domain.events import (
    BrokerReport,
    CommandReceived,
    DeploymentPaused,
    OrderAccepted,
    OrderApproved,
    OrderCanceled,
    OrderDenied,
    OrderFilled,
    OrderRejected,
    OrderReplaced,
    OrderSubmitted,
    OrderUnknown,
    PositionChanged,
    Severity,
    StrategyNoted,
)
from app.domain.limits import UNLIMITED
from app.domain.orders import Order, OrderStatus, PendingChange
from app.domain.ports import Entry
from app.engine.journal import MemoryJournal
from app.engine.reports import REJECTIONS
from app.engine.unknowns import Misses, never_arrived
from tests.floor import Floor
from tests.trading import MINUTE
from tests.venue import VenueBroker, execution_of

D = Decimal
S = OrderStatus


async def test_retry_after_late_accept() -> None:
    """nautilus_trader#4215: timed out, then accepted, and the retry still fired."""
    async with Floor() as floor:
        floor.hears = False
        await floor.start()
        floor.venue.faults.lose_answers = 1
        await floor.minute(110)
        (made,) = floor.of(OrderApproved)
        identity = made.order.client_order_id
        await floor.becomes(identity, "unknown")
        for _ in range(3):
            await floor.minute(110)
        await floor.settled()
        assert floor.asked("submit") == [identity], "nothing is sent while nobody knows"
        await floor.reconcile()
        await floor.becomes(identity, "accepted")
        floor.hears = True
        floor.venue.print("AAPL", 110)
        await floor.becomes(identity, "filled")
        await floor.minute(110)
        await floor.settled()
        assert floor.held() == 90 == floor.there()
        assert floor.asked("submit") == [identity]


async def test_retry_after_late_accept_when_the_retry_is_out_already() -> None:
    """The first was given up for good reasons and comes back: the surplus is cancelled or sold."""
    async with Floor() as floor:
        await floor.start()
        floor.venue.faults.lose_requests = 1
        await floor.minute(110)
        first = floor.of(OrderApproved)[0].order
        await floor.becomes(first.client_order_id, "unknown")
        gone = OrderRejected(
            client_order_id=first.client_order_id, reason="not found", at=floor.now
        )
        await floor.do(gone)
        await floor.minute(110)
        second = floor.of(OrderApproved)[-1].order
        await floor.becomes(second.client_order_id, "accepted")
        late = msgspec.structs.replace(first, status=S.APPROVED)
        await floor.broker.submit(late, floor.now)  # it was on its way all the time
        await floor.becomes(first.client_order_id, "canceled")
        await floor.becomes(second.client_order_id, "canceled")
        floor.venue.print("AAPL", 110)
        await floor.until(lambda: floor.held() == 90)
        await floor.settled()
        assert floor.there() == 90


async def test_inflight_timeout_is_not_a_reject() -> None:
    """nautilus_trader#4958: marked rejected while it was live, which left an orphan position."""
    async with Floor() as floor:
        floor.hears = False
        await floor.start()
        floor.venue.faults.lose_answers = 1
        await floor.minute(110)
        identity = floor.of(OrderApproved)[0].order.client_order_id
        await floor.becomes(identity, "unknown")
        assert not floor.of(OrderRejected)
        assert floor.engine.book.pending("AAPL") == (90, 0), "it counts in full"
        floor.venue.print("AAPL", 110)
        await floor.reconcile()
        assert floor.status(identity) is S.FILLED
        assert floor.held() == 90 == floor.there()


async def test_inferred_fill_versus_real_fill() -> None:
    """nautilus_trader PR#3493: a fill told by the books and by the stream was counted twice."""
    async with Floor() as floor:
        await floor.minute(100)
        identity = await floor.buy(10, type="limit", limit_price=100)
        await floor.becomes(identity, "accepted")
        floor.hears = False
        floor.venue.print("AAPL", 99)
        await floor.reconcile()
        assert floor.held(ledger="manual") == 10
        (fill,) = floor.venue.exchange.fills
        for _ in range(2):
            await floor.do(OrderFilled(execution=execution_of(fill)))
        assert floor.held(ledger="manual") == 10 == floor.there()
        assert len(floor.of(PositionChanged)) == 1
        assert floor.order_of(identity).filled_quantity == 10


async def test_modify_during_disconnect() -> None:
    """nautilus_trader#4564: the change was carried out, the answer lost with the connection."""
    async with Floor() as floor:
        await floor.minute(100)
        identity = await floor.buy(10, type="limit", limit_price=90, time_in_force="gtc")
        await floor.becomes(identity, "accepted")
        floor.hears = False
        floor.venue.faults.lose_answers = 1
        floor.broker.find = _cut_off  # type: ignore[method-assign]  # the line is dead by now
        await floor.ask("order_replace", client_order_id=identity, quantity="4", limit_price="95")
        await floor.until(lambda: floor.asked("replace"))
        floor.venue.disconnect()
        await floor.until(lambda: not floor.wire.is_up)
        assert floor.order_of(identity).pending is PendingChange.REPLACE
        assert floor.engine.book.pending("AAPL") == (10, 0), "the larger of both counts"
        del floor.broker.find
        floor.venue.connect()
        await floor.until(lambda: floor.of(OrderReplaced))
        order, (ticket,) = floor.order_of(identity), floor.venue.exchange.tickets
        assert (order.quantity, order.limit_price) == (4, 95) == (ticket.quantity, ticket.limit)
        assert floor.asked("replace") == [identity], "it was not asked for again"


async def _cut_off(client_order_id: str) -> Any:
    raise BrokerUnavailable("no connection", api_name="venue")


class Died(BaseException):
    """The process is no more."""


class Mortal(MemoryJournal):
    """Dies before or after the commit that holds a certain event."""

    def __init__(self, kind: type, *, is_written: bool) -> None:
        super().__init__(keeps_time=True)
        self.kind: type | None = kind
        self.is_written = is_written

    async def append(self, entries: Sequence[Entry]) -> int:
        if self.kind is None or not any(type(entry.event) is self.kind for entry in entries):
            return await super().append(entries)
        self.kind = None
        if self.is_written:
            await super().append(entries)
        raise Died


POINTS = [
    (OrderApproved, False, 0),
    (OrderApproved, True, 1),
    (OrderSubmitted, False, 1),
    (OrderSubmitted, True, 0),
    (OrderAccepted, False, 1),
    (OrderAccepted, True, 1),
    (OrderFilled, False, 1),
    (OrderFilled, True, 1),
]


@pytest.mark.parametrize(("kind", "is_written", "orders"), POINTS)
async def test_crash_between_wire_and_row(kind: type, is_written: bool, orders: int) -> None:
    """An order that was sent before its row was written is an order nobody knows of."""
    floor = Floor()
    floor.journal = floor.driver.journal = Mortal(kind, is_written=is_written)
    floor.venue.print("AAPL", 100)
    async with floor:
        try:
            await floor.minute(100)
            await floor.do(_order(floor))
            await floor.until(lambda: floor.journal.kind is None)
        except Died:
            pass
        await floor.until(lambda: floor.journal.kind is None)
        again = await floor.restart()
        assert not again.of(OrderUnknown) or kind in (OrderSubmitted, OrderAccepted)
        again.work()
        try:
            await again.until(lambda: again.wire.is_ready)
            await again.reconcile()
            await again.settled()
            await again.reconcile()
            sent = again.asked("submit")
            assert len(sent) == len(set(sent)) == orders, "each at most once, and none unknown"
            assert again.held(ledger="manual") == 10 * orders == again.there()
        finally:
            await again.__aexit__()


def _order(floor: Floor) -> Any:
    payload = {"symbol": "AAPL", "side": "buy", "quantity": "10"}
    return CommandReceived(
        command_id=1, kind="order_place", payload=payload, actor="anna", at=floor.now
    )


async def test_library_retries_a_post() -> None:
    """alpaca-py sends POST /orders again on 429 and 504: only our client order id saves us."""

    class Retrying(VenueBroker):
        async def submit(self, order: Order, at: datetime) -> Sequence[BrokerReport]:
            try:
                await super().submit(order, at)
            except TimeoutError:
                return await super().submit(order, at)
            raise AssertionError("the first answer was to be lost")

    async with Floor() as floor:
        floor.broker = floor.driver.broker = Retrying(floor.venue)
        await floor.minute(100)
        floor.venue.print("AAPL", 100)
        floor.venue.faults.lose_answers = 1
        identity = await floor.buy(10)
        await floor.becomes(identity, "filled")
        await floor.until(lambda: floor.of(OrderRejected))
        await floor.settled()
        assert floor.status(identity) is S.FILLED, "the refusal was of the library's second try"
        assert len(floor.venue.exchange.tickets) == 1
        assert floor.held(ledger="manual") == 10 == floor.there()


async def test_library_retries_a_post_and_the_fill_comes_after_the_refusal() -> None:
    async with Floor() as floor:
        floor.hears = False
        await floor.minute(100)
        floor.venue.faults.lose_answers = 1
        identity = await floor.buy(10)
        await floor.becomes(identity, "unknown")
        refusal = "client order id must be unique"
        await floor.do(OrderRejected(client_order_id=identity, reason=refusal, at=floor.now))
        assert floor.status(identity) is S.REJECTED
        floor.venue.print("AAPL", 100)
        await floor.do(OrderFilled(execution=execution_of(floor.venue.exchange.fills[0])))
        assert floor.status(identity) is S.FILLED
        assert floor.held(ledger="manual") == 10 == floor.there()


@pytest.mark.parametrize(("close", "side", "stop"), [(110, "sell", 104.5), (90, "buy", 94.5)])
async def test_stop_loss_side_follows_position(close: int, side: str, stop: float) -> None:
    """A hard-coded side trailed shorts the wrong way."""
    async with Floor() as floor:
        await floor.start(stop=0.05)
        floor.venue.print("AAPL", close)
        await floor.minute(close)
        await floor.until(lambda: len(floor.venue.exchange.tickets) == 2)
        entry, leg = floor.venue.exchange.tickets
        assert (leg.kind, leg.side, leg.stop) == ("stop", side, D(str(stop)))
        assert leg.side != entry.side
        assert leg.quantity == abs(floor.there())
        floor.venue.print("AAPL", stop)
        await floor.until(lambda: floor.held() == 0)
        assert floor.there() == 0


async def test_halt_versus_retry() -> None:
    """A retry crossed an emergency stop between its check and its wire attempt."""
    shut: list[str] = []

    class Pacing(VenueBroker):
        async def submit(self, order: Order, at: datetime) -> Sequence[BrokerReport]:
            self.venue.requests.append(("attempt", order.client_order_id))
            raise BrokerUnavailable("429", api_name="venue")

    async with Floor(gate=lambda _: shut[0] if shut else None) as floor:
        floor.broker = floor.driver.broker = Pacing(floor.venue)
        await floor.start()
        await floor.minute(110)
        await floor.until(lambda: len(floor.asked("attempt")) >= 2)
        shut.append("trading is halted")
        attempts = len(floor.asked("attempt"))
        await floor.until(lambda: not floor.engine.open_orders)
        assert len(floor.asked("attempt")) == attempts, "the gate is read before each attempt"
        await floor.ask("trading_halt")
        await floor.minute(110)
        await floor.settled()
        assert len(floor.asked("attempt")) == attempts
        assert not floor.engine.outbox


async def test_every_order_rejected_is_noticed() -> None:
    """Lean.Brokerages.InteractiveBrokers#246: three days of rejects that nobody saw."""
    async with Floor() as floor:
        floor.venue.faults.refuse = "insufficient buying power"
        await floor.start()
        for minute in range(REJECTIONS + 4):
            await floor.minute(101 + minute)
            await floor.settled()
        assert len(floor.of(OrderRejected)) == REJECTIONS, "then it stops asking"
        (paused,) = floor.of(DeploymentPaused)
        assert "insufficient buying power" in paused.reason
        (told,) = [note for note in floor.of(StrategyNoted) if note.kind == "all_rejected"]
        assert told.severity is Severity.CRITICAL


async def test_an_order_that_is_taken_ends_the_count_of_rejections() -> None:
    async with Floor() as floor:
        floor.venue.faults.refuse = "try later"
        await floor.start()
        for close in (101, 102, 103, 104):
            await floor.minute(close)
            await floor.settled()
        assert floor.engine.desk.rejections == {"d1": REJECTIONS - 1}
        floor.venue.faults.refuse = None
        await floor.minute(105)
        await floor.until(lambda: floor.of(OrderAccepted))
        assert floor.engine.desk.rejections == {}
        assert not floor.of(DeploymentPaused)


async def test_rejections_of_orders_by_hand_pause_nobody() -> None:
    async with Floor() as floor:
        floor.venue.faults.refuse = "no"
        await floor.minute(100)
        for _ in range(REJECTIONS + 1):
            await floor.buy(1)
            await floor.settled()
        assert len(floor.of(OrderRejected)) == REJECTIONS + 1
        assert not floor.of(DeploymentPaused)


async def test_restart_makes_no_synthetic_duplicates() -> None:
    """nautilus_trader#3176, #3046: fills and positions were made up again at every restart."""
    async with Floor() as floor:
        await floor.start(stop=0.05)
        floor.venue.print("AAPL", 110)
        await floor.minute(110)
        await floor.until(lambda: len(floor.venue.exchange.tickets) == 2)
        await floor.settled()
        one: Floor = floor
        for _ in range(3):
            before = len(one.of(OrderFilled)), len(one.of(OrderApproved))
            one = await one.restart()
            one.work()
            try:
                await one.until(lambda now=one: now.wire.is_ready)
                await one.reconcile()
                await one.settled()
            finally:
                await one.__aexit__()
            assert (len(one.of(OrderFilled)), len(one.of(OrderApproved))) == before
            assert one.held() == 90 == one.there()
            assert len(one.venue.exchange.tickets) == 2


async def test_not_found_is_not_canceled() -> None:
    """A start-up guard whose date test was always true closed what was open at the broker."""
    async with Floor() as floor:
        floor.hears = False
        await floor.minute(100)
        floor.venue.faults.lose_answers = 1
        identity = await floor.buy(10, type="limit", limit_price=90, time_in_force="gtc")
        await floor.becomes(identity, "unknown")
        floor.venue.faults.unfindable, floor.venue.faults.empty = 4, True
        order, misses = floor.order_of(identity), Misses(first=0, last=0)
        for seconds in (10, 20, 39):
            misses.again(seconds)
            assert await floor.broker.find(identity) is None
            assert not never_arrived(order, misses, seconds)
        assert floor.status(identity) is S.UNKNOWN
        assert floor.engine.book.pending("AAPL") == (10, 0)
        assert (await floor.ask("order_place", symbol="AAPL", side="buy", quantity="1"))[
            "code"
        ] == "order_unknown"
        floor.venue.faults.empty, floor.venue.faults.unfindable = False, 0
        await floor.reconcile()
        assert floor.status(identity) is S.ACCEPTED
        assert not floor.of(OrderCanceled)


async def test_key_repeat_burst() -> None:
    """A held key fired a burst of market orders."""
    limits = msgspec.structs.replace(UNLIMITED, max_orders_per_minute=3)
    async with Floor(limits=limits) as floor:
        await floor.minute(100)
        floor.venue.print("AAPL", 100)
        asked = [
            await floor.ask("order_place", symbol="AAPL", side="buy", quantity="1")
            for _ in range(30)
        ]
        await floor.settled()
        assert sum(one["succeeded"] for one in asked) == 3
        assert {one["code"] for one in asked[3:]} == {"order_rate"}
        assert len(floor.of(OrderDenied)) == 27
        assert floor.there() == 3


async def test_a_rejection_after_a_fill_ends_only_what_is_left() -> None:
    async with Floor() as floor:
        await floor.minute(100)
        identity = await floor.buy(10, type="limit", limit_price=100, time_in_force="gtc")
        await floor.becomes(identity, "accepted")
        floor.venue.print("AAPL", 99, 4)
        await floor.becomes(identity, "partially_filled")
        await floor.do(OrderRejected(client_order_id=identity, reason="inactive", at=floor.now))
        assert floor.status(identity) is S.CANCELED
        assert floor.held(ledger="manual") == 4


async def test_an_order_that_comes_back_during_a_halt_is_cancelled_at_once() -> None:
    async with Floor() as floor:
        floor.hears = False
        await floor.minute(100)
        floor.venue.faults.lose_answers = 1
        identity = await floor.buy(10, type="limit", limit_price=90, time_in_force="gtc")
        await floor.becomes(identity, "unknown")
        refusal = BrokerRejected("the order is not open", api_name="venue")
        floor.broker.cancel = _raising(refusal)  # type: ignore[method-assign]
        await floor.ask("trading_halt")
        await floor.until(lambda: floor.wire._tries)
        assert floor.order_of(identity).pending is PendingChange.CANCEL
        del floor.broker.cancel
        await floor.becomes(identity, "canceled")
        assert floor.now + MINUTE > floor.order_of(identity).at


def _raising(error: Exception) -> Any:
    async def cancel(client_order_id: str, at: datetime) -> Sequence[BrokerReport]:
        raise error

    return cancel


async def test_a_way_out_does_not_wait_for_an_order_whose_fate_is_unknown() -> None:
    """It passes as far as it is a reduction whether or not the unknown one filled."""
    async with Floor() as floor:
        await floor.minute(100)
        floor.venue.print("AAPL", 100)
        first = await floor.buy(10)
        await floor.becomes(first, "filled")
        floor.venue.faults.lose_requests = 10**6
        second = await floor.buy(5)
        await floor.becomes(second, "unknown")
        floor.venue.faults.lose_requests = 0
        await floor.ask("trading_halt", flatten=True)
        await floor.until(lambda: floor.there() == 0)
        assert [t.quantity for t in floor.venue.exchange.tickets] == [10, 10], "not 15"
        await floor.until(lambda: floor.held(ledger="manual") == 0)
        assert floor.status(second) is S.UNKNOWN


async def test_what_an_unknown_order_bought_after_all_is_sold_when_it_is_known() -> None:
    async with Floor() as floor:
        await floor.minute(100)
        floor.venue.print("AAPL", 100)
        await floor.becomes(await floor.buy(10), "filled")
        floor.hears = False
        floor.venue.faults.lose_answers = 1
        second = await floor.buy(5)
        await floor.becomes(second, "unknown")
        floor.hears = True
        await floor.ask("trading_halt", flatten=True)
        await floor.until(lambda: floor.there() == 5)
        await floor.reconcile()
        await floor.until(lambda: floor.there() == 0)
        assert floor.held(ledger="manual") == 0
