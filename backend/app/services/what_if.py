"""What other limits would have done, asked by the web: a process of its own reads the journal."""

import asyncio
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import orjson

from app.core.errors import Conflict, InvalidInput, Unavailable
from app.domain.scopes import typed
from app.domain.users import Caller

SECONDS: Final = 120.0


class WhatIfs:
    """One question at a time: it runs strategies and reads much, which must not slow the API."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._asking = asyncio.Lock()

    async def ask(
        self,
        caller: Caller,
        account_id: int,
        start: datetime,
        end: datetime,
        limits: Mapping[str, Any],
        scope: str,
    ) -> dict[str, Any]:
        """The answer of `tradewright risk what-if`.

        Raises InvalidInput, Conflict while another question is read, Unavailable after two minutes.
        """
        if not caller.may_see(account_id):
            raise InvalidInput(f"There is no account {account_id}.", field="account_id")
        for key, value in limits.items():
            if value is not None:
                typed(key, value, scope)
        if self._asking.locked():
            raise Conflict("Another what-if is being read.", remedy="Try again in a moment.")
        async with self._asking:
            return await self._run(_arguments(account_id, start, end, limits, scope))

    async def _run(self, arguments: list[str]) -> dict[str, Any]:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "app.cli",
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(self._seconds):
                said, _ = await child.communicate()
        except TimeoutError:
            raise Unavailable(
                "The period is too long to be read at once.",
                remedy="Ask about less, or on the command line: `tradewright risk what-if`.",
            ) from None
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        return _answer(said)


def _arguments(
    account_id: int, start: datetime, end: datetime, limits: Mapping[str, Any], scope: str
) -> list[str]:
    given = [
        part
        for key, value in limits.items()
        for part in ("--set", f"{key}={value if isinstance(value, str) else _json(value)}")
    ]
    period = ("--from", start.isoformat(), "--to", end.isoformat())
    whose = ("--account", str(account_id), "--scope", scope)
    return ["risk", "what-if", *period, *given, *whose, "--json"]


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _answer(said: bytes) -> dict[str, Any]:
    """The last JSON of its output. Raises what it says went wrong."""
    try:
        found: dict[str, Any] = orjson.loads(said)
    except orjson.JSONDecodeError:
        raise Unavailable("The what-if ended without an answer; the log says why.") from None
    if "error" in found:
        problem = found["error"]
        raise InvalidInput(problem["detail"], field="limits", remedy=problem["remedy"])
    return found
