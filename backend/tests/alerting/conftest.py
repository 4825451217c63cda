"""A database with channels, a clock that is moved by hand, and a post box that takes messages."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from app.alerting.dispatch import Dispatcher, about
from app.core import clock as clocks
from app.core.clock import ManualClock
from app.core.vault import Vault
from app.db.session import create_pool
from app.domain.events import Severity
from app.domain.notifications import Address, Message, NotDelivered
from app.repositories import alerts, notification_channels
from app.repositories.alerts import NewAlert
from app.repositories.journal import SharedJournal
from app.repositories.paging import Row
from tests import servers
from tests.servers import TestServers

KEY = b"k" * 32
AUDIT_KEY = b"a" * 32


@pytest.fixture(scope="session")
def alerting_url(test_servers: TestServers, template_database: str) -> Iterator[str]:
    """A database that these tests share: a copy for each would cost more than most of them."""
    with servers.copied(test_servers.database_url, template_database) as url:
        yield url


@pytest.fixture
async def pool(alerting_url: str) -> AsyncIterator[asyncpg.Pool]:
    """Without an alert, a channel or a changed threshold."""
    pool = await create_pool(alerting_url, max_size=8)
    await pool.execute("DELETE FROM alerts")
    await pool.execute("DELETE FROM notification_channels")
    await pool.execute("DELETE FROM system_config WHERE key LIKE 'alerts.%'")
    yield pool
    await pool.close()


@pytest.fixture
def clock() -> ManualClock:
    """Stands at the present instant until it is moved."""
    return ManualClock(clocks.now())


@pytest.fixture
def journal(pool: asyncpg.Pool, clock: ManualClock) -> SharedJournal:
    return SharedJournal(pool, KEY, now=clock.now)


@pytest.fixture
def vault() -> Vault:
    return Vault([b"v" * 32])


class PostBox:
    """A notifier that keeps what it is given; an address in `away` takes nothing."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, Message]] = []
        self.away: set[str] = set()
        self.tries = 0

    async def describe(self, url: str) -> Address:
        return Address(service="Post", hint=url.partition("?")[0])

    async def send(self, url: str, message: Message) -> None:
        self.tries += 1
        if url in self.away:
            raise NotDelivered("Nobody is at home.")
        self.taken.append((url, message))

    def titles(self, url: str) -> list[str]:
        return [message.title for to, message in self.taken if to == url]


class Desk:
    """What a test does: channels, alerts, rounds, looks at deliveries."""

    def __init__(
        self, pool: asyncpg.Pool, journal: SharedJournal, vault: Vault, clock: ManualClock
    ) -> None:
        self.pool = pool
        self.journal = journal
        self.vault = vault
        self.clock = clock
        self.box = PostBox()
        self.dispatcher = self.another(self.box)

    def another(self, notifier: Any) -> Dispatcher:
        url = "http://127.0.0.1:8000"
        return Dispatcher(self.pool, self.journal, self.vault, notifier, self.clock, url)

    async def channel(self, name: str, url: str | None = None, **settings: Any) -> int:
        """Whose address is its name, unless it is given."""
        key_id, ciphertext = self.vault.seal((url or name).encode(), about(name))
        values = {
            "name": name,
            "service": "Post",
            "hint": "post",
            "key_id": key_id,
            "ciphertext": ciphertext,
            "min_severity": "warning",
            "categories": [],
            "quiet_from": None,
            "quiet_to": None,
            "time_zone": "UTC",
            "level": 0,
            "tells_resolved": True,
            "wants_digest": True,
            "is_enabled": True,
            "created_by": "ada@example.org",
        }
        found = await notification_channels.add(self.pool, {**values, **settings})
        assert found is not None
        return found

    async def alert(
        self, key: str = "disk", severity: Severity = Severity.CRITICAL, **more: Any
    ) -> int:
        new = NewAlert(
            **{"key": key, "category": "system", "severity": severity, "title": key, **more}
        )
        async with self.pool.acquire() as db, db.transaction():
            return await alerts.raise_alert(db, self.journal, new, self.clock.now())

    async def resolve(self, alert_id: int, actor: str = "system") -> None:
        async with self.pool.acquire() as db, db.transaction():
            await alerts.resolve(db, self.journal, alert_id, actor, self.clock.now())

    async def threshold(self, key: str, value: float) -> None:
        await self.pool.execute(
            "INSERT INTO system_config (key, value) VALUES ($1, to_jsonb($2::float8))",
            f"alerts.{key}",
            value,
        )

    def wait(self, **time: float) -> None:
        self.clock.move_to(self.clock.now() + timedelta(**time))

    async def work(self, dispatcher: Dispatcher | None = None) -> None:
        """Rounds until nothing is due any more."""
        while await (dispatcher or self.dispatcher).round():
            pass

    async def deliveries(self, alert_id: int | None = None) -> list[Row]:
        rows = await self.pool.fetch(
            "SELECT * FROM alert_deliveries WHERE $1::bigint IS NULL OR alert_id = $1 ORDER BY id",
            alert_id,
        )
        return [dict(row) for row in rows]

    async def account(self, dataset: str = "simulated", broker: str = "paper") -> int:
        """Another account."""
        number = await self.pool.fetchval("SELECT count(*) FROM accounts")
        account_id: int = await self.pool.fetchval(
            "INSERT INTO accounts (name, dataset, broker, starting_cash, cash)"
            " VALUES ($1, $2, $3, 1000, 1000) RETURNING id",
            f"Account {number}",
            dataset,
            broker,
        )
        scope = f"account:{account_id}"
        await self.pool.execute("INSERT INTO journal_streams (stream) VALUES ($1)", scope)
        return account_id

    async def open_keys(self) -> set[str]:
        rows = await self.pool.fetch("SELECT key FROM alerts WHERE resolved_at IS NULL")
        return {row["key"] for row in rows}


@pytest.fixture
def desk(pool: asyncpg.Pool, journal: SharedJournal, vault: Vault, clock: ManualClock) -> Desk:
    return Desk(pool, journal, vault, clock)
