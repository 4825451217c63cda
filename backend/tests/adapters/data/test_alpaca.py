"""Alpaca's adapter against its loopback: what it asks for, what it makes of the answers."""

from collections.abc import AsyncIterator
from datetime import date

import numpy as np
import pytest

from app.adapters.clients.alpaca import AlpacaOptions, AlpacaSession
from app.adapters.data.alpaca import Adapter
from app.core.errors import FeedRefused, NotFound, TransientError
from app.domain.market import Timeframe
from app.marketdata.aggregation import aggregate
from app.marketdata.batch import to_datetime
from app.marketdata.calendar import trading_calendar
from app.marketdata.ports import (
    Profile,
    ProviderSetup,
)
from tests.adapters.data.alpaca_desk import AT_ONCE, END, MINUTES, OPTION, START, adapter, holding
from tests.factories import make_batch, ns, utc
from tests.vendors.alpaca import KEY, SECRET, AlpacaLoopback


@pytest.fixture
async def server() -> AsyncIterator[AlpacaLoopback]:
    async with holding() as running:
        yield running


@pytest.fixture
async def alpaca(server: AlpacaLoopback) -> AsyncIterator[Adapter]:
    made = adapter(server)
    yield made
    await made.close()


# ------------------------------------------------------------------------------ history


async def test_minutes_come_as_they_are_held_over_pages(
    server: AlpacaLoopback, alpaca: Adapter
) -> None:
    server.largest_page = 300
    found = await alpaca.history("AAPL", Timeframe.M1, START, END)
    assert found.bars() == MINUTES.bars()
    asked = [request.query for request in server.asked]
    assert [query.get("page_token") is None for query in asked] == [True, False, False]
    assert (asked[0]["adjustment"], asked[0]["feed"], asked[0]["limit"]) == ("raw", "iex", "10000")


@pytest.mark.parametrize("timeframe", [Timeframe.M5, Timeframe.M15, Timeframe.H1, Timeframe.D1])
async def test_longer_bars_lie_on_our_grid(alpaca: Adapter, timeframe: Timeframe) -> None:
    found = await alpaca.history("AAPL", timeframe, START, END)
    ours = aggregate(MINUTES, timeframe, trading_calendar())
    assert found.bars() == ours.bars()


async def test_a_day_runs_from_open_to_close_also_where_that_is_early(
    server: AlpacaLoopback,
) -> None:
    early = make_batch([200.0] * 210, symbol="SPY", day=date(2024, 11, 29))
    server.hold(early)
    alpaca = adapter(server, utc("2024-12-01"))
    day = (await alpaca.history("SPY", Timeframe.D1, utc("2024-11-01"), utc("2024-12-01"))).bar(0)
    assert (day.start, day.end) == (utc("2024-11-29 14:30"), utc("2024-11-29 18:00"))
    hours = await alpaca.history("SPY", Timeframe.H1, utc("2024-11-29"), utc("2024-11-30"))
    assert hours.bars() == aggregate(early, Timeframe.H1, trading_calendar()).bars()
    await alpaca.close()


async def test_what_is_not_over_is_not_given(server: AlpacaLoopback) -> None:
    alpaca = adapter(server, utc("2024-03-01 15:00:30"))
    for timeframe, last in ((Timeframe.M1, "15:00"), (Timeframe.M15, "15:00")):
        found = await alpaca.history("AAPL", timeframe, START, END)
        assert to_datetime(int(found.end[-1])) == utc(f"2024-03-01 {last}")
    for timeframe in (Timeframe.H1, Timeframe.D1):
        assert not len(await alpaca.history("AAPL", timeframe, START, END))
    await alpaca.close()


async def test_delayed_prices_end_a_quarter_of_an_hour_ago(server: AlpacaLoopback) -> None:
    alpaca = adapter(server, utc("2024-03-01 15:00"), feed="delayed_sip")
    found = await alpaca.history("AAPL", Timeframe.M1, START, END)
    assert to_datetime(int(found.end[-1])) == utc("2024-03-01 14:44")
    assert server.asked[0].query["feed"] == "sip"
    assert not len(await alpaca.history("AAPL", Timeframe.M1, utc("2024-03-01 14:50"), END))
    await alpaca.close()


async def test_a_plan_without_the_feed_is_told_which_setting_to_change(
    server: AlpacaLoopback,
) -> None:
    alpaca = adapter(server, utc("2096-03-01"), feed="sip")
    with pytest.raises(FeedRefused, match="ALPACA_FEED"):
        await alpaca.history("AAPL", Timeframe.M1, utc("2096-01-01"), utc("2096-02-01"))
    await alpaca.close()


async def test_seconds_are_not_to_be_had(alpaca: Adapter) -> None:
    with pytest.raises(NotFound, match="no bars of 1s"):
        await alpaca.history("AAPL", Timeframe.S1, START, END)


async def test_bars_of_an_option_have_a_page_of_their_own(
    server: AlpacaLoopback, alpaca: Adapter
) -> None:
    server.hold(make_batch([4.1, 4.2], symbol=OPTION))
    found = await alpaca.history(OPTION, Timeframe.M1, START, END)
    assert found.columns()["close"].tolist() == [4.1, 4.2]
    assert "feed" not in server.asked[0].query
    empty = "AAPL261218P00250000"
    assert not len(await alpaca.history(empty, Timeframe.M1, START, END))


async def test_a_key_of_the_other_trading_address_does_not_spoil_an_empty_span(
    server: AlpacaLoopback,
) -> None:
    async with AlpacaLoopback() as live:
        live.key_is_valid = False
        alpaca = adapter(server)
        await alpaca._session.trading.close()
        mixed = AlpacaOptions(
            api_key=KEY, secret_key=SECRET, base_url=live.http, data_url=server.http
        )
        alpaca = Adapter(ProviderSetup(), session=AlpacaSession(mixed, retry=AT_ONCE))
        found = await alpaca.history("AAPL", Timeframe.M1, utc("2020-01-01"), utc("2020-02-01"))
        assert not len(found)
        await alpaca.close()


async def test_garbage_and_failures_are_tried_again_and_then_transient(
    server: AlpacaLoopback, alpaca: Adapter
) -> None:
    server.fail(status=500)
    assert len(await alpaca.history("AAPL", Timeframe.D1, START, END)) == 2
    server.fail(times=2, status=200, body="<html>")
    with pytest.raises(TransientError, match="cannot be read"):
        await alpaca.history("AAPL", Timeframe.D1, START, END)
    server.break_off(times=2)
    with pytest.raises(TransientError, match="did not answer"):
        await alpaca.history("AAPL", Timeframe.D1, START, END)


async def test_an_answer_that_does_not_come_is_transient(server: AlpacaLoopback) -> None:
    given = AlpacaOptions(api_key=KEY, secret_key=SECRET, data_url=server.http)
    session = AlpacaSession(given, retry=AT_ONCE, read_seconds=0.2)
    alpaca = Adapter(ProviderSetup(), session=session)
    server.stall(times=2)
    with pytest.raises(TransientError, match="ReadTimeout"):
        await alpaca.history("AAPL", Timeframe.D1, START, END)
    assert len(await alpaca.history("AAPL", Timeframe.D1, START, END)) == 2
    await alpaca.close()


# ------------------------------------------------------------------- prints and quotes


async def test_prints_come_in_pages_with_what_makes_them_count(
    server: AlpacaLoopback, alpaca: Adapter
) -> None:
    at = ns("2024-03-01 15:00")
    for i, more in enumerate([
        {}, {"c": ["@", "I"]}, {"c": ["@", "T"]}, {"c": ["W"]}, {"c": ["B"]},
        {"c": ["B"], "z": "A"}, {"u": "canceled"}, {"u": "corrected"}, {"c": None, "x": "D"},
    ]):  # fmt: skip
        await server.trade("AAPL", at + i, 180 + i, 10, **more)
    await server.trade("AAPL", ns("2024-03-01 16:00"), 1, 1)
    server.largest_page = 4
    pages = [p async for p in alpaca.ticks("AAPL", START, utc("2024-03-01 16:00"))]
    assert [len(page) for page in pages] == [4, 4, 1]
    rows = [(row, page.labels[row["label"]]) for page in pages for row in page.rows]
    assert [int(row["at"]) - at for row, _ in rows] == list(range(9))
    assert [label.counts for _, label in rows] == [
        True, False, True, False, True, False, False, True, True,
    ]  # fmt: skip
    assert len({int(row["sequence"]) for row, _ in rows}) == 9
    assert rows[6][1].conditions == "canceled"
    assert rows[8][1].exchange == "D"


async def test_quotes_are_in_shares_and_an_absent_side_is_none(
    server: AlpacaLoopback, alpaca: Adapter
) -> None:
    await server.quote("AAPL", ns("2024-03-01 15:00"), 180.1, 180.2, 3)
    await server.quote("AAPL", ns("2024-03-01 15:01"), 0, 180.2, 3)
    (page,) = [page async for page in alpaca.quotes("AAPL", START, END)]
    assert page.rows["bid_size"].tolist() == [300, 0]
    assert np.isnan(page.rows["bid"][1])
    await server.quote("AAPL", ns("2026-10-16 15:00"), 180.1, 180.2, 300)
    later = adapter(server, utc("2026-10-17"))
    (page,) = [p async for p in later.quotes("AAPL", utc("2026-10-16"), utc("2026-10-17"))]
    assert page.rows["ask_size"].tolist() == [300]
    await later.close()


async def test_prints_of_an_option_have_its_own_conditions(
    server: AlpacaLoopback, alpaca: Adapter
) -> None:
    at = ns("2024-03-01 15:00")
    await server.trade(OPTION, at, 4.1, 1, c="I", z="")
    await server.trade(OPTION, at + 1, 4.2, 1, c="D", z="")
    (page,) = [page async for page in alpaca.ticks(OPTION, START, END)]
    assert [page.labels[row["label"]].counts for row in page.rows] == [True, False]
    with pytest.raises(NotFound, match="no quotes of options"):
        await anext(alpaca.quotes(OPTION, START, END))


async def test_a_symbol_that_is_none_is_not_found(alpaca: Adapter) -> None:
    with pytest.raises(NotFound, match="invalid symbol"):
        await anext(alpaca.ticks("A1B2", START, END))


async def test_nothing_is_asked_for_a_span_that_the_feed_may_not_show(
    server: AlpacaLoopback,
) -> None:
    alpaca = adapter(server, utc("2024-02-01"))
    assert not [p async for p in alpaca.ticks("AAPL", START, END)]
    assert not [p async for p in alpaca.quotes("AAPL", START, END)]
    assert not server.asked
    await alpaca.close()


# ---------------------------------------------------------- names, actions, chains


async def test_a_profile_has_the_name_and_the_exchange(
    server: AlpacaLoopback, alpaca: Adapter
) -> None:
    server.know("BRK.B", "Berkshire Hathaway Inc. Class B", "NYSE")
    found = await alpaca.profile("BRK.B")
    assert found == Profile("BRK.B", "Berkshire Hathaway Inc. Class B", "XNYS")
    with pytest.raises(NotFound):
        await alpaca.profile("ZZZZ")


async def test_a_chain_has_quotes_and_the_price_of_what_is_under_it(
    server: AlpacaLoopback, alpaca: Adapter
) -> None:
    quote = {"ap": 4.3, "as": 91, "ax": "B", "bp": 0, "bs": 16, "bx": "C", "c": "A"}
    server.chains = {
        "AAPL": {
            OPTION: {
                "impliedVolatility": 0.33,
                "latestQuote": {**quote, "t": "2026-10-16T19:59:59.992734208Z"},
                "latestTrade": {"c": "I", "p": 4.1, "s": 1, "t": "2026-10-16T19:57:32Z", "x": "A"},
            },
            "AAPL270115C00250000": {},
        }
    }
    await server.trade("AAPL", ns("2026-10-16 19:59"), 247.5, 10)
    first, second = await alpaca.chain("AAPL")
    assert (first.symbol, first.bid, first.ask, first.last) == (OPTION, None, 4.3, 4.1)
    assert (first.implied_volatility, first.underlying_price) == (0.33, 247.5)
    assert first.at == utc("2026-10-16 19:59:59.992734")
    assert second.bid is None
    (only,) = await alpaca.chain("AAPL", date(2026, 12, 18))
    assert only.symbol == OPTION
    with pytest.raises(NotFound, match="no options of ZZZZ"):
        await alpaca.chain("ZZZZ")
    server.chains["SPX"] = {"SPX261218C05000000": {}}
    assert (await alpaca.chain("SPX"))[0].underlying_price is None
