"""Questions about ten million events over HTTP, each as a page of the product asks it."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
import httpx

from app.core import clock
from benchmarks.api import calls
from benchmarks.measure import Result, at_most, percentile, scratch_home
from benchmarks.start import Running, running

EVENTS: Final = 10_000_000
STREAMS: Final = 4
CHAIN: Final = 40
"Events that share a correlation; in each stream one causes the next."
PART: Final = 500_000
LIMIT_MS: Final = 50.0

_FILL: Final = """
INSERT INTO trading_events (stream, seq, event_type, priority, occurred_at, recorded_at, caused_by,
                            correlation_id, payload, hash)
SELECT 'account:' || 9000 + n % {streams}, n / {streams} + 1, k.event_type, k.priority, t.at, t.at,
       CASE WHEN n % {chain} >= {streams} THEN n / {streams} END, 'bench:' || n / {chain},
       json_build_object('type', k.event_type, 'n', n, 'ledger', 'd' || n % 97), h.hash
FROM generate_series($1::bigint, $2::bigint - 1) n,
LATERAL (SELECT $3::timestamptz + n * interval '100 ms' AS at) t,
LATERAL (SELECT decode(repeat('00', 32), 'hex') AS hash) h,
LATERAL (SELECT CASE WHEN n % 100000 = 77 THEN 'account_halted' WHEN n % 10 < 6 THEN 'slice_closed'
                     WHEN n % 10 = 6 THEN 'signal_raised' WHEN n % 10 = 7 THEN 'order_approved'
                     WHEN n % 10 = 8 THEN 'order_submitted' ELSE 'order_filled' END AS event_type,
                CASE WHEN n % 100000 = 77 THEN 'critical' WHEN n % 10 < 6 THEN 'low'
                     ELSE 'normal' END AS priority) k
"""


def history() -> list[Result]:
    with scratch_home() as home, running(home) as platform:
        began = asyncio.run(_fill(platform.run("db", "url").strip()))
        found = {name: _asked(platform, path) for name, path in _paths(began).items()}
        memory = round(platform.memory_mb(), 1)
    return [
        at_most(f"history of {EVENTS:,} events: {name}, p95", percentile(times, 0.95), "ms",
                LIMIT_MS, peak_rss_mb=memory)
        for name, times in found.items()
    ]  # fmt: skip


async def _fill(url: str) -> datetime:
    """Twelve days of events, ten a second, the last of them now. Returns when they begin."""
    began = clock.now() - timedelta(milliseconds=100 * EVENTS)
    connection = await asyncpg.connect(url)
    statement = _FILL.format(streams=STREAMS, chain=CHAIN)
    for first in range(0, EVENTS, PART):
        await connection.execute(statement, first, first + PART, began)
    await connection.execute("VACUUM (ANALYZE) trading_events")
    await connection.close()
    return began


def _paths(began: datetime) -> dict[str, str]:
    """What is asked for, by its name."""
    day = (began + timedelta(days=5)).astimezone(UTC)
    start, end = (_text(at) for at in (day, day + timedelta(hours=6)))
    middle, of_stream = EVENTS // STREAMS // 2, "/api/events?stream=account:9001"
    return {
        "newest": "/api/events?limit=50",
        "newest of the engine page": "/api/trading-engine/event-history?limit=50",
        "one type": "/api/events?type=order_filled&limit=50",
        "a rare type": "/api/events?type=account_halted&limit=50",
        "a type that never was": "/api/events?type=execution_busted&limit=50",
        "critical ones": "/api/events?priority=critical&limit=50",
        "one deployment": "/api/events?deployment_id=17&limit=50",
        "one type in six hours": f"/api/events?type=signal_raised&start={start}&end={end}&limit=50",
        "one correlation": f"/api/events?correlation_id=bench:{EVENTS // CHAIN // 2}&limit=50",
        "a stream from its middle": f"{of_stream}&after_seq={middle}&order=asc&limit=500",
        "what one event caused": f"{of_stream}&caused_by={middle}&limit=50",
        "causes and effects": f"/api/events/account:9001/{middle}/causation",
    }


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _asked(platform: Running, path: str) -> list[float]:
    """Milliseconds of each answer, by a caller of its own: one alone may not ask so often."""
    made = platform.run("keys", "create", "--name", path[:60], "--scopes", "read,admin", "--json")
    headers = {"Authorization": f"Bearer {json.loads(made)['key']}"}
    with httpx.Client(base_url=platform.url, headers=headers, timeout=30) as web:
        assert web.get(path).raise_for_status().json() is not None
        return calls(web, path)
