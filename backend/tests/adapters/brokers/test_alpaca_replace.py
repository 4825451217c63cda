"""A replace makes another order at Alpaca; here it stays the one it was."""

from decimal import Decimal

import pytest

from app.core.clock import now
from app.core.errors import (
    BrokerRejected,
    BrokerUnavailable,
)
from app.domain.events import (
    ChangeRejected,
    OrderAccepted,
    OrderCanceled,
    OrderFilled,
    OrderRejected,
    OrderReplaced,
)
from app.domain.orders import OrderStatus, foreign_id
from tests.adapters.brokers.alpaca_desk import MINE, by_hand, joined, limit, the_order
from tests.trading import OPEN
from tests.vendors.alpaca_trading import AlpacaTrading
from tests.vendors.loopback import until


async def test_a_replaced_order_is_another_at_alpaca_and_the_same_here(
    alpaca: AlpacaTrading,
) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(90), OPEN)
        assert not await it.broker.replace(limit(95, quantity=12), OPEN)
        await until(lambda: it.of(OrderReplaced))
        (told,) = it.of(OrderReplaced)
        _, second = alpaca.venue.orders.values()
        assert (told.client_order_id, told.broker_order_id) == (MINE, second.id)
        assert (told.quantity, told.limit_price) == (12, 95)
        assert second.client_order_id == f"{MINE}~1"
        await alpaca.print("AAPL", 94)
        await until(lambda: it.of(OrderFilled))
        (fill,) = [report.execution for report in it.of(OrderFilled)]
        assert (fill.client_order_id, fill.quantity) == (MINE, 12)
        found = await it.broker.find(MINE)
        assert found is not None
        assert (found.client_order_id, found.status, found.quantity) == (MINE, "filled", 12)
        book = await it.broker.book()
        assert [order.client_order_id for order in book.closed_orders] == [MINE]
        assert [e.client_order_id for e in book.executions] == [MINE]
        assert len(it.of(OrderAccepted)) == 2  # pending_new and new of the first form only


async def test_only_the_rest_of_a_partly_filled_order_is_replaced(alpaca: AlpacaTrading) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(100), OPEN)
        await alpaca.print("AAPL", 100, 4)
        await until(lambda: it.of(OrderFilled))
        await it.broker.replace(limit(101, quantity=8, filled_quantity=Decimal(4)), OPEN)
        await until(lambda: it.of(OrderReplaced))
        assert it.of(OrderReplaced)[0].quantity == 8
        await alpaca.print("AAPL", 101)
        await until(lambda: len(it.of(OrderFilled)) == 2)
        assert alpaca.venue.held("AAPL") == 8
        found = await it.broker.find(MINE)
        assert found is not None
        assert (found.filled_quantity, found.average_price) == (8, Decimal("100.5"))
        for impossible in (limit(102, quantity=8), limit(102, quantity=9.5)):
            with pytest.raises(BrokerRejected, match="only whole shares"):
                await it.broker.replace(impossible, OPEN)


async def test_fills_while_a_replace_is_under_way_are_of_the_order_and_counted(
    alpaca: AlpacaTrading,
) -> None:
    alpaca.venue.confirms_replaces = False
    async with joined(alpaca) as it:
        await it.broker.submit(limit(100), OPEN)
        await it.broker.replace(limit(100, quantity=6), OPEN)
        pending = (await it.broker.book()).open_orders
        assert not await it.broker.replace(limit(100, quantity=6), OPEN)
        with pytest.raises(BrokerUnavailable, match="pending_replace"):
            await it.broker.cancel(MINE, OPEN)
        assert [asked.method for asked in alpaca.asked].count("PATCH") == 1
        assert [(o.client_order_id, o.quantity) for o in pending] == [(MINE, 10)]
        await alpaca.print("AAPL", 100, 3)
        alpaca.venue.settle()
        await alpaca.tell()
        await until(lambda: it.of(OrderReplaced))
        # Three were filled before the change took hold: Alpaca's new order is for six all the same.
        assert it.of(OrderReplaced)[0].quantity == 9
        await alpaca.print("AAPL", 100)
        await until(lambda: len(it.of(OrderFilled)) == 2)
        assert sum(report.execution.quantity for report in it.of(OrderFilled)) == 9


async def test_a_replace_that_a_full_fill_overtook_is_refused(alpaca: AlpacaTrading) -> None:
    alpaca.venue.confirms_replaces = False
    async with joined(alpaca) as it:
        await it.broker.submit(limit(100), OPEN)
        await it.broker.replace(limit(90), OPEN)
        await alpaca.print("AAPL", 99)
        alpaca.venue.settle()
        await alpaca.tell()
        await until(lambda: len(it.of(ChangeRejected)) == 2)
        assert {no.change for no in it.of(ChangeRejected)} == {"replace"}
        assert not it.of(OrderRejected)
        found = await it.broker.find(MINE)
        assert found is not None
        assert (found.status, found.filled_quantity) == (OrderStatus.FILLED, 10)


async def test_a_replace_that_alpaca_refuses_at_once_leaves_the_order(
    alpaca: AlpacaTrading,
) -> None:
    alpaca.venue.is_market_open = False
    async with joined(alpaca) as it:
        await it.broker.submit(limit(100), OPEN)
        with pytest.raises(BrokerRejected, match="cannot be changed"):
            await it.broker.replace(limit(90), OPEN)
        with pytest.raises(BrokerUnavailable, match="not known"):
            await it.broker.replace(limit(90, client_order_id="1-other"), OPEN)
        alpaca.venue.open_session()
        await alpaca.tell()
        await it.broker.replace(limit(90), OPEN)
        await until(lambda: it.of(OrderReplaced))
        assert len(it.of(OrderReplaced)) == 1


async def test_somebody_elses_change_of_our_order_is_told_and_can_be_cancelled(
    alpaca: AlpacaTrading,
) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(90), OPEN)
        new = alpaca.venue.replace(the_order(alpaca).id, {"qty": "7", "limit_price": "91"})
        await it.broker.cancel(MINE, OPEN)  # before the news of the change arrived
        await alpaca.tell()
        await until(lambda: it.of(OrderCanceled))
        assert it.of(OrderReplaced)[0].quantity == 7
        assert it.of(OrderCanceled)[0].client_order_id == MINE
        assert new.status == "canceled"


async def test_a_broker_that_knows_nothing_yet_finds_the_newest_form(
    alpaca: AlpacaTrading,
) -> None:
    async with joined(alpaca) as first:
        await first.broker.submit(limit(100), OPEN)
        await alpaca.print("AAPL", 100, 2)
        await until(lambda: first.of(OrderFilled))
        await first.broker.replace(limit(95), OPEN)
        await until(lambda: first.of(OrderReplaced))
    async with joined(alpaca) as it:
        (resting,) = (await it.broker.book()).open_orders
        assert (resting.client_order_id, resting.quantity) == (MINE, 10)
        assert (resting.filled_quantity, resting.limit_price) == (2, 95)
        await it.broker.replace(limit(96), OPEN)
        await until(lambda: it.of(OrderReplaced))
    async with joined(alpaca) as it:
        await alpaca.print("AAPL", 96)
        await until(lambda: it.of(OrderFilled))
        assert {report.execution.client_order_id for report in it.of(OrderFilled)} == {MINE}
    assert [order.client_order_id for order in alpaca.venue.orders.values()] == [
        MINE, f"{MINE}~1", f"{MINE}~2"
    ]  # fmt: skip


async def test_orders_and_fills_of_others_have_a_name_made_of_alpacas_id(
    alpaca: AlpacaTrading,
) -> None:
    async with joined(alpaca) as it:
        order = by_hand(alpaca, client_order_id="0b5ff4f7-ee46-4e3b-9f58-4d3a9b0f9d7a")
        await alpaca.tell()
        name = foreign_id(order.id)
        (seen,) = (await it.broker.book()).open_orders
        assert (seen.client_order_id, seen.identity, seen.quantity) == (None, name, 10)
        await alpaca.print("AAPL", 100, 4)
        await until(lambda: it.of(OrderFilled))
        assert it.of(OrderFilled)[0].execution.client_order_id == name
        assert it.of(OrderFilled)[0].execution.ledger == "external"
        changed = alpaca.venue.replace(order.id, {"qty": "5"})
        await alpaca.tell()
        found = await it.broker.find(name)
        assert found is not None
        assert (found.identity, found.quantity, found.filled_quantity) == (name, 9, 4)
        assert not await it.broker.cancel(name, OPEN)
        assert changed.status == "canceled"
        assert await it.broker.find(foreign_id("9a3c2d5e-0000-4000-8000-000000000000")) is None


async def test_an_order_that_was_changed_while_nobody_listened_is_in_the_book(
    alpaca: AlpacaTrading,
) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(100), OPEN)
        await until(lambda: len(it.of(OrderAccepted)) == 2)
        alpaca.venue.print("AAPL", 100, 3)
        alpaca.venue.replace(the_order(alpaca).id, {"qty": "5"})
        alpaca.venue.take_news()
        (resting,) = (await it.broker.book(now())).open_orders
        assert (resting.client_order_id, resting.quantity, resting.filled_quantity) == (MINE, 8, 3)


async def test_old_news_of_an_order_does_not_undo_newer_ones(alpaca: AlpacaTrading) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(100), OPEN)
        await until(lambda: len(it.of(OrderAccepted)) == 2)
        late = {"event": "new", "order": the_order(alpaca).view()}
        alpaca.venue.print("AAPL", 100, 3)
        alpaca.venue.take_news()
        await it.broker.book()
        alpaca.venue.news.append(late)
        await alpaca.tell()
        await until(lambda: len(it.of(OrderAccepted)) == 3)
        await it.broker.replace(limit(100, quantity=9), OPEN)
        asked = [request.body for request in alpaca.asked if request.method == "PATCH"]
        assert asked[0]["qty"] == "6"


async def test_a_replace_after_one_that_the_exchange_refused_has_an_id_of_its_own(
    alpaca: AlpacaTrading,
) -> None:
    alpaca.venue.confirms_replaces = False
    async with joined(alpaca) as it:
        await it.broker.submit(limit(100), OPEN)
        await it.broker.replace(limit(90), OPEN)
        old, new = alpaca.venue.orders.values()
        alpaca.venue._pending.clear()
        alpaca.venue.reject(new.id)
        alpaca.venue.push(old.id, "order_replace_rejected", "new")
        await alpaca.tell()
        await until(lambda: len(it.of(ChangeRejected)) == 2)
        alpaca.venue.confirms_replaces = True
        await it.broker.replace(limit(91), OPEN)
        await until(lambda: it.of(OrderReplaced))
    ids = [order.client_order_id for order in alpaca.venue.orders.values()]
    assert ids == [MINE, f"{MINE}~1", f"{MINE}~2"]
