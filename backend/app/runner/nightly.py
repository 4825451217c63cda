"""After each session its day is decided once more, in a process of its own; who differs is told."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

import asyncpg

from app.bootstrap import Parts
from app.core.environment import variables
from app.core.logging import get_logger
from app.repositories import accounts, explanations
from app.repositories.journal import LOST_CONNECTION, stream_of
from app.runner.replay_day import DAY_ZONE

FIRST_SECONDS: Final = 60.0
POLL_SECONDS: Final = 300.0
"After a session's end there is no hurry; a simulated one may end every few minutes."
NICE: Final = 10
log = get_logger("trading")


class NightlyReplay:
    """Looks for sessions that have ended, and replays the last of each account once."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._done: dict[int, date] = {}

    async def run(self) -> None:
        """For ever."""
        await asyncio.sleep(FIRST_SECONDS)
        while True:
            try:
                await self.round()
            except (*LOST_CONNECTION, asyncpg.PostgresError, OSError) as error:
                log.warning("day_not_replayed", error=str(error))
            await asyncio.sleep(POLL_SECONDS)

    async def round(self) -> list[dict[str, Any]]:
        """Every account whose newest ended session was not replayed by us yet; what was found."""
        found: list[dict[str, Any]] = []
        for account in await accounts.active(self._parts.pool):
            closed = await explanations.last_close(self._parts.pool, stream_of(account.id))
            day = _day(closed)
            if day is None or self._done.get(account.id) == day:
                continue
            found.append(await self._replay(account.id, day))
            self._done[account.id] = day
        return found

    async def _replay(self, account_id: int, day: date) -> dict[str, Any]:
        code, said = await _in_own_process(self._parts.url, account_id, day)
        log.info("day_replayed", account_id=account_id, day=str(day), exit_code=code)
        if code == 0:
            await self._parts.all_clear("replay_day", account_id)
            return said
        title, detail = _told(said, day)
        log.error("day_differs", account_id=account_id, day=str(day), detail=detail)
        await self._parts.alarm("replay_day", title, detail, account_id)
        return said


def _day(closed: datetime | None) -> date | None:
    return None if closed is None else closed.astimezone(DAY_ZONE).date()


def _told(said: Mapping[str, Any], day: date) -> tuple[str, str]:
    """Title and detail of the alert."""
    if error := said.get("error"):
        return f"{day} could not be decided again", str(error["detail"])
    first = said["differences"][0]
    detail = (
        f"{said['different']} of {said['inputs']} inputs; the first is event {first['seq']}"
        f" ({first['what']}). {said['cause']}"
    )
    return f"{day} is decided otherwise now than it was then", detail


async def _in_own_process(url: str, account_id: int, day: date) -> tuple[int, dict[str, Any]]:
    """Exit code and answer of `replay-day`: hours of bars must not hold up whoever trades."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app.cli", "replay-day", str(account_id), str(day), "--json"),
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
        answer: dict[str, Any] = json.loads(said)
    except ValueError:
        detail = complaint.decode(errors="replace")[-500:] or "it said nothing"
        answer = {"error": {"detail": detail}}
    return process.returncode or 0, answer
