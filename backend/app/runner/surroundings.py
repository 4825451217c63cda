"""Looks around for an engine: stored limits, other accounts, sectors, permission to borrow.

An engine reads nothing by itself. What changes around it reaches it as a command or as a journaled
input, so that its stream alone explains every decision.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import Any, Final, Protocol, runtime_checkable

import asyncpg
import msgspec

from app.core.logging import get_logger
from app.domain.events import FundsSeen, InstrumentSeen, OrdersElsewhere
from app.domain.limits import Limits
from app.domain.scopes import ACCOUNT
from app.repositories import config, surroundings
from app.risk.book import Book, Funds

NOTHING: Final[dict[str, Any]] = {}
FUNDS_SECONDS: Final = 60.0
LENDS_SECONDS: Final = 900.0
"How often a broker is asked what it lends: it knows from day to day."
News = OrdersElsewhere | InstrumentSeen | FundsSeen
log = get_logger("trading")


@runtime_checkable
class Funding(Protocol):
    """A broker that says what may be spent, its open orders taken off."""

    async def funds(self, at: datetime) -> FundsSeen: ...


@runtime_checkable
class Lending(Protocol):
    """A broker that says which symbols it lends; those that it says nothing of lack."""

    async def lends(self, symbols: Iterable[str]) -> dict[str, bool]: ...


class Surroundings:
    """Those of one account."""

    def __init__(self, pool: asyncpg.Pool, account_id: int) -> None:
        self._pool = pool
        self._account_id = account_id
        self._funds: FundsSeen | None = None
        "What the broker said last, until the engine is told."
        self._lent: dict[str, bool] = {}

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

    async def ask(
        self,
        broker: object,
        book: Book,
        symbols: Callable[[], Collection[str]],
        now: Callable[[], datetime],
        told: Callable[[], None],
    ) -> None:
        """Ask a broker that can say it about funds and loans, for ever; beside the trading."""
        waited = LENDS_SECONDS
        while isinstance(broker, Funding | Lending):
            try:
                if isinstance(broker, Funding):
                    await self._ask_funds(broker, book, now)
                if isinstance(broker, Lending) and waited >= LENDS_SECONDS:
                    self._lent, waited = await broker.lends(sorted(symbols())), 0.0
                told()
            except Exception as error:  # noqa: BLE001 - a broker that is away says nothing
                log.warning("broker_not_asked", account_id=self._account_id, error=str(error))
            await asyncio.sleep(FUNDS_SECONDS)
            waited += FUNDS_SECONDS

    async def _ask_funds(self, broker: Funding, book: Book, now: Callable[[], datetime]) -> None:
        """An answer counts if no order was made meanwhile: the broker may not have seen it."""
        before = book.recent[-1:]
        found = await broker.funds(now())
        if book.recent[-1:] == before:
            self._funds = found

    async def news(self, book: Book, symbols: Collection[str], at: datetime) -> list[News]:
        """What the engine does not know yet, or no longer rightly."""
        news: list[News] = []
        funds, self._funds = self._funds, None
        if funds is not None and (_told(funds) != book.funds or book.committed):
            news.append(msgspec.structs.replace(funds, at=at))
        count = await surroundings.open_elsewhere(self._pool, self._account_id)
        if count != book.elsewhere:
            news.append(OrdersElsewhere(count=count, at=at))
        known = await surroundings.symbols(self._pool, symbols)
        for symbol, (sector, is_shortable) in known.items():
            shortable = is_shortable and self._lent.get(symbol, True)
            if book.seen.get(symbol) != (sector, shortable):
                news.append(
                    InstrumentSeen(symbol=symbol, sector=sector, shortable=shortable, at=at)
                )
        return news


def plain(limits: Limits) -> dict[str, Any]:
    """Limits as JSON has them."""
    found: dict[str, Any] = msgspec.to_builtins(limits)
    return found


def _told(event: FundsSeen) -> Funds:
    return Funds(event.buying_power, event.settled_cash)


def _limits_of(book: Book, scope: str) -> dict[str, Any]:
    found = book.scopes.get(scope)
    return msgspec.to_builtins(dict(found.limits)) if found else {}


def _changed(now: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in wanted.items() if now.get(key) != value}
