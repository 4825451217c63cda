"""An account at the loopback of a real broker, for tests of whole processes: it holds 10 AAPL."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

import asyncpg

from app.core.clock import now
from app.domain.commands import CommandKind
from app.repositories import accounts, commands
from app.repositories.accounts import AccountSettings
from tests.vendors.alpaca import KEY, SECRET
from tests.vendors.alpaca_trading import AlpacaTrading
from tests.vendors.ibkr import IbkrLoopback
from tests.vendors.twelve_data import TwelveDataLoopback

READY: Final = "SELECT (report ->> 'is_reconciled')::bool FROM broker_states WHERE account_id = $1"


@dataclass(frozen=True)
class Place:
    """A broker with its market, and where prices come from; the server is the test's own."""

    broker: str
    feed: str
    server: Any
    variables: Mapping[str, str]
    print: Callable[[float], None]
    "A trade of AAPL: it fills what it can."
    held: Callable[[], Decimal]
    rests: Callable[[], bool]
    "Whether any order is open there."


@asynccontextmanager
async def alpaca() -> AsyncIterator[Place]:
    """With Twelve Data for prices: Alpaca's own stream is one a key."""
    async with AlpacaTrading() as server, TwelveDataLoopback() as vendor:
        vendor.know("AAPL")
        venue = server.venue
        venue.print("AAPL", 100)
        venue.hold("AAPL", 10, 100)
        keys = {"ALPACA_BASE_URL": server.http, "ALPACA_API_KEY": KEY, "ALPACA_SECRET_KEY": SECRET}
        yield Place(
            broker="alpaca",
            feed="twelve_data",
            server=server,
            variables={**keys, **vendor.variables},
            print=lambda price: venue.print("AAPL", price),
            held=lambda: venue.held("AAPL"),
            rests=lambda: bool(venue.open_orders()),
        )


@asynccontextmanager
async def ibkr() -> AsyncIterator[Place]:
    """Prices by the same Gateway. Our client id is the master: it hears of everybody's fills."""
    async with IbkrLoopback() as server:
        market = server.orders.exchange
        server.orders.by_hand("AAPL", "buy", 10)
        market.print("AAPL", 100)
        server.orders.sees_all.add(1)
        yield Place(
            broker="ibkr",
            feed="ibkr",
            server=server,
            variables=server.variables,
            print=lambda price: market.print("AAPL", price),
            held=lambda: market.positions["AAPL"],
            rests=lambda: bool(market.open()),
        )


PLACES: Final[Mapping[str, Callable[[], AbstractAsyncContextManager[Place]]]] = {
    "alpaca": alpaca,
    "ibkr": ibkr,
}


async def add_account(pool: asyncpg.Pool, place: Place) -> int:
    """On an exchange that never closes."""
    settings = AccountSettings(
        feeds=(place.feed,),
        symbols=("AAPL",),
        exchange="24/7",
        start=now() - timedelta(minutes=1),
    )
    async with pool.acquire() as db, db.transaction():
        return await accounts.add(
            db, name="Real", dataset="live", cash=Decimal(0), settings=settings, broker=place.broker
        )


async def buy(pool: asyncpg.Pool, account_id: int, limit: str) -> int:
    """Five AAPL, until canceled."""
    order = {"symbol": "AAPL", "side": "buy", "quantity": "5", "type": "limit"}
    order |= {"limit_price": limit, "time_in_force": "gtc"}
    return await commands.submit(pool, account_id, CommandKind.ORDER_PLACE, order, "ann")
