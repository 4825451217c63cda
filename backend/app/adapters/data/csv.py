"""Files as history: CSV or Parquet, one file a symbol, given as fast as they are read."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from app.adapters.clients.stored_bars import stored_bars, stream
from app.domain.market import Timeframe
from app.marketdata.batch import BarBatch
from app.marketdata.ports import Feed, ProviderSetup


class Adapter:
    """Needs `path`: a file or a folder of files named by their symbol."""

    name = "csv"

    def __init__(self, setup: ProviderSetup) -> None:
        self._setup = replace(setup, speed=None)
        self._reader = stored_bars(replace(setup, reader=None))

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
