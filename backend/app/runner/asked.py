"""Commands on their way into the engine of one account: each once, each answered."""

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, Final

import asyncpg
import msgspec

from app.core.errors import JournalError, TradewrightError
from app.core.logging import get_logger
from app.domain.commands import CommandKind
from app.domain.events import CommandReceived
from app.engine.driver import Driver
from app.engine.findings import outcome_of
from app.engine.reconciliation import differences
from app.repositories import commands, journal
from app.repositories.journal import LOST_CONNECTION
from app.repositories.paging import Row
from app.runner.brokerage import Brokerage

SYSTEM_ACTOR: Final = "system"
Begin = Callable[[Coroutine[Any, Any, None]], None]
log: Final = get_logger("trading")


class Asked:
    """What people and the platform itself ask of the engine; it is there from `Driver` on."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        account_id: int,
        driver: Driver,
        brokerage: Brokerage | None,
        now: Callable[[], datetime],
        begin: Begin,
    ) -> None:
        """`begin` lets something go on beside the steps."""
        self._pool, self._account_id = pool, account_id
        self._driver, self._brokerage = driver, brokerage
        self._now, self._begin = now, begin
        self._received: set[int] = set()

    async def remember(self) -> None:
        """Commands that are journaled already, though nothing answered them yet."""
        if not await commands.pending(self._pool, self._account_id):
            return
        stream = journal.stream_of(self._account_id)
        async for record in journal.scan(self._pool, stream, 0, {"command_received"}):
            self._received.add(msgspec.json.decode(record.payload)["command_id"])

    async def ask(self, kind: CommandKind, payload: dict[str, Any]) -> None:
        """The platform itself asks: the stream alone must explain every decision."""
        pool = self._pool
        command_id = await commands.submit(pool, self._account_id, kind, payload, SYSTEM_ACTOR)
        await self._receive(await commands.get(pool, command_id))

    async def stored(self, kind: CommandKind, payload: dict[str, Any]) -> CommandReceived:
        """As `ask`, for whoever steps the event himself."""
        command_id = await commands.submit(
            self._pool, self._account_id, kind, payload, SYSTEM_ACTOR
        )
        self._received.add(command_id)
        return CommandReceived(
            command_id=command_id, kind=kind, payload=payload, actor=SYSTEM_ACTOR, at=self._now()
        )

    async def take(self) -> bool:
        """Carry out what waits, in order; False when the database could not say what that is."""
        try:
            waiting = await commands.pending(self._pool, self._account_id)
        except LOST_CONNECTION as error:
            log.warning("commands_not_read", account_id=self._account_id, error=str(error))
            return False  # the poll asks again
        for row in waiting:
            if row["id"] not in self._received:
                await self._receive(row)
        return True

    async def _receive(self, row: Row) -> None:
        self._received.add(row["id"])
        if row["kind"] != CommandKind.RECONCILE:
            await self._learn(row, row["payload"])
        elif self._brokerage is None:
            await self._learn(row, {"outcome": await self._compared()})
        else:
            self._begin(self._reconciled(row, self._brokerage))  # the broker takes its time

    async def _reconciled(self, row: Row, brokerage: Brokerage) -> None:
        """Somebody asked to hold the books against each other."""
        is_dry, is_asked = bool(row["payload"].get("dry_run")), bool(row["payload"].get("adopt"))
        try:
            found = await brokerage.reconcile(is_dry=is_dry, is_asked=is_asked)
            outcome = outcome_of(found, is_dry=is_dry)
        except JournalError:
            raise
        except Exception as error:  # noqa: BLE001 - a broker may fail in any way
            code = error.code if isinstance(error, TradewrightError) else "broker_unavailable"
            outcome = {"code": code, "detail": str(error) or type(error).__name__}
        await self._learn(row, {"dry_run": is_dry, "adopt": is_asked, "outcome": outcome})

    async def _compared(self) -> dict[str, Any]:
        """Of a simulated broker, whose book is a fold of our own: there is nothing to change."""
        book, engine = await self._driver.broker.book(), self._driver.engine
        found = differences(engine.open_orders, book)
        return {
            "dry_run": True,
            "reports": [],
            "differences": [{"kind": "order", "detail": one} for one in found],
            "open_orders": len(book.open_orders),
            "positions": sum(1 for _ in engine.book.positions()),
        }

    async def _learn(self, row: Row, payload: dict[str, Any]) -> None:
        event = CommandReceived(
            command_id=row["id"],
            kind=row["kind"],
            payload=payload,
            actor=row["actor"],
            at=self._now(),
        )
        try:
            await self._driver.step(event)
        except (JournalError, *LOST_CONNECTION):
            raise
        except Exception as error:
            # Left pending it would break every start to come, and hold up the halt behind it.
            broken = f"{type(error).__name__}: {error}"
            result = {"code": "internal_error", "detail": f"The engine broke on it. {broken}"}
            await commands.give_up(self._pool, row["id"], result)
            raise
