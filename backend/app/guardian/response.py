"""What is done about an account that is not well: latch, cancel, and flatten if told so."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Final, TypeVar

from app.core.clock import Clock
from app.core.errors import BrokerRejected, BrokerUnavailable
from app.core.logging import get_logger
from app.db.halt_file import Halt
from app.domain.flattening import orders
from app.domain.orders import OPEN, Order
from app.domain.ports import Broker
from app.guardian.records import AWAY, Records

PAUSE_SECONDS: Final = 1.0
"Between two questions to a broker, and before an attempt is repeated."
CALL_SECONDS: Final = 10.0
SETTLE_SECONDS: Final = 30.0
"How long cancels, and then the flatten, may take before the next attempt."
ATTEMPTS: Final = 3
T = TypeVar("T")
log = get_logger("trading")


class Response:
    """One incident of one account, from the halt that is latched already to its end.

    Every step may be done again: a guardian that was killed half-way begins anew.
    """

    def __init__(
        self,
        account_id: int,
        account: str,
        halt: Halt,
        records: Records,
        clock: Clock,
        pause: float = PAUSE_SECONDS,
    ) -> None:
        self._account_id, self._account, self._halt = account_id, account, halt
        self._records, self._clock, self._pause = records, clock, pause
        self.said: list[str] = ["Trading is halted."]
        "What was done so far, for people."
        self.is_told = False
        "Whether the database knows."

    async def run(
        self,
        broker: Broker | None,
        held: Mapping[str, Mapping[str, Decimal]],
        *,
        flatten: bool,
    ) -> None:
        """Until the database knows and the broker has nothing open any more.

        `broker` None: the book is inside the engine, so that a halt is all there is to do. `held`:
        signed quantity by ledger and symbol, as the engine last said.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._insist("halt", self._tell))
            if broker is not None:
                group.create_task(self._withdraw(broker, held, flatten=flatten))
        await self._insist("alarm", self._alarm)

    async def _tell(self) -> None:
        await self._records.halt(self._account_id, self._halt)
        self.is_told = True
        await self._alarm()

    async def _alarm(self) -> None:
        title = f"The guardian halted account {self._account}: {self._halt.reason}"
        await self._records.alarm(self._account_id, title, " ".join(self.said))

    async def _insist(self, what: str, work: Callable[[], Awaitable[None]]) -> None:
        """Again and again: the database may be away."""
        while True:
            try:
                await work()
            except AWAY as error:
                log.warning("guardian_not_stored", what=what, error=repr(error))
                await asyncio.sleep(self._pause)
            else:
                return

    # ----------------------------------------------------------------------------- the broker

    async def _withdraw(
        self, broker: Broker, held: Mapping[str, Mapping[str, Decimal]], *, flatten: bool
    ) -> None:
        await self._cancel(broker)
        if flatten:
            await self._flatten(broker, held)
            await self._insist("pause", lambda: self._records.pause(self._account_id, list(held)))

    async def _flatten(self, broker: Broker, held: Mapping[str, Mapping[str, Decimal]]) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            await self._until_canceled(broker)
            wanted, busy = await self._wanted(broker, held, attempt)
            if not wanted and not busy:
                self.said.append("Nothing of ours is left at the broker.")
                return
            sent = [order.client_order_id for order in wanted if await self._send(broker, order)]
            await self._until_done(broker, sent)
        wanted, busy = await self._wanted(broker, held, ATTEMPTS + 1)
        left = sorted({order.symbol for order in wanted} | busy)
        if left:
            self.said.append(f"NOT closed yet: {', '.join(left)}. Look at the broker.")

    async def _cancel(self, broker: Broker) -> None:
        """Every open order of the account, whoever made it; until the broker has taken it."""
        while True:
            try:
                async with asyncio.timeout(CALL_SECONDS):
                    await broker.cancel_all()
            except Exception as error:  # noqa: BLE001 - whatever it was, it is tried again
                log.warning(
                    "guardian_cancel_failed", account_id=self._account_id, error=repr(error)
                )
                await asyncio.sleep(self._pause)
            else:
                log.warning("guardian_canceled", account_id=self._account_id)
                self.said.append("Every open order was asked to be cancelled.")
                return

    async def _until_canceled(self, broker: Broker) -> None:
        """An exit that still works and our own would together turn the position round."""
        deadline = self._clock.monotonic() + SETTLE_SECONDS
        while self._clock.monotonic() < deadline:
            book = await self._asked(broker.book)
            if not book.open_orders:
                return
            await asyncio.sleep(self._pause)

    async def _wanted(
        self, broker: Broker, held: Mapping[str, Mapping[str, Decimal]], attempt: int
    ) -> tuple[list[Order], set[str]]:
        """Orders that close what nothing else works on, and the symbols that something does."""
        book = await self._asked(broker.book)
        there = {
            symbol: quantity for symbol, quantity in (book.positions or {}).items() if quantity
        }
        busy = {order.symbol for order in book.open_orders if order.symbol in there}
        free = {symbol: quantity for symbol, quantity in there.items() if symbol not in busy}
        at, incident = self._clock.now(), self._halt.incident
        return orders(self._account_id, held, free, incident, attempt, at), busy

    async def _send(self, broker: Broker, order: Order) -> bool:
        """Whether it may be at the broker now. What may have arrived is never sent again."""
        identity = order.client_order_id
        if await self._asked(lambda: broker.find(identity)) is not None:
            return True  # a guardian before us has sent it
        sentence, may_be_there = f"{order.side} {order.quantity} {order.symbol}", True
        try:
            async with asyncio.timeout(CALL_SECONDS):
                await broker.submit(order, self._clock.now())
        except (BrokerRejected, BrokerUnavailable) as error:
            sentence, may_be_there = f"{sentence}, not taken: {error}", False
        except Exception as error:  # noqa: BLE001 - nobody knows whether it arrived
            sentence = f"{sentence}, no answer: {type(error).__name__}"
        log.warning("guardian_flattens", client_order_id=identity, order=sentence)
        self.said.append(f"Flatten: {sentence}.")
        return may_be_there

    async def _until_done(self, broker: Broker, sent: list[str]) -> None:
        """Closed, or at rest for so long: a closed market takes them when it opens.

        An order that is not found may still arrive: until then no other takes its place.
        """
        deadline = self._clock.monotonic() + SETTLE_SECONDS
        waiting = set(sent)
        while waiting and self._clock.monotonic() < deadline:
            for identity in sorted(waiting):
                found = await self._asked(partial(broker.find, identity))
                if found is not None and found.status not in OPEN:
                    waiting.discard(identity)
            if waiting:
                await asyncio.sleep(self._pause)

    async def _asked(self, question: Callable[[], Awaitable[T]]) -> T:
        """A broker's answer, however often it must be asked."""
        while True:
            try:
                async with asyncio.timeout(CALL_SECONDS):
                    return await question()
            except Exception as error:  # noqa: BLE001 - a broker that is away may come back
                log.warning("guardian_not_answered", error=repr(error))
                await asyncio.sleep(self._pause)
