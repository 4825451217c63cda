"""Accounts as the processes see them: which there are, and what each needs to run."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import asyncpg
import msgspec

from app.domain.deployments import AccountMode
from app.domain.market import Timeframe
from app.engine.reconciliation import Policy
from app.marketdata.option_choice import OptionLimits
from app.repositories.paging import Db

ZERO = Decimal(0)


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """What the composition root reads from `accounts.settings`.

    `feed` names the data adapter; `speed` None means the platform's own; `path` is for a replay of
    files; `symbols` are watched even when nobody trades them.
    """

    feed: str | None = None
    feeds: tuple[str, ...] = ()
    "Of a live data set: the chain of providers, the best first."
    options: tuple[str, ...] = ()
    "Of a live data set: underlyings whose option chains are followed."
    option_limits: OptionLimits = OptionLimits()
    speed: float | None = None
    path: str | None = None
    symbols: tuple[str, ...] = ()
    base: Timeframe = Timeframe.M1
    exchange: str = "XNYS"
    fill_model: dict[str, Any] = {}
    "Of the paper broker."
    broker: dict[str, Any] = {}
    "What a real broker's adapter has to know of this account, e.g. its number there."
    reconciliation: Policy = Policy()
    "What is done about orders, holdings and cash that came to a real account without us."
    armed_at: datetime | None = None
    "Since when an account of real money may trade; None: it may not."
    armed_by: str | None = None
    start: datetime | None = None
    "Where the account's clock began: the feed goes on after it."

    @property
    def chain(self) -> tuple[str, ...]:
        """The providers of a live data set, each once, the best first."""
        names = self.feeds or ((self.feed,) if self.feed else ())
        return tuple(dict.fromkeys(names))


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One account as the engine's surroundings need it."""

    id: int
    name: str
    broker: str
    mode: AccountMode
    currency: str
    dataset: str
    starting_cash: Decimal
    clock_at: datetime | None
    settings: AccountSettings


_COLUMNS = "id, name, broker, mode, currency, dataset, starting_cash, clock_at, settings"


async def active(db: Db) -> list[Account]:
    """Every account that is not disabled, oldest first."""
    rows = await db.fetch(f"SELECT {_COLUMNS} FROM accounts WHERE active ORDER BY id")
    return [_account(row) for row in rows]


async def get(db: Db, account_id: int) -> Account:
    """One account; it must exist."""
    row = await db.fetchrow(f"SELECT {_COLUMNS} FROM accounts WHERE id = $1", account_id)
    if row is None:
        raise LookupError(f"account {account_id}")
    return _account(row)


async def find(db: Db, name: str) -> Account | None:
    """The account of this name."""
    row = await db.fetchrow(f"SELECT {_COLUMNS} FROM accounts WHERE name = $1", name)
    return _account(row) if row else None


async def add(
    db: asyncpg.Connection,
    *,
    name: str,
    dataset: str,
    cash: Decimal,
    settings: AccountSettings,
    broker: str = "paper",
    mode: AccountMode = AccountMode.PAPER,
) -> int:
    """A new account with its stream, its latch and its first deposit; in the caller's transaction.

    Its clock stands at `settings.start`.
    """
    account_id = int(
        await db.fetchval(
            """
            INSERT INTO accounts (name, dataset, starting_cash, cash, broker, mode, settings,
                                  clock_at)
            VALUES ($1, $2, $3, $3, $4, $5, $6::jsonb, $7) RETURNING id
            """,
            name,
            dataset,
            cash,
            broker,
            mode,
            msgspec.json.encode(settings).decode(),
            settings.start,
        )
    )
    scope = f"account:{account_id}"
    await db.execute("INSERT INTO journal_streams (stream) VALUES ($1)", scope)
    await db.execute("INSERT INTO trading_state (scope) VALUES ($1)", scope)
    if cash:
        await db.execute(
            "INSERT INTO cash_movements (account_id, ledger, kind, amount, reason, at)"
            " VALUES ($1, 'external', 'deposit', $2, 'starting cash', coalesce($3, now()))",
            account_id,
            cash,
            settings.start,
        )
    await db.execute("SELECT pg_notify('accounts', $1::text)", str(account_id))
    return account_id


async def count_held(db: Db, account_id: int) -> int:
    """How many instruments it holds, by our books."""
    sql = (
        "SELECT count(DISTINCT instrument_id) FROM positions WHERE account_id = $1"
        " AND quantity <> 0"
    )
    return int(await db.fetchval(sql, account_id))


async def disarmed(db: Db, account_ids: Sequence[int]) -> set[int]:
    """Those of these that trade real money and are not armed."""
    sql = (
        "SELECT id FROM accounts WHERE id = ANY($1) AND mode = $2"
        " AND settings ->> 'armed_at' IS NULL"
    )
    return {row["id"] for row in await db.fetch(sql, list(account_ids), AccountMode.LIVE)}


async def is_new(db: Db, account_id: int) -> bool:
    """Whether its books were never held against a broker's."""
    sql = "SELECT reconciled_at IS NULL FROM accounts WHERE id = $1"
    return bool(await db.fetchval(sql, account_id))


async def begin(db: asyncpg.Connection, account_id: int, cash: Decimal, at: datetime) -> None:
    """A real account becomes ours with the cash that its broker counts; in a transaction.

    Only while its journal is empty: afterwards it would be another account.
    """
    await db.execute(
        """
        UPDATE accounts SET starting_cash = $2, cash = $2, clock_at = $3,
          settings = settings || jsonb_build_object('start', $4::text)
        WHERE id = $1
        """,
        account_id,
        cash,
        at,
        at.isoformat(),
    )
    if cash:
        await db.execute(
            "INSERT INTO cash_movements (account_id, ledger, kind, amount, reason, at)"
            " VALUES ($1, 'external', 'deposit', $2, 'cash at the broker', $3)",
            account_id,
            cash,
            at,
        )


async def change_settings(db: Db, account_id: int, changed: Mapping[str, Any]) -> None:
    """Store some of an account's settings; running engines look at options while they run."""
    await db.execute(
        "UPDATE accounts SET settings = settings || $2::jsonb WHERE id = $1",
        account_id,
        msgspec.json.encode(changed).decode(),
    )


async def tell(db: Db, account_id: int) -> None:
    """The trading process looks at its accounts again as soon as the transaction commits."""
    await db.execute("SELECT pg_notify('accounts', $1::text)", str(account_id))


def _account(row: Any) -> Account:  # noqa: ANN401 - a record by column name
    return Account(
        id=row["id"],
        name=row["name"],
        broker=row["broker"],
        mode=AccountMode(row["mode"]),
        currency=row["currency"],
        dataset=row["dataset"],
        starting_cash=row["starting_cash"],
        clock_at=row["clock_at"],
        settings=msgspec.json.decode(row["settings"], type=AccountSettings),
    )
