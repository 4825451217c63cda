"""Accounts on live data, paper or at a broker: opened by a person, who says what they trade on."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import asyncpg
import msgspec

from app.core.clock import Clock
from app.core.errors import Conflict, InvalidInput, NotFound
from app.core.registry import suggestion
from app.domain.deployments import LIVE_DATASET, AccountMode
from app.engine.reconciliation import Policy
from app.marketdata import option_choice
from app.marketdata.calendar import DEFAULT
from app.marketdata.option_choice import OptionLimits
from app.repositories import accounts, audit, stocks
from app.repositories.accounts import Account, AccountSettings
from app.repositories.audit import Act
from app.repositories.paging import Db

LEAST_CASH: Final = Decimal(1)
PAPER: Final = "paper"
ZERO: Final = Decimal(0)


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
        options: Sequence[str] = (),
        option_limits: OptionLimits | None = None,
        broker: str = PAPER,
        mode: AccountMode = AccountMode.PAPER,
        broker_settings: Mapping[str, Any] | None = None,
    ) -> Account:
        """An account whose clock begins now; feeds and broker are known to exist.

        The option chains of `options` are followed within `option_limits`. An account at a real
        broker begins with what the broker has, and `cash` says nothing. Raises InvalidInput for
        what cannot be, Conflict for a name, or a broker's account, that is taken.
        """
        limits = option_limits or OptionLimits()
        cash = cash if broker == PAPER else ZERO
        _check(name, feeds, symbols)
        if broker == PAPER:
            _check_cash(cash)
        option_choice.check(options, limits)
        start = self._clock.now().replace(second=0, microsecond=0)
        settings = AccountSettings(
            feeds=tuple(feeds),
            symbols=_with(symbols, options),
            exchange=exchange,
            start=start,
            options=tuple(options),
            option_limits=limits,
            broker=dict(broker_settings or {}),
        )
        async with self._pool.acquire() as db, db.transaction():
            await _check_alone(db, broker, mode, settings)
            if await accounts.find(db, name) is not None:
                raise Conflict(
                    f"There is an account {name!r} already.", remedy="Choose another name."
                )
            for symbol in settings.symbols:
                await stocks.ensure(db, symbol)
            account_id = await accounts.add(
                db,
                name=name,
                dataset=LIVE_DATASET,
                cash=cash,
                settings=settings,
                broker=broker,
                mode=mode,
            )
            act = Act(
                actor=actor,
                action="account.open",
                resource="account",
                resource_id=str(account_id),
                after={
                    "name": name,
                    "broker": broker,
                    "mode": mode.value,
                    "cash": str(cash),
                    **msgspec.to_builtins(settings),
                },
            )
            await audit.append(db, self._audit_key, act, self._clock.now())
        return await accounts.get(self._pool, account_id)

    async def follow_options(
        self, actor: str, name: str, options: Sequence[str], limits: OptionLimits | None = None
    ) -> Account:
        """Change the option chains that a live account follows; it takes them up within seconds.

        Limits None are left as they are; its underlyings become symbols that it watches, from its
        next start on. Raises NotFound with the nearest name, InvalidInput for what cannot be.
        """
        async with self._pool.acquire() as db, db.transaction():
            account = await _live(db, name)
            before = account.settings
            after = msgspec.structs.replace(
                before,
                options=tuple(options),
                option_limits=limits or before.option_limits,
                symbols=_with(before.symbols, options),
            )
            option_choice.check(options, after.option_limits)
            for symbol in options:
                await stocks.ensure(db, symbol)
            changed = {**_option_settings(after), "symbols": list(after.symbols)}
            await accounts.change_settings(db, account.id, changed)
            act = Act(
                actor=actor,
                action="account.options",
                resource="account",
                resource_id=str(account.id),
                before=_option_settings(before),
                after=_option_settings(after),
            )
            await audit.append(db, self._audit_key, act, self._clock.now())
        return await accounts.get(self._pool, account.id)

    async def change_policy(self, actor: str, name: str, given: Mapping[str, Any]) -> Account:
        """Change what is done about orders, holdings and cash that came to an account without us.

        Its engine takes it up within seconds. Raises NotFound, InvalidInput with the field.
        """
        async with self._pool.acquire() as db, db.transaction():
            account = await _live(db, name)
            before = msgspec.to_builtins(account.settings.reconciliation)
            try:
                after = msgspec.to_builtins(msgspec.convert({**before, **given}, Policy))
            except msgspec.ValidationError as error:
                sentence, _, path = str(error).partition(" - at `$.")
                field = path.removesuffix("`")
                raise InvalidInput(f"{field}: {sentence}.", field=field) from None
            await accounts.change_settings(db, account.id, {"reconciliation": after})
            act = Act(
                actor=actor,
                action="account.policy",
                resource="account",
                resource_id=str(account.id),
                before=before,
                after=after,
            )
            await audit.append(db, self._audit_key, act, self._clock.now())
        return await accounts.get(self._pool, account.id)


def _with(symbols: Sequence[str], underlyings: Sequence[str]) -> tuple[str, ...]:
    """Options are valued by the price of their stock, so that has to be watched too."""
    return tuple(dict.fromkeys((*symbols, *underlyings)))


def _option_settings(settings: AccountSettings) -> dict[str, Any]:
    return {
        "options": list(settings.options),
        "option_limits": msgspec.to_builtins(settings.option_limits),
    }


async def _live(db: Db, name: str) -> Account:
    account = await accounts.find(db, name)
    if account is None:
        known = [one.name for one in await accounts.active(db)]
        raise NotFound(f"There is no account {name!r}.", remedy=suggestion(name, known))
    if account.dataset != LIVE_DATASET:
        raise InvalidInput(
            f"Account {name!r} has {account.dataset} data; chains are followed live.",
            field="name",
            remedy="Name an account on live data.",
        )
    return account


async def _check_alone(db: Db, broker: str, mode: AccountMode, settings: AccountSettings) -> None:
    """Two engines on one account of a broker would take each other's orders for a stranger's."""
    if broker == PAPER:
        return
    for other in await accounts.active(db):
        if (other.broker, other.mode) == (
            broker,
            mode,
        ) and other.settings.broker == settings.broker:
            raise Conflict(
                f"Account {other.name!r} trades at {broker} ({mode}) already.",
                remedy="Disable it first, or name another account of the broker's.",
            )


def _check_cash(cash: Decimal) -> None:
    if cash < LEAST_CASH:
        raise InvalidInput(
            f"{cash} is too little to begin with.",
            field="cash",
            remedy=f"Begin with {LEAST_CASH} or more.",
        )


def _check(name: str, feeds: Sequence[str], symbols: Sequence[str]) -> None:
    if not name.strip():
        raise InvalidInput("The account has no name.", field="name", remedy="Give it one.")
    if not feeds:
        raise InvalidInput(
            "No provider is named.", field="feeds", remedy="Name at least one, the best first."
        )
    if not symbols:
        raise InvalidInput("No symbol is named.", field="symbols", remedy="Name at least one.")
