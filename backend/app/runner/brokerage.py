"""A real broker at work for one account: its link, its reports, and our books held against its."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from app.bootstrap import Parts
from app.core import clock
from app.core.errors import ConfigurationError, FeedRefused, InvalidInput, JournalError
from app.core.logging import get_logger
from app.domain.events import (
    BrokerConnected,
    BrokerDisconnected,
    Difference,
    ExecutionCorrected,
    HoldingSeen,
    OrderFilled,
    OrderSeen,
    Severity,
)
from app.domain.options import parse_occ
from app.domain.orders import OrderStatus
from app.domain.ports import Broker, BrokerBook, BrokerLink, Entry
from app.engine.comparison import Comparison, compare
from app.engine.driver import Driver, Item
from app.engine.findings import by_others
from app.engine.reconciler import Outcome, Reconciler
from app.repositories import accounts, broker_states, instruments, option_contracts, stocks
from app.repositories.accounts import Account
from app.repositories.broker_states import BrokerReport
from app.repositories.journal import LOST_CONNECTION
from app.runner.inbox import Inbox

SAVE_SECONDS: Final = 1.0
TURN_SECONDS: Final = 1.0
PATIENCE: Final = timedelta(seconds=10)
"An outage that nobody planned is told when it has lasted so long."
OVERLAP: Final = timedelta(minutes=10)
_IN_FLIGHT: Final = frozenset({OrderStatus.SUBMITTED, OrderStatus.UNKNOWN})
log = get_logger("trading")


class Brokerage:
    """Made once a run of an account. `listen`, `keep` and `report` go on beside the steps."""

    def __init__(self, parts: Parts, account: Account, broker: Broker, inbox: Inbox) -> None:
        self.broker = broker
        self.is_ready = False
        "Connected, and our books compared since: orders may be sent."
        self._parts, self._account, self._inbox = parts, account, inbox
        self._state, self._reason, self._since = "connecting", "", clock.now()
        self._planned: datetime | None = None
        self._known: set[str] = set()
        self._up = asyncio.Event()
        self._broken: Exception | None = None
        "What ended the reports, which must not end."
        self._failures = 0
        self._is_told = False
        self._is_new = False
        "Whatever the broker has was there before us: it is taken over without a word."
        self._ours: list[str] = []
        self._driver: Driver | None = None
        self._reconciler: Reconciler | None = None
        self._made_ready: Callable[[], None] = lambda: None
        self._unsaved: Comparison | None = None
        "Both books as the last whole look saw them, until they are stored."

    @property
    def name(self) -> str:
        return f"{self.broker.name} ({self._account.name})"

    # ------------------------------------------------------------------------------- beginning

    async def first_book(self) -> BrokerBook:
        """What the broker has when the account becomes ours; waits until it can say."""
        while True:
            if self._broken is not None:
                raise self._broken
            if self._up.is_set():
                try:
                    return await self.broker.book(clock.now())
                except Exception as error:  # noqa: BLE001 - a broker may fail in any way
                    self._on_failed(error)
            await asyncio.sleep(0.1)

    async def begin_books(self) -> Account:
        """The account as it is from now on: it begins with the cash that the broker counts."""
        book, at = await self.first_book(), clock.now()
        pool = self._parts.pool
        async with pool.acquire() as db, db.transaction():
            await accounts.begin(db, self._account.id, book.cash or self._account.starting_cash, at)
        self._account = await accounts.get(pool, self._account.id)
        log.info("account_begun", account_id=self._account.id, cash=self._account.starting_cash)
        return self._account

    def attach(
        self, driver: Driver, *, is_new: bool, ours: list[str], ready: Callable[[], None]
    ) -> None:
        """Now there is somebody to report to; `ready` is called whenever orders may be sent.

        `ours`: what the restart found unexplained of our own.
        """
        settings, now = self._account.settings, driver.engine.now
        policy = settings.reconciliation
        begins = settings.start
        self._driver, self._made_ready = driver, ready
        self._is_new, self._ours = is_new, ours
        self._reconciler = Reconciler(
            driver,
            self.broker,
            clock.system,
            policy=policy.adopting if is_new else policy,
            currency=self._account.currency,
            since=(now or begins or clock.now()) - OVERLAP,
            begins=begins,
            told=self._on_looked,
            compared=self._on_compared,
        )
        driver.ready(is_ready=False)
        driver.linked(is_up=self._up.is_set())

    async def know(self, item: Item) -> None:
        """Symbols that somebody else traded have a row before anything of them is stored."""
        symbol = _symbol(item)
        if symbol is None or symbol in self._known:
            return
        pool = self._parts.pool
        found = await instruments.find(pool, symbol)
        if found is None:
            async with pool.acquire() as db, db.transaction():
                await _ensure(db, symbol)
                found = await instruments.find(db, symbol)
        if found is not None and self._driver is not None:
            self._driver.engine.book.instruments.setdefault(symbol, found)
        self._known.add(symbol)

    # ------------------------------------------------------------------------------ the link

    async def listen(self) -> None:
        """What the broker tells, for ever: reports into the inbox, the link at once."""
        try:
            async for item in self.broker.reports():
                if isinstance(item, BrokerLink):
                    await self._on_link(item)
                else:
                    await self._inbox.report(item)
            raise ConnectionError(f"{self.name} tells nothing any more.")
        except Exception as error:
            is_refused = isinstance(error, ConfigurationError | FeedRefused)
            self._move("refused" if is_refused else "down", str(error))
            self._broken = error
            with suppress(*LOST_CONNECTION, asyncpg.PostgresError):
                await broker_states.save(self._parts.pool, self._report())
            raise

    async def _on_link(self, link: BrokerLink) -> None:
        if link.is_up:
            self._move("up", "")
            self._up.set()
        else:
            self._up.clear()
            self.is_ready = False
            self._move("down", link.reason, link.planned_until)
        if self._driver is not None:
            self._driver.ready(is_ready=False)
            self._driver.linked(is_up=link.is_up)

    def _move(self, state: str, reason: str, planned: datetime | None = None) -> None:
        self._planned = planned
        if state != self._state:
            self._since = clock.now()
        if (state, reason) != (self._state, self._reason):
            log.info("broker_link", account_id=self._account.id, state=state, reason=reason)
            self._state, self._reason = state, reason

    # ------------------------------------------------------------------------------ the books

    async def keep(self) -> None:
        """Hold our books against the broker's: after each `up` until they agree, then on timers."""
        reconciler = self._needed()
        while True:
            await self._up.wait()
            try:
                if self.is_ready:
                    await reconciler.turn()
                else:
                    await reconciler.settle(ours=self._ours)
                    self._become_ready()
                self._failures = 0
            except JournalError:
                raise
            except Exception as error:  # noqa: BLE001 - a broker may fail in any way
                self._on_failed(error)
            await asyncio.sleep(TURN_SECONDS)

    def _become_ready(self) -> None:
        if self._up.is_set() and not self.is_ready and self._driver is not None:
            self.is_ready, self._is_new, self._ours = True, False, []
            self._needed().policy = self._account.settings.reconciliation
            self._driver.ready(is_ready=True)
            self._made_ready()

    async def reconcile(self, *, is_dry: bool, is_asked: bool) -> Outcome:
        """Because somebody asks. Raises whatever the broker raises."""
        reconciler = self._needed()
        if is_dry:
            return await reconciler.dry_run(is_asked=is_asked)
        outcome = await reconciler.settle(is_asked=is_asked)
        self._become_ready()
        return outcome

    def _needed(self) -> Reconciler:
        if self._reconciler is None:
            raise RuntimeError("attach() comes first")
        return self._reconciler

    def _on_failed(self, error: Exception) -> None:
        self._failures += 1
        log.warning(
            "broker_books_not_read",
            account_id=self._account.id,
            error=f"{type(error).__name__}: {error}",
            failures=self._failures,
        )

    async def _on_looked(self, outcome: Outcome) -> None:
        """Tell people what is unexplained, and what somebody else did on the account."""
        key = "reconciliation"
        if outcome.differences:
            title = f"Account {self._account.name} does not reconcile: reduce-only"
            detail = "; ".join(one.detail for one in outcome.differences)
            await self._alarm(key, title, detail, Severity.CRITICAL)
        else:
            await self._clear(key)
        others = [one for one in map(by_others, outcome.reports) if one]
        if others and not self._is_new:
            title = f"Somebody else traded on account {self._account.name}"
            await self._alarm("external", title, "; ".join(others), Severity.WARNING)

    def _on_compared(self, theirs: BrokerBook, doubtful: Sequence[Difference]) -> None:
        """Remember both books for people to read."""
        if self._driver is not None:
            self._unsaved = compare(
                self._driver.engine.book,
                theirs,
                self._needed().differences,
                doubtful,
                currency=self._account.currency,
                at=clock.now(),
            )

    # ------------------------------------------------------------------------------ telling

    async def report(self) -> None:
        """Say how it goes, for ever."""
        told = ""
        while True:
            with suppress(*LOST_CONNECTION, asyncpg.PostgresError):
                told = await self._tell_link(told)
                await self._read_policy()
                await broker_states.save(self._parts.pool, self._report())
                await self._save_comparison()
            await asyncio.sleep(SAVE_SECONDS)

    async def _tell_link(self, told: str) -> str:
        """The link's changes as events; an outage as an alert, once it is one."""
        state, now = self._state, clock.now()
        if state != told and state in ("up", "down", "refused"):
            connected = BrokerConnected(broker=self.name, at=self._since)
            lost = BrokerDisconnected(broker=self.name, reason=self._reason, at=self._since)
            await self._parts.system.append([Entry(connected if state == "up" else lost)])
            if state == "up":
                await self._clear("broker")
                self._is_told = False
        due = max(self._since + PATIENCE, self._planned or self._since)
        if state != "up" and now >= due and not self._is_told:
            title = f"Account {self._account.name} has no connection to {self.broker.name}"
            await self._alarm("broker", title, self._reason, Severity.CRITICAL)
            self._is_told = True
        return state

    async def _save_comparison(self) -> None:
        """Only when there is a new one: it may be long."""
        made = self._unsaved
        if made is not None:
            await broker_states.keep_comparison(self._parts.pool, self._account.id, made)
            self._unsaved = None if self._unsaved is made else self._unsaved

    async def _read_policy(self) -> None:
        """People may change their minds while we run."""
        account = await accounts.get(self._parts.pool, self._account.id)
        self._account = account
        if self._reconciler is not None and not self._is_new:
            self._reconciler.policy = account.settings.reconciliation

    def _report(self) -> BrokerReport:
        reconciler, driver = self._reconciler, self._driver
        orders = driver.engine.open_orders if driver else []
        return BrokerReport(
            account_id=self._account.id,
            broker=self.broker.name,
            state=self._state,
            reason=self._reason,
            since=self._since,
            planned_until=self._planned,
            looked_at=reconciler.looked_at if reconciler else None,
            is_reconciled=self.is_ready,
            differences=tuple(d.detail for d in reconciler.differences) if reconciler else (),
            in_flight=sum(1 for order in orders if order.status in _IN_FLIGHT),
            failures=self._failures,
        )

    async def _alarm(self, key: str, title: str, detail: str, severity: Severity) -> None:
        with suppress(*LOST_CONNECTION):
            await self._parts.alarm(key, title, detail, self._account.id, severity)

    async def _clear(self, key: str) -> None:
        with suppress(*LOST_CONNECTION):
            await self._parts.all_clear(key, self._account.id)

    async def close(self) -> None:
        """End the connection; orders stay as they are."""
        await self.broker.close()


def _symbol(item: Item) -> str | None:
    """Of what may be of a symbol that nobody here has heard of."""
    match item:
        case OrderFilled(execution=execution) | ExecutionCorrected(execution=execution):
            return execution.symbol
        case OrderSeen(order=order):
            return order.symbol
        case HoldingSeen():
            return item.symbol
        case _:
            return None


async def _ensure(db: asyncpg.Connection, symbol: str) -> None:
    try:
        contract = parse_occ(symbol)
    except InvalidInput:
        await stocks.ensure(db, symbol)
    else:
        await stocks.ensure(db, contract.underlying)
        await option_contracts.ensure(db, [contract])
