"""The machine and this process: CPU, memory, disk."""

from pathlib import Path
from typing import Any, Final

import psutil

from app.core.clock import Clock

_MB: Final = 1024 * 1024
_GB: Final = 1024 * _MB
_process: Final = psutil.Process()


def cpu() -> dict[str, Any]:
    """Share of all cores since the last call, their number, and the load of the last minute."""
    return {
        "percent": psutil.cpu_percent(interval=None),
        "cores": psutil.cpu_count() or 1,
        "load_1m": psutil.getloadavg()[0],
    }


def memory() -> dict[str, Any]:
    """In MB."""
    found = psutil.virtual_memory()
    return {
        "total_mb": round(found.total / _MB, 1),
        "available_mb": round(found.available / _MB, 1),
        "percent": found.percent,
    }


def disk(path: Path) -> dict[str, Any]:
    """The file system that holds `path` (or the nearest folder above it), in GB."""
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    found = psutil.disk_usage(str(there))
    return {
        "path": path.name or str(path),
        "total_gb": round(found.total / _GB, 2),
        "free_gb": round(found.free / _GB, 2),
        "percent": found.percent,
    }


def process(clock: Clock) -> dict[str, Any]:
    """This process."""
    with _process.oneshot():
        return {
            "pid": _process.pid,
            "memory_mb": round(_process.memory_info().rss / _MB, 1),
            "threads": _process.num_threads(),
            "open_files": _process.num_fds(),
            "uptime_seconds": round(clock.now().timestamp() - _process.create_time(), 1),
        }
