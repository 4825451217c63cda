"""The trading process: finds the accounts, runs each under its lease, stops them all cleanly."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, Final

from app import bootstrap
from app.bootstrap import Parts
from app.core import clock
from app.core.errors import Fenced
from app.core.logging import get_logger
from app.core.tasks import end
from app.core.vault import open_vault
from app.engine.engine import Engine
from app.events.listener import Listener
from app.monitoring.process import ProcessRecorder
from app.repositories import accounts
from app.repositories.accounts import Account
from app.repositories.journal import LOST_CONNECTION, stream_of
from app.runner.account import NOT_ARMED, AccountRunner
from app.runner.gate import HaltedOutside, WireGate
from app.runner.invariants import InvariantKeeper
from app.runner.quality import QualityKeeper
from app.runner.tenure import Tenure
from app.services.credentials import offer
from app.services.first_run import FirstRun
from app.services.interlock import NotArmed, check, left_alone
from app.services.system_config import CHANNEL, SystemConfig

POLL_SECONDS: Final = 5.0
TELL_SECONDS: Final = 0.2
"How soon an account hears of the orders of others; so many appends are one piece of news."
PATIENCE_SECONDS: Final = 4.0
"How long a stop waits for steps under way; the supervisor waits a little longer."
_WAITS: Final = (0.5, 1.0, 2.0, 5.0, 15.0, 30.0)
log = get_logger("trading")


class Desk:
    """One account over its whole life here: lease, runs, failures, and what is heard for it."""

    def __init__(self, parts: Parts, account: Account) -> None:
        self.account = account
        self.gate = WireGate(account.id, parts.settings.home, quiet=self.latch)
        self._parts = parts
        self._runner: AccountRunner | None = None
        self._is_stopping = False
        self._latch_changed = asyncio.Event()

    async def work(self) -> None:
        """Run the account until `stop`; begin anew after every failure."""
        failures = 0
        watching = asyncio.create_task(self._watch_latch(), name="latch")
        try:
            while not self._is_stopping:
                began = asyncio.get_running_loop().time()
                try:
                    await self._once()
                except Fenced as error:
                    log.warning("fenced", account_id=self.account.id, error=str(error))
                except HaltedOutside as error:
                    log.warning("halted_outside", account_id=self.account.id, error=str(error))
                except Exception as error:  # noqa: BLE001 - one account must not stop the others
                    lasted = asyncio.get_running_loop().time() - began
                    failures = 0 if lasted > _WAITS[-1] else failures
                    await self._report(error)
                    await self._pause(_WAITS[min(failures, len(_WAITS) - 1)])
                    failures += 1
        finally:
            await end([watching])

    def stop(self) -> None:
        """Finish the step under way and return from `work`."""
        self._is_stopping = True
        if self._runner is not None:
            self._runner.stop()

    def ask(self) -> None:
        """Commands may be waiting."""
        if self._runner is not None:
            self._runner.ask()

    def latch(self) -> None:
        """The trading state may have changed."""
        self._latch_changed.set()

    @property
    def at_work(self) -> tuple[Engine, Callable[[], int]] | None:
        """The engine and where its stream ends; None while nobody trades here."""
        return None if self._runner is None else self._runner.at_work

    async def _once(self) -> None:
        """One tenure: from the lease to the clean stop, or to whatever broke."""
        tenure = Tenure(
            self._parts.connect, self.account.id, self._parts.holder, owned=self.gate.own
        )
        try:
            epoch = await tenure.take()
            self.account = await accounts.get(self._parts.pool, self.account.id)
            # Before anything else may fail: what is not armed is told as that.
            check(self.account, is_on=self._parts.settings.app.live_trading)
            self._runner = AccountRunner(self._parts, self.account, epoch, self.gate)
            if self._is_stopping:
                return
            await _first_of(self._runner.run, tenure.keep)
        finally:
            self._runner = None
            await tenure.give_up()

    async def _watch_latch(self) -> None:
        while True:
            await self._latch_changed.wait()
            self._latch_changed.clear()
            if self._runner is None:
                continue  # nothing is sent; whoever runs next reads the latch first
            try:
                await self.gate.refresh(self._parts.pool)
            except Exception as error:  # noqa: BLE001 - whatever it was, the stop must be heard
                log.warning("latch_not_read", account_id=self.account.id, error=str(error))
                await asyncio.sleep(0.1)
                self._latch_changed.set()

    async def _report(self, error: Exception) -> None:
        sentence = f"{type(error).__name__}: {error}"
        log.error("account_failed", account_id=self.account.id, error=sentence, exc_info=error)
        title = f"Account {self.account.name} stopped and begins anew"
        with suppress(*LOST_CONNECTION):
            if isinstance(error, NotArmed) and await self._tell_left_alone(error):
                return
            await self._parts.alarm("account_failed", title, sentence, self.account.id)

    async def _tell_left_alone(self, error: NotArmed) -> bool:
        """Real money lies at a broker that we may not reach: a person has to look after it."""
        left = await left_alone(self._parts.pool, self.account.id)
        if left is None:
            return False
        title = f"Real money without a watch: {self.account.name} cannot connect ({left})"
        detail = f"{error}. Until then look after it at the broker itself."
        await self._parts.alarm(NOT_ARMED, title, detail, self.account.id)
        return True

    async def _pause(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.1)):
            if self._is_stopping:
                return
            await asyncio.sleep(0.1)


class Core:
    """All accounts of this process."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._vault = open_vault(parts.settings.home, parts.settings.app)
        self._desks: dict[int, tuple[Desk, asyncio.Task[None]]] = {}
        self._wake = asyncio.Event()
        self._is_stopping = False
        self._moved: set[str] = set()
        "Streams that grew since the other accounts were told."
        self._telling: asyncio.TimerHandle | None = None
        self._filling: asyncio.Task[None] | None = None
        self._listener = Listener(parts.connect)
        self._listener.on("accounts", lambda _: self._wake.set())
        self._listener.on("commands", self._on_command)
        self._listener.on("trading_state", self._on_latch)
        self._listener.on("journal", self._on_journal)
        self._listener.on_connected(self._catch_up)
        self._system_config = SystemConfig(parts.pool)
        self._listener.on(CHANNEL, self._system_config.heard)
        self._listener.on_connected(self._system_config.catch_up)

    async def run(self) -> None:
        """Until `stop`."""
        await self._offer_keys()
        await self._prepare()
        self._system_config.start()
        self._listener.start()
        keeper = QualityKeeper(self._parts.pool, self._parts.system, None)
        keeping = asyncio.create_task(keeper.run(), name="data quality")
        watch = InvariantKeeper(self._parts, self._at_work)
        watching = asyncio.create_task(watch.run(), name="invariants")
        recorder = ProcessRecorder(self._parts.pool, "core", clock.system)
        recorder.start()
        try:
            while not self._is_stopping:
                with suppress(*LOST_CONNECTION):
                    await self._offer_keys()
                    await self._take_on()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)
                self._wake.clear()
        finally:
            await end([self._filling, keeping, watching])
            await self._wind_down()
            await self._listener.stop()
            await self._system_config.stop()
            await recorder.stop()

    def stop(self) -> None:
        """Return from `run` soon, everything saved."""
        self._is_stopping = True
        self._wake.set()

    def _at_work(self) -> dict[int, tuple[Engine, Callable[[], int]]]:
        there = {number: desk.at_work for number, (desk, _) in self._desks.items()}
        return {number: engine for number, engine in there.items() if engine is not None}

    async def _offer_keys(self) -> None:
        """Adapters made from now on find the vendors' keys that people stored."""
        await offer(self._parts.pool, self._vault)

    async def _prepare(self) -> None:
        app = self._parts.settings.app
        first = FirstRun(self._parts.pool, self._parts.catalogue)
        await first.fill_strategies()
        if app.replay is not None:
            await first.replay(app.replay, app.replay_symbols)
        elif feeds := await bootstrap.configured_feeds():
            await self._begin_live(first, feeds)
        else:
            await first.simulation(bootstrap.simulator(), bootstrap.simulated_start())

    async def _begin_live(self, first: FirstRun, feeds: tuple[str, ...]) -> None:
        """The live account; its history comes while everything else is at work already."""
        start = clock.now().replace(second=0, microsecond=0)
        account = await first.live(feeds, bootstrap.live_symbols(), start)
        if account is not None:
            self._filling = asyncio.create_task(self._fill(first, account), name="fill history")

    async def _fill(self, first: FirstRun, account: Account) -> None:
        providers, _ = bootstrap.chain(account.settings.chain, account.settings.exchange)
        try:
            await first.fill_live(account, providers)
        except Exception as error:
            log.error("first_run_not_filled", account_id=account.id, exc_info=error)
        finally:
            for provider in providers:
                await provider.close()

    async def _take_on(self) -> None:
        """Begin with accounts that are new, let go of those that were disabled."""
        found = {account.id: account for account in await accounts.active(self._parts.pool)}
        for account_id in found.keys() - self._desks.keys():
            desk = Desk(self._parts, found[account_id])
            task = asyncio.create_task(desk.work(), name=f"account {account_id}")
            self._desks[account_id] = desk, task
        for account_id in self._desks.keys() - found.keys():
            desk, task = self._desks.pop(account_id)
            desk.stop()
            await asyncio.wait([task], timeout=PATIENCE_SECONDS)
            task.cancel()

    async def _wind_down(self) -> None:
        """Every account finishes its step and saves; who takes too long is cut off."""
        tasks = [task for _, task in self._desks.values()]
        for desk, _ in self._desks.values():
            desk.stop()
        if tasks:
            await asyncio.wait(tasks, timeout=PATIENCE_SECONDS)
        await end(tasks)

    def _on_command(self, payload: str) -> None:
        found = self._desks.get(int(payload)) if payload.isdigit() else None
        if found is not None:
            found[0].ask()

    def _on_journal(self, head: str) -> None:
        """An account did something: those beside it may have to know how many orders it has."""
        self._moved.add(head.rpartition(":")[0])
        if self._telling is None:
            loop = asyncio.get_running_loop()
            self._telling = loop.call_later(TELL_SECONDS, self._tell_others)

    def _tell_others(self) -> None:
        moved, self._moved, self._telling = self._moved, set(), None
        for desk, _ in self._desks.values():
            if moved - {stream_of(desk.account.id), "system"}:
                desk.ask()

    def _on_latch(self, scope: str) -> None:
        for desk, _ in self._desks.values():
            if scope in ("all", f"account:{desk.account.id}"):
                desk.latch()

    def _catch_up(self) -> None:
        self._wake.set()
        for desk, _ in self._desks.values():
            desk.ask()
            desk.latch()


async def _first_of(*works: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """All at once until one ends; its error is raised."""
    tasks = [asyncio.create_task(work()) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await end(tasks)


async def run() -> None:
    """`tradewright core`: until SIGTERM or SIGINT."""
    async with bootstrap.parts() as parts:
        core = Core(parts)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, partial(_on_signal, core, number))
        log.info("core_started", holder=parts.holder)
        await core.run()
        log.info("core_stopped")


def _on_signal(core: Core, number: signal.Signals) -> None:
    log.info("core_stopping", signal=number.name)
    core.stop()
