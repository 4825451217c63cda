"""Paper accounts on live data: opened by a person, who says whom the prices come from."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import asyncpg
import msgspec

from app.core.clock import Clock
from app.core.errors import Conflict, InvalidInput
from app.domain.deployments import LIVE_DATASET
from app.marketdata.calendar import DEFAULT
from app.repositories import accounts, audit, stocks
from app.repositories.accounts import Account, AccountSettings
from app.repositories.audit import Act

LEAST_CASH: Final = Decimal(1)


class LiveAccounts:
    """Opens accounts; an engine takes each on as soon as it is there."""

    def __init__(self, pool: asyncpg.Pool, audit_key: bytes, clock: Clock) -> None:
        self._pool = pool
        self._audit_key = audit_key
        self._clock = clock

    async def open(
        self,
        actor: str,
        name: str,
        feeds: Sequence[str],
        symbols: Sequence[str],
        *,
        cash: Decimal,
        exchange: str = DEFAULT,
    ) -> Account:
        """A paper account whose clock begins now; the feeds are known to exist.

        Raises InvalidInput for what cannot be, Conflict for a name that is taken.
        """
        _check(name, feeds, symbols, cash)
        start = self._clock.now().replace(second=0, microsecond=0)
        settings = AccountSettings(
            feeds=tuple(feeds), symbols=tuple(symbols), exchange=exchange, start=start
        )
        async with self._pool.acquire() as db, db.transaction():
            if await accounts.find(db, name) is not None:
                raise Conflict(
                    f"There is an account {name!r} already.", remedy="Choose another name."
                )
            for symbol in symbols:
                await stocks.ensure(db, symbol)
            account_id = await accounts.add(
                db, name=name, dataset=LIVE_DATASET, cash=cash, settings=settings
            )
            act = Act(
                actor=actor,
                action="account.open",
                resource="account",
                resource_id=str(account_id),
                after={"name": name, "cash": str(cash), **msgspec.to_builtins(settings)},
            )
            await audit.append(db, self._audit_key, act, self._clock.now())
        return await accounts.get(self._pool, account_id)


def _check(name: str, feeds: Sequence[str], symbols: Sequence[str], cash: Decimal) -> None:
    if not name.strip():
        raise InvalidInput("The account has no name.", field="name", remedy="Give it one.")
    if not feeds:
        raise InvalidInput(
            "No provider is named.", field="feeds", remedy="Name at least one, the best first."
        )
    if not symbols:
        raise InvalidInput("No symbol is named.", field="symbols", remedy="Name at least one.")
    if cash < LEAST_CASH:
        raise InvalidInput(
            f"{cash} is too little to begin with.",
            field="cash",
            remedy=f"Begin with {LEAST_CASH} or more.",
        )
