"""An account at a venue, and the reconciler that holds its books against the broker's."""

import asyncio
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from app.core.clock import ManualClock
from app.domain.deployments import TradingState
from app.domain.events import (
    OrderAccepted,
    OrderSubmitted,
    OrderUnknown,
)
from app.domain.limits import UNLIMITED
from app.domain.orders import Order, OrderStatus
from app.domain.ports import BrokerBook
from app.engine.driver import Driver
from app.engine.engine import AccountSetup, Engine
from app.engine.history import Windows
from app.engine.journal import MemoryJournal
from app.engine.reconciler import Outcome, Reconciler
from app.engine.reconciliation import Choice, Policy
from app.engine.suspicions import Doubts
from tests.trading import OPEN, make_lean, make_order
from tests.venue import Venue, VenueBroker

D = Decimal
T = TypeVar("T")
SURE = Doubts(settle=0.0, looks=3, patience=0.0)
IDENTITY = "1-manual-AAPL-c1-e1"
EASY = Policy(positions=Choice.ADOPT, cash=Choice.ADOPT)


class Books:
    """An account that trades at a venue, and its reconciler. Nothing is told but by looking."""

    def __init__(self, policy: Policy | None = None, cash: int = 100_000, **given: Any) -> None:
        self.clock = ManualClock(OPEN)
        self.venue = Venue(self.clock, D(cash))
        self.broker = VenueBroker(self.venue)
        self.engine = Engine(
            AccountSetup(account_id=1, cash=D(cash), limits=UNLIMITED),
            strategies=make_lean,
            histories=Windows(),
        )
        self.journal = MemoryJournal()
        self.driver = Driver(self.engine, self.broker, self.journal, clock=self.clock.now)
        self.told: list[Outcome] = []
        self.reconciler = Reconciler(
            self.driver,
            self.broker,
            self.clock,
            policy=policy,
            doubts=SURE,
            told=self._tell,
            **{"since": OPEN, **given},
        )

    async def _tell(self, outcome: Outcome) -> None:
        self.told.append(outcome)

    async def learn(self, *events: Any) -> None:
        for event in events:
            await self.driver.step(event)

    async def order(self, status: OrderStatus = OrderStatus.ACCEPTED, **terms: Any) -> Order:
        """An order that is at the venue, and in our books in this status."""
        order = make_order(**terms)
        identity = order.client_order_id
        number = len(self.venue.exchange.tickets) + 1
        self.engine.book.approved(order)
        if status is not OrderStatus.APPROVED:
            await self.broker.submit(order, OPEN)
            await self.learn(OrderSubmitted(client_order_id=identity, at=OPEN))
        if status is OrderStatus.UNKNOWN:
            await self.learn(OrderUnknown(client_order_id=identity, reason="?", at=OPEN))
        elif status not in (OrderStatus.APPROVED, OrderStatus.SUBMITTED):
            taken = OrderAccepted(client_order_id=identity, broker_order_id=f"v{number}", at=OPEN)
            await self.learn(taken)
        return self.engine.book.records[identity].order

    async def settle(self, **given: Any) -> Outcome:
        return await asyncio.wait_for(self.reconciler.settle(**given), 10)

    def now(self, identity: str = IDENTITY) -> Order:
        return self.engine.book.records[identity].order

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in self.journal.events if isinstance(event, kind)]

    def held(self, ledger: str = "manual") -> int:
        return int(self.engine.book.held(ledger, "AAPL"))

    @property
    def state(self) -> TradingState:
        return self.engine.trading_state


def kinds(outcome: Outcome) -> list[str]:
    return [one.kind for one in outcome.differences]


def names(outcome: Outcome) -> list[str]:
    return [type(report).__name__ for report in outcome.reports]


def forgets_closed(books: Books) -> None:
    """The broker's book has nothing of orders that ended."""
    whole = books.broker.book

    async def book(since: Any = None) -> BrokerBook:
        return msgspec.structs.replace(await whole(since), closed_orders=())

    books.broker.book = book  # type: ignore[method-assign]  # a broker that remembers less


def answers_late(books: Books, event: Any) -> None:
    """Something is told about an order while the broker is asked for it."""
    ask = books.broker.find

    async def find(identity: str) -> Any:
        found = await ask(identity)
        await books.learn(event)
        return found

    books.broker.find = find  # type: ignore[method-assign]  # a slow answer
