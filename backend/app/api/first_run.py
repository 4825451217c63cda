"""The first person's way in: a token made at each start until somebody has signed up."""

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from app.core.logging import get_logger
from app.core.tasks import end
from app.events.hub import AWAY
from app.services.auth import Auth

_RETRY_SECONDS: Final = 1.0
log = get_logger("api")


class FirstRun:
    """Writes the token where only we can read it, and says the address to whoever started us.

    Under `tradewright up` the supervisor reads the file and prints the address once all is well.
    """

    def __init__(self, auth: Auth, home: Path, url: str, *, says: bool) -> None:
        self._auth = auth
        self._file = home / "run" / "sign-up-token"
        self._url = url
        self._says = says
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Make the token as soon as the database answers."""
        self._task = asyncio.create_task(self._run(), name="first run")

    async def stop(self) -> None:
        """Give up trying."""
        await end([self._task])

    def forget(self) -> None:
        """Somebody has signed up: the token is worth nothing any more."""
        with suppress(OSError):
            self._file.unlink(missing_ok=True)

    async def _run(self) -> None:
        while True:
            try:
                token = await self._auth.first_run_token()
                break
            except AWAY as error:
                log.warning("first_run_waits_for_database", error=str(error))
                await asyncio.sleep(_RETRY_SECONDS)
        if token is None:
            self.forget()
        else:
            self._keep(token)
            if self._says:
                sys.stdout.write(f"Sign up at {self._url}/sign-up?token={token}\n")
                sys.stdout.flush()

    def _keep(self, token: str) -> None:
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh = self._file.with_name(f".sign-up-token.{os.getpid()}")
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(token)
            fresh.replace(self._file)
        except OSError as error:
            log.warning("sign_up_token_not_kept", error=str(error))
