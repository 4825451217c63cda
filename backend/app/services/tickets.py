"""Tickets for WebSockets: good once, within 30 seconds, in place of a long-lived secret."""

import time
from datetime import datetime, timedelta
from typing import Final

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.core.clock import Clock
from app.core.logging import get_logger
from app.core.security import hash_token, new_token
from app.domain.users import Caller

PREFIX: Final = "twt_"
LIFETIME: Final = timedelta(seconds=30)
log = get_logger("api")


class Tickets:
    """Kept in Redis, so that any API process can redeem them; in memory while it is away."""

    def __init__(self, redis: Redis, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock
        self._near: dict[str, tuple[float, bytes]] = {}

    async def issue(self, caller: Caller) -> tuple[str, datetime]:
        """A ticket and its end."""
        ticket = PREFIX + new_token(32)
        name, body = _name(ticket), msgspec.json.encode(caller)
        try:
            await self._redis.set(name, body, ex=int(LIFETIME.total_seconds()))
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("tickets_in_memory", error=str(error))
            self._forget_old()
            self._near[name] = time.monotonic() + LIFETIME.total_seconds(), body
        return ticket, self._clock.now() + LIFETIME

    async def redeem(self, ticket: str) -> Caller | None:
        """Who the ticket stands for; None when it is unknown, used or too old."""
        name = _name(ticket)
        body: bytes | None = None
        until, near = self._near.pop(name, (0.0, None))
        if near is not None and time.monotonic() < until:
            body = near
        else:
            try:
                found = await self._redis.getdel(name)
                body = found.encode() if isinstance(found, str) else found
            except (RedisError, OSError, TimeoutError):
                return None
        return msgspec.json.decode(body, type=Caller) if body else None

    def _forget_old(self) -> None:
        now = time.monotonic()
        self._near = {name: one for name, one in self._near.items() if one[0] > now}


def _name(ticket: str) -> str:
    return f"ws_ticket:{hash_token(ticket).hex()}"
