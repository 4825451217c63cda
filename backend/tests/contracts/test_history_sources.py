"""What `history` of every vendor must do, each on its loopback server."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from app.core.errors import FeedRefused, NotFound
from app.domain.market import Timeframe
from app.marketdata.aggregation import aggregate
from app.marketdata.batch import BarBatch, concatenate
from app.marketdata.calendar import trading_calendar
from tests.contracts.history_vendor import VENDORS, HistoryVendor, last_sessions
from tests.factories import make_batch


@pytest.fixture(params=sorted(VENDORS))
async def vendor(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[HistoryVendor]:
    async with VENDORS[request.param](monkeypatch) as made:
        yield made


@pytest.fixture
def minutes(vendor: HistoryVendor) -> BarBatch:
    """Two whole sessions of AAPL, held by the vendor; another symbol is there to be left out."""
    days = []
    for number, session in enumerate(last_sessions(2)):
        count = len(trading_calendar().grid(session, Timeframe.M1)[0])
        closes = [round(100 + 10 * number + 0.01 * i, 2) for i in range(count)]
        days.append(make_batch(closes, day=session.day, volume=200))
    vendor.add_history(make_batch([500.0, 501.0], symbol="SPY", day=last_sessions(1)[0].day))
    whole = concatenate(days)
    vendor.add_history(whole)
    return whole


async def test_the_start_is_included_and_the_end_is_not(
    vendor: HistoryVendor, minutes: BarBatch
) -> None:
    bars = minutes.bars()
    found = await vendor.provider.history("AAPL", Timeframe.M1, bars[3].start, bars[50].start)
    assert found.bars() == bars[3:50]
    beside = bars[3].start - timedelta(seconds=1)
    found = await vendor.provider.history("AAPL", Timeframe.M1, beside, bars[4].start)
    assert found.bars() == bars[3:4]


async def test_a_long_span_comes_whole_and_in_order(
    vendor: HistoryVendor, minutes: BarBatch
) -> None:
    bars = minutes.bars()
    found = await vendor.provider.history("AAPL", Timeframe.M1, bars[0].start, bars[-1].end)
    assert found.bars() == bars


@pytest.mark.parametrize("timeframe", [Timeframe.M5, Timeframe.M15, Timeframe.H1, Timeframe.D1])
async def test_longer_bars_lie_on_our_grid_or_are_not_to_be_had(
    vendor: HistoryVendor, minutes: BarBatch, timeframe: Timeframe
) -> None:
    bars = minutes.bars()
    ours = aggregate(minutes, timeframe, trading_calendar()).bars()
    try:
        found = await vendor.provider.history("AAPL", timeframe, bars[0].start, bars[-1].end)
    except NotFound:
        return
    assert found.bars() == ours
    later = await vendor.provider.history("AAPL", timeframe, ours[-1].start, bars[-1].end)
    assert later.bars() == ours[-1:]


async def test_a_span_without_trading_is_empty(vendor: HistoryVendor, minutes: BarBatch) -> None:
    night = minutes.bars()[0].start - timedelta(hours=8)
    found = await vendor.provider.history(
        "AAPL", Timeframe.M1, night, night + timedelta(minutes=30)
    )
    assert (found.symbol, found.timeframe, len(found)) == ("AAPL", Timeframe.M1, 0)


async def test_an_unknown_symbol_is_not_found_and_named(
    vendor: HistoryVendor, minutes: BarBatch
) -> None:
    bars = minutes.bars()
    with pytest.raises(NotFound, match="ZZZZ"):
        await vendor.provider.history("ZZZZ", Timeframe.M1, bars[0].start, bars[-1].end)


async def test_a_refused_key_is_named_with_the_way_to_another(
    vendor: HistoryVendor, minutes: BarBatch
) -> None:
    if vendor.key_variable is None:
        pytest.skip("this vendor has no keys")
    vendor.refuse()
    bars = minutes.bars()
    with pytest.raises(FeedRefused) as refused:
        await vendor.provider.history("AAPL", Timeframe.M1, bars[0].start, bars[-1].end)
    assert f"Set {vendor.key_variable} in .env" in str(refused.value)


async def test_too_many_requests_are_waited_out(vendor: HistoryVendor, minutes: BarBatch) -> None:
    bars = minutes.bars()
    before = vendor.requests
    vendor.throttle()
    found = await vendor.provider.history("AAPL", Timeframe.M1, bars[3].start, bars[5].start)
    assert found.bars() == bars[3:5]
    assert vendor.requests >= before + 2
