"""A command of ours in a process of its own: hours of work must hold up nobody else's memory."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from app.core import progress_pipe
from app.core.environment import variables
from app.core.progress_pipe import Tell
from app.core.redaction import redact_text
from app.core.tasks import end

NICE: Final = 10
_COMPLAINT_CHARACTERS: Final = 500


def _nothing(_done: int, _total: int) -> None:
    """Nobody wants to know."""


async def command(url: str, *arguments: str, progress: Tell = _nothing) -> tuple[int, Any]:
    """Exit code and JSON answer of `tradewright ARGUMENTS --json` on the database at `url`.

    What says no JSON answers `{"error": {"detail": …}}` with the end of its complaint. Cancelled,
    it ends the process. `progress` is told how far the command says it is.
    """
    async with _heard(progress) as pipe:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "app.cli", *arguments, "--json"),
            env={**variables(), "DATABASE_URL": url, progress_pipe.VARIABLE: str(pipe)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=(pipe,),
        )
        os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
        try:
            said, complaint = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
    try:
        answer = json.loads(said)
    except ValueError:
        detail = complaint.decode(errors="replace")[-_COMPLAINT_CHARACTERS:] or "it said nothing"
        answer = {"error": {"detail": redact_text(detail)}}
    return process.returncode or 0, answer


@asynccontextmanager
async def _heard(progress: Tell) -> AsyncIterator[int]:
    """The end of a pipe for the child to write to; what it says there is passed on."""
    ours, theirs = os.pipe()
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours, "rb")
    )
    listening = asyncio.create_task(_listen(reader, progress))
    try:
        yield theirs
    finally:
        os.close(theirs)  # with it the pipe ends, unless a grandchild still has it
        await asyncio.wait([listening], timeout=1.0)
        await end([listening])
        transport.close()


async def _listen(reader: asyncio.StreamReader, progress: Tell) -> None:
    async for line in reader:
        if found := progress_pipe.told(line):
            progress(*found)
