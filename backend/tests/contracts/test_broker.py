"""What every broker must do; runs on each adapter that the registry sees."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from app.core import registry
from app.domain.events import OrderAccepted, OrderCanceled, OrderFilled, SessionClosed
from app.domain.market import SliceOpened
from app.domain.orders import OrderType
from app.domain.ports import Broker
from tests.contracts.broker_venue import VENUES, BrokerVenue
from tests.trading import DAY, OPEN, make_order
from tests.vendors.loopback import until


@pytest.fixture(params=registry.names("brokers"))
async def venue(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[BrokerVenue]:
    if request.param not in VENUES:
        pytest.fail(f"Add a venue for {request.param} to tests/contracts/broker_venue.py.")
    async with VENUES[request.param](monkeypatch) as made:
        yield made


@pytest.fixture
def broker(venue: BrokerVenue) -> Broker:
    return venue.broker


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


async def test_a_cancelled_order_is_gone_and_stays_gone(venue: BrokerVenue) -> None:
    broker = venue.broker
    await broker.submit(resting(), OPEN)
    venue.heard += await broker.cancel("1-manual-AAPL-c1-e1", OPEN)
    await until(lambda: any(isinstance(report, OrderCanceled) for report in venue.heard))
    assert await open_ids(broker) == []
    await broker.submit(resting(), OPEN)
    assert await open_ids(broker) == []


async def test_cancelling_what_is_not_there_reports_nothing(broker: Broker) -> None:
    assert not await broker.cancel("1-nobody", OPEN)


async def test_orders_are_told_apart_by_their_client_order_id(broker: Broker) -> None:
    await broker.submit(resting(), OPEN)
    await broker.submit(resting(client_order_id="1-two"), OPEN)
    await broker.cancel("1-manual-AAPL-c1-e1", OPEN)
    assert await open_ids(broker) == ["1-two"]


async def test_a_broker_says_whether_its_book_is_ours(broker: Broker) -> None:
    assert isinstance(broker.name, str)
    assert isinstance(broker.is_simulated, bool)


async def test_what_a_broker_fills_is_in_its_book_under_the_same_identity(
    venue: BrokerVenue,
) -> None:
    broker = venue.broker
    await broker.submit(make_order(), OPEN)
    await venue.print(100.0)
    await until(lambda: any(isinstance(report, OrderFilled) for report in venue.heard))
    fills = [report.execution for report in venue.heard if isinstance(report, OrderFilled)]
    book = await broker.book()
    assert [fill.execution_id for fill in fills] == [e.execution_id for e in book.executions]
    assert [fill.quantity for fill in book.executions] == [10]
    assert not book.open_orders


async def test_only_a_simulated_broker_watches_the_market(broker: Broker) -> None:
    if not broker.is_simulated:
        assert not list(broker.observe(SliceOpened(OPEN, DAY, {"AAPL": 100.0})))
    close = SessionClosed(session=DAY, at=OPEN + timedelta(hours=6))
    assert not list(broker.observe(close))


async def open_ids(broker: Broker) -> list[str | None]:
    return [order.client_order_id for order in (await broker.book()).open_orders]
