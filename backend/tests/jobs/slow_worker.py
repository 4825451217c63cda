"""A worker whose only job takes until a file is there; a test kills it."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.jobs import registry
from app.jobs.registry import JobContext, job
from app.worker import jobs, process

registry.jobs()
registry._JOBS.clear()
jobs.POLL_SECONDS = 0.2  # type: ignore[misc]  # an impatient one
folder = Path(sys.argv[1])


@job("slow", title="Waits for a file", attempts=3)
async def slow(context: JobContext, _payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave a line a begin, and another at the end."""
    with (folder / "begun").open("a") as file:
        file.write(f"{context.worker}\n")
    while not (folder / "may-end").exists():  # noqa: ASYNC110 - a file sets no event
        await asyncio.sleep(0.02)
    return {"attempt": context.attempt}


asyncio.run(process.run())
