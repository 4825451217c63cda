"""Where the database and Redis are: in the settings, else what `tradewright up` runs."""

from app.core.config import settings
from app.db.home import running


def database_url() -> str:
    """Bare `postgresql://…`. Raises ConfigurationError when none is set and none runs."""
    if not settings.database.is_given and (servers := running(settings.home)):
        return servers.database_url
    return settings.database.url


def redis_url() -> str:
    """`redis://…`. Raises ConfigurationError when none is set and none runs."""
    if not settings.redis.is_given and (servers := running(settings.home)) and servers.redis_url:
        return servers.redis_url
    return settings.redis.url
