"""A command of ours in a process of its own: hours of work must hold up nobody else's memory."""

import asyncio
import json
import os
import sys
from typing import Any, Final

from app.core.environment import variables
from app.core.redaction import redact_text

NICE: Final = 10
_COMPLAINT_CHARACTERS: Final = 500


async def command(url: str, *arguments: str) -> tuple[int, Any]:
    """Exit code and JSON answer of `tradewright ARGUMENTS --json` on the database at `url`.

    What says no JSON answers `{"error": {"detail": …}}` with the end of its complaint. Cancelled,
    it ends the process.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app.cli", *arguments, "--json"),
        env={**variables(), "DATABASE_URL": url},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
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
