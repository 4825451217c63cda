"""What a broker may do to orders and fills: the tables are as the engine, and as the fold."""

from decimal import Decimal
from typing import Any

import asyncpg
import msgspec
import pytest

from app.domain import events as ev
from app.domain.orders import BrokerOrder, OrderChange, OrderStatus, OrderType, Side
from app.domain.ports import Entry
from app.repositories import fold_check
from app.repositories.journal import PostgresJournal, stream_of
from app.repositories.projection import Projection
from tests.trading import MINUTE, OPEN, SilentBroker, World, make_execution

from .conftest import KEY

D = Decimal
S = OrderStatus


class Story:
    """An account whose broker says what the test says; then all of it is stored."""

    def __init__(self, pool: asyncpg.Pool, account_id: int) -> None:
        self.pool, self.account_id = pool, account_id
        self.stored = 0
        self.events: list[Any] = []

    async def tell(self, *events: Any, restarts: bool = False) -> None:
        """Journal what a world has seen; with `restarts` every batch by a process of its own."""
        stream = stream_of(self.account_id)
        folds = Projection(self.account_id, stream)
        journal = await PostgresJournal(self.pool, stream, self.account_id, 0, KEY, folds).open()
        try:
            for entries in events:
                await journal.append(entries)
                if restarts:
                    await journal.close()
                    folds = Projection(self.account_id, stream)
                    journal = await PostgresJournal(
                        self.pool, stream, self.account_id, 0, KEY, folds
                    ).open()
        finally:
            await journal.close()


@pytest.fixture
def world() -> World:
    """A submitted order for 90 AAPL of deployment 1."""
    world = World(broker=SilentBroker())
    world.deploy()
    world.bar(110)
    return world


ID = "1-d1-AAPL-20240301T143100-e1"
HAND = "external-hand"


def batches(world: World) -> list[list[Entry]]:
    """The journal as it was appended: each input with what it caused."""
    found: list[list[Entry]] = []
    for entry in world.journal.entries:
        if entry.cause is None:
            found.append([])
        found[-1].append(entry)
    return found


@pytest.fixture
async def story(pool: asyncpg.Pool, account_id: int) -> Story:
    return Story(pool, account_id)


async def unfolded(pool: asyncpg.Pool, account_id: int) -> list[fold_check.Difference]:
    """Rows that are not the fold of the journal; the commands of these worlds are in no table."""
    found = await fold_check.differences(pool, account_id)
    return [one for one in found if one.table != "commands"]


async def same(story: Story, world: World) -> None:
    """Tables = fold of the journal = what the engine has; fills add up to positions and cash."""
    pool, number = story.pool, story.account_id
    assert await unfolded(pool, number) == []
    for order in [record.order for record in world.engine.book.records.values()]:
        row = await pool.fetchrow(
            "SELECT * FROM orders WHERE client_order_id = $1", order.client_order_id
        )
        assert row["status"] == order.status
        assert row["pending"] == order.pending
        assert (row["wanted"] is None) == (order.wanted is None)
        for name in ("quantity", "filled_quantity", "average_price", "limit_price", "leg", "trail"):
            assert row[name] == getattr(order, name), name
    sums = await pool.fetch(
        """
        SELECT ledger, sum(CASE side WHEN 'buy' THEN quantity ELSE -quantity END) AS quantity,
               sum(CASE side WHEN 'buy' THEN -1 ELSE 1 END * quantity * price - commission) AS cash
        FROM executions WHERE account_id = $1 AND busted_at IS NULL GROUP BY ledger
        """,
        number,
    )
    for ledger in world.engine.ledgers.values():
        (total,) = [row for row in sums if row["ledger"] == ledger.name] or [
            {"quantity": D(0), "cash": D(0)}
        ]
        held = sum((one.quantity for one in ledger.positions.values()), D(0))
        assert (total["quantity"], total["cash"]) == (held, ledger.cash)
    positions = await pool.fetch("SELECT * FROM positions WHERE account_id = $1", number)
    for row in positions:
        ours = world.engine.book.position(row["ledger"], "AAPL")
        assert (row["quantity"], row["average_price"]) == (ours.quantity, ours.average_price)
        assert row["realized_pnl"] == ours.realized_pnl
    trades = await pool.fetch("SELECT trade_id, pnl FROM trades ORDER BY trade_id")
    known = sorted((trade.trade_id, trade.pnl) for trade in world.journal.trades)
    assert [(row["trade_id"], row["pnl"]) for row in trades] == known


def fill(quantity: float, name: str, price: float = 110, identity: str = ID) -> ev.OrderFilled:
    return ev.OrderFilled(
        execution=make_execution(
            quantity, price, client_order_id=identity, execution_id=name, commission=1
        )
    )


def foreign(quantity: float, name: str) -> ev.OrderFilled:
    """A fill of an order by hand."""
    execution = fill(quantity, name, identity=HAND).execution
    return ev.OrderFilled(execution=msgspec.structs.replace(execution, ledger="external"))


def bust(name: str, identity: str = ID) -> ev.ExecutionBusted:
    return ev.ExecutionBusted(
        broker="paper", execution_id=name, client_order_id=identity, reason="wrong", at=OPEN
    )


def correct(name: str, by: ev.OrderFilled) -> ev.ExecutionCorrected:
    return ev.ExecutionCorrected(execution=by.execution, corrects=name, reason="price", at=OPEN)


def replaced(quantity: int, identity: str = ID, **given: Any) -> ev.OrderReplaced:
    return ev.OrderReplaced(
        client_order_id=identity, broker_order_id="b2", quantity=D(quantity), at=OPEN, **given
    )


def refused(change: Any, identity: str = ID) -> ev.ChangeRejected:
    return ev.ChangeRejected(client_order_id=identity, change=change, reason="no", at=OPEN)


ACCEPTED = ev.OrderAccepted(client_order_id=ID, broker_order_id="b1", at=OPEN)
CANCELED = ev.OrderCanceled(client_order_id=ID, reason="us", at=OPEN)
REJECTED = ev.OrderRejected(client_order_id=ID, reason="no", at=OPEN)
UNKNOWN = ev.OrderUnknown(client_order_id=ID, reason="?", at=OPEN)

SEEN = ev.OrderSeen(
    order=BrokerOrder(
        client_order_id=None, broker_order_id="hand", symbol="AAPL", side=Side.BUY,
        quantity=D(13), filled_quantity=D(8), status=OrderStatus.PARTIALLY_FILLED, at=OPEN,
    ),
    ledger="external",
    at=OPEN,
)  # fmt: skip

STORIES: dict[str, list[Any]] = {
    "a fill is busted": [ACCEPTED, fill(40, "x1", 109), fill(50, "x2"), bust("x1"), bust("x1")],
    "a busted fill is told again": [fill(40, "x1"), bust("x1"), fill(40, "x1"), fill(9, "x2")],
    "the only fill is busted": [fill(90, "x1"), bust("x1"), CANCELED],
    "a fill from before an order was taken over is busted": [
        foreign(5, "x1"), foreign(3, "x2"), SEEN, bust("x2", HAND), foreign(8, "x3"),
    ],
    "a fill is corrected": [fill(90, "x1"), correct("x1", fill(90, "x1b", 109)), fill(90, "x1b")],
    "a correction comes first": [correct("x1", fill(40, "x1b")), fill(40, "x1")],
    "a correction after the end": [fill(40, "x1"), CANCELED, correct("x1", fill(30, "x1b"))],
    "a correction told as a fill": [
        fill(40, "x1"), fill(40, "x1b", 109), correct("x1", fill(40, "x1b", 109)),
    ],
    "a fill of a rejected order": [REJECTED, fill(40, "x1"), fill(50, "x2")],
    "a late acceptance": [UNKNOWN, REJECTED, ACCEPTED, fill(90, "x1")],
    "a rejection after a fill": [ACCEPTED, fill(40, "x1"), REJECTED],
    "more than was asked for": [fill(90, "x1"), fill(10, "x2")],
    "a late fill": [ACCEPTED, CANCELED, fill(40, "x1")],
    "replaced unasked": [ACCEPTED, fill(40, "x1"), replaced(60), replaced(40)],
    "replaced while unknown": [UNKNOWN, replaced(60)],
    "replaced when it is over": [ACCEPTED, CANCELED, replaced(60), refused("replace")],
    "a refusal nobody waited for": [ACCEPTED, refused("cancel"), refused("replace")],
}  # fmt: skip


@pytest.mark.parametrize("restarts", [False, True], ids=["one process", "many"])
@pytest.mark.parametrize("name", STORIES)
async def test_tables_are_as_the_engine_after(
    name: str, restarts: bool, story: Story, world: World
) -> None:
    for event in STORIES[name]:
        world.step(event)
    await story.tell(*batches(world), restarts=restarts)
    await same(story, world)


async def test_a_change_that_is_under_way_is_in_the_tables(story: Story, world: World) -> None:
    world.step(ACCEPTED)
    desk, order = world.engine.desk, world.engine.book.open[ID]
    assert desk.replace(order, OrderChange(quantity=D(60)), "smaller", OPEN)
    asked = [Entry(event) for event in desk.taken()]
    world.journal.entries += asked
    await story.tell(*batches(world))
    await same(story, world)
    row = await story.pool.fetchrow("SELECT pending, wanted->>'quantity' AS wanted FROM orders")
    assert (row["pending"], row["wanted"]) == ("replace", "60")
    before = len(world.journal.entries)
    world.step(refused("replace"))
    await story.tell(*batches(world)[-1:])
    await same(story, world)
    assert len(world.journal.entries) > before


@pytest.mark.parametrize("answer", [refused("cancel"), CANCELED, replaced(60)])
async def test_a_cancel_that_is_under_way_ends_as_the_broker_says(
    answer: Any, story: Story, world: World
) -> None:
    world.step(ACCEPTED)
    world.command("order_cancel", client_order_id=ID)
    world.step(answer)
    await story.tell(*batches(world))
    await same(story, world)


async def test_a_cancel_of_an_unknown_order_stays_asked_for(story: Story, world: World) -> None:
    world.step(UNKNOWN)
    world.command("order_cancel", client_order_id=ID)
    world.step(refused("cancel"))
    await story.tell(*batches(world))
    await same(story, world)
    assert await story.pool.fetchval("SELECT pending FROM orders") == "cancel"


async def test_a_round_trip_that_never_was_is_gone_from_the_trades(
    story: Story, world: World
) -> None:
    world.step(fill(90, "x1"))
    world.bar(100)
    leave = world.engine.open_orders[0].client_order_id
    world.step(fill(-90, "y1", 112, leave))
    stored = len(batches(world))
    await story.tell(*batches(world))
    assert await story.pool.fetchval("SELECT count(*) FROM trades") == 1
    world.step(correct("y1", fill(-90, "y1b", 111, leave)))
    world.step(correct("x1", fill(90, "x1b", 109)))
    await story.tell(*batches(world)[stored:])
    await same(story, world)
    assert await story.pool.fetchval("SELECT count(*) FROM trades") == 1
    world.step(bust("y1b", leave))
    await story.tell(*batches(world)[-1:])
    await same(story, world)
    assert await story.pool.fetchval("SELECT count(*) FROM trades") == 0


def seen(**given: Any) -> ev.OrderSeen:
    order = BrokerOrder(
        **{
            "broker_order_id": "b9",
            "client_order_id": None,
            "symbol": "AAPL",
            "side": Side.BUY,
            "quantity": D(10),
            "status": S.ACCEPTED,
            **given,
        }
    )
    return ev.OrderSeen(order=order, ledger="external", at=OPEN + MINUTE)


FOREIGN: dict[str, list[Any]] = {
    "at the market": [seen(), fill(10, "f1", identity="external-b9")],
    "a limit": [seen(type=OrderType.LIMIT, limit_price=D(90))],
    "a trailing stop": [seen(type=OrderType.TRAILING_STOP, trail=D(2))],
    "a limit without its price": [seen(type=OrderType.LIMIT)],
    "under an id of its own": [seen(client_order_id="mine"), seen(client_order_id="mine")],
    "filled in part before": [seen(filled_quantity=D(4)), fill(6, "f1", identity="external-b9")],
    "filled before": [seen(filled_quantity=D(10))],
    "against what is held": [
        fill(10, "f0", identity="nobody's"), seen(side=Side.SELL),
    ],
    "ours after all": [UNKNOWN, seen(client_order_id=ID)],
    "ours, and accepted": [ACCEPTED, seen(client_order_id=ID)],
    "of a symbol that nobody knows": [seen(symbol="NOSUCH", quantity=D(1))],
}  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
async def test_orders_of_others_are_taken_over(name: str, story: Story, world: World) -> None:
    for event in FOREIGN[name]:
        if isinstance(event, ev.OrderFilled) and event.execution.client_order_id != ID:
            owned = ev.OrderFilled(
                execution=make_execution(
                    float(event.execution.signed_quantity),
                    110,
                    execution_id=event.execution.execution_id,
                    client_order_id=event.execution.client_order_id,
                    ledger="external",
                )
            )
            world.step(owned)
        else:
            world.step(event)
    await story.tell(*batches(world))
    if "nobody" in name:
        assert await unfolded(story.pool, story.account_id) == []
    else:
        await same(story, world)
