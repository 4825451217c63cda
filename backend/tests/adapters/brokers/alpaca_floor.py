"""The production engine, driver, wire and reconciliation, trading through Alpaca's loopback."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from app.adapters.brokers.alpaca import Adapter
from app.adapters.clients.alpaca import AlpacaOptions
from app.adapters.clients.alpaca_orders import MARK
from app.core.clock import now
from app.core.errors import TradewrightError
from app.core.retry import RetryConfig
from app.core.tasks import end
from app.domain.events import CashSeen, HoldingSeen
from app.domain.ports import BrokerLink, BrokerSetup
from app.engine.reconciler import Reconciler
from app.engine.surroundings import on_abilities, told_of
from app.engine.suspicions import Doubts
from app.engine.wire import Pace
from tests.floor import Floor
from tests.trading import OPEN
from tests.vendors.alpaca import KEY, SECRET
from tests.vendors.alpaca_trading import AlpacaTrading

PATIENT = Pace(answer=0.3, change=0.5, again=0.01, longest=0.05, tells=99)
"What hangs is unknown soon, but a slow machine may answer."
QUICK = RetryConfig(attempts=2, first_wait_seconds=0.01, jitter_seconds=0.01)


class AlpacaFloor(Floor):
    """One account; after each connection its books are held against Alpaca's before it trades."""

    def __init__(self, server: AlpacaTrading, **given: Any) -> None:
        self.server = server
        self.began = now()
        server.venue.clock = self._time
        super().__init__(broker=self._made(), pace=PATIENT, clock=self._time, **given)
        on_abilities(self.engine.desk, told_of(self.broker.abilities, OPEN))
        self.driver.linked(is_up=False)
        self._listening: asyncio.Task[None] | None = None

    def _made(self) -> Adapter:
        options = AlpacaOptions(api_key=KEY, secret_key=SECRET, base_url=self.server.http)
        return Adapter(
            BrokerSetup(account_id=1), options, retry=QUICK, read_seconds=0.5, ping_seconds=0.2,
            first_pause_seconds=0.01,
        )  # fmt: skip

    def _time(self) -> datetime:
        """The market's clock, Alpaca's too, begins at the open and goes as the wall clock does."""
        return OPEN + (now() - self.began)

    async def __aexit__(self, *error: object) -> None:
        await super().__aexit__(*error)
        await self.broker.close()

    async def _listen(self) -> None:
        async for news in self.broker.reports():
            if not isinstance(news, BrokerLink):
                await self.driver.step(news)
                continue
            self.driver.linked(is_up=news.is_up)
            await end([self._listening])
            if news.is_up:
                self._listening = asyncio.create_task(self._get_ready())
                self._tasks.append(self._listening)
            else:
                self.driver.ready(is_ready=False)

    async def _get_ready(self) -> None:
        while True:
            with suppress(TradewrightError):
                await self.reconcile()
                self.driver.ready(is_ready=True)
                return
            await asyncio.sleep(0.01)

    async def reconcile(self) -> Any:
        doubts = Doubts(settle=0.01, looks=3, patience=0.0)
        since, clock = OPEN - timedelta(hours=1), Running(self._time)
        one = Reconciler(self.driver, self.broker, clock, doubts=doubts, since=since)
        return await asyncio.wait_for(one.settle(), 10)

    async def print(self, price: float, size: int | None = None) -> None:
        await self.server.print("AAPL", price, size)

    # ------------------------------------------------------------------------- what must be so

    def there(self) -> Decimal:
        return self.server.venue.held("AAPL")

    def check(self) -> None:
        """Our books are the venue's, and no order of ours is there twice."""
        venue, book = self.server.venue, self.engine.book
        assert not self.of(HoldingSeen), "a position that no fill of ours explains"
        assert not self.of(CashSeen), "cash that no fill of ours explains"
        ids = Counter(
            order.client_order_id.split(MARK)[0]
            for order in venue.orders.values()
            if order.replaces is None
        )
        assert set(ids.values()) <= {1}, ids
        ours = {symbol: quantity for symbol, quantity in book.net.items() if quantity}
        assert ours == {symbol: held.qty for symbol, held in venue.holdings.items()}
        assert book.cash == venue.cash
        theirs = {order.client_order_id.split(MARK)[0] for order in venue.open_orders()}
        ours_open = {o.client_order_id for o in self.engine.open_orders if not o.is_held}
        assert ours_open == theirs


class Running:
    """A clock out of a function."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()
