"""Vendors whose `history` keeps the contract, each on its loopback: join with a line in VENDORS."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

import pytest

from app.core.clock import now, to_ns
from app.marketdata.batch import BarBatch
from app.marketdata.calendar import Session, trading_calendar
from app.marketdata.ports import DataProvider
from tests.contracts.alpaca_vendor import alpaca_vendor
from tests.contracts.databento_vendor import databento_vendor
from tests.contracts.ibkr_vendor import ib_insync_vendor, ibkr_vendor
from tests.contracts.yahoo_vendor import yahoo_vendor


class HistoryVendor(Protocol):
    """A provider that talks to its loopback, where AAPL is known and ZZZZ is not."""

    @property
    def provider(self) -> DataProvider: ...

    @property
    def key_variable(self) -> str | None:
        """The setting of the key; None for a vendor without keys."""
        ...

    def add_history(self, batch: BarBatch) -> None:
        """Minute bars that the loopback's history answers with."""
        ...

    def throttle(self) -> None:
        """The next request is answered 429, with a wait of a fraction of a second."""
        ...

    def refuse(self) -> None:
        """The key is refused from now on."""
        ...

    @property
    def requests(self) -> int:
        """How many requests came so far."""
        ...


MakeVendor = Callable[[pytest.MonkeyPatch], AbstractAsyncContextManager[HistoryVendor]]

VENDORS: Final[dict[str, MakeVendor]] = {
    "alpaca": alpaca_vendor,
    "databento": databento_vendor,
    "ib_insync": ib_insync_vendor,
    "ibkr": ibkr_vendor,
    "yfinance": yahoo_vendor,
}


def last_sessions(count: int) -> list[Session]:
    """The newest sessions of XNYS that are over for an hour: no vendor keeps minutes for ever."""
    today = to_ns(now())
    ago = today - 30 * 86_400 * 10**9
    over = [s for s in trading_calendar().sessions(ago, today) if s.close < today - 3_600 * 10**9]
    return over[-count:]
