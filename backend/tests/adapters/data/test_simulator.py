"""The simulated market: the same for everybody, whole in every timeframe, believable."""

from collections.abc import Sequence
from datetime import date, datetime
from itertools import islice

import numpy as np
import pytest

from app.adapters.data.simulator import CHARACTERS, Adapter, SimulatorOptions
from app.core.errors import InvalidInput
from app.domain.market import SliceOpened, Timeframe
from app.marketdata.aggregation import aggregate
from app.marketdata.batch import BarBatch
from app.marketdata.calendar import trading_calendar
from app.marketdata.ports import ProviderSetup
from app.marketdata.validation import validate
from tests.factories import ns, utc

XNYS = trading_calendar("XNYS")
WEEK = utc("2026-01-05"), utc("2026-01-10")


def simulator(**options: object) -> Adapter:
    return Adapter(ProviderSetup(), SimulatorOptions(**options))


async def shown(
    adapter: Adapter, symbols: Sequence[str], count: int, after: datetime | None = None
) -> list[SliceOpened | BarBatch]:
    feed = adapter.stream(symbols, Timeframe.M1, after)
    items = []
    async for item in feed:
        items.append(item)
        if len(items) == count:
            break
    await feed.aclose()
    return items


async def test_two_simulators_show_the_same_market() -> None:
    first, second = simulator(), simulator()
    await second.history("MSFT", Timeframe.M1, *WEEK)  # what was asked before does not matter
    ours = await first.history("NVDA", Timeframe.M1, *WEEK)
    assert ours.fingerprint() == (await second.history("NVDA", Timeframe.M1, *WEEK)).fingerprint()
    other = await simulator(seed=8).history("NVDA", Timeframe.M1, *WEEK)
    assert ours.fingerprint() != other.fingerprint()


async def test_daily_bars_are_made_of_the_minutes() -> None:
    adapter = simulator()
    minutes = await adapter.history("SPY", Timeframe.M1, *WEEK)
    days = await adapter.history("SPY", Timeframe.D1, *WEEK)
    assert len(minutes) == 5 * 390
    assert days.bars() == aggregate(minutes, Timeframe.D1, XNYS).bars()


async def test_every_bar_passes_validation_over_years() -> None:
    adapter = simulator()
    for symbol in ("NVDA", "IBM"):
        days = await adapter.history(symbol, Timeframe.D1, utc("2019-01-01"), utc("2026-01-01"))
        assert validate(days, XNYS).counts() == {}
        assert len(days) > 1700


async def test_prices_stand_near_the_table() -> None:
    adapter = simulator()
    for symbol, character in CHARACTERS.items():
        closes = (await adapter.history(symbol, Timeframe.D1, *WEEK)).rows["close"]
        assert character.price / 2 < closes.mean() < character.price * 2


async def test_the_day_is_busy_at_its_ends_and_symbols_move_together() -> None:
    adapter = simulator()
    spy = await adapter.history("SPY", Timeframe.M1, *WEEK)
    volumes = spy.rows["volume"].reshape(5, 390).mean(axis=0)
    assert volumes[:30].mean() > 1.5 * volumes[180:210].mean() < volumes[-30:].mean()
    qqq = await adapter.history("QQQ", Timeframe.M1, *WEEK)
    returns = [np.diff(np.log(batch.rows["close"])) for batch in (spy, qqq)]
    assert np.corrcoef(returns)[0, 1] > 0.7


async def test_nights_have_gaps() -> None:
    days = await simulator().history("NVDA", Timeframe.D1, utc("2025-01-01"), utc("2026-01-01"))
    gaps = np.log(days.rows["open"][1:] / days.rows["close"][:-1])
    assert 0.003 < gaps.std() < 0.05


async def test_a_stream_can_begin_anywhere() -> None:
    whole = await shown(simulator(), ["SPY", "IBM"], 60, utc("2026-01-05 20:45"))
    cut = next(i for i, item in enumerate(whole) if i > 20 and isinstance(item, SliceOpened))
    resumed = await shown(simulator(), ["SPY", "IBM"], 60 - cut, whole[cut].at)
    texts = [repr(i.rows if isinstance(i, BarBatch) else i) for i in whole[cut:]]
    assert texts == [repr(i.rows if isinstance(i, BarBatch) else i) for i in resumed]


async def test_a_fresh_stream_begins_at_the_first_session() -> None:
    opened, bar = await shown(simulator(start=date(2025, 6, 7)), ["SPY"], 2)
    assert opened.at == utc("2025-06-09 13:30")
    assert bar.bar(0).open == opened.opens["SPY"]


async def test_thin_trading_loses_minutes_but_keeps_open_and_close() -> None:
    minutes = await simulator(missing_minutes=0.5).history("SPY", Timeframe.M1, *WEEK)
    assert 700 < len(minutes) < 1300
    opens = XNYS.sessions(ns("2026-01-05"), ns("2026-01-10"))
    assert {s.open for s in opens} <= set(minutes.start.tolist())
    assert {s.close for s in opens} <= set(minutes.end.tolist())


async def test_seconds_are_refused() -> None:
    with pytest.raises(InvalidInput, match="one second"):
        await simulator().history("SPY", Timeframe.S1, *WEEK)


async def test_history_begins_and_ends_where_asked() -> None:
    start, end = utc("2026-01-05 15:00"), utc("2026-01-05 15:10")
    bars = (await simulator().history("SPY", Timeframe.M1, start, end)).bars()
    assert (len(bars), bars[0].start, bars[-1].end) == (10, start, end)
    assert len(list(islice(bars, 3))) == 3
