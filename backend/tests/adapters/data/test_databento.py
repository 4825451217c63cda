"""Databento's history by its own client library, against its API on this machine."""

from collections.abc import AsyncIterator
from datetime import date, datetime
from typing import Any

import numpy as np
import pytest

from app.adapters.clients.databento import DatabentoOptions, Query
from app.adapters.data.databento import Adapter
from app.core.clock import ManualClock, to_ns
from app.core.errors import APIError, FeedRefused, NotFound, TransientError
from app.core.retry import RetryConfig
from app.domain.market import Timeframe
from app.marketdata.aggregation import aggregate
from app.marketdata.batch import BarBatch
from app.marketdata.calendar import trading_calendar
from app.marketdata.ports import ChainSource, LiveSource, ProviderSetup, TickSource
from tests.factories import make_batch, utc
from tests.vendors import databento_records as records
from tests.vendors.databento import KEY, DatabentoLoopback
from tests.vendors.databento_records import Event

MINUTES = make_batch([round(100 + 0.01 * i, 2) for i in range(390)])
"Friday, the 1st of March 2024."
START, END = utc("2024-03-01"), utc("2024-03-02")
CALL, PUT = "AAPL261218C00250000", "AAPL270115P00200000"
AT_ONCE = RetryConfig(attempts=2, first_wait_seconds=0.0, jitter_seconds=0.0)
SECOND = 10**9


@pytest.fixture
async def server() -> AsyncIterator[DatabentoLoopback]:
    async with DatabentoLoopback() as running:
        running.history.add(*bars(MINUTES, "ohlcv-1m"))
        yield running


def bars(batch: BarBatch, schema: str, symbol: str | None = None) -> list[Event]:
    rows = batch.rows.tolist()
    return [
        records.bar(symbol or batch.symbol, schema, row[0], (*row[2:6], int(row[6])))
        for row in rows
    ]


def adapter(server: DatabentoLoopback, now: datetime = END, **options: Any) -> Adapter:
    given = {"api_key": KEY, "base_url": server.base_url, "gateway": server.gateway, **options}
    setup = ProviderSetup(clock=ManualClock(now))
    return Adapter(setup, options=DatabentoOptions(**given), retry=AT_ONCE)


@pytest.fixture
def databento(server: DatabentoLoopback) -> Adapter:
    return adapter(server)


def test_it_offers_history_prints_chains_and_a_live_feed(databento: Adapter) -> None:
    assert isinstance(databento, TickSource)
    assert isinstance(databento, ChainSource)
    assert isinstance(databento, LiveSource)


# ------------------------------------------------------------------------------- bars


async def test_minutes_come_as_the_vendor_has_them(databento: Adapter) -> None:
    found = await databento.history("AAPL", Timeframe.M1, START, END)
    assert found.bars() == MINUTES.bars()


async def test_only_bars_within_the_span_come(databento: Adapter) -> None:
    some = MINUTES.bars()[10:20]
    found = await databento.history("AAPL", Timeframe.M1, some[0].start, some[-1].end)
    assert found.bars() == some


@pytest.mark.parametrize("timeframe", [Timeframe.M5, Timeframe.M15, Timeframe.H1])
async def test_longer_bars_are_made_of_minutes_from_the_open_on(
    databento: Adapter, timeframe: Timeframe
) -> None:
    found = await databento.history("AAPL", timeframe, START, END)
    assert found.bars() == aggregate(MINUTES, timeframe, trading_calendar()).bars()
    inside = await databento.history("AAPL", timeframe, found.bars()[1].start, END)
    assert inside.bars() == found.bars()[1:]


async def test_a_day_is_the_session_of_the_vendors_utc_day(
    server: DatabentoLoopback, databento: Adapter
) -> None:
    midnight = to_ns(utc("2024-03-01"))
    server.history.add(records.bar("AAPL", "ohlcv-1d", midnight, (1.0, 3.0, 0.5, 2.0, 70)))
    (day,) = (await databento.history("AAPL", Timeframe.D1, START, END)).bars()
    session = trading_calendar().session_on(date(2024, 3, 1))
    assert session is not None
    assert (to_ns(day.start), to_ns(day.end)) == (session.open, session.close)
    assert (day.open, day.high, day.low, day.close, day.volume) == (1.0, 3.0, 0.5, 2.0, 70.0)


async def test_bars_of_several_venues_become_one(
    server: DatabentoLoopback, databento: Adapter
) -> None:
    raw, at = "AAPL  261218C00250000", to_ns(MINUTES.bars()[0].start)
    server.history.add(records.bar(raw, "ohlcv-1m", at, (2.0, 2.5, 1.9, 2.1, 10)))
    server.history.add(records.bar(raw, "ohlcv-1m", at, (2.1, 2.4, 1.8, 2.2, 5)))
    (bar,) = (await databento.history(CALL, Timeframe.M1, START, END)).bars()
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (2.0, 2.5, 1.8, 2.2, 15.0)
    assert bar.symbol == CALL
    assert server.history.asked[-1]["dataset"] == "OPRA.PILLAR"


async def test_nothing_is_asked_beyond_what_the_data_set_has(
    server: DatabentoLoopback, databento: Adapter
) -> None:
    until = MINUTES.bars()[100].start
    server.history.end = until.isoformat().replace("+00:00", "Z")
    found = await databento.history("AAPL", Timeframe.M1, START, END)
    assert found.bars() == MINUTES.bars()[:100]
    later = await databento.history("AAPL", Timeframe.M1, until, END)
    assert len(later) == 0
    assert len(server.history.asked) == 1


# --------------------------------------------------------------------- prints and quotes


async def test_prints_come_in_pages_none_twice_and_none_lost(
    server: DatabentoLoopback, databento: Adapter
) -> None:
    start = to_ns(START)
    instants = np.sort(np.random.default_rng(1).integers(0, 40, 200)) * SECOND + start
    prints = [
        records.trade("AAPL", 100 + i / 100, i + 1, int(at), sequence=i)
        for i, at in enumerate(instants)
    ]
    server.history.add(*prints)
    query = Query(
        dataset="XNAS.ITCH", schema="trades", symbols=("AAPL",), start=start, end=to_ns(END)
    )
    pages = databento._history.pages(
        query, lambda data: np.concatenate([rows for _, rows in data.records()]), size=7
    )
    sequences = [int(n) async for page in pages for n in page.rows["sequence"]]
    assert sequences == list(range(200))
    assert len(server.history.asked) > 20


async def test_prints_carry_their_instant_size_order_and_venue(
    server: DatabentoLoopback, databento: Adapter
) -> None:
    at = to_ns(START) + 123
    server.history.add(records.trade("AAPL", 187.123456789, 7, at, sequence=42))
    (batch,) = [batch async for batch in databento.ticks("AAPL", START, END)]
    (row,) = batch.rows.tolist()
    assert row == (at, 0, 42, 187.123456789, 7.0, 0)
    assert batch.symbols == ("AAPL",)
    assert batch.labels[0].exchange == "XNAS"
    assert batch.labels[0].counts


async def test_prints_are_kept_by_when_they_happened(
    server: DatabentoLoopback, databento: Adapter
) -> None:
    end = to_ns(END)
    server.history.add(records.trade("AAPL", 1.0, 1, end - 500), records.trade("AAPL", 2, 1, end))
    found = [row async for batch in databento.ticks("AAPL", START, END) for row in batch.rows]
    assert [float(row["price"]) for row in found] == [1.0]


async def test_quotes_come_by_the_second_and_a_side_may_be_absent(
    server: DatabentoLoopback, databento: Adapter
) -> None:
    at = to_ns(START)
    server.history.add(records.quote("AAPL", 99.5, 100.5, at))
    server.history.add(records.quote("AAPL", None, 100.5, at + SECOND))
    (batch,) = [batch async for batch in databento.quotes("AAPL", START, END)]
    first, second = batch.rows
    assert first.tolist() == (at, 0, 0, 99.5, 100.0, 100.5, 200.0)
    assert np.isnan(second["bid"])
    assert second["bid_size"] == 0
    assert server.history.asked[-1]["schema"] == "bbo-1s"


async def test_quotes_of_options_are_the_consolidated_ones(
    server: DatabentoLoopback, databento: Adapter
) -> None:
    server.history.add(records.quote("AAPL  261218C00250000", 2.0, 2.1, to_ns(START)))
    (batch,) = [batch async for batch in databento.quotes(CALL, START, END)]
    assert batch.symbols == (CALL,)
    asked = server.history.asked[-1]
    assert (asked["dataset"], asked["schema"]) == ("OPRA.PILLAR", "cbbo-1s")
    assert asked["symbols"] == "AAPL  261218C00250000"


# ------------------------------------------------------------------------------- chains


async def test_a_chain_is_the_newest_days_definitions(server: DatabentoLoopback) -> None:
    server.history.end = "2024-03-03T12:00:00Z"  # a Sunday: Friday's are the newest
    for raw in ("AAPL  261218C00250000", "AAPL  270115P00200000"):
        server.history.add(records.definition(raw, "AAPL", to_ns(utc("2024-03-01T11:00"))))
    databento = adapter(server, utc("2024-03-03T13:00"))
    chain = await databento.chain("AAPL")
    assert [contract.symbol for contract in chain] == [CALL, PUT]
    (one,) = await databento.chain("AAPL", date(2027, 1, 15))
    assert one.symbol == PUT
    with pytest.raises(NotFound, match="no option on AAPL that expires on 2025-01-01"):
        await databento.chain("AAPL", date(2025, 1, 1))


async def test_an_underlying_without_options_is_not_found(databento: Adapter) -> None:
    with pytest.raises(NotFound, match="ZZZZ"):
        await databento.chain("ZZZZ")


# -------------------------------------------------------------------------- what goes wrong


async def test_an_unknown_symbol_is_named(databento: Adapter) -> None:
    with pytest.raises(NotFound, match=r"knows no ZZZZ in XNAS\.ITCH") as caught:
        await databento.history("ZZZZ", Timeframe.M1, START, END)
    assert caught.value.context["symbol"] == "ZZZZ"


async def test_a_wrong_key_says_where_to_get_another(server: DatabentoLoopback) -> None:
    databento = adapter(server, api_key="db-wrong")
    with pytest.raises(FeedRefused, match=r"databento\.com/portal/keys") as caught:
        await databento.history("AAPL", Timeframe.M1, START, END)
    assert "db-wrong" not in str(caught.value)


async def test_an_expired_key_is_refused(server: DatabentoLoopback, databento: Adapter) -> None:
    await databento.history("AAPL", Timeframe.M1, START, END)
    server.expire_key()
    with pytest.raises(FeedRefused, match="Authentication failed"):
        await databento.history("AAPL", Timeframe.M1, START, END)


async def test_a_missing_key_is_named(server: DatabentoLoopback) -> None:
    databento = adapter(server, api_key=None)
    with pytest.raises(FeedRefused, match="DATABENTO_API_KEY is not set"):
        await databento.history("AAPL", Timeframe.M1, START, END)


async def test_what_costs_too_much_is_not_asked(
    server: DatabentoLoopback, databento: Adapter
) -> None:
    server.history.cost = 7.5
    with pytest.raises(FeedRefused, match=r"would cost \$7\.50, more than DATABENTO_MAX_COST"):
        await databento.history("AAPL", Timeframe.M1, START, END)
    assert server.history.asked == []


async def test_a_data_set_that_is_not_named_is_asked_for(server: DatabentoLoopback) -> None:
    databento = adapter(server, dataset=("XNAS.ITCH",))
    with pytest.raises(FeedRefused, match="names no data set of options"):
        await databento.history(CALL, Timeframe.M1, START, END)


async def test_too_many_requests_are_repeated_when_the_vendor_says(
    server: DatabentoLoopback, databento: Adapter
) -> None:
    server.history.throttle(retry_after=0.05)
    found = await databento.history("AAPL", Timeframe.M1, START, END)
    assert found.bars() == MINUTES.bars()
    assert len(server.history.asked) == 2


@pytest.mark.parametrize("fault", ["fail", "break_off", "garbage", "shorten"])
async def test_a_passing_fault_is_tried_again(
    server: DatabentoLoopback, databento: Adapter, fault: str
) -> None:
    getattr(server.history, fault)()
    found = await databento.history("AAPL", Timeframe.M1, START, END)
    assert found.bars() == MINUTES.bars()


@pytest.mark.parametrize("fault", ["fail", "break_off", "garbage", "shorten"])
async def test_a_fault_that_lasts_is_transient(
    server: DatabentoLoopback, databento: Adapter, fault: str
) -> None:
    getattr(server.history, fault)(5)
    with pytest.raises(TransientError):
        await databento.history("AAPL", Timeframe.M1, START, END)


async def test_a_refusal_that_nobody_foresaw_is_told_as_it_is(
    server: DatabentoLoopback, databento: Adapter
) -> None:
    server.history.fail(status=418)
    with pytest.raises(APIError, match="418"):
        await databento.history("AAPL", Timeframe.M1, START, END)


async def test_an_api_that_is_away_is_transient(server: DatabentoLoopback) -> None:
    databento = adapter(server)
    await server.history.stop()
    with pytest.raises(TransientError, match="did not answer"):
        await databento.history("AAPL", Timeframe.M1, START, END)
