"""One account at work: recover, reconcile, then drive its engine until told to stop."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from app.bootstrap import Parts
from app.core import clock
from app.core.logging import get_logger, timing
from app.core.tasks import end
from app.core.timing import timing_seconds
from app.domain.commands import CommandKind
from app.domain.deployments import LIVE_DATASET, AccountMode
from app.domain.events import (
    CommandReceived,
    Input,
    Reconciled,
    SessionClosed,
    SessionOpened,
    SliceClosed,
)
from app.domain.ports import Broker
from app.engine.driver import Driver, Item
from app.engine.engine import AccountSetup, Engine
from app.engine.reconciliation import differences
from app.engine.retold import is_retold
from app.engine.surroundings import told_of
from app.marketdata.calendar import trading_calendar
from app.repositories import accounts, commands, instruments
from app.repositories.accounts import Account
from app.repositories.journal import LOST_CONNECTION, PostgresJournal, stream_of
from app.repositories.projection import Projection
from app.repositories.stock_data import StockData
from app.runner import recovery
from app.runner.actions import Actions
from app.runner.asked import Asked
from app.runner.brokerage import Brokerage
from app.runner.following import Following
from app.runner.gate import HaltedOutside, WireGate
from app.runner.histories import Histories
from app.runner.inbox import Ended
from app.runner.live import LiveData
from app.runner.preparing import Preparing
from app.runner.pulse import PulseKeeper
from app.runner.strategists import Lost, Strategists
from app.runner.surroundings import Surroundings

CHECKPOINT_EVENTS: Final = 1_000
POLL_SECONDS: Final = 5.0
LOOK_SECONDS: Final = 0.1
"How long a command waits at most while strategies of other processes are asked."
NOT_ARMED: Final = "not_armed"
"The alert about real money that we may not reach; over once the account may connect."
log = get_logger("trading")


class AccountRunner:
    """Everything that one account needs while we hold its lease. Made anew after each failure."""

    def __init__(self, parts: Parts, account: Account, epoch: int, gate: WireGate) -> None:
        self.account = account
        self.gate = gate
        self._parts = parts
        calendar = trading_calendar(account.settings.exchange)
        bars = StockData(parts.pool, account.dataset)
        is_live, start = account.dataset == LIVE_DATASET, account.settings.start
        since = start.date() if is_live and start else None
        self._actions = Actions(parts.pool, account.dataset, calendar, since)
        self._histories = Histories(bars, calendar, self._actions)
        self._stop = False
        self._asked = True
        self._saved_seq = 0
        self._saving: asyncio.Task[None] | None = None
        self._following = Following(parts, account, bars, calendar, stream_of(account.id))
        self._inbox = self._following.inbox
        self._surroundings = Surroundings(parts.pool, account.id)
        self._strategists = Strategists(parts.catalogue)
        self._preparing = Preparing(parts.pool, account, self._histories, self._strategists)
        self._pulse = PulseKeeper(parts.pool, parts.settings.home, account)
        self._brokerage: Brokerage | None = None
        "Of a real broker."
        self._is_settled = False
        "Our books were held against the broker's in this run: the feed may begin."
        self._asides: list[asyncio.Task[None]] = []
        self._broken: BaseException | None = None
        "What ended a task that must not end."
        self._journal = PostgresJournal(
            parts.pool,
            stream_of(account.id),
            account.id,
            epoch,
            parts.journal_key,
            Projection(account.id, stream_of(account.id)),
            reconnected=self._read_latch,
            intents_first=True,
        )
        self._engine: Engine
        self._driver: Driver
        self._commands: Asked

    @property
    def at_work(self) -> tuple[Engine, Callable[[], int]] | None:
        """The engine and where its stream ends; None while it does not trade."""
        if not self._is_settled:
            return None
        return self._engine, lambda: self._journal.seq

    # ------------------------------------------------------------------------------------ life

    async def run(self) -> None:
        """Until `stop`. Raises Fenced when another process took over, and whatever breaks."""
        self._begin(self._pulse.beat())
        try:
            if self.account.dataset == LIVE_DATASET:
                self._following.live = LiveData(self._parts, self.account)
            await self._start()
            self._pulse.ready(self._engine)
            self._begin(self._preparing.flush(), self._poll(), self._ask_broker())
            if (live := self._following.live) is not None:
                self._begin(live.report(), live.backfill(), live.follow_options())
            await self._work()
            await self._end_work()
            await self._preparing.store()
            await self._pulse.say(is_stopped=True)
        finally:
            await self._end_asides()
            await self._following.close()
            if self._saving is not None:
                await asyncio.gather(self._saving, return_exceptions=True)
            if self._brokerage is not None:
                await self._brokerage.close()
            await self._strategists.close()
            await self._journal.close()

    def _begin(self, *asides: Coroutine[Any, Any, None]) -> None:
        for aside in asides:
            task = asyncio.create_task(aside)
            task.add_done_callback(self._on_aside_done)
            self._asides.append(task)

    async def _end_work(self) -> None:
        """Nobody journals any more, and what was is saved. An append under way ends first: cut off,
        it would leave the engine ahead of its stream, and a checkpoint would make that last."""
        async with self._driver.lock:
            await self._end_asides()
            await self._save()

    async def _end_asides(self) -> None:
        asides, self._asides = self._asides, []
        await end(asides)

    def _on_aside_done(self, task: "asyncio.Task[None]") -> None:
        """Without its asides an account would seem well and not be: it begins anew instead."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._broken = error
            self._inbox.wake()

    def stop(self) -> None:
        """Finish the step under way, save, and return from `run`."""
        self._stop = True
        self._inbox.wake()

    def ask(self) -> None:
        """Commands may be waiting."""
        self._asked = True
        self._inbox.wake()

    # ----------------------------------------------------------------------------------- start

    async def _start(self) -> None:
        await self._journal.open()
        await self._read_latch()
        known = await instruments.load(self._parts.pool)
        broker, book = self._parts.broker(self.account, known)
        if self.account.mode is AccountMode.LIVE:
            await self._parts.all_clear(NOT_ARMED, self.account.id)
        if book is None:
            self._brokerage = Brokerage(self._parts, self.account, broker, self._inbox)
            self._begin(self._brokerage.listen(), self._brokerage.report())
            if self._journal.seq == 0:
                self.account = await self._brokerage.begin_books()
        self._engine = Engine(
            AccountSetup(account_id=self.account.id, cash=self.account.starting_cash),
            strategies=self._strategists.make,
            histories=self._histories,
            instruments=known,
        )
        self._preparing.engine = self._engine
        self._following.attach(self._engine, self.account)
        with timing("recovery", account_id=self.account.id), timing_seconds("recovery"):
            found = await recovery.Recovery(
                self._parts.pool,
                self.account.id,
                self._engine,
                book,
                self._preparing.repeat,
                self._preparing.warm,
            ).run()
        self._saved_seq = found.seq
        self._book = book
        self._driver = Driver(
            self._engine,
            broker,
            self._journal,
            gate=self.gate,
            fence=self.gate.fence,
            sending=self.gate.sending,
            clock=clock.now if self.account.dataset == LIVE_DATASET else None,
            before=self._prepare,
            ahead=self._ahead,
            resumed=self._read_latch,
            alarm=self._alarm,
        )
        self._commands = Asked(
            self._parts.pool,
            self.account.id,
            self._driver,
            self._brokerage,
            self._now,
            self._begin,
        )
        log.info(
            "recovered",
            account_id=self.account.id,
            checkpoint=found.seq,
            inputs=found.inputs,
            seq=self._journal.seq,
            differences=found.differences,
        )
        if self._brokerage is not None:
            await self._attach(self._brokerage, found.differences)
        else:
            await self._reconcile(found.differences)
            await self._settle()
        await self._tell_abilities(broker)
        await self._driver.recover(self._now())
        await self._commands.remember()
        await self._adopt_limits()
        await self._follow()

    async def _tell_abilities(self, broker: Broker) -> None:
        """What the broker cannot do we hold: the stream alone must explain what was held."""
        now = self._now()
        if told_of(broker.abilities, now) != told_of(self._engine.desk.abilities, now):
            await self._driver.step(told_of(broker.abilities, now))

    async def _attach(self, brokerage: Brokerage, unexplained: list[str]) -> None:
        """From here on the wire is at work, and orders wait until our books were compared."""
        wire = self._driver.wire
        if wire is None:
            raise RuntimeError(f"{brokerage.name} is simulated, and its book is not ours")
        is_new = await accounts.is_new(self._parts.pool, self.account.id)
        brokerage.attach(self._driver, is_new=is_new, ours=unexplained, ready=self.ask)
        self._begin(wire.run(), brokerage.keep())

    async def _alarm(self, title: str, detail: str) -> None:
        with suppress(*LOST_CONNECTION):
            await self._parts.alarm("order_path", title, detail, self.account.id)

    async def _settle(self) -> None:
        self._is_settled = True
        await self._settle_halt()

    async def _reconcile(self, unexplained: list[str]) -> None:
        """A simulated broker's book is a fold of our own: it is compared once, at the start."""
        book = await self._driver.broker.book()
        found = (*unexplained, *differences(self._engine.open_orders, book))
        held = sum(1 for ledger in self._engine.ledgers.values() for _ in ledger.positions.values())
        event = Reconciled(
            at=self._now(), open_orders=len(book.open_orders), positions=held, differences=found
        )
        await self._driver.step(event)
        if found:
            title = f"Account {self.account.name} does not reconcile: reduce-only"
            await self._parts.alarm("reconciliation", title, "; ".join(found), self.account.id)

    async def _settle_halt(self) -> None:
        """What the guardian halted while we were away becomes a halt like any other."""
        halt = await self.gate.settle(self._parts.pool)
        if halt is not None:
            kind, payload = CommandKind.TRADING_HALT, {"reason": f"guardian: {halt.reason}"}
            await commands.submit(self._parts.pool, self.account.id, kind, payload, "guardian")

    async def _adopt_limits(self) -> None:
        """The stored limits, as a command: the stream alone must explain every decision."""
        for payload in await self._surroundings.limits(self._engine.book):
            await self._commands.ask(CommandKind.LIMITS_CHANGE, payload)

    async def _ask_broker(self) -> None:
        """What may be spent and what is lent, as long as we trade."""
        broker, book = self._driver.broker, self._engine.book
        await self._surroundings.ask(broker, book, lambda: self._inbox.symbols, self._now, self.ask)

    async def _look_around(self) -> None:
        """What changed in other accounts, or is known of symbols, becomes inputs."""
        book, symbols = self._engine.book, self._inbox.symbols
        try:
            news = await self._surroundings.news(book, symbols, self._now())
        except LOST_CONNECTION as error:
            log.warning("surroundings_not_read", account_id=self.account.id, error=str(error))
            return  # the poll asks again
        for event in news:
            await self._driver.step(event)

    # ------------------------------------------------------------------------------------ work

    async def _work(self) -> None:
        while not self._stop:
            self._check()
            if self._asked:
                self._asked = False
                if not self._is_settled and self._brokerage and self._brokerage.is_ready:
                    await self._settle()
                await self._take_commands()
                continue
            item = await self._inbox.next()
            if isinstance(item, Ended):
                await self._on_ended(item)
            elif item is not None:
                await self._take(item)
            elif self.account.dataset == LIVE_DATASET:
                await self._driver.tick(clock.now())  # time-outs do not wait for the next bar

    async def _take(self, item: Item) -> None:
        if is_retold(self._engine.desk, item):
            return  # the broker told its day again: nothing of it is news
        if isinstance(item, SessionOpened):
            await self._take_effect(item)
        await self._step(item)
        await self._after(item)

    async def _step(self, item: Item) -> None:
        self._pulse.begins()
        if isinstance(item, SliceClosed) and self._strategists.has_to_ask(self._engine, item):
            await self._look()
            if self._stop:
                return  # the slice comes again
        await self._driver.step(item)
        self._pulse.ends()

    async def _look(self) -> None:
        """While strategies of other processes think, what people ask is done all the same."""
        looking = asyncio.create_task(self._strategists.look())
        try:
            while not looking.done() and not self._stop:
                await asyncio.wait({looking}, timeout=LOOK_SECONDS)
                if self._asked and not looking.done():
                    self._asked = False
                    await self._take_commands()
            if looking.done():
                looking.result()
        finally:
            await end([looking])

    async def _ahead(self, event: SliceClosed) -> list[Input]:
        """Answers of other processes, right before the engine needs them; who is lost pauses."""
        lost = await self._strategists.settle(self._engine, event)
        return [await self._paused(one) for one in lost]

    async def _paused(self, lost: Lost) -> CommandReceived:
        """An input like a person's: what a process did by chance must not be decided twice."""
        deployment = lost.runtime.deployment
        kind, reason = CommandKind.DEPLOYMENT_PAUSE, f"strategy host: {lost.reason}"
        payload = {"deployment_id": deployment.deployment_id, "reason": reason}
        event = await self._commands.stored(kind, payload)
        title = f"Deployment {deployment.deployment_id} ({deployment.strategy}) is paused"
        key = f"strategy_host:{deployment.deployment_id}"
        await self._parts.alarm(key, title, reason, self.account.id)
        return event

    def _check(self) -> None:
        if self._broken is not None:
            raise self._broken
        if self.gate.is_halted_outside and self._is_settled:
            raise HaltedOutside("The guardian halted the account; its engine begins anew.")

    async def _take_effect(self, opened: SessionOpened) -> None:
        """Corporate actions of what is followed, before the session's first slice."""
        before = self._engine.book.session
        for action in await self._actions.due(self._inbox.symbols, before, opened):
            await self._driver.step(action)
            self._asked = True  # the feed may have to follow another symbol

    async def _after(self, item: Item) -> None:
        is_due = self._journal.seq - self._saved_seq >= CHECKPOINT_EVENTS
        if is_due or isinstance(item, SessionClosed):
            await self._save_aside()

    async def _on_ended(self, ended: Ended) -> None:
        if await self._following.ended(ended):
            await self._save_aside()

    # -------------------------------------------------------------------------------- commands

    async def _take_commands(self) -> None:
        if await self._commands.take():
            await self._follow()
            await self._look_around()
            await self._strategists.sweep(self._engine.runtimes.values())

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            self.ask()

    async def _follow(self) -> None:
        """Nothing is decided before our books were held against the broker's."""
        if self._is_settled:
            await self._following.follow()

    async def _prepare(self, item: Item) -> None:
        """What a step needs that the engine cannot load: rows of symbols, bars of the past."""
        if self._brokerage is not None:
            await self._brokerage.know(item)
        await self._preparing.prepare(item)

    # -------------------------------------------------------------------------------- the rest

    def _now(self) -> datetime:
        """The account's own time: the market's, or the machine's where the market is real."""
        if self.account.dataset == LIVE_DATASET:
            return clock.now()
        return self._engine.now or self.account.settings.start or clock.now()

    async def _read_latch(self) -> None:
        await self.gate.refresh(self._parts.pool)

    async def _save_aside(self) -> None:
        """A checkpoint of this instant, written while the next steps are taken."""
        if self._saving is not None and not self._saving.done():
            return
        async with self._driver.lock:  # the engine is not ahead of its stream
            if (write := self._checkpoint()) is not None:
                self._saving = asyncio.create_task(write, name="checkpoint")

    async def _save(self) -> None:
        if self._saving is not None:
            await asyncio.gather(self._saving, return_exceptions=True)
        if (write := self._checkpoint()) is not None:
            await write

    def _checkpoint(self) -> Coroutine[Any, Any, None] | None:
        """None where the engine may have decided what is not in its stream: that is read again."""
        if self._broken is not None or self._journal.is_broken:
            log.warning("checkpoint_not_taken", account_id=self.account.id, seq=self._journal.seq)
            return None
        self._saved_seq = self._journal.seq
        return recovery.saving(
            self._parts.pool, self.account.id, self._saved_seq, self._engine, self._book
        )
