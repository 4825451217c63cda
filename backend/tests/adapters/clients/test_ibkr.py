"""Tests of a session with the Gateway, on its loopback."""

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import ib_async
import pytest

from app.adapters.clients import ibkr
from app.adapters.clients.budget import Rate
from app.adapters.clients.ibkr import IbkrSession, shared_session
from app.adapters.clients.ibkr_contracts import our_symbol, wanted
from app.adapters.clients.ibkr_options import IbkrOptions
from app.adapters.clients.ibkr_pacing import Pacing, Turns
from app.adapters.clients.ibkr_wire import LARGEST_FRAME, Frames
from app.core.errors import FeedLost, FeedRefused, NotFound, TransientError
from tests.contracts.ibkr_vendor import BRISK, Workday
from tests.factories import utc
from tests.vendors.ibkr import IbkrLoopback
from tests.vendors.loopback import until


@pytest.fixture
async def server() -> AsyncIterator[IbkrLoopback]:
    async with IbkrLoopback() as made:
        yield made


def options(server: IbkrLoopback, **changed: Any) -> IbkrOptions:
    return IbkrOptions(**{"port": server.port, **changed})


@pytest.fixture
async def session(server: IbkrLoopback) -> AsyncIterator[IbkrSession]:
    made = IbkrSession(options(server), pacing=BRISK, clock=Workday())
    made.join()
    yield made
    await made.leave()


def losses_of(session: IbkrSession) -> list[FeedLost]:
    told: list[FeedLost] = []
    session.watch(told.append)
    return told


# ----------------------------------------------------------------------------- connection


async def test_many_who_ask_at_once_share_one_connection(
    server: IbkrLoopback, session: IbkrSession
) -> None:
    await asyncio.gather(session.connect(), session.probe(), session.details("AAPL"))
    assert server.accepted == 1
    assert session.is_connected


async def test_who_reads_leaves_the_client_id_to_orders(
    server: IbkrLoopback, session: IbkrSession
) -> None:
    other = IbkrSession(options(server), clock=Workday())
    other.join()
    await session.connect()
    await other.connect()
    assert (session.client_id, other.client_id) == (2, 3)
    await other.leave()
    session.join(trading=True)
    await until(lambda: not session.is_connected)
    await session.connect()
    assert session.client_id == 1
    await session.leave()
    assert session.is_connected


async def test_a_client_id_in_use_is_named(server: IbkrLoopback) -> None:
    sessions = [IbkrSession(options(server), clock=Workday()) for _ in range(2)]
    for one in sessions:
        one.join(trading=True)
    await sessions[0].connect()
    with pytest.raises(FeedLost, match=r"client id 1 is in use\. .*another IBKR_CLIENT_ID"):
        await sessions[1].connect()
    for one in sessions:
        await one.leave()


async def test_every_id_for_reading_may_be_in_use(
    server: IbkrLoopback, session: IbkrSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ibkr, "DATA_IDS", 2)
    others = [IbkrSession(options(server), clock=Workday()) for _ in range(2)]
    for one in others:
        one.join()
        await one.connect()
    with pytest.raises(FeedLost, match="client id 2 to 3 are in use"):
        await session.connect()
    for one in others:
        await one.leave()


async def test_no_gateway_says_what_to_start_and_where(
    server: IbkrLoopback, session: IbkrSession
) -> None:
    await server.kill()
    with pytest.raises(FeedLost) as lost:
        await session.connect()
    assert f"No TWS or Gateway listens at 127.0.0.1:{server.port}" in str(lost.value)
    assert "Enable ActiveX and Socket Clients" in str(lost.value)
    assert lost.value.context["planned"] is None


async def test_a_planned_outage_is_called_so(server: IbkrLoopback) -> None:
    class Sunday(Workday):
        def now(self) -> datetime:
            return utc("2026-03-08 17:00")

    await server.kill()
    session = IbkrSession(options(server), clock=Sunday())
    with pytest.raises(FeedLost, match="This is expected: the weekly sign-in") as lost:
        await session.connect()
    assert "weekly sign-in" in lost.value.context["planned"]


async def test_a_dialog_that_nobody_clicks_is_named(
    server: IbkrLoopback, session: IbkrSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ibkr, "CONNECT_SECONDS", 0.2)
    server.asks_for_consent = True
    with pytest.raises(FeedLost, match=r"does not answer.*Accept the connection in its dialog"):
        await session.connect()


async def test_an_address_that_is_not_trusted_is_named(
    server: IbkrLoopback, session: IbkrSession
) -> None:
    server.hangs_up = True
    with pytest.raises(FeedLost, match=r"hung up at once.*Trusted IPs"):
        await session.connect()


async def test_a_broken_connection_is_told_and_made_anew(
    server: IbkrLoopback, session: IbkrSession
) -> None:
    told = losses_of(session)
    await session.connect()
    server.drop()
    await until(lambda: told)
    assert "broke" in str(told[0])
    await session.probe()
    assert server.accepted == 2


async def test_a_request_fails_with_the_connection(
    server: IbkrLoopback, session: IbkrSession
) -> None:
    await session.connect()
    server.mute()
    asking = asyncio.create_task(session.details("AAPL"))
    probing = asyncio.create_task(session.probe())
    await asyncio.sleep(0)
    server.drop()
    for task in (asking, probing):
        with pytest.raises(FeedLost, match="broke"):
            await task


async def test_a_gateway_that_is_mute_is_given_up(
    server: IbkrLoopback, session: IbkrSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ibkr, "PROBE_SECONDS", 0.1)
    await session.connect()
    server.mute()
    with pytest.raises(FeedLost, match="connected but does not answer"):
        await session.probe()
    await until(lambda: not session.is_connected)
    server.mute(on=False)
    await session.probe()


async def test_what_is_no_protocol_ends_the_connection(
    server: IbkrLoopback, session: IbkrSession
) -> None:
    told = losses_of(session)
    await session.connect()
    server.callers[0].raw(b"\0\0\0\5HTTP\0")
    await until(lambda: told)
    assert "not the TWS protocol" in str(told[0])


async def test_the_last_one_hangs_up(server: IbkrLoopback, session: IbkrSession) -> None:
    session.join()
    await session.connect()
    await session.leave()
    assert session.is_connected
    told = losses_of(session)
    await session.leave()
    await until(lambda: not server.callers)
    assert told == []
    session.join()
    await session.probe()


# ------------------------------------------------------------------------------- requests


async def test_a_request_that_is_not_valid_fails_at_once(
    server: IbkrLoopback, session: IbkrSession
) -> None:
    server.fail(9, 321, "Error validating request")
    with pytest.raises(Exception, match=r"\(321\): Error validating request"):
        await session.details("AAPL")


async def test_an_answer_that_does_not_come_is_named(
    server: IbkrLoopback, session: IbkrSession
) -> None:
    await session.connect()
    server.mute()
    cancelled: list[int] = []
    with pytest.raises(TransientError, match=r"did not answer the time within 0 s"):
        await session.ask(
            lambda _, __: None,
            "the time",
            cancel=lambda _, number: cancelled.append(number),
            seconds=0.05,
        )
    assert len(cancelled) == 1


async def test_a_slow_gateway_is_waited_for(server: IbkrLoopback, session: IbkrSession) -> None:
    server.delay(0.05)
    await asyncio.gather(session.details("AAPL"), session.details("SPY"), session.probe())
    assert server.accepted == 1


async def test_the_listing_at_home_is_chosen(server: IbkrLoopback, session: IbkrSession) -> None:
    server.market.know("SHOP", exchange="TSE")
    found = await session.details("BRK.B")
    assert (found.contract.symbol, found.contract.conId) == ("BRK B", 265600)
    with pytest.raises(NotFound, match="ZZZZ"):
        await session.contract("ZZZZ")
    assert (await session.contract("SHOP")).primaryExchange == "TSE"


async def test_the_way_to_the_servers_is_watched(
    server: IbkrLoopback, session: IbkrSession
) -> None:
    told = losses_of(session)
    await session.connect()
    server.lose_servers()
    await until(lambda: told)
    assert not session.servers_are_there
    server.fail(9, 200, "No security definition has been found for the request")
    with pytest.raises(FeedLost, match="lost connection between the Gateway and IBKR"):
        await session.details("AAPL")
    server.find_servers()
    await until(lambda: session.servers_are_there)
    assert len(told) == 1
    server.lose_servers()
    server.find_servers(data_lost=True)
    await until(lambda: len(told) == 3)


async def test_broken_farms_are_known(server: IbkrLoopback, session: IbkrSession) -> None:
    await session.connect()
    server.farm("usfarm", is_up=False)
    await until(lambda: session.broken_farms == {"usfarm"})
    server.farm("usfarm", is_up=True)
    await until(lambda: not session.broken_farms)


async def test_one_gateway_has_one_session() -> None:
    first = shared_session(IbkrOptions(port=4002))
    assert shared_session(IbkrOptions(port=4002)) is first
    assert shared_session(IbkrOptions(port=4001)) is not first


# --------------------------------------------------------------------------------- pacing


class LoopClock:
    """The clock that sleeping goes by."""

    def now(self) -> datetime:
        return utc("2026-03-04 17:00")

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


async def test_long_bars_wait_for_nobody() -> None:
    turns = Turns(Pacing(small=Rate(1, 600)), LoopClock())
    for _ in range(100):
        await turns.take(("AAPL", "1 min"), "AAPL", is_small=False)


async def test_small_bars_keep_every_rule() -> None:
    pacing = Pacing(small=Rate(3, 0.5), same_contract=Rate(2, 0.2), identical_seconds=0.1)
    turns, clock = Turns(pacing, LoopClock()), LoopClock()
    began = clock.monotonic()
    await turns.take(("a",), "AAPL", is_small=True)
    await turns.take(("a",), "AAPL", is_small=True)
    assert clock.monotonic() - began >= 0.1
    await turns.take(("b",), "AAPL", is_small=True)
    assert clock.monotonic() - began >= 0.2
    await turns.take(("c",), "SPY", is_small=True)
    assert clock.monotonic() - began >= 0.5


async def test_a_violation_holds_everybody() -> None:
    turns, clock = Turns(Pacing(pause_seconds=0.1), LoopClock()), LoopClock()
    began = clock.monotonic()
    turns.complain()
    await turns.take(("a",), "AAPL", is_small=False)
    assert clock.monotonic() - began >= 0.1
    assert turns.violations == 1


def test_lengths_of_frames_are_seen_however_they_come() -> None:
    sane = b"".join(len(part).to_bytes(4, "big") + part for part in (b"9\0", b"", b"x" * 300))
    frames = Frames()
    assert all(frames.are_sane(sane[at : at + 3]) for at in range(0, len(sane), 3))
    assert not frames.are_sane((LARGEST_FRAME + 1).to_bytes(4, "big"))


async def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ib_insync", None)
    session = IbkrSession(IbkrOptions(client="ib_insync"))
    with pytest.raises(FeedRefused, match=r"ib_insync, which IBKR_CLIENT names, is not installed"):
        await session.connect()


@pytest.mark.parametrize("symbol", ["BRK.B", "AAPL", "AAPL261218C00252500", "SPXW261218P05000000"])
def test_a_symbol_becomes_a_contract_and_back(symbol: str) -> None:
    contract = wanted(ib_async, symbol)
    assert our_symbol(contract) == symbol
    assert contract.exchange == "SMART"
