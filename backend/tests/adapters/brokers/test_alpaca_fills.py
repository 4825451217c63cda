"""Each fill of Alpaca has one identity, however often and by whatever way it is told."""

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from app.core.errors import (
    BrokerUnavailable,
)
from app.domain.events import (
    ExecutionBusted,
    ExecutionCorrected,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
)
from app.domain.orders import OrderStatus
from tests.adapters.brokers.alpaca_desk import (
    MINE,
    by_hand,
    closed,
    fill_in_parts,
    identities,
    joined,
    limit,
    the_order,
)
from tests.trading import OPEN
from tests.vendors.alpaca_trading import AlpacaTrading
from tests.vendors.loopback import until


async def test_a_fill_that_the_stream_left_out_is_fetched_with_the_next_one(
    alpaca: AlpacaTrading,
) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(), OPEN)
        alpaca.venue.print("AAPL", 99, 4)
        alpaca.venue.take_news()
        await alpaca.print("AAPL", 99)
        await until(lambda: len(it.of(OrderFilled)) == 2)
        assert identities(it) == {"4", "10"}
        assert sum(report.execution.quantity for report in it.of(OrderFilled)) == 10


async def test_an_update_whose_numbers_run_ahead_is_not_believed(alpaca: AlpacaTrading) -> None:
    """An order's snapshot may hold more than the fill that it comes with."""
    async with joined(alpaca) as it:
        await it.broker.submit(limit(), OPEN)
        alpaca.venue.print("AAPL", 99, 4)
        alpaca.venue.print("AAPL", 98, 6)
        alpaca.venue.news[-2]["order"]["filled_qty"] = "10"
        await alpaca.tell()
        await until(lambda: len(it.of(OrderFilled)) >= 3)
        told = {f.execution.execution_id: f.execution for f in it.of(OrderFilled)}
        assert sorted(e.quantity for e in told.values()) == [4, 6]


async def test_updates_that_come_twice_and_in_disorder_have_the_same_identities(
    alpaca: AlpacaTrading,
) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(), OPEN)
        alpaca.duplicate()
        alpaca.reorder()
        await fill_in_parts(alpaca, (2, 3, 4, 1))
        await until(lambda: identities(it) == {"2", "5", "9", "10"})
        each = {f.execution.execution_id: f.execution.quantity for f in it.of(OrderFilled)}
        assert sum(each.values()) == 10


async def test_activities_that_lag_behind_leave_a_doubtful_fill_to_the_book(
    alpaca: AlpacaTrading,
) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(), OPEN)
        late: list[Any] = []
        await fill_in_parts(alpaca, ())
        alpaca.venue.print("AAPL", 99, 4)
        alpaca.venue.take_news()
        alpaca.venue.print("AAPL", 99, 6)
        late, alpaca.venue.activities[:] = list(alpaca.venue.activities), []
        await alpaca.tell()
        await until(lambda: any("/activities/" in a.path for a in alpaca.asked))
        alpaca.venue.activities += late
        book = await it.broker.book()
        assert [e.quantity for e in book.executions] == [4, 6]
        assert not it.of(OrderFilled)


async def test_many_fills_are_read_page_by_page(alpaca: AlpacaTrading) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(quantity=250), OPEN)
        for _ in range(250):
            alpaca.venue.print("AAPL", 99, 1)
        alpaca.venue.take_news()
        book = await it.broker.book()
    assert len({e.execution_id for e in book.executions}) == 250


async def test_many_orders_are_read_page_by_page(alpaca: AlpacaTrading) -> None:
    for _ in range(1_100):
        by_hand(alpaca, price=10)
    alpaca.venue.take_news()
    async with joined(alpaca) as it:
        assert len((await it.broker.book()).open_orders) == 1_100


async def test_a_book_in_which_fills_never_end_is_not_given_in_part(alpaca: AlpacaTrading) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(quantity=900), OPEN)
        account = alpaca._account

        def busy() -> dict[str, Any]:
            alpaca.venue.print("AAPL", 99, 1)
            return account()

        alpaca._account = busy  # type: ignore[method-assign]
        with pytest.raises(BrokerUnavailable, match="faster"):
            await it.broker.book()


async def test_short_positions_are_negative(alpaca: AlpacaTrading) -> None:
    alpaca.venue.hold("MSFT", -7, 400)
    async with joined(alpaca) as it:
        assert (await it.broker.book()).positions == {"MSFT": -7}


async def test_a_bust_names_the_fill_as_we_know_it(alpaca: AlpacaTrading) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(), OPEN)
        await fill_in_parts(alpaca)
        await until(lambda: len(it.of(OrderFilled)) == 3)
        alpaca.venue.bust(alpaca.venue.fills[1].execution_id)
        await alpaca.tell()
        await until(lambda: it.of(ExecutionBusted))
        order = the_order(alpaca)
        (bust,) = it.of(ExecutionBusted)
        assert (bust.execution_id, bust.client_order_id) == (f"{order.id}:7", MINE)
        assert (bust.broker, bust.reason) == ("alpaca", "TRADE_BUST")
        assert it.of(OrderCanceled)[0].reason.startswith("Alpaca does not fill")
        (over,) = await closed(alpaca, it.broker)
        assert (over.status, over.filled_quantity) == (OrderStatus.CANCELED, 7)


async def test_an_order_goes_on_after_a_bust(alpaca: AlpacaTrading) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(), OPEN)
        await fill_in_parts(alpaca, (4,))
        await until(lambda: it.of(OrderFilled))
        alpaca.venue.bust(alpaca.venue.fills[0].execution_id)
        await alpaca.print("AAPL", 99)
        await until(lambda: len(it.of(OrderFilled)) == 2)
        assert not it.of(OrderCanceled)
        assert it.of(OrderFilled)[1].execution.quantity == 10


async def test_a_correction_stands_in_the_place_of_the_fill(alpaca: AlpacaTrading) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(), OPEN)
        await fill_in_parts(alpaca)
        await until(lambda: len(it.of(OrderFilled)) == 3)
        second = alpaca.venue.correct(alpaca.venue.fills[0].execution_id, 98.5)
        alpaca.venue.correct(second, 98, 3)
        await alpaca.tell()
        await until(lambda: len(it.of(ExecutionCorrected)) == 2)
        order, (first, again) = the_order(alpaca), it.of(ExecutionCorrected)
        assert (first.corrects, first.execution.price) == (f"{order.id}:4", Decimal("98.5"))
        assert again.corrects == first.execution.execution_id
        assert (again.execution.quantity, again.execution.price) == (3, 98)
        assert again.execution.client_order_id == MINE


async def test_after_a_restart_a_bust_is_understood_by_quantity_and_price(
    alpaca: AlpacaTrading,
) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(), OPEN)
        await fill_in_parts(alpaca)
    async with joined(alpaca) as it:
        for fill in alpaca.venue.fills[1:]:  # both of three shares at 99: either may be meant
            alpaca.venue.bust(fill.execution_id)
        await alpaca.tell()
        await until(lambda: len(it.of(ExecutionBusted)) == 2)
        found = {bust.execution_id.split(":")[1] for bust in it.of(ExecutionBusted)}
        assert found == {"7", "10"}
        alpaca.venue.correct(alpaca.venue.fills[0].execution_id, 97)
        await alpaca.tell()
        await until(lambda: it.of(ExecutionCorrected))
        assert it.of(ExecutionCorrected)[0].corrects.endswith(":4")


async def test_a_bust_of_a_fill_that_nobody_can_name_is_left_to_the_comparison_of_positions(
    alpaca: AlpacaTrading,
) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(), OPEN)
        await fill_in_parts(alpaca)
        alpaca.venue.activities.clear()
        for update in ("trade_bust", "trade_correct"):
            unheard = "8efc7b9a-8b2b-4000-9955-d36e7db0df74"
            terms = {"qty": "2", "price": "9", "previous_execution_id": unheard}
            alpaca.venue.push(the_order(alpaca).id, update, "filled", **terms)
        alpaca.venue.push(the_order(alpaca).id, "pending_cancel")
        alpaca.venue.push(the_order(alpaca).id, "expired")
        await alpaca.tell()
        await until(lambda: it.of(OrderExpired))
        assert not it.of(ExecutionBusted)
        assert not it.of(ExecutionCorrected)


async def test_what_was_remembered_of_old_orders_is_read_again(
    alpaca: AlpacaTrading, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("alpaca_chains", "alpaca_fills"):
        monkeypatch.setattr(f"app.adapters.clients.{module}.MOST_KEPT", 1)
    async with joined(alpaca) as it:
        for number in range(3):
            await it.broker.submit(limit(client_order_id=f"1-{number}"), OPEN)
        for _ in range(3):
            await alpaca.print("AAPL", 99, 15)
        await until(lambda: len({f.execution.execution_id for f in it.of(OrderFilled)}) == 4)
        sums = Counter[str]()
        for one in {f.execution.execution_id: f.execution for f in it.of(OrderFilled)}.values():
            sums[one.client_order_id] += int(one.quantity)
        assert sums == {"1-0": 10, "1-1": 10, "1-2": 10}
        first = alpaca.venue.fills[0].execution_id
        alpaca.venue.bust(first)
        await alpaca.tell()
        await until(lambda: it.of(ExecutionBusted))
        assert it.of(ExecutionBusted)[0].client_order_id == "1-0"


async def test_fills_of_one_order_that_differ_are_told_apart_after_a_restart(
    alpaca: AlpacaTrading,
) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(), OPEN)
        await fill_in_parts(alpaca, (2, 3, 5))
    async with joined(alpaca) as it:
        alpaca.venue.correct(alpaca.venue.fills[1].execution_id, 97)
        await alpaca.tell()
        await until(lambda: it.of(ExecutionCorrected))
        assert it.of(ExecutionCorrected)[0].corrects.endswith(":5")
        bust = alpaca.venue.fills[2]
        alpaca.venue.activities[2]["id"] = f"20240301143000000::{bust.execution_id}"
        alpaca.venue.bust(bust.execution_id)
        await alpaca.tell()
        await until(lambda: it.of(ExecutionBusted))
        assert it.of(ExecutionBusted)[0].execution_id.endswith(":10")


async def test_quantities_that_are_written_differently_are_the_same_fill(
    alpaca: AlpacaTrading,
) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(), OPEN)
        alpaca.venue.print("AAPL", 99)
        alpaca.venue.news[-1]["order"]["filled_qty"] = "10.000"
        alpaca.venue.news[-1]["qty"] = "10.0"
        await alpaca.tell()
        await until(lambda: it.of(OrderFilled))
        (told,) = (await it.broker.book()).executions
        assert it.of(OrderFilled)[0].execution.execution_id == told.execution_id


async def test_a_fill_whose_time_was_cut_to_milliseconds_is_not_left_out(
    alpaca: AlpacaTrading,
) -> None:
    """Updates tell nanoseconds, activities milliseconds: the later one seems the earlier one."""
    async with joined(alpaca) as it:
        await it.broker.submit(limit(), OPEN)
        at = alpaca.venue.clock().replace(microsecond=123_900)
        alpaca.venue.print("AAPL", 99, None, at)
        since = at.replace(microsecond=123_500)
        assert [e.quantity for e in (await it.broker.book(since)).executions] == [10]
