"""Alpaca's streams against the loopback: what comes, and every way in which it ends."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import date, timedelta
from typing import Any

import msgpack
import msgspec
import numpy as np
import pytest
from msgspec.msgpack import Ext

from app.adapters.clients import alpaca_stream as streams
from app.adapters.clients.alpaca_wire import instants
from app.adapters.data import alpaca as adapters
from app.adapters.data.alpaca import Adapter
from app.core.errors import FeedLost, FeedRefused, NotFound
from app.marketdata.batch import BarBatch, QuoteBatch, TickBatch
from app.marketdata.ports import (
    Channel,
    Heartbeat,
    LiveItem,
    Subscription,
)
from tests.adapters.data.alpaca_desk import OPTION, adapter, holding
from tests.factories import make_batch, ns
from tests.vendors.alpaca import AlpacaLoopback
from tests.vendors.loopback import until

ALL = frozenset(Channel)


@pytest.fixture
async def server() -> AsyncIterator[AlpacaLoopback]:
    async with holding() as running:
        yield running


@pytest.fixture
async def alpaca(server: AlpacaLoopback) -> AsyncIterator[Adapter]:
    made = adapter(server)
    yield made
    await made.close()


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
