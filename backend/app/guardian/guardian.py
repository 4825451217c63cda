"""The guardian itself: looks at every pulse twice a second, and answers for those that fail."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final

from app.core.clock import Clock
from app.core.errors import TradewrightError
from app.core.guardian import GuardianOptions
from app.core.logging import get_logger
from app.core.tasks import end
from app.db import pulses
from app.db.halt_file import HaltFile, halt_now, halted, new_halt
from app.domain.instruments import Instrument
from app.domain.ports import Broker, BrokerLink
from app.domain.pulse import Pulse
from app.guardian.records import AWAY, Records
from app.guardian.response import Response
from app.guardian.watch import Watch
from app.repositories.accounts import Account, AccountSettings

LOOK_SECONDS: Final = 0.5
ASK_SECONDS: Final = 1.0
"How often the database is asked; files are read at each look."
INSTRUMENTS_ASKS: Final = 60
"Between two looks at what can be traded."
Brokers = Callable[[Account, dict[str, Instrument]], Broker | None]
"""Makes the broker of an account; None where the book is inside the engine."""
log = get_logger("trading")


class Guardian:
    """All accounts of a home, and of the database. Nothing that it waits for delays a look."""

    def __init__(
        self,
        home: Path,
        options: GuardianOptions,
        records: Records,
        brokers: Brokers,
        clock: Clock,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._home, self._options, self._records = home, options, records
        self._make, self._clock, self._look_seconds = brokers, clock, look_seconds
        self.watches: dict[int, Watch] = {}
        self._known: dict[int, Account] = {}
        self._instruments: dict[str, Instrument] = {}
        self._asks = 0
        self._told: dict[int, Pulse] = {}
        "Newest pulses of the database."
        self._unheard: dict[int, bool] = {}
        self._brokers: dict[int, Broker | None] = {}
        self._links: dict[int, asyncio.Task[None]] = {}
        self.links: dict[int, bool] = {}
        "Whether our own connection to the account's broker is up."
        self._responses: dict[int, asyncio.Task[None]] = {}
        self._refusals: dict[int, str] = {}
        "Why an account's broker cannot be reached at all: a missing key, a wrong name."

    async def run(self) -> None:
        """Until cancelled."""
        asking = asyncio.create_task(self._ask_for_ever(), name="guardian asks")
        before = self._clock.monotonic()
        try:
            while True:
                await asyncio.sleep(self._look_seconds)
                at = self._clock.monotonic()
                self.look(at - before)
                before = at
        finally:
            await end([asking, *self._responses.values(), *self._links.values()])
            for broker in self._brokers.values():
                if broker is not None:
                    with suppress(Exception):
                        await broker.close()

    # -------------------------------------------------------------------------------- looking

    def look(self, elapsed: float) -> None:
        """One look at every account; `elapsed` seconds after the last."""
        for account_id, pulse in self._newest().items():
            watch = self.watches.setdefault(account_id, Watch(self._options))
            reason = watch.look(pulse, elapsed)
            if watch.tripped is None and account_id in self._unheard:
                reason = "its engine does not confirm that trading is halted"
                watch.trip(reason)
            if reason is not None:
                self._act(account_id, pulse, reason)
        for account_id in halted(self._home):
            self._go_on(account_id)

    def _newest(self) -> dict[int, Pulse]:
        """Of each account the newer of its file and its row."""
        found = dict(self._told)
        for pulse in pulses.listed(self._home):
            other = found.get(pulse.account_id)
            if other is None or pulse.at >= other.at:
                found[pulse.account_id] = pulse
        return found

    def _act(self, account_id: int, pulse: Pulse, reason: str) -> None:
        """Latch, before anything that may wait; then see to the rest."""
        log.critical("guardian_halts", account_id=account_id, account=pulse.account, reason=reason)
        try:
            halt = halt_now(HaltFile(self._home, account_id), reason)
        except OSError as error:  # the database's latch is left, and the broker
            log.critical("halt_file_not_written", account_id=account_id, error=str(error))
            halt = new_halt(reason)
        if account_id in self._responses and not self._responses[account_id].done():
            return
        response = Response(account_id, pulse.account, halt, self._records, self._clock)
        flatten = self._options.flatten or self._unheard.get(account_id, False)
        work = response.run(self._broker_of(pulse), pulse.held, flatten=flatten)
        task = asyncio.create_task(work, name=f"guardian of {account_id}")
        task.add_done_callback(partial(_report, account_id))
        self._responses[account_id] = task

    def _go_on(self, account_id: int) -> None:
        """A file that a guardian before us wrote, or a person: see it through."""
        watch = self.watches.setdefault(account_id, Watch(self._options))
        halt = HaltFile(self._home, account_id).read()
        if watch.tripped is None and halt is not None and watch.pulse is not None:
            watch.trip(halt.reason)
            self._act(account_id, watch.pulse, halt.reason)

    # ------------------------------------------------------------------------------- brokers

    def _broker_of(self, pulse: Pulse) -> Broker | None:
        """Our connection to the account's broker, made now if it has none yet."""
        account = self._known.get(pulse.account_id) or _account_of(pulse)
        if account.id not in self._brokers:
            try:
                self._brokers[account.id] = broker = self._make(account, self._instruments)
            except TradewrightError as error:
                self._refusals[account.id] = str(error)
                return None
            if broker is not None:
                follow = self._follow(account.id, broker)
                self._links[account.id] = asyncio.create_task(follow, name="guardian's broker")
        self._refusals.pop(account.id, None)
        return self._brokers[account.id]

    async def _follow(self, account_id: int, broker: Broker) -> None:
        """Hold the connection, so that it is there when it is needed. What it tells is others'."""
        while True:
            try:
                async for told in broker.reports():
                    if isinstance(told, BrokerLink):
                        self.links[account_id] = told.is_up
            except Exception as error:  # noqa: BLE001 - tried again
                log.warning("guardian_broker_lost", account_id=account_id, error=repr(error))
            self.links[account_id] = False
            await asyncio.sleep(ASK_SECONDS)

    # ------------------------------------------------------------------------------ database

    async def _ask_for_ever(self) -> None:
        while True:
            try:
                await self._ask()
            except AWAY as error:
                log.debug("guardian_without_database", error=repr(error))
            await asyncio.sleep(ASK_SECONDS)

    async def _ask(self) -> None:
        """Who there is, how they are, and who does not hear; then say how we are."""
        self._known = {account.id: account for account in await self._records.accounts()}
        if self._asks % INSTRUMENTS_ASKS == 0:
            self._instruments.update(await self._records.instruments())
        self._asks += 1
        self._told = {pulse.account_id: pulse for pulse in await self._records.pulses()}
        self._unheard = await self._records.unheard(self._options.confirm_seconds)
        for account_id, watch in self.watches.items():
            if watch.pulse is not None and account_id in self._known:
                self._broker_of(watch.pulse)
        await self._records.beat(self.status())

    def status(self) -> dict[str, Any]:
        """What is watched, for health, metrics and `status`."""
        return {"accounts": [self._state_of(*item) for item in sorted(self.watches.items())]}

    def _state_of(self, account_id: int, watch: Watch) -> dict[str, Any]:
        pulse = watch.pulse
        return {
            "account_id": account_id,
            "account": pulse.account if pulse else str(account_id),
            "state": "halted" if watch.tripped else "watching",
            "reason": watch.tripped,
            "at_risk": bool(pulse and pulse.is_at_risk),
            "silent_seconds": round(watch.silent, 1),
            "broker_up": self.links.get(account_id),
            "problem": self._refusals.get(account_id),
        }


def _account_of(pulse: Pulse) -> Account:
    """What a pulse tells of an account that the database could not be asked about."""
    return Account(
        id=pulse.account_id,
        name=pulse.account,
        broker=pulse.broker,
        mode=pulse.mode,
        currency="USD",
        dataset="",
        starting_cash=Decimal(0),
        clock_at=None,
        settings=AccountSettings(),
    )


def _report(account_id: int, task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("guardian_failed", account_id=account_id, exc_info=error)
