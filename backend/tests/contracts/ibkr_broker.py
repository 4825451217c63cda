"""An account at the loopback Gateway: the server, the adapter, and what it reported so far."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from app.adapters.brokers.ibkr import Adapter
from app.adapters.clients.ibkr import IbkrSession
from app.adapters.clients.ibkr_link import Patience
from app.adapters.clients.ibkr_login import options_of
from app.adapters.clients.ibkr_options import IbkrOptions, Library
from app.core.clock import Clock, system
from app.core.tasks import end
from app.domain.instruments import Instrument
from app.domain.ports import Broker, BrokerLink, BrokerSetup
from tests.contracts.ibkr_vendor import BRISK, Workday
from tests.vendors.exchange import Exchange, Ticket
from tests.vendors.ibkr import IbkrLoopback
from tests.vendors.loopback import until

T = TypeVar("T")
QUICK = Patience(
    answer=0.5, question=2.0, commission=0.2, first_retry=0.01, longest_retry=0.05, probe=60.0
)
"For tests: nobody waits long for what does not come."


class IbkrAccount:
    """One life of the adapter: `stop` ends it as a crash would, another one may follow."""

    def __init__(
        self,
        server: IbkrLoopback,
        library: Library = "ib_async",
        *,
        patience: Patience = QUICK,
        clock: Clock = system,
        session: IbkrSession | None = None,
        **setup: Any,
    ) -> None:
        self.server = server
        self.clock = Workday(clock)
        known = {symbol.replace(" ", "."): Instrument(symbol) for symbol in server.market.stocks}
        given: dict[str, Any] = {"account_id": 1, "instruments": known, **setup}
        options = IbkrOptions(port=server.port, client=library)
        self.session = session or IbkrSession(
            options_of(BrokerSetup(**given), options), pacing=BRISK, clock=self.clock
        )
        self.adapter = Adapter(
            BrokerSetup(**given), session=self.session, clock=self.clock, patience=patience
        )
        self.broker: Broker = self.adapter
        self.told: list[Any] = []
        "What `reports` told."
        self.listens = asyncio.Event()
        "Off, reports are taken out and not dealt with, as while the engine is busy."
        self.listens.set()
        self._hearing: asyncio.Task[None] | None = None

    @property
    def heard(self) -> list[Any]:
        """As the contract of brokers calls it."""
        return self.told

    @heard.setter
    def heard(self, reports: list[Any]) -> None:
        self.told = reports

    async def print(self, price: float, size: int | None = None) -> None:
        """One trade of the market in AAPL."""
        self.exchange.print("AAPL", price, size)

    @property
    def exchange(self) -> Exchange:
        return self.server.orders.exchange

    async def start(self) -> None:
        """Until the link is up and contracts are known."""
        self._hearing = asyncio.create_task(self._hear())
        await until(lambda: self.is_up)
        await until(lambda: not self.adapter.is_looking_up)

    async def stop(self) -> None:
        await end([self._hearing])
        await self.broker.close()

    async def _hear(self) -> None:
        async for report in self.broker.reports():
            await self.listens.wait()
            self.told.append(report)

    @property
    def is_up(self) -> bool:
        links = self.of(BrokerLink)
        return bool(links) and links[-1].is_up

    def of(self, kind: type[T]) -> list[T]:
        return [report for report in self.told if isinstance(report, kind)]

    def names(self) -> list[str]:
        """Kinds of what was reported, but for the link."""
        return [type(one).__name__ for one in self.told if not isinstance(one, BrokerLink)]

    async def wait_for(self, *names: str) -> None:
        """Until exactly these were reported."""
        try:
            await until(lambda: self.names() == list(names))
        except TimeoutError:
            raise AssertionError(f"{self.names()} instead of {list(names)}") from None

    def ticket(self, reference: str = "1-manual-AAPL-c1-e1") -> Ticket:
        """The one order that the market has under a reference."""
        (found,) = self.exchange.find(reference)
        return found

    async def relink(self) -> None:
        """Wait until the link went down and came up again."""
        ups = sum(link.is_up for link in self.of(BrokerLink))
        await until(lambda: sum(link.is_up for link in self.of(BrokerLink)) > ups)


@asynccontextmanager
async def ibkr_account(library: Library = "ib_async", **setup: Any) -> AsyncIterator[IbkrAccount]:
    """A Gateway and an adapter that is connected to it."""
    async with IbkrLoopback() as server:
        account = IbkrAccount(server, library, **setup)
        await account.start()
        try:
            yield account
        finally:
            await account.stop()
