"""A trading floor for tests: one account at a venue with faults, its wire and its ears running."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from app.core.clock import ManualClock
from app.core.tasks import end
from app.domain.events import (
    INPUT_TYPES,
    CommandCompleted,
    CommandReceived,
    SessionOpened,
    SliceClosed,
)
from app.domain.limits import UNLIMITED
from app.domain.market import SliceOpened, Timeframe
from app.domain.orders import Order, OrderStatus
from app.domain.ports import BrokerLink
from app.engine.driver import Driver
from app.engine.reconciler import Reconciler
from app.engine.suspicions import Doubts
from app.engine.wire import Pace
from tests.trading import DAY, MINUTE, OPEN, Prices, World, make_bar
from tests.venue import Venue, VenueBroker
from tests.waiting import until as awaited

T = TypeVar("T")
QUICK = Pace(answer=0.02, change=0.02, again=0.005, longest=0.02, tells=3)
"Patience of tests: what hangs hangs for ever, what is asked again is asked soon."


async def until(found: Callable[[], Any]) -> None:
    """Wait until it is so; fails when it does not come about."""

    async def asked() -> Any:
        return found()

    await awaited(asked)


class Floor(World):
    """`async with Floor() as floor`: as a World, but everything is awaited."""

    def __init__(self, *, pace: Pace = QUICK, venue: Venue | None = None, **given: Any) -> None:
        self.clock = ManualClock(OPEN)
        self.venue = venue or Venue(self.clock)
        self.broker: VenueBroker
        self.alarms: list[str] = []
        options = {
            "broker": VenueBroker(self.venue),
            "clock": self.clock.now,
            "limits": msgspec.structs.replace(UNLIMITED, order_timeout_seconds=300),
            **given,
        }
        super().__init__(sessions=False, alarm=self._alarm, pace=pace, **options)
        self.driver.linked(is_up=False)  # the venue says when
        self._tasks: list[asyncio.Task[Any]] = []
        self.hears = True
        "Whether what the venue tells unasked reaches the engine."

    async def __aenter__(self) -> "Floor":
        await self.do(SessionOpened(session=DAY, at=OPEN))
        self.work()
        await until(lambda: self.wire.is_ready)
        return self

    async def __aexit__(self, *error: object) -> None:
        await end(self._tasks)

    def work(self) -> None:
        """The wire and the ears, as the runner starts them."""
        self._tasks = [asyncio.create_task(self.wire.run()), asyncio.create_task(self._listen())]

    async def restart(self, **given: Any) -> "Floor":
        """The process dies; another one begins with its journal at the same venue, and recovers.

        It is not connected yet: `work` starts its wire and its ears.
        """
        await end(self._tasks)
        other = Floor(venue=self.venue, **given)
        other.clock, other.now, other.commands = self.clock, self.now, self.commands
        other.driver = Driver(
            other.engine, other.broker, self.journal, clock=self.clock.now, pace=QUICK
        )
        other.journal = self.journal
        for event in self.journal.events:
            if type(event) in INPUT_TYPES:
                other.engine.handle(event)
        await other.driver.recover(self.clock.now())
        return other

    @property
    def wire(self) -> Any:
        return self.driver.wire

    async def _alarm(self, title: str, detail: str) -> None:
        self.alarms.append(title)

    async def _listen(self) -> None:
        async for news in self.broker.reports():
            if isinstance(news, BrokerLink):
                self.driver.linked(is_up=news.is_up)
                self.driver.ready(is_ready=news.is_up)
            elif self.hears:
                await self.driver.step(news)

    async def do(self, item: Any) -> None:
        """One step, without waiting for what comes of it at the venue."""
        await self.driver.step(item)

    async def minute(self, close: Prices, **more: Prices) -> None:
        """One minute of AAPL (and others by name)."""
        prices = {"AAPL": close} | more
        end_at = self.now + MINUTE
        bars = tuple(make_bar(symbol, price, self.now) for symbol, price in prices.items())
        await self.do(SliceOpened(self.now, DAY, {bar.symbol: bar.open for bar in bars}))
        self.clock.move_to(end_at)
        await self.do(SliceClosed(end=end_at, session=DAY, base=Timeframe.M1, bars=bars))
        self.now = end_at

    async def ask(self, kind: str, **payload: Any) -> dict[str, Any]:
        """A command, and its outcome."""
        self.commands += 1
        number, at = self.commands, self.now
        await self.do(
            CommandReceived(command_id=number, kind=kind, payload=payload, actor="anna", at=at)
        )
        done = self.of(CommandCompleted)[-1]
        return {**done.result, "succeeded": done.succeeded}

    async def buy(self, quantity: int = 10, **terms: Any) -> str:
        """An order by hand; its id."""
        texts = {k: str(v) if isinstance(v, int | float) else v for k, v in terms.items()}
        given = {"symbol": "AAPL", "side": "buy", "quantity": str(quantity), **texts}
        found = await self.ask("order_place", **given)
        return str(found["client_order_id"])

    async def start(self, **parameters: float) -> None:
        """Deployment 1 on AAPL: a close of 110 is fully long, of 100 flat."""
        await self.ask(
            "deployment_start",
            deployment_id=1,
            strategy="lean",
            parameters=parameters,
            symbols=["AAPL"],
            timeframe="1m",
            capital="10000",
        )

    # ------------------------------------------------------------------------------- what is

    def order_of(self, identity: str) -> Order:
        return self.engine.book.records[identity].order

    def status(self, identity: str) -> OrderStatus:
        return self.order_of(identity).status

    async def becomes(self, identity: str, status: str) -> None:
        """Wait until the order is there in that status."""
        known = self.engine.book.records
        await until(lambda: identity in known and known[identity].order.status == status)

    async def settled(self) -> None:
        """Wait until the wire has nothing to do at this moment."""
        await until(lambda: self.wire.is_idle)

    async def until(self, condition: Callable[[], Any]) -> None:
        await until(condition)

    def asked(self, kind: str) -> list[str]:
        """Client ids of the requests of one kind that reached the venue."""
        return [identity for what, identity in self.venue.requests if what == kind]

    def there(self) -> Decimal:
        """What the venue says is held of AAPL."""
        return self.venue.exchange.positions.get("AAPL", Decimal(0))

    async def reconcile(self) -> Any:
        """Hold the books against the venue's, at once and for certain."""
        doubts = Doubts(settle=0.0, looks=3, patience=0.0)
        since = OPEN - timedelta(hours=1)
        one = Reconciler(self.driver, self.broker, self.clock, doubts=doubts, since=since)
        return await asyncio.wait_for(one.settle(), 10)
