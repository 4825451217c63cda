"""Bars that exist already, in files or in the database, as history and as a paced stream."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from app.core.clock import Clock
from app.core.errors import ConfigurationError, NotFound
from app.core.logging import get_logger
from app.core.registry import suggestion
from app.domain.market import SliceOpened, Timeframe
from app.marketdata.aggregation import aggregate
from app.marketdata.batch import BarBatch, to_ns
from app.marketdata.calendar import TradingCalendar, step_ns, trading_calendar
from app.marketdata.files import bar_files, judge_file
from app.marketdata.pacing import Pace
from app.marketdata.ports import BarReader, Feed, ProviderSetup
from app.marketdata.shapes import Hints
from app.marketdata.slices import in_time_order

_COURTESY = 64
"Items shown in a row before other tasks get a turn."

log = get_logger("trading")


class BarFolder:
    """Files of bars, one a symbol, read when they are first wanted and kept."""

    def __init__(self, path: Path, calendar: TradingCalendar, tz: str | None = None) -> None:
        self._files: Mapping[str, Path] = bar_files(path)
        self._calendar = calendar
        self._tz = tz
        self._read: dict[str, BarBatch] = {}

    @property
    def symbols(self) -> list[str]:
        return sorted(self._files)

    async def bars(
        self, symbol: str, timeframe: Timeframe, start: datetime | None, end: datetime | None
    ) -> BarBatch:
        """Bars of the file, aggregated when a longer timeframe is wanted. Raises NotFound."""
        if symbol not in self._files:
            raise NotFound(
                f"There are no bars of {symbol}.", remedy=suggestion(symbol, self._files)
            )
        if symbol not in self._read:
            self._read[symbol] = await asyncio.to_thread(self._load, symbol)
        whole = self._in(self._read[symbol], timeframe)
        first = to_ns(start) if start else int(whole.start[0]) if len(whole) else 0
        return whole.between(first, to_ns(end) if end else 2**62)

    def _load(self, symbol: str) -> BarBatch:
        file = self._files[symbol]
        verdict = judge_file(file, self._calendar, Hints(symbol=symbol, tz=self._tz))
        if counts := verdict.counts():
            log.warning("bars_left_out", file=file.name, rows=len(verdict.bad), reasons=counts)
        return verdict.good.sorted()

    def _in(self, batch: BarBatch, timeframe: Timeframe) -> BarBatch:
        if batch.timeframe is timeframe:
            return batch
        if step_ns(batch.timeframe) > step_ns(timeframe):
            raise NotFound(f"The bars of {batch.symbol} are of {batch.timeframe}, not {timeframe}.")
        return aggregate(batch, timeframe, self._calendar)


def stored_bars(setup: ProviderSetup) -> BarReader:
    """Where a provider without a vendor has its bars. Raises ConfigurationError when nowhere."""
    if setup.path is not None:
        return BarFolder(setup.path, trading_calendar(setup.exchange), setup.tz)
    if setup.reader is not None:
        return setup.reader
    raise ConfigurationError(
        "There is nothing to replay.", remedy="Name a file or folder of bars, or a data set."
    )


async def after_instant(
    reader: BarReader, symbols: Sequence[str], timeframe: Timeframe, after: datetime | None
) -> list[BarBatch]:
    """All bars of `symbols` whose end lies beyond `after`."""
    batches = [await reader.bars(symbol, timeframe, None, None) for symbol in symbols]
    if after is None:
        return batches
    return [batch[batch.end > to_ns(after.astimezone(UTC))] for batch in batches]


async def paced(items: Iterable[SliceOpened | BarBatch], pace: Pace, clock: Clock) -> Feed:
    """Show `items` one by one, each when its time has come. Ends at once when cancelled."""
    for shown, item in enumerate(items):
        delay = pace.wait(item, clock.monotonic())
        if delay > 0 or shown % _COURTESY == 0:
            await asyncio.sleep(delay)
        yield item


async def stream(
    reader: BarReader,
    setup: ProviderSetup,
    symbols: Sequence[str],
    timeframe: Timeframe,
    after: datetime | None,
) -> Feed:
    """Stored bars as if the market showed them now."""
    calendar = trading_calendar(setup.exchange)
    batches = await after_instant(reader, symbols, timeframe, after)
    feed = paced(in_time_order(batches, calendar), Pace(setup.speed, calendar), setup.clock)
    async for item in feed:
        yield item
