"""Rate limits: each route names a class, each class has its own buckets."""

import time
from collections.abc import Mapping
from typing import Final

import structlog
from limits import RateLimitItem, parse_many
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import RateLimiter, SlidingWindowCounterRateLimiter
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.core.errors import TooManyRequests
from app.core.logging import get_logger
from app.core.rates import RateOptions

CLASSES: Final[Mapping[str, str]] = {
    **{name: field.default for name, field in RateOptions.model_fields.items()},
    "controls": "20/second",
    "emergency": "50/second",
    "sign_in": "5/minute",
    "refresh": "30/minute",
    "failed_sign_in": "10/hour",
    "refused": "60/minute",
    "sockets": "30/second; 600/minute",
}
"""By address where nobody is known yet, else by user. `controls` (halt, cancel) and `emergency`
(the stop of everything) share nothing, and a second later they are open again. Those of RateOptions
may be changed while it runs."""

_RETRY_REDIS_SECONDS: Final = 5.0
_REDIS_SECONDS: Final = 1.0
log: Final[structlog.stdlib.BoundLogger] = get_logger("api")


class RateLimits:
    """Counts in Redis, so that several API processes share the buckets; in memory without it."""

    def __init__(self, redis_url: str | None = None, classes: Mapping[str, str] = CLASSES) -> None:
        self._items: dict[str, list[RateLimitItem]] = {
            name: parse_many(limits) for name, limits in classes.items()
        }
        self._near = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._storage: RedisStorage | None = None
        self._shared: RateLimiter | None = None
        self._away_until = 0.0
        if redis_url is not None:
            self._storage = RedisStorage(
                f"async+{redis_url}",
                implementation="redispy",
                key_prefix="limit",
                socket_timeout=_REDIS_SECONDS,
                socket_connect_timeout=_REDIS_SECONDS,
            )
            self._shared = SlidingWindowCounterRateLimiter(self._storage)

    def take(self, options: RateOptions) -> None:
        """Count by these from now on."""
        self._items |= {
            name: parse_many(getattr(options, name)) for name in RateOptions.model_fields
        }

    async def close(self) -> None:
        """Give the connections back."""
        if self._storage is not None:
            redis: Redis = self._storage.bridge.storage  # type: ignore[attr-defined]  # untyped there
            await redis.aclose(close_connection_pool=True)

    async def check(self, name: str, who: str) -> None:
        """Like `admit`, without counting: for what only counts when it fails."""
        for item in self._items[name]:
            if not await self._ask("test", item, name, who):
                raise _exhausted(item)

    async def admit(self, name: str, who: str) -> None:
        """Count one request. Raises TooManyRequests with `retry_after` in whole seconds."""
        for item in self._items[name]:
            if not await self._ask("hit", item, name, who):
                raise _exhausted(item)

    async def _ask(self, what: str, item: RateLimitItem, name: str, who: str) -> bool:
        if self._shared is not None and time.monotonic() >= self._away_until:
            try:
                return bool(await getattr(self._shared, what)(item, name, who))
            except (RedisError, OSError, TimeoutError) as error:
                self._away_until = time.monotonic() + _RETRY_REDIS_SECONDS
                log.warning("rate_limits_in_memory", error=str(error))
        return bool(await getattr(self._near, what)(item, name, who))


def _exhausted(item: RateLimitItem) -> TooManyRequests:
    wait = max(1, int(item.get_expiry() / max(1, item.amount)) + 1)
    return TooManyRequests(
        f"More than {item} requests of this kind.",
        remedy=f"Wait {wait} s.",
        retry_after=wait,
        limit=str(item),
    )
