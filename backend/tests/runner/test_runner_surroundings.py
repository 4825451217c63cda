"""What changes around an account reaches its engine as journaled inputs."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from app.bootstrap import Parts
from app.domain.events import FundsSeen, InstrumentSeen, OrdersElsewhere
from app.domain.limits import Limits
from app.domain.orders import OrderStatus
from app.repositories import accounts, config
from app.repositories.accounts import AccountSettings
from app.risk.book import Book
from app.runner.surroundings import Surroundings
from tests.core_process import REPLAY_OVER
from tests.runner.conftest import trading, until
from tests.trading import OPEN, make_order
from tests.waiting import until as true_soon

D = Decimal


def make_book() -> Book:
    return Book(1, D(100_000), Limits(), {})


async def add_account(parts: Parts, name: str) -> int:
    async with parts.pool.acquire() as db, db.transaction():
        return await accounts.add(
            db, name=name, dataset="simulated", cash=D(1000), settings=AccountSettings()
        )


async def add_order(parts: Parts, account: int, leg: str, status: str = "accepted") -> None:
    await parts.pool.execute(
        "INSERT INTO orders (account_id, client_order_id, ledger, signal_id, instrument_id, leg,"
        " side, quantity, type, status, at) SELECT $1, gen_random_uuid()::text, 'manual', 's', id,"
        " $2, 'buy', 1, 'market', $3, now() FROM instruments WHERE symbol = 'SPY'",
        account,
        leg,
        status,
    )


class Desk:
    """A broker that lends and has funds; the first question fails."""

    def __init__(self, book: Book) -> None:
        self.book, self.asked = book, 0

    async def funds(self, at: datetime) -> FundsSeen:
        self.asked += 1
        if self.asked == 1:
            raise ConnectionError("not yet")
        if self.asked == 2:
            self.book.approved(make_order())
        return FundsSeen(buying_power=D(5_000), at=at)

    async def lends(self, symbols: Iterable[str]) -> dict[str, bool]:
        return dict.fromkeys(symbols, False)


async def test_open_orders_of_the_same_persons_accounts_are_counted(parts: Parts) -> None:
    mine, other = await add_account(parts, "mine"), await add_account(parts, "other")
    around, book = Surroundings(parts.pool, mine), make_book()
    await add_order(parts, other, "entry")
    await add_order(parts, other, "exit", "unknown")
    await add_order(parts, other, "stop_loss")
    await add_order(parts, other, "entry", "canceled")
    assert await around.news(book, (), OPEN) == [OrdersElsewhere(count=2, at=OPEN)]
    book.elsewhere = 2
    assert await around.news(book, (), OPEN) == []
    await parts.pool.execute(
        "WITH u AS (INSERT INTO users (email, password_hash) VALUES ('a@b', '$argon2id$x')"
        " RETURNING id) INSERT INTO account_members (account_id, user_id, role)"
        " SELECT $1, id, 'trader' FROM u",
        other,
    )
    assert await around.news(book, (), OPEN) == [OrdersElsewhere(count=0, at=OPEN)]
    await parts.pool.execute(
        "INSERT INTO account_members (account_id, user_id, role)"
        " SELECT $1, user_id, 'admin' FROM account_members",
        mine,
    )
    assert await around.news(book, (), OPEN) == []


async def test_a_changed_sector_is_told(parts: Parts) -> None:
    around, book = Surroundings(parts.pool, await add_account(parts, "mine")), make_book()
    (seen,) = await around.news(book, ("SPY",), OPEN)
    assert seen == InstrumentSeen(symbol="SPY", sector="Index Funds", shortable=True, at=OPEN)
    book.see("SPY", "Index Funds", shortable=True)
    assert await around.news(book, ("SPY",), OPEN) == []
    await parts.pool.execute("UPDATE stocks SET sector = NULL WHERE symbol = 'SPY'")
    (seen,) = await around.news(book, ("SPY",), OPEN)
    assert isinstance(seen, InstrumentSeen)
    assert seen.sector is None


async def test_the_stored_limits_of_parts_become_commands(parts: Parts) -> None:
    account = await add_account(parts, "mine")
    around, book = Surroundings(parts.pool, account), make_book()
    book.limit("symbol:IBM", {"max_position_size": "0.01"})
    assert await around.limits(book) == [
        {"limits": {"max_position_size": None}, "scope": "symbol:IBM"}
    ]
    await parts.pool.execute(
        "INSERT INTO system_config (scope, key, value) VALUES"
        " ('symbol:IBM', 'max_position_size', '\"0.02\"'),"
        " ('deployment:99', 'max_position_size', '\"0.02\"'),"
        f" ('account:{account}', 'max_portfolio_exposure', '\"0.5\"'),"
        f" ('account:{account}', 'max_position_size', '\"0.5\"')"
    )
    assert await around.limits(book) == [
        {"limits": {"max_portfolio_exposure": "0.5"}, "scope": "account"},
        {"limits": {"max_position_size": "0.02"}, "scope": "symbol:IBM"},
    ]
    assert (await config.limits(parts.pool, account)).max_position_size == D("0.05")


async def test_a_broker_is_asked_for_funds_and_loans(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.runner.surroundings.FUNDS_SECONDS", 0.0)
    around, book = Surroundings(parts.pool, await add_account(parts, "mine")), make_book()
    desk, told = Desk(book), asyncio.Event()
    asking = asyncio.create_task(around.ask(desk, book, lambda: ["SPY"], lambda: OPEN, told.set))
    await told.wait()

    async def often() -> bool:
        return desk.asked > 3

    await true_soon(often)
    asking.cancel()
    funds, seen = await around.news(book, ("SPY",), OPEN)
    assert funds == FundsSeen(buying_power=D(5_000), at=OPEN)
    assert isinstance(seen, InstrumentSeen)
    assert not seen.shortable
    book.see("SPY", "Index Funds", shortable=False)
    assert await around.news(book, ("SPY",), OPEN) == []
    await around.ask(object(), book, lambda: [], lambda: OPEN, told.set)


async def test_a_running_account_hears_of_the_others(parts: Parts) -> None:
    async with trading(parts):
        await until(parts, REPLAY_OVER)
        other = await add_account(parts, "other")
        await add_order(parts, other, "entry", OrderStatus.UNKNOWN)
        await parts.pool.execute("UPDATE stocks SET sector = 'Else' WHERE symbol = 'SPY'")
        await parts.pool.execute("SELECT pg_notify('journal', 'account:2:1')")
        await until(parts, _told("orders_elsewhere", "count", "1"))
        await until(parts, _told("instrument_seen", "sector", "Else"))


def _told(kind: str, key: str, value: Any) -> str:
    return (
        "SELECT EXISTS (SELECT FROM trading_events WHERE stream = 'account:1'"
        f" AND event_type = '{kind}' AND payload ->> '{key}' = '{value}')"
    )
