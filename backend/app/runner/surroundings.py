"""Looks around for an engine: stored limits, other accounts, sectors, permission to borrow.

An engine reads nothing by itself. What changes around it reaches it as a command or as a journaled
input, so that its stream alone explains every decision.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

import asyncpg
import msgspec

from app.domain.events import InstrumentSeen, OrdersElsewhere
from app.domain.limits import Limits
from app.domain.scopes import ACCOUNT
from app.repositories import config, surroundings
from app.risk.book import Book

NOTHING: Final[dict[str, Any]] = {}


class Surroundings:
    """Those of one account."""

    def __init__(self, pool: asyncpg.Pool, account_id: int) -> None:
        self._pool = pool
        self._account_id = account_id

    async def limits(self, book: Book) -> list[dict[str, Any]]:
        """Payloads of the commands that make the engine's limits those that are stored."""
        wanted = await config.limits(self._pool, self._account_id)
        found = [
            (ACCOUNT, _changed(plain(book.limits), plain(wanted))),
            *[
                (name, _changed(_limits_of(book, name), values))
                for name, values in (await self._scopes(book)).items()
            ],
        ]
        return [{"limits": changed, "scope": name} for name, changed in found if changed]

    async def _scopes(self, book: Book) -> dict[str, dict[str, Any]]:
        """The stored limits of each scope; None for those that the engine has and nobody stored."""
        stored = await config.scopes(self._pool, self._account_id)
        return {
            name: dict.fromkeys(_limits_of(book, name)) | stored.get(name, NOTHING)
            for name in sorted({*stored, *book.scopes})
        }

    async def news(
        self, book: Book, symbols: Collection[str], at: datetime
    ) -> list[OrdersElsewhere | InstrumentSeen]:
        """What the engine does not know yet, or no longer rightly."""
        news: list[OrdersElsewhere | InstrumentSeen] = []
        count = await surroundings.open_elsewhere(self._pool, self._account_id)
        if count != book.elsewhere:
            news.append(OrdersElsewhere(count=count, at=at))
        known = await surroundings.symbols(self._pool, symbols)
        for symbol, (sector, shortable) in known.items():
            if book.seen.get(symbol) != (sector, shortable):
                news.append(
                    InstrumentSeen(symbol=symbol, sector=sector, shortable=shortable, at=at)
                )
        return news


def plain(limits: Limits) -> dict[str, Any]:
    """Limits as JSON has them."""
    found: dict[str, Any] = msgspec.to_builtins(limits)
    return found


def _limits_of(book: Book, scope: str) -> dict[str, Any]:
    found = book.scopes.get(scope)
    return msgspec.to_builtins(dict(found.limits)) if found else {}


def _changed(now: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in wanted.items() if now.get(key) != value}
