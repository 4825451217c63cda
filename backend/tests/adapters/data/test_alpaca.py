"""Alpaca's adapter against its loopback: what it asks for, what it makes of the answers."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgpack
import msgspec
import numpy as np
import pytest
from msgspec.msgpack import Ext

from app.adapters.clients import alpaca_stream as streams
from app.adapters.clients.alpaca import AlpacaOptions, AlpacaSession
from app.adapters.clients.alpaca_wire import instants
from app.adapters.data import alpaca as adapters
from app.adapters.data.alpaca import Adapter
from app.core.clock import ManualClock
from app.core.errors import FeedLost, FeedRefused, NotFound, TransientError
from app.core.retry import RetryConfig
from app.domain.market import Timeframe
from app.marketdata.aggregation import aggregate
from app.marketdata.batch import BarBatch, QuoteBatch, TickBatch, to_datetime
from app.marketdata.calendar import trading_calendar
from app.marketdata.ports import (
    Action,
    Channel,
    Heartbeat,
    LiveItem,
    Profile,
    ProviderSetup,
    Subscription,
)
from tests.factories import make_batch, ns, utc
from tests.vendors.alpaca import KEY, SECRET, AlpacaLoopback
from tests.vendors.loopback import until

MINUTES = make_batch([round(100 + 0.01 * i, 2) for i in range(390 * 2)])
"Friday the 1st and Monday the 4th of March 2024."
START, END = utc("2024-03-01"), utc("2024-03-09")
OPTION = "AAPL261218C00250000"
ALL = frozenset(Channel)
AT_ONCE = RetryConfig(attempts=2, first_wait_seconds=0.0, jitter_seconds=0.0)


@pytest.fixture
async def server() -> AsyncIterator[AlpacaLoopback]:
    async with AlpacaLoopback() as running:
        running.hold(MINUTES)
        running.know("SPY", exchange="ARCA")
        yield running


def adapter(
    server: AlpacaLoopback, now: datetime = END, key: str | None = KEY, **options: Any
) -> Adapter:
    given = AlpacaOptions(
        api_key=key,
        secret_key=SECRET,
        base_url=server.http,
        data_url=server.http,
        stream_url=server.ws,
        **options,
    )
    setup = ProviderSetup(clock=ManualClock(now))
    return Adapter(setup, session=AlpacaSession(given, retry=AT_ONCE))


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


def row(kind: str, **fields: object) -> dict[str, list[dict[str, Any]]]:
    return {kind: [{"id": "1", "cusip": "1", "process_date": "2024-06-10", **fields}]}


JUNE = date(2024, 6, 10)
KINDS: list[tuple[dict[str, list[dict[str, Any]]], list[Action]]] = [
    (
        row("forward_splits", symbol="A", new_rate=10, old_rate=1, ex_date="2024-06-10"),
        [Action(symbol="A", kind="split", ex_date=JUNE, ratio=Decimal(10))],
    ),
    (
        row("reverse_splits", symbol="A", new_rate=1, old_rate=8, ex_date="2024-06-10"),
        [Action(symbol="A", kind="split", ex_date=JUNE, ratio=Decimal("0.125"))],
    ),
    (
        row("stock_dividends", symbol="A", rate=0.05, ex_date="2024-06-10"),
        [Action(symbol="A", kind="split", ex_date=JUNE, ratio=Decimal("1.05"))],
    ),
    (
        row(
            "cash_dividends", symbol="A", rate=0.125, ex_date="2024-06-10",
            process_date="2024-08-01", payable_date="2024-08-01", special=False, foreign=False,
        ),
        [
            Action(
                symbol="A", kind="dividend", ex_date=JUNE, amount=Decimal("0.125"),
                pay_date=date(2024, 8, 1),
            )
        ],
    ),
    (
        row(
            "spin_offs", source_symbol="A", new_symbol="B", source_rate=4, new_rate=1,
            ex_date="2024-06-10",
        ),
        [
            Action(
                symbol="A", kind="spin_off", ex_date=JUNE, ratio=Decimal("0.25"), new_symbol="B"
            )
        ],
    ),
    (
        row("name_changes", old_symbol="A", new_symbol="B"),
        [Action(symbol="A", kind="symbol_change", ex_date=JUNE, new_symbol="B")],
    ),
    (row("name_changes", old_symbol="A", new_symbol="A"), []),
    (
        row(
            "unit_splits", old_symbol="A", old_rate=1, new_symbol="B", new_rate=1,
            alternate_symbol="C", alternate_rate=0.5, effective_date="2024-06-10",
        ),
        [
            Action(symbol="A", kind="spin_off", ex_date=JUNE, ratio=Decimal("0.5"), new_symbol="C"),
            Action(
                symbol="A", kind="symbol_change", ex_date=JUNE, ratio=Decimal(1), new_symbol="B"
            ),
        ],
    ),
    (
        row("cash_mergers", acquiree_symbol="A", rate=5.37, effective_date="2024-06-10"),
        [Action(symbol="A", kind="merger", ex_date=JUNE, amount=Decimal("5.37"))],
    ),
    (
        row(
            "stock_and_cash_mergers", acquiree_symbol="A", acquirer_symbol="B", acquiree_rate=1,
            acquirer_rate=0.7733, cash_rate=7.8, effective_date="2024-06-10",
        ),
        [
            Action(
                symbol="A", kind="merger", ex_date=JUNE, ratio=Decimal("0.7733"),
                amount=Decimal("7.8"), new_symbol="B",
            )
        ],
    ),
    (
        row("redemptions", symbol="A", rate=0.141134, payable_date="2024-06-11"),
        [
            Action(
                symbol="A", kind="delisting", ex_date=JUNE, amount=Decimal("0.141134"),
                pay_date=date(2024, 6, 11),
            )
        ],
    ),
    (
        row("worthless_removals", symbol="A"),
        [Action(symbol="A", kind="delisting", ex_date=JUNE, amount=Decimal(0))],
    ),
    (row("partial_calls", symbol="A"), []),
    (row("stock_mergers", acquiree_symbol="X", acquirer_symbol="A"), []),
]  # fmt: skip


@pytest.mark.parametrize(("said", "wanted"), KINDS, ids=[next(iter(said)) for said, _ in KINDS])
async def test_actions_are_dated_and_say_what_a_share_becomes(
    server: AlpacaLoopback,
    alpaca: Adapter,
    said: dict[str, list[dict[str, Any]]],
    wanted: list[Action],
) -> None:
    server.actions = said
    assert await alpaca.actions("A", date(2024, 6, 1), date(2024, 7, 1)) == wanted
    assert not await alpaca.actions("A", date(2024, 6, 11), date(2024, 7, 1))


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


# --------------------------------------------------------------------------------- live


class Listening:
    """What a live connection gave, collected while it runs."""

    def __init__(self, alpaca: Adapter, channels: frozenset[Channel], *symbols: str) -> None:
        self.items: list[LiveItem] = []
        self.error: BaseException | None = None
        self._feed = alpaca.live(Subscription(symbols=symbols, channels=channels))
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            async with aclosing(self._feed) as feed:
                async for item in feed:
                    self.items.append(item)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    async def started(self) -> None:
        await until(lambda: self.items or self.error)
        assert self.error is None
        assert isinstance(self.items[0], Heartbeat)

    async def ended(self) -> BaseException | None:
        await until(self._task.done)
        return self.error

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    def of(self, kind: type[LiveItem]) -> list[Any]:
        return [item for item in self.items if isinstance(item, kind)]


async def listening(
    alpaca: Adapter, *symbols: str, channels: frozenset[Channel] = ALL
) -> Listening:
    heard = Listening(alpaca, channels, *symbols)
    await heard.started()
    return heard


async def test_a_stream_carries_prints_quotes_and_bars(
    server: AlpacaLoopback, alpaca: Adapter
) -> None:
    heard = await listening(alpaca, "AAPL", "SPY")
    at = ns("2026-10-16 15:00") + 123_456_789
    await server.trade("AAPL", at, 180.5, 40, c=["@", "I"])
    await server.quote("SPY", at + 1, 500.1, 500.2, 7)
    await server.publish(make_batch([101.0], day=date(2026, 10, 16)))
    await until(lambda: heard.of(BarBatch))
    (prints,) = heard.of(TickBatch)
    assert (prints.symbols, int(prints.rows["at"][0])) == (("AAPL",), at)
    assert not prints.labels[0].counts
    (tops,) = heard.of(QuoteBatch)
    assert (tops.symbols, tops.rows["ask_size"].tolist()) == (("SPY",), [7])
    (minute,) = heard.of(BarBatch)
    assert (minute.symbol, minute.bar(0).end - minute.bar(0).start) == (
        "AAPL",
        timedelta(minutes=1),
    )
    await heard.stop()
    await until(lambda: not server.sockets)


async def test_a_minute_that_changed_comes_again(server: AlpacaLoopback, alpaca: Adapter) -> None:
    heard = await listening(alpaca, "AAPL", channels=frozenset({Channel.BARS}))
    await server.publish(make_batch([101.0]))
    await server.publish(make_batch([102.0]), kind="u")
    await until(lambda: sum(len(b) for b in heard.of(BarBatch)) and _closes(heard)[-1] == 102)
    assert server.minutes["AAPL"][0]["c"] == 102
    await heard.stop()


def _closes(heard: Listening) -> list[float]:
    return [close for batch in heard.of(BarBatch) for close in batch.rows["close"].tolist()]


async def test_corrections_and_cancels_make_no_bars(
    server: AlpacaLoopback, alpaca: Adapter
) -> None:
    heard = await listening(alpaca, "AAPL")
    at = ns("2026-10-16 15:00")
    await server.shout("c", "AAPL", {
        "t": at, "x": "D", "oi": 1, "op": 10.0, "os": 5, "oc": ["@"], "ci": 2, "cp": 11.0,
        "cs": 6, "cc": ["@"], "z": "C",
    })  # fmt: skip
    await server.shout("x", "AAPL", {
        "t": at, "x": "D", "i": 3, "p": 12.0, "s": 7, "a": "C", "z": "C",
    })  # fmt: skip
    await until(lambda: sum(map(len, heard.of(TickBatch))) == 2)
    found = [
        (row["price"].item(), batch.labels[row["label"]].counts)
        for batch in heard.of(TickBatch)
        for row in batch.rows
    ]
    assert found == [(11.0, False), (12.0, False)]
    await heard.stop()


async def test_options_come_by_a_socket_of_their_own(
    server: AlpacaLoopback, alpaca: Adapter
) -> None:
    heard = await listening(alpaca, "AAPL", OPTION)
    assert sorted(socket.path for socket in server.sockets) == ["/v1beta1/indicative", "/v2/iex"]
    at = ns("2026-10-16 15:00") + 123_456_789
    await server.quote(OPTION, at, 4.1, 4.3, 9, c="A")
    await server.trade(OPTION, at + 7, 4.2, 1, c="I", z="")
    await until(lambda: heard.of(TickBatch) and heard.of(QuoteBatch))
    assert heard.of(QuoteBatch)[0].rows["at"].tolist() == [at]
    (prints,) = heard.of(TickBatch)
    assert (prints.symbols, prints.labels[0].counts) == ((OPTION,), True)
    await heard.stop()


def test_times_in_msgpack_are_exact_in_each_of_its_three_forms() -> None:
    seconds = 1_700_000_000
    for at in (seconds * 10**9, seconds * 10**9 + 123_456_789):
        packed = msgpack.packb(msgpack.Timestamp.from_unix_nano(at))
        assert instants([msgspec.msgpack.decode(packed, type=Ext)]).tolist() == [at]
    assert instants([Ext(-1, struct.pack(">Iq", 7, seconds))]).tolist() == [seconds * 10**9 + 7]


async def test_bars_of_options_are_not_streamed(alpaca: Adapter) -> None:
    heard = Listening(alpaca, frozenset({Channel.BARS}), OPTION)
    assert isinstance(await heard.ended(), NotFound)


async def test_a_cut_connection_is_lost(server: AlpacaLoopback, alpaca: Adapter) -> None:
    heard = await listening(alpaca, "AAPL")
    server.drop()
    assert isinstance(await heard.ended(), FeedLost)


async def test_a_server_that_is_gone_is_lost_and_may_come_back(
    server: AlpacaLoopback, alpaca: Adapter
) -> None:
    await server.kill()
    assert isinstance(await Listening(alpaca, ALL, "AAPL").ended(), FeedLost)
    await server.start()
    await (await listening(alpaca, "AAPL")).stop()


async def test_garbage_is_lost_after_what_came_before_it(
    server: AlpacaLoopback, alpaca: Adapter
) -> None:
    heard = await listening(alpaca, "AAPL")
    await server.trade("AAPL", ns("2026-10-16 15:00"), 180.5, 40)
    await server.garbage()
    error = await heard.ended()
    assert isinstance(error, FeedLost)
    assert "cannot be read" in error.message
    assert len(heard.of(TickBatch)) == 1


async def test_a_wrong_key_is_refused_and_named(server: AlpacaLoopback) -> None:
    for key, said in (("wrong", "auth failed"), (None, "ALPACA_API_KEY is not set")):
        alpaca = adapter(server, key=key)
        error = await Listening(alpaca, ALL, "AAPL").ended()
        assert isinstance(error, FeedRefused)
        assert said in error.message
        assert "ALPACA_API_KEY" in str(error)
        await alpaca.close()


async def test_a_second_connection_is_lost_so_that_it_is_tried_again(
    server: AlpacaLoopback, alpaca: Adapter
) -> None:
    heard = await listening(alpaca, "AAPL")
    error = await Listening(alpaca, ALL, "SPY").ended()
    assert isinstance(error, FeedLost)
    assert "one connection" in str(error)
    await heard.stop()


async def test_a_plan_without_the_stream_names_the_setting(server: AlpacaLoopback) -> None:
    alpaca = adapter(server, feed="sip")
    error = await Listening(alpaca, ALL, "AAPL").ended()
    assert isinstance(error, FeedRefused)
    assert "ALPACA_FEED" in str(error)
    await alpaca.close()


async def test_too_many_symbols_are_refused_with_the_way_out(alpaca: Adapter) -> None:
    error = await Listening(alpaca, ALL, *(f"S{i}" for i in range(40))).ended()
    assert isinstance(error, FeedRefused)
    assert "minute bars" in str(error)


async def test_a_stream_that_is_rightly_quiet_is_asked_whether_it_lives(
    server: AlpacaLoopback, alpaca: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapters, "QUIET_SECONDS", 0.02)
    heard = await listening(alpaca, "AAPL", channels=frozenset({Channel.BARS}))
    await until(lambda: len(heard.of(Heartbeat)) > 2)
    server.deafen()
    monkeypatch.setattr(streams, "ANSWER_SECONDS", 0.05)
    error = await heard.ended()
    assert isinstance(error, FeedLost)
    assert "does not answer" in error.message


async def test_a_server_that_says_nothing_at_sign_in_is_lost(
    server: AlpacaLoopback, alpaca: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "ANSWER_SECONDS", 0.3)
    server.silent = True
    error = await Listening(alpaca, ALL, "AAPL").ended()
    assert isinstance(error, FeedLost)
    assert "said nothing" in error.message


@pytest.mark.parametrize(
    ("status", "kind"), [(401, FeedRefused), (403, FeedRefused), (429, FeedLost), (502, FeedLost)]
)
async def test_an_answer_instead_of_a_socket_says_whether_to_try_again(
    server: AlpacaLoopback, alpaca: Adapter, status: int, kind: type[Exception]
) -> None:
    server.fail(times=1, status=status)
    server.faulty_sockets = True
    assert isinstance(await Listening(alpaca, ALL, "AAPL").ended(), kind)


async def test_a_symbol_that_is_not_confirmed_is_not_found(
    server: AlpacaLoopback, alpaca: Adapter
) -> None:
    server.know("ZZZZ")
    server.not_streamed = {"ZZZZ"}
    error = await Listening(alpaca, ALL, "AAPL", "ZZZZ").ended()
    assert isinstance(error, NotFound)
    assert error.context["symbol"] == "ZZZZ"


async def test_an_error_in_the_middle_ends_the_connection(
    server: AlpacaLoopback, alpaca: Adapter
) -> None:
    for code, said, kind in (
        (407, "slow client", FeedLost),
        (500, "internal error", FeedLost),
        (400, "invalid syntax", FeedRefused),
        (408, "v2 not enabled", FeedRefused),
    ):
        heard = await listening(alpaca, "AAPL")
        for socket in server.sockets:
            await socket.send([{"T": "error", "code": code, "msg": said}])
        error = await heard.ended()
        assert isinstance(error, kind)
        assert said in str(error)


async def test_a_delayed_feed_says_how_late_it_is(server: AlpacaLoopback, alpaca: Adapter) -> None:
    late = adapter(server, feed="delayed_sip")
    assert (alpaca.delay_seconds, late.delay_seconds) == (0.0, 905.0)
    heard = await listening(late, "AAPL")
    assert server.sockets[0].path == "/v2/delayed_sip"
    await heard.stop()
    await late.close()


async def test_stocks_that_alpaca_does_not_have_are_named_once(
    server: AlpacaLoopback, alpaca: Adapter
) -> None:
    error = await Listening(alpaca, ALL, "AAPL", "ZZZZ").ended()
    assert isinstance(error, NotFound)
    assert error.context["symbol"] == "ZZZZ"
    server.know("ZZZZ")
    server.fail(times=1, status=500)
    await (await listening(alpaca, "AAPL", "ZZZZ")).stop()
    asked = [request.path for request in server.asked if "/assets/" in request.path]
    assert asked == ["/v2/assets/AAPL", "/v2/assets/ZZZZ", "/v2/assets/ZZZZ"]


async def test_what_comes_twice_has_the_same_number_and_disorder_comes_as_it_is(
    server: AlpacaLoopback, alpaca: Adapter
) -> None:
    heard = await listening(alpaca, "AAPL")
    at = ns("2026-10-16 15:00")
    server.duplicate()
    await server.trade("AAPL", at, 180.5, 40)
    await until(lambda: sum(map(len, heard.of(TickBatch))) == 2)
    rows = np.concatenate([batch.rows for batch in heard.of(TickBatch)])
    assert rows["sequence"][0] == rows["sequence"][1]
    server.duplicate(on=False)
    server.reorder()
    await server.trade("AAPL", at + 1, 180.6, 40)
    await server.trade("AAPL", at + 2, 180.7, 40)
    await until(lambda: sum(map(len, heard.of(TickBatch))) == 4)
    rows = np.concatenate([batch.rows for batch in heard.of(TickBatch)])
    assert (rows["at"][2:] - at).tolist() == [2, 1]
    await heard.stop()
