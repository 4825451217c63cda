"""What every broker must do; runs on each adapter that the registry sees."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import pytest

from app.core import registry
from app.domain.events import OrderAccepted, OrderCanceled, SessionClosed
from app.domain.market import SliceOpened
from app.domain.orders import OrderType
from app.domain.ports import Broker
from tests.contracts.broker_venues import VENUES
from tests.trading import DAY, OPEN, make_order


@pytest.fixture(params=registry.names("brokers"))
async def broker(request: pytest.FixtureRequest) -> AsyncIterator[Broker]:
    if request.param not in VENUES:
        pytest.skip(f"{request.param} has no venue in broker_venues.py yet")
    async with VENUES[request.param]() as made:
        yield made


def resting(**given: Any) -> Any:
    return make_order(type=OrderType.LIMIT, limit_price=1, **given)


async def test_an_order_is_accepted_with_an_id_of_the_broker(broker: Broker) -> None:
    reports = await broker.submit(resting(), OPEN)
    assert [type(report) for report in reports] == [OrderAccepted]
    assert await open_ids(broker) == ["1-manual-AAPL-c1-e1"]


async def test_the_same_client_order_id_is_placed_once(broker: Broker) -> None:
    await broker.submit(resting(), OPEN)
    await broker.submit(resting(), OPEN)
    assert await open_ids(broker) == ["1-manual-AAPL-c1-e1"]


async def test_a_cancelled_order_is_gone_and_stays_gone(broker: Broker) -> None:
    await broker.submit(resting(), OPEN)
    reports = await broker.cancel("1-manual-AAPL-c1-e1", OPEN)
    assert [type(report) for report in reports] == [OrderCanceled]
    assert await open_ids(broker) == []
    assert not await broker.submit(resting(), OPEN)
    assert await open_ids(broker) == []


async def test_cancelling_what_is_not_there_reports_nothing(broker: Broker) -> None:
    assert not await broker.cancel("nobody", OPEN)


async def test_orders_are_told_apart_by_their_client_order_id(broker: Broker) -> None:
    await broker.submit(resting(), OPEN)
    await broker.submit(resting(client_order_id="two"), OPEN)
    await broker.cancel("1-manual-AAPL-c1-e1", OPEN)
    assert await open_ids(broker) == ["two"]


async def test_a_broker_says_whether_its_book_is_ours(broker: Broker) -> None:
    assert isinstance(broker.name, str)
    assert isinstance(broker.is_simulated, bool)


async def test_what_a_simulated_broker_fills_is_in_its_book(broker: Broker) -> None:
    if not broker.is_simulated:
        assert not list(broker.observe(SliceOpened(OPEN, DAY, {"AAPL": 100.0})))
        return
    await broker.submit(make_order(), OPEN)
    reports: Sequence[Any] = list(broker.observe(SliceOpened(OPEN, DAY, {"AAPL": 100.0})))
    book = await broker.book()
    assert [report.execution for report in reports] == list(book.executions)
    assert not book.open_orders
    close = SessionClosed(session=DAY, at=OPEN + timedelta(hours=6))
    assert not list(broker.observe(close))


async def open_ids(broker: Broker) -> list[str]:
    return [order.client_order_id for order in (await broker.book()).open_orders]
