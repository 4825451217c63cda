"""What a process notes of itself, so that whoever asks any of them hears of all."""

import asyncio
import logging
import socket
from collections.abc import Iterator
from typing import Final

import asyncpg
import psutil
from stamina.instrumentation import get_prometheus_counter

from app.core.clock import Clock
from app.core.logging import get_logger
from app.core.tasks import end
from app.core.timing import Timings, timings
from app.monitoring.errors import ErrorLog
from app.repositories import errors, metrics
from app.repositories.metrics import Labelled

NOTE_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.5
_MB: Final = 1024 * 1024
AWAY: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
log = get_logger("api")


class ProcessRecorder:
    """Every ten seconds: resources, pool, timed operations, retries; and the errors it logged.

    `name` is api, core or worker: all figures bear it as label, with the host.
    """

    def __init__(
        self, pool: asyncpg.Pool, name: str, clock: Clock, operations: Timings = timings
    ) -> None:
        self._pool, self._name, self._clock = pool, name, clock
        self._operations = operations
        self._process = psutil.Process()
        self._lateness = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self.errors = ErrorLog()

    def start(self) -> None:
        """Note in the background, and take part in logging."""
        logging.getLogger().addHandler(self.errors)
        self._process.cpu_percent()
        self._tasks = [
            asyncio.create_task(self._run(), name="process figures"),
            asyncio.create_task(self._watch_loop(), name="loop lag"),
        ]

    async def stop(self) -> None:
        """No more; what was logged last is still written, where there is a database."""
        await end(self._tasks)
        logging.getLogger().removeHandler(self.errors)
        try:
            async with asyncio.timeout(1):
                await self.flush()
        except AWAY as error:
            log.warning("errors_not_written", error=str(error))

    async def run(self) -> None:
        """The same as one coroutine, until it is cancelled."""
        self.start()
        try:
            await asyncio.gather(*self._tasks)
        finally:
            await self.stop()

    async def note(self) -> None:
        """Once."""
        await metrics.note_each(self._pool, list(self.figures()), self._clock.now())
        await self.flush()

    async def flush(self) -> None:
        """Write the errors down; they are kept when that fails."""
        groups = self.errors.take()
        if not groups:
            return
        counted: list[Labelled] = [
            (
                errors.FIGURE,
                {"fingerprint": one.fingerprint, "process": self._name},
                float(one.occurrences),
            )
            for one in groups
        ]
        try:
            async with self._pool.acquire() as db, db.transaction():
                await errors.add(db, self._name, groups)
                await metrics.record(db, counted, self._clock.now())
        except BaseException:
            self.errors.give_back(groups)
            raise

    def figures(self) -> Iterator[Labelled]:
        """All of them, as they are now."""
        labels = {"process": self._name, "host": socket.gethostname()}
        with self._process.oneshot():
            yield "process_cpu_percent", labels, self._process.cpu_percent()
            yield "process_resident_mb", labels, self._process.memory_info().rss / _MB
            yield "process_threads", labels, float(self._process.num_threads())
            yield "process_open_files", labels, float(self._process.num_fds())
        yield "process_pool_connections", labels, float(self._pool.get_size())
        busy = self._pool.get_size() - self._pool.get_idle_size()
        yield "process_pool_busy", labels, float(busy)
        lateness, self._lateness = self._lateness, 0.0
        yield "process_loop_lag_ms", labels, lateness * 1000
        yield "process_retries_total", labels, retries()
        yield "process_errors_total", labels, float(self.errors.count)
        for name, one in self._operations.sums().items():
            named = {**labels, "operation": name}
            yield "process_operations_total", named, float(one.count)
            yield "process_operation_seconds_total", named, one.total_seconds
            yield "process_operation_failures_total", named, float(one.failures)
            yield "process_operation_longest_seconds", named, one.longest_seconds

    async def _run(self) -> None:
        while True:
            try:
                await self.note()
            except AWAY as error:
                log.warning("process_figures_not_noted", error=str(error))
            await asyncio.sleep(NOTE_SECONDS)

    async def _watch_loop(self) -> None:
        """How much later than asked for the loop comes back: what a handler that blocks costs."""
        time = asyncio.get_running_loop().time
        while True:
            began = time()
            await asyncio.sleep(_LOOK_SECONDS)
            self._lateness = max(self._lateness, time() - began - _LOOK_SECONDS)


def retries() -> float:
    """Calls that were tried again in this process, as stamina counts them."""
    counter = get_prometheus_counter()
    if counter is None:
        return 0.0
    return sum(
        sample.value
        for family in counter.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
    )
