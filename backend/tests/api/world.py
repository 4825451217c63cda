"""Small worlds for the API's tests, made by SQL, and an engine that answers as it is told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import orjson
import pytest
from fastapi import FastAPI

from app.api.limits import CLASSES, RateLimits
from app.api.parts import Parts
from app.core.clock import now
from app.core.config import get_settings
from app.core.security import hash_password, subkey
from app.db.session import opened_pool
from app.domain.market import Timeframe
from app.domain.users import Role, Scope
from app.main import create_app
from app.repositories import leases, trading_state, users
from app.repositories.stock_data import StockData
from app.services import sample
from app.services.keys import KeyWish
from tests.factories import make_batch
from tests.servers import TestServers, copied, redis_database

PASSWORD = "seven blue herons at dawn"
_HASHED = hash_password(PASSWORD)
Mark = Callable[[asyncpg.Pool], Awaitable[None]]
ADDRESS = "http://127.0.0.1:8000"
OURS = {"origin": ADDRESS, "sec-fetch-site": "same-origin"}
"What a browser says on our own pages."


def client_of(app: FastAPI, key: str | None = None) -> httpx.AsyncClient:
    """A client that reaches the app without a network."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 50000), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=ADDRESS, headers=headers)


async def key_of(parts: Parts, user_id: int, role: str, *scopes: str, **more: Any) -> str:
    """A key of a person; `more` are fields of KeyWish."""
    wish = KeyWish(name="test", scopes=frozenset(map(Scope, scopes)), **more)
    _, key = await parts.keys.create("test", user_id, Role(role), wish)
    return key


@asynccontextmanager
async def started(url: str, test_servers: TestServers, home: Path) -> AsyncIterator[FastAPI]:
    """An application that outlives one test; its Redis is what `redis_url` empties."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DATABASE_URL", url)
        environment.setenv("REDIS_URL", redis_database(test_servers.redis_url))
        environment.setenv("TRADEWRIGHT_HOME", str(home))
        get_settings.cache_clear()
        app = create_app()
        running = app.router.lifespan_context(app)
        await running.__aenter__()
    try:
        yield app
    finally:
        await running.__aexit__(None, None, None)


@asynccontextmanager
async def sampled(
    test_servers: TestServers, template: str, home: Path, mark: Mark | None = None
) -> AsyncIterator[tuple[FastAPI, str]]:
    """An application over the sample data, and the address of its database.

    `mark` changes the data before the start. No limit of rate: what walks over every operation is
    quicker than any person.
    """
    with copied(test_servers.database_url, template) as url:
        async with opened_pool(url) as pool:
            await sample.fill(pool, subkey(b"k" * 32, "journal"))
            await pool.execute("UPDATE accounts SET active = true")
            if mark is not None:
                await mark(pool)
        async with started(url, test_servers, home) as app:
            app.state.parts.gate.limits = RateLimits(None, dict.fromkeys(CLASSES, "9999999/second"))
            yield app, url


class World:
    """What a test needs to exist."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool

    async def person(self, email: str, role: str = "admin", accounts: tuple[int, ...] = ()) -> int:
        """A person with PASSWORD."""
        user_id = await users.add(self.pool, email, "", role, _HASHED)
        assert user_id is not None
        await users.set_accounts(self.pool, user_id, role, list(accounts))
        return user_id

    async def account(
        self, name: str = "Simulation", dataset: str = "simulated", cash: int = 100_000
    ) -> int:
        """A paper account."""
        account_id = int(
            await self.pool.fetchval(
                "INSERT INTO accounts (name, dataset, starting_cash, cash)"
                " VALUES ($1, $2, $3, $3) RETURNING id",
                name,
                dataset,
                Decimal(cash),
            )
        )
        scope = f"account:{account_id}"
        await self.pool.execute("INSERT INTO journal_streams (stream) VALUES ($1)", scope)
        await self.pool.execute("INSERT INTO trading_state (scope) VALUES ($1)", scope)
        return account_id

    async def bars(
        self,
        closes: list[float],
        symbol: str = "AAPL",
        dataset: str = "simulated",
        timeframe: Timeframe = Timeframe.M1,
    ) -> None:
        """Stored bars from Friday 2024-03-01 14:30 UTC on."""
        batch = make_batch(closes, symbol=symbol, timeframe=timeframe)
        await StockData(self.pool, dataset).store([batch], "test")

    async def fill(
        self,
        account_id: int,
        at: datetime,
        quantity: int,
        price: str,
        symbol: str = "AAPL",
        ledger: str = "manual",
    ) -> str:
        """An order that was filled, with its position and cash; returns its client order id."""
        number = await self.pool.fetchval("SELECT count(*) FROM orders")
        name, side = f"order-{number + 1}", "buy" if quantity > 0 else "sell"
        instrument = await self.pool.fetchval(
            "SELECT id FROM instruments WHERE symbol = $1", symbol
        )
        money = Decimal(price)
        order_id = await self.pool.fetchval(
            """
            INSERT INTO orders (account_id, client_order_id, ledger, signal_id, instrument_id, leg,
              side, quantity, filled_quantity, average_price, status, at, closed_at)
            VALUES ($1, $2, $3, '', $4, 'entry', $5, $6, $6, $7, 'filled', $8, $8) RETURNING id
            """,
            account_id,
            name,
            ledger,
            instrument,
            side,
            Decimal(abs(quantity)),
            money,
            at,
        )
        await self.pool.execute(
            """
            INSERT INTO executions (account_id, order_id, broker, execution_id, client_order_id,
              ledger, instrument_id, side, quantity, price, commission, at)
            VALUES ($1, $2, 'paper', $3, $3, $4, $5, $6, $7, $8, 1, $9)
            """,
            account_id,
            order_id,
            name,
            ledger,
            instrument,
            side,
            Decimal(abs(quantity)),
            money,
            at,
        )
        await self.pool.execute(
            """
            INSERT INTO positions AS p (account_id, ledger, instrument_id, stock_id, quantity,
              average_price, commission, opened_at)
            VALUES ($1, $2, $3, $3, $4, $5, 1, $6)
            ON CONFLICT (account_id, ledger, instrument_id) DO UPDATE
              SET quantity = p.quantity + excluded.quantity, commission = p.commission + 1
            """,
            account_id,
            ledger,
            instrument,
            Decimal(quantity),
            money,
            at,
        )
        await self.pool.execute(
            "UPDATE accounts SET cash = cash - $2, clock_at = $3 WHERE id = $1",
            account_id,
            money * quantity + 1,
            at,
        )
        return str(name)

    async def strategy(self, name: str = "sma_cross") -> int:
        """A strategy's row."""
        return int(
            await self.pool.fetchval(
                "INSERT INTO strategies (name) VALUES ($1)"
                " ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id",
                name,
            )
        )

    async def deployment(self, account_id: int, state: str = "running") -> int:
        """A deployment of sma_cross on AAPL."""
        return int(
            await self.pool.fetchval(
                "INSERT INTO deployments (account_id, strategy_id, symbols, timeframe, state,"
                " parameters, capital) VALUES ($1, $2, '{AAPL}', '1m', $3, '{\"fast\": 2}', 10000)"
                " RETURNING id",
                account_id,
                await self.strategy(),
                state,
            )
        )


Answer = Callable[[dict[str, Any]], dict[str, Any] | None]
"""From a command's row to its result; None leaves it pending."""


class Engine:
    """Holds an account's lease and answers commands as the test wants."""

    def __init__(self, url: str, account_id: int, answer: Answer, *, confirms: bool = True) -> None:
        self._url = url
        self._account_id = account_id
        self._answer = answer
        self._confirms = confirms
        self.seen: list[dict[str, Any]] = []

    async def run(self, ready: asyncio.Event) -> None:
        """Until cancelled."""
        connection = await asyncpg.connect(self._url)
        wake = asyncio.Event()
        try:
            for channel in ("commands", "trading_state"):
                await connection.add_listener(channel, lambda *_: wake.set())
            assert await leases.take(connection, self._account_id, "test", 30)
            ready.set()
            while True:
                await self._turn(connection)
                await wake.wait()
                wake.clear()
        finally:
            connection.terminate()

    async def _turn(self, connection: asyncpg.Connection) -> None:
        if self._confirms:
            epoch = await connection.fetchval(
                "SELECT epoch FROM trading_state WHERE scope = $1", f"account:{self._account_id}"
            )
            confirmed = await connection.fetchval(
                "SELECT confirmed_epoch FROM trading_state WHERE scope = $1",
                f"account:{self._account_id}",
            )
            if epoch != confirmed:
                await trading_state.confirm(connection, self._account_id, epoch)
        rows = await connection.fetch("SELECT * FROM commands WHERE status = 'pending' ORDER BY id")
        for row in rows:
            command = {**row, "payload": orjson.loads(row["payload"])}
            if command not in self.seen:
                self.seen.append(command)
            result = self._answer(command)
            if result is not None:
                await self._complete(connection, row["id"], result)

    async def _complete(
        self, connection: asyncpg.Connection, command_id: int, result: dict[str, Any]
    ) -> None:
        failed = "code" in result
        await connection.execute(
            "UPDATE commands SET status = $2, result = $3::jsonb, completed_at = $4 WHERE id = $1",
            command_id,
            "failed" if failed else "completed",
            orjson.dumps(result).decode(),
            now(),
        )
        await connection.execute("SELECT pg_notify('command_done', $1)", str(command_id))


@asynccontextmanager
async def engine(
    url: str, account_id: int, answer: Answer = lambda _: {}, *, confirms: bool = True
) -> AsyncIterator[Engine]:
    """A running engine."""
    made, ready = Engine(url, account_id, answer, confirms=confirms), asyncio.Event()
    task = asyncio.create_task(made.run(ready))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        waiting.cancel()
        await task
    try:
        yield made
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def eventually(true: Callable[[], Any], seconds: float = 60.0) -> None:
    """Wait until something is true; fails when it is not in time."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - files and databases set no event
            await asyncio.sleep(0.01)


LATER = timedelta(hours=13)
