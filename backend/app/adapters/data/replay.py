"""Bars of the past as if the market showed them now, at any speed."""

from collections.abc import Sequence
from datetime import datetime

from app.adapters.clients.stored_bars import stored_bars, stream
from app.domain.market import Timeframe
from app.marketdata.batch import BarBatch
from app.marketdata.ports import Feed, ProviderSetup


class Adapter:
    """Replays the files under `path`, or what `reader` has stored, at `speed`.

    The stream ends with the last bar. `after` continues exactly where another stream stopped.
    """

    name = "replay"

    def __init__(self, setup: ProviderSetup) -> None:
        self._setup = setup
        self._reader = stored_bars(setup)

    async def history(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> BarBatch:
        return await self._reader.bars(symbol, timeframe, start, end)

    def stream(
        self, symbols: Sequence[str], timeframe: Timeframe, after: datetime | None = None
    ) -> Feed:
        return stream(self._reader, self._setup, symbols, timeframe, after)

    async def close(self) -> None:
        """Nothing stays open."""
