"""How market data lies in Redis: keys, expiry, and the command that remembers nothing stale.

- `quote:{dataset}:{symbol}`: the newest price, JSON.
- `bars.1:{dataset}:{symbol}:{timeframe}`: a list of the newest bars, 64 bytes each, oldest first.
- `option_chain.1:{dataset}:{underlying}`, `signal.1:{account}:{symbol}`: JSON.
- `stamp.1:{dataset or account}:{symbol}`: changes with every write, so that who read the database
  before one cannot remember what was read.
- `cache.counts`: hits and misses of all processes. `cache.warm`: somebody has filled this Redis.

The number is the layout's version: another layout takes another and never meets old ones.
"""

from secrets import token_hex
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from app.domain.market import Timeframe
from app.marketdata.cache import Kind

LAYOUT: Final = 1
COUNTS: Final = "cache.counts"
WARM: Final = "cache.warm"
STAMP_SECONDS: Final = 86_400
COMPLETE: Final = b""
"First element of a list that holds the series from its first bar."
AWAY: Final = (RedisError, OSError, TimeoutError)
"Redis does not answer just now."

FILL: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == 'list' then
  redis.call('DEL', KEYS[2])
  for first = 4, #ARGV, 1000 do
    redis.call('RPUSH', KEYS[2], unpack(ARGV, first, math.min(first + 999, #ARGV)))
  end
elseif ARGV[2] == 'text' then
  redis.call('SET', KEYS[2], ARGV[4])
elseif not redis.call('SET', KEYS[2], ARGV[4], 'NX') then
  return 0
end
redis.call('EXPIRE', KEYS[2], ARGV[3])
return 1
"""
"""KEYS: stamp, entry. ARGV: the stamp that was read before the database was, `list`, `text` or
`new` (only where nothing is), seconds, values. Remembers the values unless something was written
since."""


def connected(url: str, seconds: float) -> Redis:
    """A client that fails soon and does not retry by itself: who uses it knows what to do then."""
    redis: Redis = Redis.from_url(
        url,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        retry=Retry(NoBackoff(), 0),
    )
    return redis


def quote_key(dataset: str, symbol: str) -> str:
    return f"{Kind.QUOTE}:{dataset}:{symbol}"


def bars_key(dataset: str, symbol: str, timeframe: Timeframe) -> str:
    return f"{Kind.BARS}.{LAYOUT}:{dataset}:{symbol}:{timeframe}"


def document_key(kind: Kind, owner: str, symbol: str) -> str:
    """Of a chain (owner: the data set) or a signal (owner: the account)."""
    return f"{kind}.{LAYOUT}:{owner}:{symbol}"


def stamp_key(owner: str, symbol: str) -> str:
    return f"stamp.{LAYOUT}:{owner}:{symbol}"


def new_stamp() -> str:
    """Never the same twice, so that a lost stamp cannot come back."""
    return token_hex(8)


def symbol_keys(dataset: str, symbol: str) -> list[str]:
    """Every entry that is made from the bars or contracts of a symbol."""
    lists = [bars_key(dataset, symbol, timeframe) for timeframe in Timeframe]
    chain = document_key(Kind.OPTION_CHAIN, dataset, symbol)
    return [quote_key(dataset, symbol), *lists, chain]


def outdate(pipeline: Any, dataset: str, symbol: str) -> None:  # noqa: ANN401 - untyped there
    """Queue the commands that make readers ask the database again."""
    pipeline.set(stamp_key(dataset, symbol), new_stamp(), ex=STAMP_SECONDS)
    pipeline.unlink(*symbol_keys(dataset, symbol))
