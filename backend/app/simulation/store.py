"""The database in memory: what was committed survives every process, and nothing else does.

It numbers, chains and folds with the production code, so that the same operations leave the same
events, hashes and rows as in PostgreSQL (a state machine of tests/simulation proves it).
"""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from app.core.errors import Fenced, JournalError
from app.domain.deployments import DeploymentState, TradingState
from app.domain.events import CommandReceived, Event, TradingHalted, TradingResumed
from app.domain.orders import CLOSED
from app.domain.ports import Entry
from app.engine.invariants import OrderRow, Tables
from app.repositories.chain import GENESIS, Record
from app.repositories.folds.book import Book, InstrumentIds
from app.repositories.folds.rows import Row
from app.repositories.folds.tables import (
    ACCOUNTS,
    DEPLOYMENTS,
    EXECUTIONS,
    LEDGERS,
    ORDERS,
    POSITIONS,
    SIGNALS,
    TARGETS,
    TRADES,
)
from app.repositories.journal import stream_of
from app.repositories.journal_batch import Batch
from app.repositories.leases import SECONDS as LEASE_SECONDS
from app.repositories.projection import apply

KEY: Final = b"simulation" * 4
_ORDER_IDS: Final = 10_000
FOLDED: Final = (ACCOUNTS, LEDGERS, POSITIONS, ORDERS, EXECUTIONS, SIGNALS, TARGETS, TRADES)
"Tables of which the whole fold is compared."
_STRICTNESS: Final = (TradingState.ACTIVE, TradingState.REDUCING, TradingState.HALTED)


class Latch(msgspec.Struct):
    """The trading state as people latched it: a row of `trading_state`."""

    state: TradingState = TradingState.ACTIVE
    epoch: int = 1
    confirmed_epoch: int = 1
    latched_at: float = -math.inf


class Command(msgspec.Struct):
    """A row of `commands`."""

    id: int
    kind: str
    payload: dict[str, Any]
    created_at: float


class Checkpoint(msgspec.Struct, frozen=True):
    """State after event `seq`, encoded."""

    seq: int
    state: bytes


Committed = Callable[[list[Record], list[Event]], None]


class MemoryStore:
    """One account's stream, tables, lease, latch and commands."""

    def __init__(
        self,
        account_id: int,
        cash: Decimal,
        symbols: Sequence[str],
        deployments: Sequence[int] = (),
        now: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """`now`: seconds that never run backwards, for what the database stamps itself."""
        self.account_id = account_id
        self.starting_cash = cash
        self.stream = stream_of(account_id)
        self.records: list[Record] = []
        self.events: list[Event] = []
        self.seq = 0
        self.hash = GENESIS
        self.epoch = 0
        "The fencing epoch that every append is held against."
        self.holder: str | None = None
        self.expires_at = 0.0
        self.latch = Latch()
        self.commands: list[Command] = []
        self.checkpoint: Checkpoint | None = None
        self.now = now
        self.is_away = False
        "PostgreSQL does not answer; whoever asks waits."
        self.back = asyncio.Event()
        self.told: list[Committed] = []
        "Who is told of each commit, in its very moment."
        self.told_early: Callable[[int], None] = _nobody
        "Who is told of the numbers of what is not committed yet: nobody but by mistake."
        self._symbols, self._deployments = symbols, deployments
        self.book = self.new_book()

    def new_book(self) -> Book:
        """The tables before the first event."""
        book = Book(self.account_id)
        for number, symbol in enumerate(self._symbols, 1):
            book.instruments[symbol] = InstrumentIds(number, number)
        book.order_ids.extend(range(1, _ORDER_IDS))
        cash = self.starting_cash
        account = {"id": self.account_id, "cash": cash, "clock_at": None, "reconciled_at": None}
        book.rows.remember(ACCOUNTS, account)
        nothing = dict.fromkeys(("reason", "started_at", "stopped_at"))
        for number in self._deployments:
            book.strategies[number] = 1
            row = {"id": number, "state": DeploymentState.CREATED}
            book.rows.remember(DEPLOYMENTS, row | nothing)
        return book

    # ------------------------------------------------------------------------------- appends

    def commit(self, entries: Sequence[Entry], epoch: int | None, at: datetime) -> int:
        """Append all of it or nothing, in one moment. Raises Fenced for an old epoch."""
        if epoch is not None and epoch != self.epoch:
            raise fenced(self.stream)
        if not entries:
            return self.seq
        batch = Batch(self.stream, self.seq, self.hash, at)
        for entry in entries:
            record = batch.add(KEY, entry, self.origin(entry.event))
            apply(self.book, record, entry.event)
        chained = [
            msgspec.structs.replace(record, hash=link)
            for record, link in zip(batch.records, batch.hashes, strict=True)
        ]
        events = [entry.event for entry in entries]
        self.records += chained
        self.events += events
        self.seq, self.hash = chained[-1].seq, batch.hashes[-1]
        states = [e for e in entries if isinstance(e.event, TradingHalted | TradingResumed)]
        if states:  # the row is written once a statement
            self._latch(states[-1], entries)
        self.book.commands.clear()
        self.book.notices.clear()
        for tell in self.told:
            tell(chained, events)
        return self.seq

    def origin(self, event: Event) -> tuple[int, str] | None:
        """Where the order that `event` answers was approved."""
        identity = getattr(event, "client_order_id", None)
        execution = getattr(event, "execution", None)
        if execution is not None:
            identity = execution.client_order_id
        return self.book.origins.get(identity) if identity else None

    def _latch(self, entry: Entry, entries: Sequence[Entry]) -> None:
        """The engine's halts tighten; a resume loosens what was latched before it was asked for."""
        event, latch = entry.event, self.latch
        if isinstance(event, TradingHalted):
            wanted = event.state
        elif isinstance(event, TradingResumed):
            wanted = TradingState.ACTIVE
        else:
            return
        is_tighter = _STRICTNESS.index(wanted) > _STRICTNESS.index(latch.state)
        asked_at = self._asked_at(entry, entries)
        if wanted is not latch.state and (is_tighter or latch.latched_at <= asked_at):
            self.latch = Latch(wanted, latch.epoch + 1, latch.epoch + 1, self.now())

    def _asked_at(self, entry: Entry, entries: Sequence[Entry]) -> float:
        """When the command was asked that `entry` follows from; before everything without one."""
        cause = entries[entry.cause].event if entry.cause is not None else None
        if not isinstance(cause, CommandReceived):
            return -math.inf
        return next((c.created_at for c in self.commands if c.id == cause.command_id), -math.inf)

    def folded(self) -> Book:
        """Fresh tables with the whole stream folded into them."""
        book = self.new_book()
        for record, event in zip(self.records, self.events, strict=True):
            apply(book, record, event)
        return book

    # -------------------------------------------------------------------------------- people

    def halt(self) -> None:
        """The emergency stop's latch, written by the API itself."""
        latch = self.latch
        epoch, confirmed = latch.epoch + 1, latch.confirmed_epoch
        self.latch = Latch(TradingState.HALTED, epoch, confirmed, self.now())

    def ask(self, kind: str, payload: Mapping[str, Any], number: int | None = None) -> Command:
        """A command waits for the engine."""
        identity = len(self.commands) + 1 if number is None else number
        command = Command(identity, kind, dict(payload), self.now())
        self.commands.append(command)
        return command

    # --------------------------------------------------------------------------------- lease

    def take_lease(self, holder: str, now: float) -> int | None:
        """The new epoch, or None while another's lease is good."""
        if self.holder is not None and self.expires_at > now:
            return None
        self.holder, self.expires_at = holder, now + LEASE_SECONDS
        self.epoch += 1
        return self.epoch

    def renew_lease(self, epoch: int, now: float) -> bool:
        """The heartbeat; False when another came after `epoch`."""
        if epoch != self.epoch:
            return False
        self.expires_at = now + LEASE_SECONDS
        return True

    def free_lease(self, holder: str) -> None:
        """The holder's connection is gone with its process."""
        if self.holder == holder:
            self.holder = None

    # -------------------------------------------------------------------------------- tables

    def tables(self) -> Tables:
        """What the tables say now."""
        rows = self.book.rows
        symbols = {ids.instrument_id: symbol for symbol, ids in self.book.instruments.items()}
        account = rows.find(ACCOUNTS, self.account_id)
        return Tables(
            cash=account["cash"] if account else self.starting_cash,
            positions={
                (row["ledger"], symbols[row["instrument_id"]]): row["quantity"]
                for row in rows.of(POSITIONS)
                if row["quantity"]
            },
            ledgers={row["ledger"]: row["cash"] for row in rows.of(LEDGERS)},
            orders={
                row["client_order_id"]: order_row(row)
                for row in rows.of(ORDERS)
                if row["status"] not in CLOSED
            },
        )


def order_row(row: Row) -> OrderRow:
    return OrderRow(str(row["status"]), row["quantity"], row["filled_quantity"])


def fenced(stream: str) -> Fenced:
    return Fenced(f"Stream {stream} belongs to another engine now.", stream=stream)


class MemoryStream:
    """The stream as one process appends to it: with latency, while its lease is good."""

    def __init__(
        self,
        store: MemoryStore,
        epoch: int,
        now: Callable[[], datetime],
        delay: Callable[[], float],
        failpoint: Callable[[str], None],
        refuses: Callable[[], bool] = lambda: False,
    ) -> None:
        """`failpoint` may end the process, before a commit and after it; `refuses`: disk full."""
        self.seq = store.seq
        self._store, self._epoch = store, epoch
        self._now, self._delay, self._failpoint = now, delay, failpoint
        self._refuses = refuses
        self._broken: str | None = None

    async def append(self, entries: Sequence[Entry]) -> int:
        """As the durable journal: waits while the database is away, then commits once."""
        if self._broken:
            raise JournalError(f"Stream {self._store.stream} {self._broken}.")
        await self.reach()
        self._failpoint("before commit")
        if self._refuses():
            self._broken = "failed and must be opened anew"
            raise JournalError(f"Stream {self._store.stream} could not be appended to: disk full")
        try:
            self.seq = self._store.commit(entries, self._epoch, self._now())
        except Fenced:
            self._broken = "was taken over by another engine"
            raise
        self._failpoint("after commit")
        await asyncio.sleep(self._delay())
        return self.seq

    async def reach(self) -> None:
        """The way to the database, however long it takes."""
        await asyncio.sleep(self._delay())
        while self._store.is_away:
            await self._store.back.wait()


def _nobody(seq: int) -> None:
    """Nobody is told."""
