"""Databento's live gateway: signing in, batches, replay, and everything that can go wrong."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any

import databento_dbn
import numpy as np
import pytest

from app.adapters.clients import databento_live
from app.adapters.clients.databento import DatabentoOptions
from app.adapters.data.databento import Adapter
from app.core.clock import ManualClock, now, to_ns
from app.core.errors import FeedLost, FeedRefused, NotFound
from app.domain.market import Timeframe
from app.marketdata.batch import BarBatch, QuoteBatch, TickBatch
from app.marketdata.ports import (
    Channel,
    ContractsDefined,
    Heartbeat,
    LiveItem,
    ProviderSetup,
    Subscription,
)
from tests.vendors import databento_records as records
from tests.vendors.databento import KEY, DatabentoLoopback
from tests.vendors.loopback import until

CALL = "AAPL261218C00250000"
RAW = "AAPL  261218C00250000"
SECOND = 10**9
ALL = frozenset(Channel)
PRINTS = frozenset({Channel.TRADES})
QUOTES = frozenset({Channel.QUOTES})
Until = Callable[[LiveItem], bool]


@pytest.fixture
async def server() -> AsyncIterator[DatabentoLoopback]:
    async with DatabentoLoopback() as running:
        yield running


def adapter(server: DatabentoLoopback, at: datetime | None = None, **options: Any) -> Adapter:
    given = {"api_key": KEY, "base_url": server.base_url, "gateway": server.gateway, **options}
    setup = ProviderSetup(clock=ManualClock(at or now()))
    return Adapter(setup, options=DatabentoOptions(**given))


def asked(
    *symbols: str, channels: frozenset[Channel] = ALL, after: datetime | None = None
) -> Subscription:
    return Subscription(symbols=symbols or ("AAPL",), channels=channels, after=after)


class Listener:
    """A live connection in the background, and what came by it."""

    def __init__(self, provider: Adapter, subscription: Subscription) -> None:
        self.items: list[LiveItem] = []
        self._subscription = subscription
        self._provider = provider
        self.task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async with aclosing(self._provider.live(self._subscription)) as feed:
            async for item in feed:
                self.items.append(item)

    def of(self, kind: type[Any]) -> list[Any]:
        return [item for item in self.items if isinstance(item, kind)]

    def rows(self, kind: type[TickBatch] | type[QuoteBatch]) -> list[tuple[str, int]]:
        """Symbol and sequence of every row that came."""
        return [
            (batch.symbols[row["symbol"]], int(row["sequence"]))
            for batch in self.of(kind)
            for row in batch.rows
        ]

    async def has(self, count: int, kind: type[TickBatch] | type[QuoteBatch] = TickBatch) -> None:
        await until(lambda: self.task.done() or len(self.rows(kind)) >= count)
        if self.task.done():
            await self.task

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])


async def listening(
    server: DatabentoLoopback, subscription: Subscription, **options: Any
) -> Listener:
    listener = Listener(adapter(server, **options), subscription)
    await until(lambda: listener.task.done() or any(s.streaming for s in server.sessions))
    if listener.task.done():
        await listener.task
    return listener


# ------------------------------------------------------------------------------ what comes


async def test_prints_and_quotes_of_stocks_come_by_one_subscription(
    server: DatabentoLoopback,
) -> None:
    listener = await listening(server, asked("AAPL", "SPY"))
    at = to_ns(now())
    server.publish(records.trade("AAPL", 187.25, 7, at, 3), records.quote("SPY", 500, 501, at))
    await listener.has(1)
    await listener.has(1, QuoteBatch)
    (ticks,), (quotes,) = listener.of(TickBatch), listener.of(QuoteBatch)
    assert ticks.rows[0].tolist()[0] == at
    assert ticks.rows[0].tolist()[2:5] == (3, 187.25, 7.0)
    assert quotes.rows[0].tolist()[3:] == (500.0, 100.0, 501.0, 200.0)
    assert listener.rows(QuoteBatch) == [("SPY", 1)]
    (session,) = server.sessions
    assert [said["schema"] for said in session.subscriptions] == ["mbp-1", "ohlcv-1m"]
    await listener.end()


async def test_minutes_come_as_the_vendor_makes_them(server: DatabentoLoopback) -> None:
    listener = await listening(server, asked())
    start = to_ns(datetime.fromisoformat("2024-03-01T14:30:00+00:00"))
    server.publish(records.bar("AAPL", "ohlcv-1m", start, (1.0, 2.0, 0.5, 1.5, 10)))
    await until(lambda: listener.of(BarBatch))
    (batch,) = listener.of(BarBatch)
    assert (batch.symbol, batch.timeframe, len(batch)) == ("AAPL", Timeframe.M1, 1)
    assert (int(batch.start[0]), int(batch.end[0])) == (start, start + 60 * SECOND)
    await listener.end()


async def test_options_go_to_their_own_gateway_and_come_under_their_occ_symbols(
    server: DatabentoLoopback,
) -> None:
    listener = await listening(server, asked("AAPL", CALL))
    await until(lambda: len(server.sessions) == 2 and all(s.streaming for s in server.sessions))
    server.publish(records.quote(RAW, 2.0, 2.1, to_ns(now())))
    await listener.has(1, QuoteBatch)
    assert listener.rows(QuoteBatch) == [(CALL, 0)]
    signed = {session.asked[0]["dataset"]: session for session in server.sessions}
    assert set(signed) == {"XNAS.ITCH", "OPRA.PILLAR"}
    schemas = [said["schema"] for said in signed["OPRA.PILLAR"].subscriptions]
    assert schemas == ["trades", "cbbo-1s", "definition"]
    await listener.end()


async def test_contracts_that_are_defined_meanwhile_are_told(server: DatabentoLoopback) -> None:
    put, at = "AAPL  270115P00200000", to_ns(now())
    listener = await listening(server, asked(CALL, channels=QUOTES))
    server.publish(
        records.definition(put, "AAPL", at),
        records.definition(put, "AAPL", at, "DELETE"),
        records.quote(RAW, 4.9, 5.1, at // SECOND * SECOND),
    )
    await listener.has(1, QuoteBatch)
    await until(lambda: listener.of(ContractsDefined))
    (defined,) = listener.of(ContractsDefined)
    assert defined.symbols == ("AAPL270115P00200000",)
    (quotes,) = listener.of(QuoteBatch)
    assert quotes.symbols[quotes.rows["symbol"][0]] == CALL
    await listener.end()


async def test_contracts_that_are_taken_away_are_no_news(server: DatabentoLoopback) -> None:
    put, at = "AAPL  270115P00200000", to_ns(now())
    listener = await listening(server, asked(CALL, channels=QUOTES))
    server.publish(records.definition(put, "AAPL", at, "DELETE"))
    server.publish(records.quote(RAW, 4.9, 5.1, at // SECOND * SECOND))
    await listener.has(1, QuoteBatch)
    assert listener.of(ContractsDefined) == []
    await listener.end()


async def test_a_quiet_connection_shows_that_it_lives(server: DatabentoLoopback) -> None:
    listener = await listening(server, asked())
    await until(lambda: len(listener.of(Heartbeat)) >= 3)
    assert listener.of(Heartbeat)[-1].at.tzinfo is not None
    await listener.end()


async def test_what_is_asked_from_an_instant_on_is_replayed(server: DatabentoLoopback) -> None:
    start = now() - timedelta(hours=1)
    for i in range(10):
        server.publish(records.trade("AAPL", 100 + i, 1, to_ns(start) + i * SECOND, i))
    after = start + timedelta(seconds=4)
    listener = await listening(server, asked(channels=PRINTS, after=after))
    await listener.has(6)
    assert [sequence for _, sequence in listener.rows(TickBatch)] == [4, 5, 6, 7, 8, 9]
    await listener.end()


async def test_a_replay_is_never_asked_for_more_than_a_day(server: DatabentoLoopback) -> None:
    at = now()
    listener = await listening(server, asked(after=at - timedelta(days=9)), at=at)
    (session,) = server.sessions
    oldest = at - timedelta(hours=24)
    assert all(int(said["start"]) > to_ns(oldest) for said in session.subscriptions)
    await listener.end()


async def test_a_replay_that_the_gateway_no_longer_has_is_not_asked_for_again(
    server: DatabentoLoopback,
) -> None:
    at = now()
    provider, before = adapter(server, at), asked(after=at - timedelta(hours=20))
    listener = Listener(provider, before)
    await until(lambda: any(session.streaming for session in server.sessions))
    server.complain("replay start is too old", databento_dbn.ErrorCode.REPLAY_DATA_AGED_OUT)
    with pytest.raises(FeedLost, match="too old"):
        await listener.task
    await until(lambda: not server.sessions)
    again = Listener(provider, before)
    await until(lambda: any(session.streaming for session in server.sessions))
    assert all("start" not in said for said in server.sessions[0].subscriptions)
    await again.end()


async def test_a_burst_comes_whole_and_in_order_in_few_batches(server: DatabentoLoopback) -> None:
    listener = await listening(server, asked("AAPL", "SPY"))
    at, count = to_ns(now()), 5_000
    symbols = ("AAPL", "SPY")
    server.publish(*(records.trade(symbols[i % 2], 100, 1, at + i, i) for i in range(count)))
    await listener.has(count)
    assert [sequence for _, sequence in listener.rows(TickBatch)] == list(range(count))
    assert len(listener.of(TickBatch)) < count / 50
    await listener.end()


async def test_a_reader_that_is_slow_holds_the_gateway_back_and_loses_nothing(
    server: DatabentoLoopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databento_live, "LARGEST_BACKLOG", 20_000)
    monkeypatch.setattr(databento_live, "PIECE", 4_000)
    count, at = 30_000, to_ns(now())
    session: list[int] = []
    async with aclosing(adapter(server).live(asked(channels=PRINTS))) as feed:
        reading = asyncio.ensure_future(anext(feed))
        await until(lambda: any(s.streaming for s in server.sessions))
        server.publish(*(records.trade("AAPL", 100, 1, at + i, i) for i in range(count)))
        item = await reading
        while len(session) < count:
            if isinstance(item, TickBatch):
                session += item.rows["sequence"].tolist()
                await asyncio.sleep(0)
            item = await anext(feed) if len(session) < count else item
    assert session == list(range(count))


# ---------------------------------------------------------------------------- what breaks


@pytest.mark.parametrize("fault", ["drop", "garbage"])
async def test_a_connection_that_breaks_is_lost(server: DatabentoLoopback, fault: str) -> None:
    listener = await listening(server, asked())
    getattr(server, fault)()
    with pytest.raises(FeedLost, match=r"XNAS\.ITCH"):
        await listener.task


async def test_garbage_amid_records_is_noticed(server: DatabentoLoopback) -> None:
    listener = await listening(server, asked(channels=PRINTS))
    server.publish(records.trade("AAPL", 100, 1, to_ns(now())))
    server.garbage(b"\xff" * 4096)
    with pytest.raises(FeedLost, match="spoke garbage"):
        await listener.task
    assert len(listener.rows(TickBatch)) <= 1


async def test_records_of_an_instrument_that_was_never_named_are_not_guessed_at(
    server: DatabentoLoopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = await listening(server, asked("AAPL", channels=PRINTS))
    monkeypatch.setitem(records.INSTRUMENTS, "AAPL", 77)
    server.publish(records.trade("AAPL", 100, 1, to_ns(now())))
    with pytest.raises(FeedLost, match="never named"):
        await listener.task
    assert listener.of(TickBatch) == []


async def test_a_session_that_begins_in_silence_starts_when_that_is_over(
    server: DatabentoLoopback,
) -> None:
    server.mute()
    listener = Listener(adapter(server), asked(channels=PRINTS))
    await until(lambda: any(session.is_started for session in server.sessions))
    server.mute(False)
    server.publish(records.trade("AAPL", 100, 1, to_ns(now()), 4))
    await listener.has(1)
    assert listener.rows(TickBatch) == [("AAPL", 4)]
    await listener.end()


async def test_what_came_before_the_end_is_given_first(server: DatabentoLoopback) -> None:
    listener = await listening(server, asked(channels=PRINTS))
    server.publish(records.trade("AAPL", 100, 1, to_ns(now()), 9))
    for session in server.sessions:
        session.writer.close()
    with pytest.raises(FeedLost, match="closed the connection"):
        await listener.task
    assert listener.rows(TickBatch) == [("AAPL", 9)]


async def test_a_muted_connection_says_nothing_at_all(server: DatabentoLoopback) -> None:
    listener = await listening(server, asked())
    await until(lambda: listener.of(Heartbeat))
    server.mute()
    await asyncio.sleep(2 * server.heartbeat_seconds)  # what was under way arrives
    count = len(listener.items)
    await asyncio.sleep(3 * server.heartbeat_seconds)
    assert len(listener.items) == count
    server.mute(False)
    await until(lambda: len(listener.items) > count)
    await listener.end()


async def test_a_print_that_comes_twice_is_the_same_print(server: DatabentoLoopback) -> None:
    listener = await listening(server, asked(channels=PRINTS))
    server.duplicate()
    server.publish(records.trade("AAPL", 100, 1, to_ns(now()), 5))
    await listener.has(2)
    rows = np.concatenate([batch.rows for batch in listener.of(TickBatch)])
    assert rows[0] == rows[1]
    await listener.end()


async def test_prints_out_of_order_keep_their_own_times(server: DatabentoLoopback) -> None:
    listener = await listening(server, asked(channels=PRINTS))
    server.reorder()
    at = to_ns(now())
    server.publish(*(records.trade("AAPL", 100, 1, at + i, i) for i in range(4)))
    await listener.has(4)
    assert [sequence for _, sequence in listener.rows(TickBatch)] == [1, 0, 3, 2]
    await listener.end()


async def test_nobody_there_is_a_lost_feed(server: DatabentoLoopback) -> None:
    await server.kill()
    with pytest.raises(FeedLost, match=r"cannot be reached at 127\.0\.0\.1"):
        await anext(adapter(server).live(asked()))


# ------------------------------------------------------------------------ what is refused


async def test_a_wrong_key_is_refused_without_showing_it(server: DatabentoLoopback) -> None:
    with pytest.raises(FeedRefused, match=r"databento\.com/portal/keys") as caught:
        await anext(adapter(server, api_key="db-wrong").live(asked()))
    assert "db-wrong" not in str(caught.value)


async def test_a_missing_key_is_named(server: DatabentoLoopback) -> None:
    with pytest.raises(FeedRefused, match="DATABENTO_API_KEY is not set"):
        await anext(adapter(server, api_key=None).live(asked()))


async def test_a_key_that_expires_is_refused(server: DatabentoLoopback) -> None:
    listener = await listening(server, asked())
    server.expire_key()
    with pytest.raises(FeedRefused, match="deactivated"):
        await listener.task
    with pytest.raises(FeedRefused):
        await anext(adapter(server).live(asked()))


async def test_a_symbol_that_nobody_knows_is_named(server: DatabentoLoopback) -> None:
    listener = Listener(adapter(server), asked("AAPL", "ZZZZ"))
    with pytest.raises(NotFound, match="knows no ZZZZ") as caught:
        await listener.task
    assert caught.value.context["symbol"] == "ZZZZ"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (databento_dbn.ErrorCode.INVALID_SUBSCRIPTION, FeedRefused),
        (databento_dbn.ErrorCode.AUTH_FAILED, FeedRefused),
        (databento_dbn.ErrorCode.CONNECTION_LIMIT_EXCEEDED, FeedLost),
        (databento_dbn.ErrorCode.INTERNAL_ERROR, FeedLost),
        (databento_dbn.ErrorCode.SKIPPED_RECORDS_AFTER_SLOW_READING, FeedLost),
    ],
)
async def test_what_the_gateway_complains_of_is_told(
    server: DatabentoLoopback, code: Any, error: type[Exception]
) -> None:
    listener = await listening(server, asked())
    server.complain("so it is", code)
    with pytest.raises(error, match="so it is"):
        await listener.task


async def test_a_warning_of_slow_reading_is_logged(
    server: DatabentoLoopback, caplog: pytest.LogCaptureFixture
) -> None:
    listener = await listening(server, asked())
    with caplog.at_level(logging.WARNING):
        server.warn("8 s behind", databento_dbn.SystemCode.SLOW_READER_WARNING)
        await until(lambda: "8 s behind" in caplog.text)
    await listener.end()


async def test_minutes_of_options_alone_are_refused(server: DatabentoLoopback) -> None:
    bars = frozenset({Channel.BARS})
    with pytest.raises(FeedRefused, match="no live feed for these symbols"):
        await anext(adapter(server).live(asked(CALL, channels=bars)))


def test_each_data_set_has_its_gateway() -> None:
    assert databento_live.address("XNAS.ITCH", None) == ("xnas-itch.lsg.databento.com", 13000)
    assert databento_live.address("XNAS.ITCH", "localhost") == ("localhost", 13000)
    assert databento_live.address("XNAS.ITCH", "127.0.0.1:99") == ("127.0.0.1", 99)
