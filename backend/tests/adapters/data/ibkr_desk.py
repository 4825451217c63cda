"""An IBKR adapter at a desk: its loopback Gateway, and the fixtures that its tests share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.adapters.clients.ibkr import IbkrSession
from app.adapters.clients.ibkr_options import IbkrOptions
from app.adapters.data.ibkr import Adapter
from app.marketdata.ports import ProviderSetup
from tests.contracts.ibkr_vendor import BRISK, Workday
from tests.factories import utc
from tests.vendors.ibkr import IbkrLoopback

FRIDAY = utc("2024-03-01 00:00")
OPEN = utc("2024-03-01 14:30")
MONDAY_EVENING = utc("2024-03-04 22:00")


class StoppedClock(Workday):
    """Shows the time that is set."""

    def __init__(self, at: datetime) -> None:
        super().__init__()
        self.at = at

    def now(self) -> datetime:
        return self.at


@dataclass
class Desk:
    """`clock` is the market's time of adapter and server."""

    adapter: Adapter
    server: IbkrLoopback
    session: IbkrSession
    clock: StoppedClock

    def durations(self) -> list[str]:
        """What requests for history asked for, in order."""
        return [fields.values[17] for number, fields in self.server.asked if number == 20]


@asynccontextmanager
async def desk(at: datetime = MONDAY_EVENING, **options: Any) -> AsyncIterator[Desk]:
    """The Monday after the Friday that batches lie on, in the evening."""
    async with IbkrLoopback() as server:
        clock = StoppedClock(at)
        server.now = clock.now
        session = IbkrSession(
            IbkrOptions(**{"port": server.port, **options}), pacing=BRISK, clock=Workday()
        )
        adapter = Adapter(ProviderSetup(clock=clock), session=session)
        yield Desk(adapter, server, session, clock)
        await adapter.close()
