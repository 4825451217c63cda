"""Uploaded files, taken in one after the other in the background, with progress and a report."""

import asyncio
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, Final

import asyncpg
import msgspec

from app.core.clock import now
from app.core.errors import Conflict, InvalidInput, TooManyRequests, TradewrightError
from app.core.logging import get_logger
from app.core.tasks import end
from app.repositories import data_imports
from app.repositories.data_imports import NewImport
from app.repositories.paging import Row

MOST_WAITING: Final = 20
_TICK_SECONDS: Final = 0.5
_SPARE_BYTES: Final = 1024**3
"Room that an upload leaves on the disk: a full one would stop the database."
_FORGOTTEN_SECONDS: Final = 24 * 3600
_STRANGE: Final = re.compile(r"[^\w.() -]+")
_STOPPED: Final = (
    "The server was stopped before the file was finished. Import it again: rows that are stored"
    " are not stored twice."
)
log = get_logger("imports")

Progress = Callable[[int, int], None]
Run = Callable[[Path, str, dict[str, str], Progress], Awaitable[dict[str, Any]]]
"""(file, data set, hints, progress) -> report; raises a TradewrightError that says why not."""


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody sends: its name, where it shall go, what they say of it. `size` 0: unknown."""

    name: str
    dataset: str
    hints: dict[str, str]
    actor: str
    size: int = 0


class _Job(msgspec.Struct):
    id: int
    path: Path
    upload: Upload
    done: int = 0
    total: int = 0


class ImportJobs:
    """The queue of one process; several processes may each have one."""

    def __init__(self, pool: asyncpg.Pool, folder: Path, run: Run) -> None:
        self._pool = pool
        self._folder = folder
        self._run = run
        self._waiting: asyncio.Queue[_Job] = asyncio.Queue()
        self._held: dict[int, _Job] = {}
        self._current: _Job | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Work in the background."""
        self._tasks = [
            asyncio.create_task(self._forget_old(), name="imports:old"),
            asyncio.create_task(self._work(), name="imports:work"),
            asyncio.create_task(self._tell(), name="imports:tell"),
        ]

    async def stop(self) -> None:
        """Stop after what is being written, and say so of all that are not finished."""
        await end(self._tasks)
        for job in [*self._held.values()]:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await data_imports.finish(self._pool, job.id, error=_STOPPED)
            await self._remove(job)

    async def receive(self, upload: Upload, chunks: AsyncIterator[bytes]) -> Row:
        """Keep a file and put it in the queue; its row in the list.

        Raises InvalidInput for an empty file, TooManyRequests and Conflict when there is no room.
        """
        if len(self._held) >= MOST_WAITING:
            raise TooManyRequests(
                f"{MOST_WAITING} files are waiting already.",
                remedy="Wait until some are finished.",
                retry_after=30,
            )
        path = await asyncio.to_thread(self._place, upload)
        try:
            size = await _write(path, chunks)
            if size == 0:
                raise InvalidInput("The file is empty.", field="file")
            hints, name = upload.hints, path.name
            new = NewImport(
                file=name, bytes=size, dataset=upload.dataset, hints=hints, actor=upload.actor
            )
            job = _Job(await data_imports.add(self._pool, new), path, upload)
        except BaseException:
            await asyncio.to_thread(shutil.rmtree, path.parent, ignore_errors=True)
            raise
        self._held[job.id] = job
        self._waiting.put_nowait(job)
        row = await data_imports.find(self._pool, job.id)
        assert row is not None
        return row

    def _place(self, upload: Upload) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(self._folder).free - upload.size < _SPARE_BYTES:
            raise Conflict(
                "The disk has no room for this file.",
                remedy="Free some space; 1 GiB has to stay free beside the file.",
            )
        return Path(tempfile.mkdtemp(dir=self._folder)) / file_name(upload.name)

    async def _work(self) -> None:
        while True:
            self._current = await self._waiting.get()
            await self._take_in(self._current)
            self._held.pop(self._current.id, None)
            await self._remove(self._current)
            self._current = None

    async def _take_in(self, job: _Job) -> None:
        def progress(done: int, total: int) -> None:
            job.done, job.total = done, max(done, total)

        report: dict[str, Any] | None = None
        try:
            report = await self._run(job.path, job.upload.dataset, job.upload.hints, progress)
            error = None if _has_stored(report) else "No row of the file could be used."
        except TradewrightError as failure:
            error = str(failure)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as failure:
            log.warning("import_failed", file=job.path.name, error=str(failure))
            error = "The database or the disk failed. Import the file again: nothing comes twice."
        except Exception:
            log.exception("import_failed", file=job.path.name)
            error = "The file could not be read; the log of the server says why."
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await data_imports.finish(self._pool, job.id, report=report, error=error)
        log.info("import_finished", file=job.path.name, dataset=job.upload.dataset, error=error)

    async def _tell(self) -> None:
        """Write down how far we are, and that we are there."""
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                if self._held:
                    await data_imports.hold(self._pool, [*self._held])
                if job := self._current:
                    await data_imports.advance(self._pool, job.id, job.done, job.total)

    async def _remove(self, job: _Job) -> None:
        self._held.pop(job.id, None)
        await asyncio.to_thread(shutil.rmtree, job.path.parent, ignore_errors=True)

    async def _forget_old(self) -> None:
        await asyncio.to_thread(_sweep, self._folder, now().timestamp() - _FORGOTTEN_SECONDS)


def file_name(given: str) -> str:
    """The last part of a name that somebody sends, without what could mean a path or an option."""
    name = PurePosixPath(given.replace("\\", "/")).name
    return _STRANGE.sub("_", name).lstrip(".- ")[-120:] or "file"


async def _write(path: Path, chunks: AsyncIterator[bytes]) -> int:
    """Everything that comes, written down as it comes; how many bytes that were."""
    size = 0
    file = await asyncio.to_thread(path.open, "wb")
    try:
        async for chunk in chunks:
            size += len(chunk)
            await asyncio.to_thread(file.write, chunk)
    finally:
        await asyncio.to_thread(file.close)
    return size


def _has_stored(report: dict[str, Any]) -> bool:
    return any(report.get(name) for name in ("rows_stored", "rows_corrected", "duplicates"))


def _sweep(folder: Path, before: float) -> None:
    """Remove uploads that a process has left behind which ended without a word."""
    for old in folder.glob("*"):
        with suppress(OSError):
            if old.stat().st_mtime < before:
                shutil.rmtree(old, ignore_errors=True)
