"""One account at work: recover, reconcile, then drive its engine until told to stop."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, Final

import asyncpg
import msgspec

from app.bootstrap import Parts
from app.core import clock
from app.core.errors import (
    InvalidInput,
    JournalError,
    NotFound,
    StrategyLost,
    TradewrightError,
)
from app.core.logging import get_logger, timing
from app.core.tasks import end
from app.domain.commands import CommandKind
from app.domain.deployments import LIVE_DATASET, DeploymentState
from app.domain.events import (
    BarsCorrected,
    CommandReceived,
    FeedConnected,
    FeedDisconnected,
    Input,
    Reconciled,
    SessionClosed,
    SessionOpened,
    SliceClosed,
)
from app.domain.instruments import InstrumentKind
from app.domain.market import Timeframe
from app.domain.ports import Entry
from app.engine.commands import DeploymentStart, parse
from app.engine.driver import Driver, Item
from app.engine.engine import AccountSetup, Engine
from app.engine.findings import outcome_of
from app.engine.reconciliation import differences
from app.engine.state import EngineState
from app.marketdata.calendar import trading_calendar
from app.marketdata.slices import Moment
from app.repositories import accounts, commands, instruments, journal, revisions
from app.repositories.accounts import Account
from app.repositories.journal import LOST_CONNECTION, PostgresJournal, stream_of
from app.repositories.paging import Row
from app.repositories.projection import Projection
from app.repositories.stock_data import StockData
from app.runner import recovery
from app.runner.actions import Actions
from app.runner.brokerage import Brokerage
from app.runner.gate import HaltedOutside, WireGate
from app.runner.histories import Histories
from app.runner.inbox import Ended, Inbox, Position
from app.runner.live import LiveData
from app.runner.pulse import PulseKeeper
from app.runner.strategists import Lost, Strategists
from app.runner.surroundings import Surroundings
from app.services.ingestion import FRESH, Ingestion, Untold
from app.strategies.base import BaseStrategy

CHECKPOINT_EVENTS: Final = 1_000
FLUSH_SECONDS: Final = 1.0
POLL_SECONDS: Final = 5.0
LOOK_SECONDS: Final = 0.1
"How long a command waits at most while strategies of other processes are asked."
SYSTEM_ACTOR: Final = "system"
Fed = tuple[frozenset[Timeframe], bool]
"What a feed is opened for beside symbols: timeframes, and whether extended hours are wanted."
log = get_logger("trading")
agents = get_logger("agents")


class AccountRunner:
    """Everything that one account needs while we hold its lease. Made anew after each failure."""

    def __init__(self, parts: Parts, account: Account, epoch: int, gate: WireGate) -> None:
        self.account = account
        self.gate = gate
        self._parts = parts
        self._calendar = trading_calendar(account.settings.exchange)
        self._bars = StockData(parts.pool, account.dataset)
        is_live, start = account.dataset == LIVE_DATASET, account.settings.start
        since = start.date() if is_live and start else None
        self._actions = Actions(parts.pool, account.dataset, self._calendar, since)
        self._histories = Histories(self._bars, self._calendar, self._actions)
        self._stop = False
        self._asked = True
        self._received: set[int] = set()
        self._saved_seq = 0
        self._saving: asyncio.Task[None] | None = None
        self._inbox = Inbox(self._open_feed)
        self._surroundings = Surroundings(parts.pool, account.id)
        self._live: LiveData | None = None
        self._fed: Fed = frozenset(), False
        self._strategists = Strategists(parts.catalogue)
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
        )
        self._engine: Engine
        self._driver: Driver

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
                self._live = LiveData(self._parts, self.account)
            await self._start()
            self._pulse.ready(self._engine)
            self._begin(self._flush_indicators(), self._poll(), self._ask_broker())
            if self._live is not None:
                live = self._live
                self._begin(live.report(), live.backfill(), live.follow_options())
            await self._work()
            await self._end_asides()
            await self._save()
            await self._store_indicators()
            await self._pulse.say(is_stopped=True)
        finally:
            await self._end_asides()
            await self._inbox.stop()
            if self._saving is not None:
                await asyncio.gather(self._saving, return_exceptions=True)
            if self._live is not None:
                await self._live.close()
            if self._brokerage is not None:
                await self._brokerage.close()
            await self._strategists.close()
            await self._journal.close()

    def _begin(self, *asides: Coroutine[Any, Any, None]) -> None:
        for aside in asides:
            task = asyncio.create_task(aside)
            task.add_done_callback(self._on_aside_done)
            self._asides.append(task)

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
            abilities=broker.abilities,
        )
        with timing("recovery", account_id=self.account.id):
            found = await recovery.Recovery(
                self._parts.pool, self.account.id, self._engine, book, self._repeat, self._warm
            ).run()
        self._saved_seq = found.seq
        self._book = book
        self._driver = Driver(
            self._engine,
            broker,
            self._journal,
            gate=self.gate,
            fence=self.gate.fence,
            clock=clock.now if self.account.dataset == LIVE_DATASET else None,
            before=self._prepare,
            ahead=self._ahead,
            resumed=self._read_latch,
            alarm=self._alarm,
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
        await self._driver.recover(self._now())
        await self._remember_received()
        await self._adopt_limits()
        await self._follow()

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

    async def _remember_received(self) -> None:
        """Commands that are journaled already, though nothing answered them yet."""
        waiting = await commands.pending(self._parts.pool, self.account.id)
        if not waiting:
            return
        async for record in journal.scan(
            self._parts.pool, self._journal.stream, 0, {"command_received"}
        ):
            self._received.add(msgspec.json.decode(record.payload)["command_id"])

    async def _adopt_limits(self) -> None:
        """The stored limits, as a command: the stream alone must explain every decision."""
        pool, account_id = self._parts.pool, self.account.id
        for payload in await self._surroundings.limits(self._engine.book):
            command_id = await commands.submit(
                pool, account_id, CommandKind.LIMITS_CHANGE, payload, SYSTEM_ACTOR
            )
            await self._receive(await commands.get(pool, command_id))

    async def _ask_broker(self) -> None:
        """What may be spent and what is lent, as long as we trade."""
        broker, book = self._driver.broker, self._engine.book
        await self._surroundings.ask(
            broker, book, lambda: self._inbox.symbols, self._now, self.ask
        )

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
                if isinstance(item, SessionOpened):
                    await self._take_effect(item)
                await self._step(item)
                await self._after(item)
            elif self.account.dataset == LIVE_DATASET:
                await self._driver.tick(clock.now())  # time-outs do not wait for the next bar

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
        pool, deployment = self._parts.pool, lost.runtime.deployment
        kind, reason = CommandKind.DEPLOYMENT_PAUSE, f"strategy host: {lost.reason}"
        payload = {"deployment_id": deployment.deployment_id, "reason": reason}
        command_id = await commands.submit(pool, self.account.id, kind, payload, SYSTEM_ACTOR)
        self._received.add(command_id)
        title = f"Deployment {deployment.deployment_id} ({deployment.strategy}) is paused"
        key = f"strategy_host:{deployment.deployment_id}"
        await self._parts.alarm(key, title, reason, self.account.id)
        return CommandReceived(
            command_id=command_id, kind=kind, payload=payload, actor=SYSTEM_ACTOR, at=self._now()
        )

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
        feed = self._feed_name
        if ended.error is None:
            self._inbox.is_over = True
            log.info("feed_over", account_id=self.account.id, feed=feed)
            await self._tell(FeedDisconnected(feed=feed, reason="no more bars", at=clock.now()))
            await self._save_aside()
            return
        if not self._inbox.failures:  # once for each outage, not for each attempt
            await self._tell(FeedDisconnected(feed=feed, reason=ended.error, at=clock.now()))
        await self._inbox.again(self._position)

    # -------------------------------------------------------------------------------- commands

    async def _take_commands(self) -> None:
        try:
            waiting = await commands.pending(self._parts.pool, self.account.id)
        except LOST_CONNECTION as error:
            log.warning("commands_not_read", account_id=self.account.id, error=str(error))
            return  # the poll asks again
        for row in waiting:
            if row["id"] not in self._received:
                await self._receive(row)
        await self._follow()
        await self._look_around()
        await self._strategists.sweep(self._engine.runtimes.values())

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
        book = await self._driver.broker.book()
        found = differences(self._engine.open_orders, book)
        return {
            "dry_run": True,
            "reports": [],
            "differences": [{"kind": "order", "detail": one} for one in found],
            "open_orders": len(book.open_orders),
            "positions": sum(1 for _ in self._engine.book.positions()),
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
            await commands.give_up(self._parts.pool, row["id"], result)
            raise

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            self.ask()

    # ------------------------------------------------------------------------------------ feed

    async def _follow(self) -> None:
        """Feed what is watched, decided by, held or ordered; start anew when that changed."""
        if not self._is_settled:
            return  # nothing is decided before our books were held against the broker's
        wanted = set(self.account.settings.symbols)
        wanted |= {symbol for symbol, _ in self._engine.subscriptions}
        wanted |= {order.symbol for order in self._engine.open_orders}
        for ledger in self._engine.ledgers.values():
            wanted |= {p.symbol for p in ledger.positions.values() if p.quantity}
        book = self._engine.book
        # Contracts have quotes, not bars: they are followed by the settings of the account.
        wanted = {s for s in wanted if book.instrument(s).kind is not InstrumentKind.OPTION}
        fed = self._timeframes, self._engine.limits.trade_extended_hours
        grew = wanted - set(self._inbox.symbols)
        if grew or ((fed[0] - self._fed[0] or fed[1] != self._fed[1]) and self._inbox.symbols):
            symbols = tuple(sorted(wanted | set(self._inbox.symbols)))
            self._fed = fed
            await self._inbox.follow(symbols, self._position)
            log.info("feed_followed", account_id=self.account.id, symbols=symbols)
            if self._live is None:  # a live feed says itself when it is there
                await self._tell(FeedConnected(feed=self._feed_name, at=clock.now()))

    @property
    def _timeframes(self) -> frozenset[Timeframe]:
        """Those longer than the base that deployments decide by."""
        wanted = {timeframe for _, timeframe in self._engine.subscriptions}
        return frozenset(wanted - {self.account.settings.base})

    def _open_feed(self, symbols: tuple[str, ...], position: Position) -> AsyncGenerator[Moment]:
        live = self._live
        longer, extended = self._timeframes, self._engine.limits.trade_extended_hours
        self._fed = longer, extended
        if live is not None:
            live.feed.extended_hours = extended
        ingestion = Ingestion(
            self._parts.provider(self.account) if live is None else live.feed,
            self._bars,
            self._parts.pool,
            self._calendar,
            publisher=self._parts.publisher,
            clock=None if live is None else clock.system,
            fresh=FRESH if live is None else live.fresh,
            untold=None if live is None else self._untold(symbols),
        )
        if live is not None:
            live.statistics = ingestion.statistics
        return ingestion.feed(
            symbols,
            self.account.settings.base,
            longer,
            after=position.after,
            open_session=position.session,
            extended_hours=extended,
        )

    def _untold(self, symbols: tuple[str, ...]) -> Untold:
        """Corrections that our journal does not tell of."""
        stream, dataset = self._journal.stream, self.account.dataset
        return partial(revisions.untold, self._parts.pool, stream, dataset, symbols)

    @property
    def _position(self) -> Position:
        book = self._engine.book
        return Position(
            self._engine.slice_end or self.account.settings.start,
            book.session if book.is_open else None,
        )

    @property
    def _feed_name(self) -> str:
        return f"{self.account.dataset} ({self.account.name})"

    async def _tell(self, event: FeedConnected | FeedDisconnected) -> None:
        with suppress(*LOST_CONNECTION):
            await self._parts.system.append([Entry(event)])

    # -------------------------------------------------------------------------------- histories

    async def _prepare(self, item: Item) -> None:
        """Load what strategies that start, or whose bars were corrected, will look back on."""
        if self._brokerage is not None:
            await self._brokerage.know(item)
        if isinstance(item, BarsCorrected):
            for deployment, state in self._engine.deployments.values():
                if state is DeploymentState.RUNNING and item.symbol in deployment.symbols:
                    runtime = self._engine.runtimes[deployment.deployment_id]
                    await self._load(deployment, self._engine.slice_end, runtime.every_strategy[0])
            return
        if isinstance(item, CommandReceived) and item.kind == CommandKind.DEPLOYMENT_START:
            with suppress(InvalidInput):
                wish = parse(item.kind, item.payload)
                if isinstance(wish, DeploymentStart):
                    until = self._engine.slice_end or self.account.settings.start
                    await self._load(wish, until)

    async def _warm(self, state: EngineState) -> None:
        for deployment in recovery.running(state):
            await self._load(deployment, state.slice_end or self.account.settings.start)

    async def _repeat(self, item: Item) -> None:
        """What an input needs that is handled again, after a restart."""
        await self._prepare(item)
        if isinstance(item, SliceClosed):
            await self._strategists.repeat(self._engine, item)

    async def _load(
        self,
        wish: Any,  # noqa: ANN401 - a start or a deployment
        until: datetime | None,
        strategy: BaseStrategy | None = None,
    ) -> None:
        try:
            strategy = strategy or await self._strategists.prepare(wish)
        except (InvalidInput, NotFound, StrategyLost):
            return  # the engine says so
        await self._histories.load(strategy, wish.symbols, wish.timeframe, until)
        agents.info(
            "strategy_prepared",
            account_id=self.account.id,
            strategy=wish.strategy,
            symbols=wish.symbols,
            timeframe=wish.timeframe,
            lookback=strategy.lookback,
        )

    async def _flush_indicators(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self._store_indicators()

    async def _store_indicators(self) -> None:
        try:
            while await self._histories.flush(self._parts.pool):
                pass
        except (*LOST_CONNECTION, asyncpg.PostgresError) as error:
            log.warning("indicators_not_stored", account_id=self.account.id, error=str(error))

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
        self._saved_seq = self._journal.seq
        write = recovery.saving(
            self._parts.pool, self.account.id, self._saved_seq, self._engine, self._book
        )
        self._saving = asyncio.create_task(write, name="checkpoint")

    async def _save(self) -> None:
        if self._saving is not None:
            await asyncio.gather(self._saving, return_exceptions=True)
        await recovery.saving(
            self._parts.pool, self.account.id, self._journal.seq, self._engine, self._book
        )
