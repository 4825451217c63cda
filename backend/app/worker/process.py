"""`tradewright worker`: its parts side by side until SIGTERM, each begun anew when it fails."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Final

import asyncpg

from app.core.config import Settings
from app.core.logging import get_logger
from app.core.tasks import end
from app.domain.events import Severity
from app.repositories.alerts import NewAlert
from app.repositories.journal import LOST_CONNECTION
from app.services.system_config import SystemConfig
from app.worker import alerts, bus, fan_out, heartbeat, jobs, monitor, settings, traces
from app.worker.context import WorkerContext, opened

Part = Callable[[WorkerContext], Awaitable[None]]
"""Runs for ever; returns soon after `context.stopping` is set, or is cancelled a little later."""

PARTS: Final[Mapping[str, Part]] = {
    "heartbeat": heartbeat.run,
    "settings": settings.run,
    "process": monitor.process,
    "measurements": monitor.measurements,
    "presence": monitor.presence,
    "vendors": monitor.vendors,
    "traces": traces.run,
    "bus": bus.run,
    "fan_out": fan_out.run,
    "alerts": alerts.dispatch,
    "conditions": alerts.watch,
    "jobs": jobs.run,
}
"""What a worker does. A new part is a line here; its imports count for the worker's memory."""

PATIENCE_SECONDS: Final = 3.5
"How long a stop waits for the parts; the supervisor waits a little longer."
STEADY_SECONDS: Final = 60.0
"A part that ran this long is forgiven its earlier failures, and its alert is cleared."
_WAITS: Final = (0.5, 1.0, 2.0, 5.0, 15.0, 30.0)
_TELL_AFTER: Final = 3
"Failures in a row until a person is told: a database that restarts is none."
log = get_logger("jobs")


class Worker:
    """The parts of one process."""

    def __init__(self, context: WorkerContext, parts: Mapping[str, Part] = PARTS) -> None:
        self._context = context
        self._parts = parts

    async def run(self) -> None:
        """Until `stop`; parts that take too long then are cut off."""
        tasks = [
            asyncio.create_task(self._keep(name, part), name=name)
            for name, part in self._parts.items()
        ]
        try:
            await self._context.stopping.wait()
            await asyncio.wait(tasks, timeout=PATIENCE_SECONDS)
        finally:
            await end(tasks)

    def stop(self) -> None:
        """Return from `run` soon."""
        self._context.stopping.set()

    async def _keep(self, name: str, part: Part) -> None:
        """Run one part; begin it anew after every failure, with growing waits."""
        failures, loop = 0, asyncio.get_running_loop()
        while not self._context.stopping.is_set():
            began = loop.time()
            try:
                await self._once(name, part)
            except Exception as error:  # noqa: BLE001 - one part must not stop the others
                failures = 1 if loop.time() - began > STEADY_SECONDS else failures + 1
                await self._report(name, error, failures)
            await self._pause(_WAITS[min(max(failures, 1), len(_WAITS)) - 1])

    async def _once(self, name: str, part: Part) -> None:
        steady = asyncio.create_task(self._steady(name), name=f"{name} steady")
        try:
            await part(self._context)
        finally:
            await end([steady])

    async def _steady(self, name: str) -> None:
        """The part has come up again for good: its alert is over."""
        await asyncio.sleep(STEADY_SECONDS)
        with suppress(*LOST_CONNECTION, asyncpg.PostgresError):
            await self._context.all_clear(_key(name))

    async def _report(self, name: str, error: Exception, failures: int) -> None:
        sentence = f"{type(error).__name__}: {error}"
        log.error("part_failed", part=name, failures=failures, error=sentence, exc_info=error)
        if failures < _TELL_AFTER:
            return
        alert = NewAlert(
            key=_key(name),
            category="system",
            severity=Severity.CRITICAL,
            title=f"The worker's part {name!r} fails again and again",
            detail=sentence,
        )
        with suppress(*LOST_CONNECTION, asyncpg.PostgresError):
            await self._context.alarm(alert)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._context.stopping.wait()


def _key(name: str) -> str:
    return f"worker_part:{name}"


async def run(given: Settings | None = None) -> None:
    """Until SIGTERM or SIGINT."""
    async with opened(given) as context:
        await SystemConfig(context.pool).load_if_there()  # before the first job runs
        worker = Worker(context)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, worker.stop)
        log.info("worker_started", name=context.name, parts=list(PARTS))
        await worker.run()
        log.info("worker_stopped", name=context.name)
