"""Tests of IBKR's history, names and contracts, on the loopback Gateway."""

import csv
import gzip
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from app.adapters.data.ibkr import Adapter
from app.core.errors import FeedLost, FeedRefused, NotFound, TransientError
from app.domain.market import Timeframe
from app.marketdata.aggregation import aggregate
from app.marketdata.batch import BarBatch, concatenate, to_ns
from app.marketdata.calendar import trading_calendar
from app.marketdata.ports import (
    ChainSource,
    LiveSource,
    ProfileSource,
    ProviderSetup,
    TickSource,
)
from tests.adapters.data.ibkr_desk import FRIDAY, OPEN, Desk, desk
from tests.factories import make_batch, utc

HISTORY = 20


@pytest.fixture
async def ibkr() -> AsyncIterator[Desk]:
    async with desk() as made:
        yield made


def days(first: date, count: int) -> BarBatch:
    """So many calendar days of two minutes each, where there is a session."""
    calendar = trading_calendar()
    sessions = [calendar.session_on(first + timedelta(days=n)) for n in range(count)]
    return concatenate(
        make_batch([100.0 + n, 101.0 + n], day=one.day)
        for n, one in enumerate(sessions)
        if one is not None
    )


def test_it_says_what_it_offers() -> None:
    adapter = Adapter(ProviderSetup())
    assert isinstance(adapter, LiveSource)
    assert isinstance(adapter, ProfileSource)
    assert isinstance(adapter, ChainSource)
    assert isinstance(adapter, TickSource)


# -------------------------------------------------------------------------------- history


async def test_short_spans_are_asked_for_in_seconds(ibkr: Desk) -> None:
    ibkr.server.market.hold(make_batch([1.0, 2.0, 3.0]))
    end = OPEN + timedelta(minutes=2)
    found = await ibkr.adapter.history("AAPL", Timeframe.M1, OPEN, end)
    assert found.rows["close"].tolist() == [1.0, 2.0]
    assert ibkr.durations() == ["120 S"]


async def test_a_long_span_is_walked_backwards_and_weekends_are_not_asked_for(ibkr: Desk) -> None:
    held = days(date(2024, 2, 26), 7)
    ibkr.server.market.hold(held)
    found = await ibkr.adapter.history(
        "AAPL", Timeframe.M1, utc("2024-02-28 05:00"), utc("2024-03-04 05:00")
    )
    assert found.bars() == held.between(to_ns(utc("2024-02-28 05:00")), to_ns(FRIDAY) * 2).bars()
    assert ibkr.durations() == ["86400 S"] * 3


async def test_ibkr_is_asked_where_a_very_long_span_begins(ibkr: Desk) -> None:
    held = days(date(2024, 2, 29), 2)
    ibkr.server.market.hold(held)
    found = await ibkr.adapter.history("AAPL", Timeframe.M1, utc("2010-01-04 00:00"), FRIDAY)
    assert found.bars() == held.bars()[:2]
    assert len(ibkr.durations()) <= 2


async def test_a_symbol_without_any_history_is_empty(ibkr: Desk) -> None:
    found = await ibkr.adapter.history("SPY", Timeframe.M1, utc("2010-01-04 00:00"), FRIDAY)
    assert len(found) == 0
    assert ibkr.durations() == []


async def test_years_of_days_take_a_request_a_year(ibkr: Desk) -> None:
    held = days(date(2022, 1, 3), 700)
    ibkr.server.market.hold(held)
    start, end = utc("2022-01-03 00:00"), utc("2023-11-30 00:00")
    found = await ibkr.adapter.history("AAPL", Timeframe.D1, start, end)
    ours = aggregate(held, Timeframe.D1, trading_calendar(), until=to_ns(ibkr.clock.now()))
    assert found.bars() == ours.between(to_ns(start), to_ns(end)).bars()
    assert ibkr.durations() == ["1 Y", "338 D"]


async def test_a_day_is_its_regular_session(ibkr: Desk) -> None:
    batch = make_batch([10.0, 20.0])
    early = batch.rows.copy()
    early["start"] -= 3_600_000_000_000
    early["high"] = 99.0
    ibkr.server.market.hold(BarBatch("AAPL", Timeframe.M1, early))
    ibkr.server.market.hold(batch)
    (bar,) = (
        await ibkr.adapter.history("AAPL", Timeframe.D1, FRIDAY, FRIDAY + timedelta(days=1))
    ).bars()
    assert (bar.open, bar.high, bar.close) == (10.0, 20.0, 20.0)
    assert (bar.start, bar.end) == (OPEN, OPEN + timedelta(hours=6.5))
    minutes = await ibkr.adapter.history("AAPL", Timeframe.M1, FRIDAY, FRIDAY + timedelta(days=1))
    assert len(minutes) == 4


@pytest.mark.parametrize("timeframe", list(Timeframe))
async def test_bars_that_are_not_over_are_left_out(ibkr: Desk, timeframe: Timeframe) -> None:
    step = Timeframe.S1 if timeframe is Timeframe.S1 else Timeframe.M1
    ibkr.server.market.hold(make_batch([1.0] * 200, timeframe=step))
    ibkr.clock.at = OPEN + timedelta(seconds=60.5)
    now = ibkr.clock.at
    found = await ibkr.adapter.history("AAPL", timeframe, OPEN, now + timedelta(days=1))
    assert len(found) == {Timeframe.S1: 60, Timeframe.M1: 1}.get(timeframe, 0)


async def test_an_end_amid_a_bar_has_it_whole(ibkr: Desk) -> None:
    ibkr.server.market.hold(make_batch([1.0, 5.0, 2.0, 3.0, 4.0, 9.0]))
    found = await ibkr.adapter.history("AAPL", Timeframe.M5, OPEN, OPEN + timedelta(seconds=90))
    assert [(bar.high, bar.close) for bar in found.bars()] == [(5.0, 4.0)]


async def test_seconds_come_in_half_hours(ibkr: Desk) -> None:
    held = make_batch([float(n % 7 + 1) for n in range(4000)], timeframe=Timeframe.S1)
    ibkr.server.market.hold(held)
    end = OPEN + timedelta(seconds=4000)
    found = await ibkr.adapter.history("AAPL", Timeframe.S1, OPEN, end)
    assert found.bars() == held.bars()
    assert ibkr.durations() == ["1800 S", "1800 S", "400 S"]


async def test_minutes_without_a_trade_are_no_bars(ibkr: Desk) -> None:
    ibkr.server.market.hold(make_batch([1.0, 1.0], volume=0))
    bars = ibkr.server.market.bars
    rows = bars.answer
    bars.answer = lambda *asked: [(*row[:7], 0) for row in rows(*asked)]  # type: ignore[method-assign] # nothing else makes such rows
    found = await ibkr.adapter.history("AAPL", Timeframe.M1, OPEN, OPEN + timedelta(minutes=5))
    assert len(found) == 0


async def test_averages_are_kept_where_there_are_any(ibkr: Desk) -> None:
    ibkr.server.market.hold(make_batch([4.0]))
    found = await ibkr.adapter.history("AAPL", Timeframe.M1, OPEN, OPEN + timedelta(minutes=1))
    assert found.rows["vwap"].tolist() == [4.0]
    ibkr.server.market.hold(make_batch([-1.0]))
    found = await ibkr.adapter.history("AAPL", Timeframe.M1, OPEN, OPEN + timedelta(minutes=1))
    assert np.isnan(found.rows["vwap"]).all()


async def test_classes_of_shares_have_our_dot(ibkr: Desk) -> None:
    ibkr.server.market.hold(make_batch([400.0], symbol="BRK.B"))
    found = await ibkr.adapter.history("BRK.B", Timeframe.M1, OPEN, OPEN + timedelta(minutes=1))
    assert (found.symbol, found.rows["close"].tolist()) == ("BRK.B", [400.0])


async def test_options_have_bars_too(ibkr: Desk) -> None:
    ibkr.server.market.list_options("AAPL", date(2026, 12, 18), [250.0])
    symbol = "AAPL261218C00250000"
    ibkr.server.market.hold(make_batch([7.5], symbol=symbol))
    found = await ibkr.adapter.history(symbol, Timeframe.M1, OPEN, OPEN + timedelta(minutes=1))
    assert (found.symbol, found.rows["close"].tolist()) == (symbol, [7.5])


async def test_prices_that_are_not_subscribed_to_are_refused_with_the_remedy(ibkr: Desk) -> None:
    ibkr.server.market.unsold.add("AAPL")
    with pytest.raises(FeedRefused, match="IBKR_MARKET_DATA=delayed"):
        await ibkr.adapter.history("AAPL", Timeframe.M1, OPEN, OPEN + timedelta(minutes=1))


async def test_a_pace_that_stays_too_fast_is_given_up(ibkr: Desk) -> None:
    ibkr.server.throttle(times=3)
    with pytest.raises(TransientError, match="pacing violation"):
        await ibkr.adapter.history("AAPL", Timeframe.M1, OPEN, OPEN + timedelta(minutes=1))
    assert len(ibkr.durations()) == 3


async def test_a_connection_that_breaks_amid_a_span_is_made_anew(ibkr: Desk) -> None:
    ibkr.server.market.hold(make_batch([1.0, 2.0]))

    def once(caller: object, fields: object) -> None:
        ibkr.server.add(ibkr.server.market.handlers())
        ibkr.server.drop()

    ibkr.server.add({HISTORY: once})
    found = await ibkr.adapter.history("AAPL", Timeframe.M1, OPEN, OPEN + timedelta(minutes=2))
    assert len(found) == 2
    assert ibkr.server.accepted == 2


async def test_no_gateway_is_a_lost_feed_at_once(ibkr: Desk) -> None:
    await ibkr.server.kill()
    with pytest.raises(FeedLost, match="Start IB Gateway"):
        await ibkr.adapter.history("AAPL", Timeframe.M1, OPEN, OPEN + timedelta(minutes=1))


async def test_delayed_bars_are_believed_once_they_are_complete() -> None:
    async with desk(at=OPEN + timedelta(minutes=22), market_data="delayed") as ibkr:
        ibkr.server.market.hold(make_batch([1.0] * 30))
        found = await ibkr.adapter.history("AAPL", Timeframe.M1, OPEN, ibkr.clock.now())
        assert len(found) == 2


# ---------------------------------------------------------------------- names and contracts


@pytest.mark.parametrize(
    ("exchange", "industry", "category", "mic", "sector"),
    [
        ("NASDAQ", "Technology", "Computers", "XNAS", "Technology"),
        ("NYSE", "Consumer, Non-cyclical", "Pharmaceuticals", "XNYS", "Healthcare"),
        ("NYSE", "Consumer, Non-cyclical", "Beverages", "XNYS", "Consumer Defensive"),
        ("NYSE", "Financial", "REITS", "XNYS", "Real Estate"),
        ("ARCA", "Funds", "Equity Fund", "ARCX", "Funds"),
        ("XETRA", "", "", None, None),
    ],
)
async def test_a_profile_has_our_names(
    ibkr: Desk, exchange: str, industry: str, category: str, mic: str | None, sector: str | None
) -> None:
    said = {"exchange": exchange, "industry": industry, "category": category}
    ibkr.server.market.know("ACME", name="ACME CORP", **said)
    profile = await ibkr.adapter.profile("ACME")
    assert (profile.name, profile.exchange, profile.sector) == ("ACME CORP", mic, sector)


async def test_a_chain_lists_contracts(ibkr: Desk) -> None:
    december, january = date(2026, 12, 18), date(2027, 1, 15)
    ibkr.server.market.list_options("AAPL", december, [250.0, 252.5])
    ibkr.server.market.list_options("AAPL", january, [260.0])
    chain = await ibkr.adapter.chain("AAPL")
    assert [one.symbol for one in chain] == [
        "AAPL261218C00250000", "AAPL261218C00252500",
        "AAPL261218P00250000", "AAPL261218P00252500",
        "AAPL270115C00260000", "AAPL270115P00260000",
    ]  # fmt: skip
    assert {one.at for one in chain} == {ibkr.clock.now()}
    assert len(await ibkr.adapter.chain("AAPL", january)) == 2


async def test_a_stock_without_options_has_no_chain(ibkr: Desk) -> None:
    with pytest.raises(NotFound, match="no option on SPY"):
        await ibkr.adapter.chain("SPY")
    with pytest.raises(NotFound, match="no option on SPY that expires on 2026-12-18"):
        await ibkr.adapter.chain("SPY", date(2026, 12, 18))


# ------------------------------------------------------------------------ prints and quotes


async def test_prints_of_history_come_in_pages_without_loss(
    ibkr: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.adapters.clients.ibkr_ticks.PAGE", 3)
    second = int(OPEN.timestamp())
    ibkr.server.market.ticks["AAPL"] = [
        (second + number // 2, 100.0 + number, 10.0, "ARCA", "TI" if number == 1 else "")
        for number in range(12)
    ]
    start, end = OPEN + timedelta(seconds=1), OPEN + timedelta(seconds=5)
    pages = [page async for page in ibkr.adapter.ticks("AAPL", start, end)]
    assert [page.rows["price"].tolist() for page in pages] == [
        [102.0, 103.0, 104.0, 105.0], [106.0, 107.0, 108.0, 109.0]
    ]  # fmt: skip
    assert pages[0].rows["at"][0] == to_ns(start)
    (first,) = [page async for page in ibkr.adapter.ticks("AAPL", OPEN, start)]
    assert [first.labels[n].conditions for n in first.rows["label"]] == [None, "TI"]
    assert first.labels[0].exchange == "ARCA"


async def test_quotes_of_history_have_both_sides(ibkr: Desk) -> None:
    second = int(OPEN.timestamp())
    ibkr.server.market.tops["AAPL"] = [(second, 1.5, 1.6, 300, 400), (second + 1, 0, 1.6, 0, 400)]
    end = OPEN + timedelta(minutes=1)
    (page,) = [page async for page in ibkr.adapter.quotes("AAPL", OPEN, end)]
    assert page.rows[["bid", "bid_size", "ask", "ask_size"]].tolist()[0] == (1.5, 300, 1.6, 400)
    assert np.isnan(page.rows["bid"][1])


async def test_no_prints_are_no_pages(ibkr: Desk) -> None:
    end = OPEN + timedelta(minutes=1)
    assert [page async for page in ibkr.adapter.ticks("AAPL", OPEN, end)] == []
    ibkr.server.fail(
        96, 162, "Historical Market Data Service error message:HMDS query returned no data"
    )
    assert [page async for page in ibkr.adapter.quotes("AAPL", OPEN, end)] == []
    ibkr.server.market.unsold.add("AAPL")
    ibkr.server.fail(96, 10187, "Failed to request historical ticks:No market data permissions")
    with pytest.raises(FeedRefused):
        await anext(ibkr.adapter.ticks("AAPL", OPEN, end))


# --------------------------------------------------------------------------- real minutes


async def test_a_week_of_real_minutes_comes_whole(ibkr: Desk, shared_data: Path) -> None:
    minutes = real_minutes(shared_data / "equity_minute" / "SPY.trade.csv.gz")
    ibkr.server.market.hold(minutes)
    start, end = utc("2013-10-04 00:00"), utc("2013-10-12 00:00")
    found = await ibkr.adapter.history("SPY", Timeframe.M1, start, end)
    assert len(found) == 4_839
    assert found.bars() == minutes.bars()
    for timeframe in (Timeframe.M5, Timeframe.M15, Timeframe.H1, Timeframe.D1):
        longer = await ibkr.adapter.history("SPY", timeframe, start, end)
        ours = aggregate(minutes, timeframe, trading_calendar(), until=to_ns(end))
        regular = longer[trading_calendar().is_regular(longer.start)]
        assert regular.bars() == ours.bars()


def real_minutes(path: Path) -> BarBatch:
    rows = list(csv.DictReader(gzip.decompress(path.read_bytes()).decode().splitlines()))
    starts = np.array([to_ns(datetime.fromisoformat(row["ts_utc"])) for row in rows])
    columns = {
        name: np.array([float(row[name]) for row in rows])
        for name in ("open", "high", "low", "close", "volume")
    }
    return BarBatch.of("SPY", Timeframe.M1, starts, starts + 60 * 10**9, **columns)
