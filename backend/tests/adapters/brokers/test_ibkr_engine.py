"""Engine, driver, wire and reconciliation trade through IBKR's adapter and its faults.

Whatever goes wrong between them: one order a client id, no fill lost, and in the end equal books.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from app.adapters.clients.ibkr_options import Library
from app.core.errors import TradewrightError
from app.domain.events import (
    INPUT_TYPES,
    ExecutionBusted,
    ExecutionCorrected,
    OrderSeen,
    ProtectionLost,
)
from app.domain.orders import Order, OrderStatus
from app.engine.driver import Driver
from app.engine.reconciler import Reconciler
from app.engine.wire import Pace
from tests.contracts.ibkr_broker import IbkrAccount
from tests.floor import Floor, until
from tests.vendors.ibkr import IbkrLoopback

PACE = Pace(answer=2.0, change=2.0, again=0.02, longest=0.1)
Fault = Callable[["Desk"], Awaitable[None]]


class Desk(Floor):
    """A floor at the loopback Gateway."""

    def __init__(self, account: IbkrAccount, **given: Any) -> None:
        super().__init__(pace=PACE, broker=account.broker, **given)
        self.account = account
        self.server = account.server

    @property
    def market(self) -> Any:
        return self.account.exchange

    async def __aexit__(self, *error: object) -> None:
        await super().__aexit__(*error)
        await self.account.stop()

    async def reborn(self) -> "Desk":
        """The process dies; the next one has its journal."""
        await self.__aexit__()
        other = Desk(IbkrAccount(self.server, self.account.session.options.client))
        other.clock, other.now, other.commands = self.clock, self.now, self.commands
        other.journal = self.journal
        for event in self.journal.events:
            if type(event) in INPUT_TYPES:
                other.engine.handle(event)  # type: ignore[arg-type]  # an input, as was just seen
        other.driver = Driver(
            other.engine, other.broker, self.journal, clock=self.clock.now, pace=PACE
        )
        await other.driver.recover(self.clock.now())
        other.work()
        await other.up()
        return other

    async def up(self) -> None:
        """Connected, and contracts are known."""
        await until(lambda: self.wire.is_ready and not self.account.adapter.is_looking_up)

    async def rest(self, price: float = 170, quantity: int = 10) -> str:
        """An order by hand that rests."""
        return await self.buy(quantity, type="limit", limit_price=price, time_in_force="gtc")

    async def agrees(self) -> None:
        """Compare until the broker's books and ours are the same."""

        async with asyncio.timeout(8):
            while True:
                await until(lambda: self.wire.is_ready)
                with suppress(TradewrightError):  # the link broke meanwhile: as the runner does
                    await self.reconcile()
                    if self.differs() is None:
                        return
                await asyncio.sleep(0.01)

    def differs(self) -> str | None:
        """What is not the same in both books."""
        doubled = [t.reference for t in self.market.tickets if len(self.ours(t.reference)) > 1]
        assert not doubled, f"more than one order of {doubled}"
        book = self.engine.book
        pairs = {
            "positions": (_held(book.net), _held(self.market.positions)),
            "cash": (book.cash, self.market.cash),
            "open": (
                {o.client_order_id for o in self.engine.open_orders if not self.is_lost(o)},
                {t.reference for t in self.market.open()},
            ),
        }
        found = [f"{what}: {a} here, {b} there" for what, (a, b) in pairs.items() if a != b]
        return "; ".join(found) or None

    def is_lost(self, order: Order) -> bool:
        """It never arrived, and nobody can know yet."""
        return order.status is OrderStatus.UNKNOWN and not self.ours(order.client_order_id)

    def ours(self, reference: str) -> list[Any]:
        return [t for t in self.market.find(reference) if reference]


def _held(positions: Any) -> dict[str, Decimal]:
    return {symbol: quantity for symbol, quantity in positions.items() if quantity}


@pytest.fixture
async def server() -> AsyncIterator[IbkrLoopback]:
    async with IbkrLoopback() as made:
        made.orders.exchange.fee = Decimal("0.35")
        yield made


@pytest.fixture(params=["ib_async", "ib_insync"])
def library(request: pytest.FixtureRequest) -> Library:
    name: Library = request.param
    return name


@pytest.fixture
async def desk(server: IbkrLoopback, library: Library) -> AsyncIterator[Desk]:
    made = Desk(IbkrAccount(server, library))
    async with made:
        await made.up()
        await made.minute(100, SPY=100)
        yield made


# ------------------------------------------------------------------------------------ faults


async def ack_lost(desk: Desk) -> None:
    desk.server.orders.lose_acks()


async def twice(desk: Desk) -> None:
    desk.server.duplicate()


async def disorder(desk: Desk) -> None:
    desk.server.reorder()


async def slowness(desk: Desk) -> None:
    desk.server.delay(0.02)


async def news_lost(desk: Desk) -> None:
    desk.server.orders.keeps_news = False


async def news_late(desk: Desk) -> None:
    desk.server.orders.hold_news()


async def late_commissions(desk: Desk) -> None:
    desk.server.orders.commissions_at_once = False


async def nothing(desk: Desk) -> None:
    """The plain case."""


async def heal(desk: Desk) -> None:
    """The end of all faults."""
    server = desk.server
    server.duplicate(on=False)
    server.reorder(on=False)
    server.delay(0)
    server.mute(on=False)
    server.orders.keeps_news = True
    server.orders.hold_news(on=False)
    server.orders.send_commissions()


FAULTS: list[Fault] = [
    nothing, ack_lost, twice, disorder, slowness, news_lost, news_late, late_commissions,
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("breaks", [False, True], ids=["linked", "cut"])
async def test_an_order_is_filled_through(desk: Desk, fault: Fault, breaks: bool) -> None:
    await fault(desk)
    identity = await desk.rest()
    await until(lambda: desk.market.find(identity))
    desk.market.print("AAPL", 170, size=3)
    if breaks:
        desk.server.drop()
        desk.market.print("AAPL", 169, size=2)
    desk.market.print("AAPL", 168)
    await heal(desk)
    await desk.agrees()
    order = desk.order_of(identity)
    assert order.status is OrderStatus.FILLED
    assert order.filled_quantity == Decimal(10)


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_order_is_cancelled_through(desk: Desk, fault: Fault) -> None:
    identity = await desk.rest()
    await desk.becomes(identity, "accepted")
    await fault(desk)
    await desk.ask("order_cancel", client_order_id=identity)
    await until(lambda: not desk.market.open())
    await heal(desk)
    await desk.agrees()
    assert desk.status(identity) is OrderStatus.CANCELED


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_order_is_changed_through(desk: Desk, fault: Fault) -> None:
    identity = await desk.rest()
    await desk.becomes(identity, "accepted")
    await fault(desk)
    await desk.ask("order_replace", client_order_id=identity, quantity="12", limit_price="169")
    await until(lambda: desk.market.find(identity)[0].quantity == 12)
    desk.market.print("AAPL", 169, size=5)
    await heal(desk)
    desk.market.print("AAPL", 169)
    await desk.agrees()
    order = desk.order_of(identity)
    assert order.status is OrderStatus.FILLED
    assert order.filled_quantity == Decimal(12)


async def test_a_refusal_is_final(desk: Desk) -> None:
    desk.server.orders.reject(201, "Order rejected - reason:no margin")
    identity = await desk.rest()
    await desk.becomes(identity, "rejected")
    await desk.agrees()


async def test_what_never_arrived_ends_as_rejected_and_not_before_its_time(desk: Desk) -> None:
    desk.server.orders.swallow()
    identity = await desk.rest()
    await desk.becomes(identity, "unknown")
    looks = Reconciler(desk.driver, desk.broker, desk.clock)
    for _ in range(5):
        await looks.ask_for_unanswered()
    assert desk.status(identity) is OrderStatus.UNKNOWN
    for _ in range(12):
        desk.clock.move_to(desk.clock.now() + timedelta(seconds=10))
        await looks.ask_for_unanswered()
    assert desk.status(identity) is OrderStatus.REJECTED
    assert desk.market.find(identity) == []


async def test_next_valid_id_rollback(desk: Desk) -> None:
    kept = await desk.rest(100)
    await desk.becomes(kept, "accepted")
    desk.server.orders.swallow()
    lost = await desk.rest(101)
    await until(lambda: desk.server.orders.placed == 2)
    await desk.server.restart(next_order_id=1)
    await desk.becomes(lost, "unknown")
    await desk.up()
    new = await desk.buy(5, symbol="SPY", type="limit", limit_price=102)
    await desk.becomes(new, "accepted")
    desk.market.print("SPY", 102)
    await desk.becomes(new, "filled")
    assert desk.status(kept) is OrderStatus.ACCEPTED
    assert desk.status(lost) is OrderStatus.UNKNOWN


async def test_while_the_gateway_is_away_orders_wait(desk: Desk) -> None:
    await desk.server.kill()
    await until(lambda: not desk.wire.is_up)
    identity = await desk.rest()
    assert desk.status(identity) is OrderStatus.APPROVED
    await desk.server.start()
    await desk.becomes(identity, "accepted")
    await desk.agrees()
    assert desk.server.orders.placed == 1


async def test_a_crash_between_wire_and_answer_makes_no_second_order(desk: Desk) -> None:
    desk.server.orders.lose_acks()
    identity = await desk.rest()
    await until(lambda: desk.market.find(identity))
    other = await desk.reborn()
    assert other.status(identity) in (OrderStatus.UNKNOWN, OrderStatus.ACCEPTED)
    await other.agrees()
    assert other.status(identity) is OrderStatus.ACCEPTED
    desk.market.print("AAPL", 170)
    await other.becomes(identity, "filled")
    await other.agrees()
    await other.__aexit__()


async def test_fills_during_disconnect(desk: Desk) -> None:
    identity = await desk.rest()
    await desk.becomes(identity, "accepted")
    desk.server.drop()
    desk.market.print("AAPL", 165)
    other = await desk.reborn()
    await other.becomes(identity, "filled")
    await other.agrees()
    restarted = await other.reborn()
    await restarted.agrees()
    fills = restarted.journal.events
    assert sum(type(event).__name__ == "OrderFilled" for event in fills) <= 3
    await restarted.__aexit__()


async def test_corrections_and_busts_reach_positions_and_cash(desk: Desk) -> None:
    identity = await desk.rest()
    await desk.becomes(identity, "accepted")
    for price in (170, 169):
        desk.market.print("AAPL", price, size=5)
    await desk.becomes(identity, "filled")
    first, second = desk.market.fills
    desk.server.orders.correct(first, price=Decimal(168))
    await until(lambda: desk.of(ExecutionCorrected))
    desk.server.orders.bust(second)
    await until(lambda: desk.of(ExecutionBusted))
    assert _held(desk.engine.book.net) == {"AAPL": Decimal(5)}
    fee = desk.market.fee
    assert desk.engine.book.cash == desk.market.cash + fee  # a bust gives its commission back
    desk.server.drop()
    await until(lambda: desk.wire.is_ready)
    assert _held(desk.engine.book.net) == {"AAPL": Decimal(5)}


@pytest.mark.parametrize("is_reborn", [False, True], ids=["reconnected", "restarted"])
async def test_a_bust_that_no_message_tells_of_is_found(desk: Desk, is_reborn: bool) -> None:
    identity = await desk.rest()
    await desk.becomes(identity, "accepted")
    for price in (170, 169):
        desk.market.print("AAPL", price, size=5)
    await desk.becomes(identity, "filled")
    desk.server.orders.by_hand("AAPL", "buy", 3)
    desk.server.orders.by_hand("AAPL", "buy", 4)
    await desk.reconcile()
    desk.server.drop()
    fees = 2 * desk.market.fee
    for fill in (desk.market.fills[1], desk.market.fills[2]):
        desk.server.orders.bust_unheard(fill)
    desk.market.cash += fees  # a bust gives its commission back
    other = await desk.reborn() if is_reborn else desk
    await other.agrees()
    assert _held(other.engine.book.net) == {"AAPL": Decimal(9)}
    assert len(other.of(ExecutionBusted)) == 2
    if is_reborn:
        await other.__aexit__()


async def test_a_correction_while_we_were_away_counts_once(desk: Desk) -> None:
    desk.server.orders.commissions_at_once = False
    identity = await desk.rest()
    await desk.becomes(identity, "accepted")
    desk.market.print("AAPL", 170)
    await desk.becomes(identity, "filled")
    desk.server.orders.send_commissions()
    await until(lambda: desk.of(ExecutionCorrected))
    desk.server.orders.commissions_at_once = True
    desk.server.drop()
    desk.server.orders.correct(desk.market.fills[0], price=Decimal(160))
    other = await desk.reborn()
    await until(lambda: other.engine.book.cash == desk.market.cash)
    await other.agrees()
    await other.__aexit__()


async def test_orders_of_a_person_are_taken_over_and_counted(desk: Desk) -> None:
    ticket = desk.server.orders.by_hand("AAPL", "buy", 7, limit=Decimal(150))
    await desk.reconcile()
    assert [event.order.broker_order_id for event in desk.of(OrderSeen)] == [str(ticket.number)]
    desk.market.print("AAPL", 150)
    await desk.reconcile()
    assert _held(desk.engine.book.net) == {"AAPL": Decimal(7)}
    assert desk.engine.book.cash == desk.market.cash


async def test_protective_orders_rest_at_the_broker_as_one_group(desk: Desk) -> None:
    desk.market.print("AAPL", 110)
    await desk.start(stop=0.05, profit=0.05)
    await desk.minute(110)
    await until(lambda: len(desk.market.open()) == 2)
    stop, profit = sorted(desk.market.open(), key=lambda one: one.kind, reverse=True)
    assert [stop.kind, profit.kind, stop.group == profit.group] == ["stop", "limit", True]
    desk.market.print("AAPL", float(profit.limit), size=20)
    await until(lambda: stop.quantity == profit.left)
    desk.market.print("AAPL", 1)
    await until(lambda: not desk.engine.book.net.get("AAPL"))
    await desk.agrees()
    assert [stop.state, profit.state] == ["filled", "canceled"]
    assert timedelta(0) <= desk.clock.now() - desk.now


AWAY = {"symbol": "AAPL", "side": "sell", "type": "limit", "time_in_force": "gtc"}


async def held(desk: Desk) -> None:
    """90 AAPL at 100 with a stop."""
    identity = await desk.buy(90, stop_loss=90)
    await desk.becomes(identity, "accepted")
    desk.market.print("AAPL", 100)
    await until(lambda: resting(desk) == [("stop", 90)])


async def test_each_of_two_ways_out_leaves_the_other_and_its_stop(desk: Desk) -> None:
    desk.server.orders.commissions_at_once = False
    await held(desk)
    first = await desk.ask("order_place", quantity="30", limit_price="110", **AWAY)
    second = await desk.ask("order_place", quantity="20", limit_price="120", **AWAY)
    stops = [("stop", 20), ("stop", 30), ("stop", 40)]
    await until(lambda: resting(desk) == [("limit", 20), ("limit", 30), *stops])
    assert len({one.group for one in desk.market.open()}) == 3
    assert {one.tag.wish.oca_type for one in desk.market.open()} == {"2"}  # reduced, with block
    desk.market.print("AAPL", 110)
    assert resting(desk) == [("limit", 20), ("stop", 20), ("stop", 40)]  # nothing of ours did it
    await desk.becomes(str(first["client_order_id"]), "filled")
    desk.server.drop()
    desk.market.print("AAPL", 120)
    await desk.becomes(str(second["client_order_id"]), "filled")
    await heal(desk)
    await desk.agrees()
    assert resting(desk) == [("stop", 40)]
    desk.market.print("AAPL", 80)
    await until(lambda: not desk.engine.book.net["AAPL"])
    await desk.agrees()


async def test_a_part_that_is_sold_at_the_market_leaves_the_stop_of_the_rest(desk: Desk) -> None:
    await held(desk)
    sold = await desk.ask("order_place", symbol="AAPL", side="sell", quantity="30")
    await desk.becomes(str(sold["client_order_id"]), "filled")
    await until(lambda: resting(desk) == [("stop", 60)])
    await desk.agrees()
    rest = await desk.ask("order_place", symbol="AAPL", side="sell", quantity="60")
    await desk.becomes(str(rest["client_order_id"]), "filled")
    await until(lambda: resting(desk) == [])
    assert desk.market.find(str(rest["client_order_id"]))[0].group is not None
    await desk.agrees()


async def test_a_stop_that_somebody_cancels_in_tws_leaves_a_position_that_says_so(
    desk: Desk,
) -> None:
    await held(desk)
    (stop,) = desk.market.open()
    desk.market.end(stop, "canceled", "by hand")
    await until(lambda: desk.of(ProtectionLost))
    (lost,) = desk.of(ProtectionLost)
    assert (lost.client_order_id, lost.held) == (stop.reference, 90)
    await desk.agrees()


def resting(desk: Desk) -> list[tuple[str, int]]:
    return sorted((one.kind, int(one.left)) for one in desk.market.open())


# ------------------------------------------------------------------------------ all of it at once


async def _place(chance: Random, desk: Desk) -> None:
    terms = {"type": "limit", "limit_price": str(chance.randrange(95, 106))}
    side, quantity = chance.choice(["buy", "sell"]), str(chance.randrange(1, 12))
    await desk.ask("order_place", symbol="AAPL", side=side, quantity=quantity, **terms)


async def _change(chance: Random, desk: Desk) -> None:
    if opened := [order.client_order_id for order in desk.engine.open_orders]:
        kind = chance.choice(["order_cancel", "order_replace"])
        price = {} if kind == "order_cancel" else {"limit_price": str(chance.randrange(95, 106))}
        await desk.ask(kind, client_order_id=chance.choice(opened), **price)


async def _print(chance: Random, desk: Desk) -> None:
    desk.market.print("AAPL", chance.randrange(96, 105), chance.choice([None, 1, 3]))


async def _cut(chance: Random, desk: Desk) -> None:
    desk.server.drop()


async def _lose_servers(chance: Random, desk: Desk) -> None:
    desk.server.lose_servers()
    desk.server.find_servers(data_lost=chance.random() < 0.5)


async def _correct(chance: Random, desk: Desk) -> None:
    if desk.market.fills:
        price = Decimal(chance.randrange(96, 105))
        desk.server.orders.correct(chance.choice(desk.market.fills), price=price)


async def _fault(chance: Random, desk: Desk) -> None:
    await chance.choice(FAULTS)(desk)


async def _heal(chance: Random, desk: Desk) -> None:
    await heal(desk)


THINGS = (
    [_place] * 4 + [_change] * 3 + [_print] * 4 + [_cut, _lose_servers, _correct, _fault, _heal]
)


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_happens_the_books_agree_in_the_end(server: IbkrLoopback, seed: int) -> None:
    chance = Random(seed)
    library: Library = chance.choice(["ib_async", "ib_insync"])
    desk = Desk(IbkrAccount(server, library))
    async with desk:
        await desk.up()
        await desk.minute(100)
        for _ in range(30):
            await chance.choice(THINGS)(chance, desk)
            await asyncio.sleep(chance.choice([0, 0.002, 0.01]))
    await heal(desk)
    server.orders.commissions_at_once = True
    await server.restart(next_order_id=1)
    other = await desk.reborn()
    await other.agrees()
    await other.__aexit__()
