"""An adapter of Alpaca on its loopback, as the tests of both want it."""

from datetime import datetime
from typing import Any

from app.adapters.clients.alpaca import AlpacaOptions, AlpacaSession
from app.adapters.data.alpaca import Adapter
from app.core.clock import ManualClock
from app.core.retry import RetryConfig
from app.marketdata.ports import ProviderSetup
from tests.factories import make_batch, utc
from tests.vendors.alpaca import KEY, SECRET, AlpacaLoopback

MINUTES = make_batch([round(100 + 0.01 * i, 2) for i in range(390 * 2)])
"Friday the 1st and Monday the 4th of March 2024."
START, END = utc("2024-03-01"), utc("2024-03-09")
OPTION = "AAPL261218C00250000"
AT_ONCE = RetryConfig(attempts=2, first_wait_seconds=0.0, jitter_seconds=0.0)


def holding() -> AlpacaLoopback:
    """A loopback with AAPL's minutes, that knows SPY too."""
    server = AlpacaLoopback()
    server.hold(MINUTES)
    server.know("SPY", exchange="ARCA")
    return server


def adapter(
    server: AlpacaLoopback, now: datetime = END, key: str | None = KEY, **options: Any
) -> Adapter:
    given = AlpacaOptions(
        api_key=key,
        secret_key=SECRET,
        base_url=server.http,
        data_url=server.http,
        stream_url=server.ws,
        **options,
    )
    setup = ProviderSetup(clock=ManualClock(now))
    return Adapter(setup, session=AlpacaSession(given, retry=AT_ONCE))
