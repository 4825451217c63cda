"""How things are measured here: results, best of several, percentiles, memory, scratch servers."""

import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import msgspec

from app.db import home as home_folder
from app.db import migrations
from app.db.embedded import EmbeddedPostgres
from app.db.session import create_pool

T = TypeVar("T")
SECRET = "5e" * 32
"A master key for scratch homes only."


class Result(msgspec.Struct, kw_only=True):
    """One line of the table. `ratio` is value over limit; `against` says what the limit is."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    ratio: float | None = None
    peak_rss_mb: float | None = None
    against: str = ""
    figure: str = ""
    "What is to be reached, in words."
    is_met: bool | None = None


def result(
    name: str,
    value: float,
    unit: str,
    *,
    limit: float,
    against: str,
    figure: str,
    is_met: bool | None = None,
    peak_rss_mb: float | None = None,
) -> Result:
    """A line with its ratio; without `peak_rss_mb` the memory is this process's."""
    return Result(
        name=name,
        value=round(value, 6),
        unit=unit,
        limit=round(limit, 6),
        ratio=round(value / limit, 4) if limit else None,
        peak_rss_mb=peak_memory_mb() if peak_rss_mb is None else peak_rss_mb,
        against=against,
        figure=figure,
        is_met=is_met,
    )


def at_least(name: str, value: float, unit: str, figure: float, *, memory: float = 0) -> Result:
    """A rate that is to reach a figure; with `memory`, in so many MB."""
    words = f"at least {figure:,.0f}" + (f" in {memory:.0f} MB" if memory else "")
    peak = peak_memory_mb()
    return result(
        name, value, unit, limit=figure, against="the figure to reach", figure=words,
        is_met=value >= figure and (not memory or peak <= memory), peak_rss_mb=peak,
    )  # fmt: skip


def at_most(
    name: str, value: float, unit: str, figure: float, *, peak_rss_mb: float | None = None
) -> Result:
    """A time or a size that is to stay under a figure."""
    return result(
        name, value, unit, limit=figure, against="the figure to stay under",
        figure=f"at most {figure:g} {unit}", is_met=value <= figure, peak_rss_mb=peak_rss_mb,
    )  # fmt: skip


def peak_memory_mb() -> float:
    """The most memory that this process ever had resident."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Seconds of one call, and what it returned."""
    began = time.perf_counter()
    value = work()
    return time.perf_counter() - began, value


async def timed_async(work: Callable[[], Awaitable[Any]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


async def repeated(work: Callable[[], Awaitable[Any]], times: int) -> list[float]:
    """Milliseconds of each of so many calls, one after the other."""
    return [1000 * await timed_async(work) for _ in range(times)]


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


@contextmanager
def scratch_home() -> Iterator[Path]:
    """A folder for one benchmark, gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="tradewright-bench-"))
    try:
        yield folder
    finally:
        outside = folder / "postgres.path"
        if outside.is_file():
            shutil.rmtree(Path(outside.read_text().strip()).parent, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def scratch_postgres(*, migrated: bool = True) -> Iterator[str]:
    """Address of an embedded server with the product's own settings, on a temporary home."""
    with scratch_home() as home:
        home_folder.prepare(home)
        server = EmbeddedPostgres(home)
        server.start()
        try:
            if migrated:
                migrations.upgrade(server.url)
            yield server.url
        finally:
            server.stop()


@asynccontextmanager
async def scratch_pool() -> AsyncIterator[asyncpg.Pool]:
    """A pool on a scratch server."""
    with scratch_postgres() as url:
        pool = await create_pool(url)
        try:
            yield pool
        finally:
            await pool.close()


def bare_environment(home: Path, **more: str) -> dict[str, str]:
    """Variables for a child that shall see nothing of this machine's own setup."""
    kept = ("PATH", "LANG", "TMPDIR", "HOME", "PYTHONPATH", "VIRTUAL_ENV")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "TRADEWRIGHT_HOME": str(home),
        "TRADEWRIGHT_ENV_FILE": os.devnull,
        **more,
    }
