"""What Redis remembers of a database: forgotten when another one takes its place."""

from typing import Final

from redis import Redis
from redis.exceptions import RedisError

from app.core.errors import Unavailable

_HASH: Final = "[0-9a-f]" * 64
PATTERNS: Final[tuple[tuple[str, str], ...]] = (
    ("events:*", "stream"),
    ("quote:*", "string"),
    ("bars.*", "list"),
    ("option_chain.*", "string"),
    ("signal.*", "string"),
    ("stamp.*", "string"),
    ("cache.warm", "string"),
    (f"session:{_HASH}", "string"),
    (f"ws_ticket:{_HASH}", "string"),
)
"""Names and types of what is made from rows; buckets of rate limits and counts of hits are not.
Narrow, because a Redis of one's own may serve other programs too."""
_SECONDS: Final = 5.0
_AT_ONCE: Final = 500


def forget(url: str) -> int:
    """Remove it all, so that nobody reads of a future that never was; how many keys it was.

    PostgreSQL fills Redis again. Raises Unavailable when Redis does not answer.
    """
    gone = 0
    try:
        with Redis.from_url(url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS) as redis:
            for pattern, kind in PATTERNS:
                keys = list(redis.scan_iter(match=pattern, count=_AT_ONCE, _type=kind))
                for first in range(0, len(keys), _AT_ONCE):
                    gone += int(redis.unlink(*keys[first : first + _AT_ONCE]))
    except (RedisError, OSError) as error:
        raise Unavailable(f"Redis does not answer: {str(error) or type(error).__name__}.") from None
    return gone
