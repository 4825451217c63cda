"""Where each broker's adapter trades in the contract: a loopback of the real protocol, and prints.

An adapter gets the contract by having a venue here, under its name in the registry.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from app.adapters.brokers.paper import Adapter as Paper
from app.domain.ports import Broker, BrokerSetup
from tests.contracts.ibkr_broker import IbkrAccount, ibkr_account

Venue = AbstractAsyncContextManager[Broker]


@asynccontextmanager
async def paper() -> AsyncIterator[Broker]:
    yield Paper(BrokerSetup(account_id=1))


@asynccontextmanager
async def ibkr() -> AsyncIterator[Broker]:
    account: IbkrAccount
    async with ibkr_account() as account:
        yield account.broker


VENUES: Final[dict[str, Callable[[], Venue]]] = {"paper": paper, "ibkr": ibkr}
