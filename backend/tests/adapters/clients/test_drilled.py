"""A broker is as it always is, but for the drill that is on."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.adapters.clients.drilled import DrilledBroker
from app.bootstrap import make_broker
from app.core import drills
from app.core.clock import system
from app.core.drills import Drill
from app.core.errors import BrokerUnavailable, ConfigurationError
from app.core.tasks import end
from app.domain.deployments import AccountMode
from app.domain.events import OrderFilled
from app.domain.ports import BrokerAbilities, BrokerLink, BrokerSetup
from tests.trading import OPEN, make_order
from tests.vendors.loopback import until
from tests.venue import Venue, VenueBroker


class Joined:
    def __init__(self, home: Path) -> None:
        (home / "run").mkdir()
        self.home = home
        self.venue = Venue(system)
        self.broker = DrilledBroker(VenueBroker(self.venue), 1, home)
        self.heard: list[Any] = []

    async def listen(self) -> None:
        async for news in self.broker.reports():
            self.heard.append(news)

    def links(self) -> list[bool]:
        return [one.is_up for one in self.heard if isinstance(one, BrokerLink)]

    def fills(self) -> list[str]:
        return [one.execution.execution_id for one in self.heard if isinstance(one, OrderFilled)]


@pytest.fixture
async def joined(tmp_path: Path) -> AsyncIterator[Joined]:
    it = Joined(tmp_path)
    listening = asyncio.create_task(it.listen())
    await until(it.links)
    yield it
    await end([listening])
    await it.broker.close()


async def test_without_a_drill_nothing_is_different(joined: Joined) -> None:
    broker, order = joined.broker, make_order()
    assert broker.name == "venue"
    assert broker.abilities.links_orders
    assert not list(broker.observe(None))
    await broker.submit(order, OPEN)
    joined.venue.print("AAPL", 100)
    await until(joined.fills)
    assert await broker.find(order.client_order_id) is not None
    assert len((await broker.book()).executions) == 1
    await broker.cancel_all()
    broker.abilities = BrokerAbilities()
    assert not broker.abilities.links_orders
    assert broker.venue is joined.venue


async def test_a_gateway_that_restarts_is_down_and_its_news_are_lost(joined: Joined) -> None:
    await joined.broker.submit(make_order(), OPEN)
    drills.ask(joined.home, 1, Drill.GATEWAY_RESTART, 60)
    await until(lambda: joined.links() == [True, False])
    joined.venue.print("AAPL", 100)
    with pytest.raises(BrokerUnavailable, match="a drill"):
        await joined.broker.cancel("1-manual-AAPL-c1-e1", OPEN)
    drills.stop(joined.home, 1)
    await until(lambda: joined.links() == [True, False, True])
    assert not joined.fills()
    assert len((await joined.broker.book()).executions) == 1


async def test_in_a_storm_every_request_is_refused_and_nothing_is_sent(joined: Joined) -> None:
    drills.ask(joined.home, 1, Drill.STORM, 60)
    order = make_order()
    for request in (
        joined.broker.submit(order, OPEN),
        joined.broker.replace(order, OPEN),
        joined.broker.book(),
    ):
        with pytest.raises(BrokerUnavailable, match="429"):
            await request
    assert not joined.venue.requests


async def test_the_newest_fills_are_told_again(joined: Joined) -> None:
    await joined.broker.submit(make_order(), OPEN)
    joined.venue.print("AAPL", 100)
    await until(joined.fills)
    drills.ask(joined.home, 1, Drill.DUPLICATE_FILL, 60)
    await until(lambda: len(joined.fills()) == 4)
    assert len(set(joined.fills())) == 1


async def test_what_ends_the_brokers_news_ends_ours(tmp_path: Path) -> None:
    class Broken(VenueBroker):
        async def reports(self) -> AsyncIterator[Any]:
            raise LookupError("gone")
            yield

    broker = DrilledBroker(Broken(Venue(system)), 1, tmp_path)
    with pytest.raises(LookupError):
        await anext(broker.reports())


@pytest.mark.parametrize(
    ("name", "mode"), [("alpaca", AccountMode.LIVE), ("paper", AccountMode.PAPER)]
)
def test_only_a_paper_account_at_a_broker_has_drills(
    name: str, mode: AccountMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALPACA_API_KEY", "k")
    monkeypatch.setenv("ALPACA_SECRET_KEY", "s")
    with pytest.raises(ConfigurationError, match="Drills are for paper accounts"):
        make_broker(name, BrokerSetup(account_id=1, mode=mode, settings={"drills": True}))


async def test_the_guardians_connection_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPACA_API_KEY", "k")
    monkeypatch.setenv("ALPACA_SECRET_KEY", "s")
    for is_guardian in (False, True):
        setup = BrokerSetup(account_id=1, settings={"drills": True}, is_guardian=is_guardian)
        made = make_broker("alpaca", setup)
        assert isinstance(made, DrilledBroker) is not is_guardian
        await made.close()
