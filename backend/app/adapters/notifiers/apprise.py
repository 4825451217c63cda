"""Notifications through apprise: 170 services, each message sent by a short-lived process.

Apprise is synchronous, calls whatever a plugin likes, and cannot be interrupted. A process of its
own can: it is ended at the time limit, has none of our keys in its environment, and takes its 60 MB
with it when it is done.
"""

import asyncio
import sys
from typing import Any, Final

import orjson

from app.core.environment import variables
from app.core.errors import InvalidInput
from app.core.notifications import NotificationOptions
from app.core.system_config import current
from app.domain.notifications import Address, Message, NotDelivered

_PASSED_ON: Final = (
    *("PATH", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"),
)
_MODULE: Final = "app.adapters.clients.apprise"
_DESCRIBE_SECONDS: Final = 60.0


class Adapter:
    """The notifier of this name."""

    def __init__(self, options: NotificationOptions | None = None) -> None:
        self._given = options

    @property
    def _options(self) -> NotificationOptions:
        return self._given or current(NotificationOptions)

    async def describe(self, url: str) -> Address:
        """Raises InvalidInput for an address that no service of apprise reads, or that is local."""
        try:
            said = await self._ask({"do": "describe", "url": url}, _DESCRIBE_SECONDS)
        except NotDelivered as error:
            raise InvalidInput(
                f"The address could not be read: {error}", field="url", remedy="Try again."
            ) from None
        if why := said.get("error"):
            raise InvalidInput(why, field="url", remedy=said.get("remedy"))
        return Address(service=said["service"], hint=said["hint"])

    async def send(self, url: str, message: Message) -> None:
        """Return once the service has taken it. Raises NotDelivered."""
        wish = {
            "do": "send",
            "url": url,
            "title": message.title,
            "body": message.body,
            "severity": message.severity.value,
        }
        said = await self._ask(wish, self._options.timeout_seconds)
        if why := said.get("error"):
            raise NotDelivered(str(why))

    async def _ask(self, wish: dict[str, Any], limit: float) -> dict[str, Any]:
        """The answer of a process that is told everything on its standard input."""
        wish["allow_private"] = self._options.allow_private
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", _MODULE),
            env={name: value for name, value in variables().items() if name in _PASSED_ON},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(limit):
                answer, _ = await process.communicate(orjson.dumps(wish))
        except TimeoutError:
            raise NotDelivered(f"No answer within {limit:g} s.") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        try:
            said: dict[str, Any] = orjson.loads(answer)
        except ValueError:
            code = process.returncode
            raise NotDelivered(f"The process that sends ended with code {code}.") from None
        return said
