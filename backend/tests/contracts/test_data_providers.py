"""What every data provider promises, whoever wrote it: order, first prints, exact resumption."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

import pytest

from app.core import registry
from app.domain.market import SliceOpened, Timeframe
from app.marketdata.batch import BarBatch, to_datetime
from app.marketdata.ports import BarStream, DataProvider, ProviderSetup
from tests.factories import make_batch, utc

COUNT = 120
SYMBOLS = ("AAPL", "SPY")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for symbol, skipped in (("AAPL", []), ("SPY", [5, 6, 30])):
        batch = make_batch([100.0 + i % 5 for i in range(COUNT)], symbol=symbol, skip=skipped)
        lines = ["t,open,high,low,close,volume"]
        lines += [",".join(map(str, (row[0], *row[2:7]))) for row in batch.rows.tolist()]
        (tmp_path / f"{symbol}.csv").write_text("\n".join(lines))
    return tmp_path


class Showing(DataProvider, BarStream, Protocol):
    """A provider that shows its bars by itself."""


def showing() -> list[str]:
    return [
        name for name in registry.names("data") if hasattr(registry.load("data", name), "stream")
    ]


@pytest.fixture(params=showing())
def provider(request: pytest.FixtureRequest, folder: Path) -> Showing:
    adapter: Showing = registry.load("data", request.param)(ProviderSetup(path=folder))
    return adapter


async def shown(
    provider: Showing, after: datetime | None = None, symbols: Sequence[str] = SYMBOLS
) -> list[SliceOpened | BarBatch]:
    feed = provider.stream(symbols, Timeframe.M1, after)
    items = []
    async for item in feed:
        items.append(item)
        if len(items) == 2 * COUNT:
            break
    await feed.aclose()
    return items


def plain(items: Sequence[SliceOpened | BarBatch]) -> list[object]:
    return [item if isinstance(item, SliceOpened) else tuple(item.bars()) for item in items]


async def test_bars_come_in_the_order_of_their_end(provider: Showing) -> None:
    ends = [int(end) for i in await shown(provider) if isinstance(i, BarBatch) for end in i.end]
    assert ends == sorted(ends)
    assert len(ends) > COUNT / 2


async def test_first_prints_announce_bars_and_follow_what_ended_before(
    provider: Showing,
) -> None:
    opened: dict[tuple[str, datetime], float] = {}
    newest = utc("2000-01-01")
    for item in await shown(provider):
        if isinstance(item, SliceOpened):
            assert newest <= item.at
            opened |= {(symbol, item.at): price for symbol, price in item.opens.items()}
            continue
        for bar in item.bars():
            assert opened[bar.symbol, bar.start] == bar.open
            newest = max(newest, bar.end)


async def test_a_stream_resumes_exactly_after_any_end(provider: Showing) -> None:
    whole = await shown(provider)
    for cut in (10, 40, 101):
        opened = next(i for i in range(cut, len(whole)) if isinstance(whole[i], SliceOpened))
        last = next(i for i in reversed(whole[:opened]) if isinstance(i, BarBatch))
        after = to_datetime(int(last.end[-1]))
        resumed = await shown(provider, after)
        length = min(len(whole) - opened, len(resumed))
        assert plain(whole[opened:])[:length] == plain(resumed)[:length]
        assert length > 20


async def test_history_is_what_the_stream_showed(provider: Showing) -> None:
    items = await shown(provider, symbols=["SPY"])
    bars = [bar for i in items if isinstance(i, BarBatch) for bar in i.bars()]
    history = await provider.history("SPY", Timeframe.M1, bars[3].start, bars[50].start)
    assert history.bars() == bars[3:50]
    await provider.close()


async def test_two_streams_show_the_same(provider: Showing) -> None:
    assert plain(await shown(provider)) == plain(await shown(provider))
