"""Is it there for those who need it: asked from outside, as they would."""

import ssl
from collections.abc import Mapping
from typing import Any, Final

import httpx
import msgspec

from app.core.config import Settings
from app.core.tls import trusting
from app.repositories.availability import DEGRADED, DOWN, UP

LOOK_SECONDS: Final = 15.0
ANSWER_SECONDS: Final = 5.0
START_SECONDS: Final = 60.0
"So long after a start, nobody is blamed that the API does not answer yet."
TARGET: Final = 0.99


class Look(msgspec.Struct, frozen=True):
    """What was seen."""

    state: str
    reason: str = ""
    score: float | None = None
    "Of health, where it answered."


class Watch:
    """Asks the API for its health, as a load balancer would."""

    def __init__(self, settings: Settings, url: str | None = None) -> None:
        """`url` where the API is not on this machine's API_HOST and API_PORT."""
        certificate = settings.api.tls_certificate
        verify: ssl.SSLContext | bool = True
        if certificate is not None and url is None:
            # Our own certificate names a host that need not be the address we use.
            verify = trusting(certificate)
        self._client = httpx.AsyncClient(
            base_url=url or settings.api.url,
            timeout=ANSWER_SECONDS,
            verify=verify,
            trust_env=False,
        )

    async def look(self) -> Look:
        """Once; never raises for what the API does."""
        try:
            answer = await self._client.get("/health")
            body = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            return Look(DOWN, f"The API does not answer: {type(error).__name__}.")
        return judged(body if isinstance(body, dict) else {})

    async def close(self) -> None:
        """Give back the connection."""
        await self._client.aclose()


def judged(body: Mapping[str, Any]) -> Look:
    """Available is: the API and its database answer, and some account is held by an engine."""
    components = {name: one.get("status") for name, one in body.get("components", {}).items()}
    score = body.get("score")
    if body.get("status") not in ("healthy", "degraded"):
        return Look(DOWN, "The API says that it is unhealthy.", score)
    if components.get("brokers") == "unhealthy":
        return Look(DOWN, "No engine holds any account.", score)
    wrong = sorted(name for name, status in components.items() if status != "healthy")
    if wrong:
        return Look(DEGRADED, f"Not healthy: {', '.join(wrong)}.", score)
    return Look(UP, "", score)
