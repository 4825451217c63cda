"""Brokers with a market behind them: one line in VENUES, and the contract runs on an adapter."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final
from weakref import WeakValueDictionary

import pytest

from app.adapters.brokers.ibkr import Adapter as Ibkr
from app.adapters.brokers.paper import Adapter as Paper
from app.adapters.clients.ibkr import IbkrSession
from app.adapters.clients.ibkr_login import options_of
from app.adapters.clients.ibkr_options import IbkrOptions, Library
from app.certification.venue import Act, Venue
from app.domain.events import SessionClosed, SliceClosed
from app.domain.instruments import Instrument
from app.domain.market import Bar, SliceOpened, Timeframe
from app.domain.ports import Broker, BrokerSetup
from tests.adapters.brokers.alpaca_desk import adapter
from tests.contracts.ibkr_broker import QUICK
from tests.contracts.ibkr_vendor import BRISK, Workday
from tests.trading import DAY, MINUTE, OPEN
from tests.vendors.alpaca_trading import AlpacaTrading
from tests.vendors.exchange import Ticket
from tests.vendors.ibkr import IbkrLoopback
from tests.vendors.loopback import reply, until

SYMBOLS: Final = ("AAPL", "BRK.B")
ACCOUNTS: Final = ("DU1234567", "DU7654321")
PATIENCE: Final = replace(QUICK, probe=1.0)


class PaperMarket:
    """Bars of one price each, by hand; the clock moves with them."""

    def __init__(self) -> None:
        self.at = OPEN
        self.venue: Venue

    def make(self) -> Broker:
        free = {"volume_cap": "1", "slippage_bps": "0"}
        return Paper(BrokerSetup(account_id=1, settings=free))

    def print(self, symbol: str, price: float, size: int | None = None) -> None:
        opened = SliceOpened(self.at, DAY, {symbol: price})
        end = self.at + MINUTE
        bar = Bar(symbol, Timeframe.M1, self.at, end, *[price] * 4, size or 1_000_000)
        closed = SliceClosed(end=end, session=DAY, base=Timeframe.M1, bars=(bar,))
        broker = self.venue.broker
        if size is None:
            self.venue.heard += broker.observe(opened)
        self.venue.heard += broker.observe(closed)
        self.at = end

    def end_session(self) -> None:
        self.at += timedelta(hours=6)
        self.venue.heard += self.venue.broker.observe(SessionClosed(session=DAY, at=self.at))

    def now(self) -> datetime:
        return self.at


@asynccontextmanager
async def paper(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Venue]:
    market = PaperMarket()
    acts = {Act.PRINT: market.print, Act.END_SESSION: market.end_session}
    market.venue = Venue(market.make, acts, now=market.now)
    await market.venue.join()
    yield market.venue
    await market.venue.leave()


# ------------------------------------------------------------------------------------ Alpaca


class AlpacaActs:
    """What the loopback of Alpaca can do."""

    def __init__(self, server: AlpacaTrading) -> None:
        self.server, self.market = server, server.venue

    def table(self) -> dict[Act, Callable[..., Any]]:
        server = self.server
        no = {"code": 40310000, "message": "insufficient buying power"}
        refuse = partial(server.plan, answer=reply(no, 403, Connection="keep-alive"))
        return {
            Act.PRINT: server.print,
            Act.END_SESSION: self.told(self.market.close_session),
            Act.BY_HAND: self.told(self.by_hand),
            Act.CANCEL_BY_HAND: self.told(lambda identity: self.market.cancel(self.id(identity))),
            Act.BUST: self.told(lambda: self.market.bust(self.newest)),
            Act.CORRECT: self.told(lambda price: self.market.correct(self.newest, price)),
            Act.REJECT: partial(refuse, method="POST"),
            Act.REJECT_CHANGE: partial(refuse, method="PATCH"),
            Act.REJECT_LATER: self.told(lambda identity: self.market.reject(self.id(identity))),
            Act.LOSE_SUBMIT: server.cut,
            Act.LOSE_SUBMIT_ANSWER: server.lose_ack,
            Act.LOSE_CANCEL_ANSWER: partial(server.lose_ack, method="DELETE"),
            Act.LOSE_REPLACE_ANSWER: partial(server.lose_ack, method="PATCH"),
            Act.DUPLICATE: server.duplicate,
            Act.REORDER: server.reorder,
            Act.DROP: server.drop,
            Act.AWAY: server.kill,
            Act.BACK: server.start,
            Act.MUTE: lambda on: server.deafen() if on else None,
            Act.THROTTLE: partial(server.refuse, 429, Retry_After="1"),
            Act.FAIL: partial(server.refuse, 503),
            Act.FAIL_TAKEN: partial(server.refuse, 503, taken=True),
            Act.EXPIRE_KEY: lambda: setattr(server, "key_is_valid", False),
            Act.NO_SHORTS: lambda: self.market.account.update(shorting_enabled=False),
        }

    @property
    def newest(self) -> str:
        return self.market.fills[-1].execution_id

    def id(self, identity: str) -> str:
        found = self.market.by_client(identity)
        assert found is not None
        return found.id

    def by_hand(self, side: str, quantity: float, limit: float) -> None:
        self.market.place(
            {"symbol": "AAPL", "qty": str(quantity), "side": side, "type": "limit",
             "time_in_force": "gtc", "limit_price": str(limit)}
        )  # fmt: skip

    def told(self, act: Callable[..., Any]) -> Callable[..., Any]:
        """`act`, and what the stream says of it."""

        async def whole(**given: Any) -> None:
            act(**given)
            await self.server.tell()

        return whole


@asynccontextmanager
async def alpaca(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Venue]:
    monkeypatch.setattr("app.adapters.clients.budget._shared", WeakValueDictionary())
    async with AlpacaTrading(None, *SYMBOLS) as server, AsyncExitStack() as joined:

        def venue(account_id: int = 1) -> Venue:
            acts = AlpacaActs(server).table()
            acts[Act.SECOND] = lambda account_id: join(venue(account_id))
            make = partial(adapter, server, account_id=account_id)
            return Venue(make, acts, account_id=account_id)

        async def join(made: Venue) -> Venue:
            await made.join()
            joined.push_async_callback(made.leave)
            return made

        yield await join(venue())


# -------------------------------------------------------------------------------------- IBKR


class IbkrActs:
    """What the loopback Gateway can do."""

    def __init__(self, server: IbkrLoopback) -> None:
        self.server, self.orders = server, server.orders
        self.exchange = server.orders.exchange

    def table(self) -> dict[Act, Callable[..., Any]]:
        server, orders = self.server, self.orders
        return {
            Act.PRINT: lambda symbol, price, size: self.exchange.print(
                symbol.replace(".", " "), price, size
            ),
            Act.END_SESSION: self.exchange.close,
            Act.BY_HAND: self.by_hand,
            Act.CANCEL_BY_HAND: lambda identity: self.exchange.end(
                self.ticket(identity), "canceled", "by hand"
            ),
            Act.BUST: lambda: orders.bust(self.exchange.fills[-1]),
            Act.CORRECT: lambda price: orders.correct(
                self.exchange.fills[-1], price=Decimal(str(price))
            ),
            Act.REJECT: orders.reject,
            Act.REJECT_CHANGE: orders.reject,
            Act.REJECT_LATER: lambda identity: self.exchange.end(
                self.ticket(identity), "rejected", "refused by the exchange"
            ),
            Act.LOSE_SUBMIT: orders.swallow,
            Act.LOSE_SUBMIT_ANSWER: orders.lose_acks,
            Act.LOSE_REPLACE_ANSWER: orders.lose_acks,
            Act.DUPLICATE: server.duplicate,
            Act.REORDER: server.reorder,
            Act.DROP: server.drop,
            Act.AWAY: server.kill,
            Act.BACK: server.start,
            Act.FORGET_IDS: partial(server.restart, 1),
            Act.MUTE: server.mute,
        }

    def ticket(self, identity: str) -> Ticket:
        (found,) = self.exchange.find(identity)
        return found

    def by_hand(self, side: str, quantity: float, limit: float) -> None:
        self.orders.by_hand("AAPL", side, quantity, limit=Decimal(str(limit)))


@asynccontextmanager
async def ibkr(
    monkeypatch: pytest.MonkeyPatch, library: Library = "ib_async"
) -> AsyncIterator[Venue]:
    monkeypatch.setattr("app.adapters.clients.ibkr.PROBE_SECONDS", 1.0)
    async with IbkrLoopback(",".join(ACCOUNTS)) as server, AsyncExitStack() as joined:
        server.market.know("BRK B")
        known = {symbol: Instrument(symbol) for symbol in SYMBOLS}
        sessions: list[IbkrSession] = []

        def make(account_id: int = 1, *, shares: bool = False) -> Broker:
            setup = BrokerSetup(
                account_id=account_id,
                instruments=known,
                settings={"account": ACCOUNTS[account_id - 1]},
            )
            if not shares:
                options = IbkrOptions(port=server.port, client=library)
                sessions.append(
                    IbkrSession(options_of(setup, options), pacing=BRISK, clock=Workday())
                )
            return Ibkr(setup, session=sessions[-1], clock=Workday(), patience=PATIENCE)

        async def second(account_id: int) -> Venue:
            return await join(Venue(partial(make, account_id, shares=True), account_id=account_id))

        async def join(made: Venue) -> Venue:
            await made.join()
            joined.push_async_callback(made.leave)
            await until(lambda: not getattr(made.broker, "is_looking_up", False))
            return made

        yield await join(Venue(make, {**IbkrActs(server).table(), Act.SECOND: second}))


VENUES: Final[dict[str, Callable[[pytest.MonkeyPatch], AbstractAsyncContextManager[Venue]]]] = {
    "alpaca": alpaca,
    "ibkr": ibkr,
    "paper": paper,
}
