"""Health, metrics, alerts and settings of a platform that has a past, while others use the API."""

import asyncio
import json
import time

import asyncpg
import httpx

from benchmarks.measure import Result, at_most, percentile, scratch_home
from benchmarks.start import Running, running

CALLS = 60
LOADERS = 4
LOAD_PAUSE_SECONDS = 0.1
"So that all of them together stay within what one person may ask for: 3,000 a minute."
FRESH_SECONDS = 1.05
"Between calls that must not be answered from memory: health and figures are remembered a second."
PAUSE_SECONDS = 0.1
"Between calls of what is never remembered."
ROUTES = {
    "/health": (100.0, FRESH_SECONDS),
    "/metrics": (200.0, FRESH_SECONDS),
    "/api/trading-engine/metrics": (200.0, FRESH_SECONDS),
    "/api/trading-engine/alerts": (150.0, PAUSE_SECONDS),
    "/api/alerts?limit=50": (150.0, PAUSE_SECONDS),
    "/api/trading-engine/config": (50.0, PAUSE_SECONDS),
    "/api/config": (50.0, PAUSE_SECONDS),
}
"Milliseconds that p95 is to stay under, and how long to wait between calls."
LOAD = ("/api/orders?limit=50", "/api/risk-violations?limit=50", "/api/events?limit=50",
        "/api/positions")  # fmt: skip
ROWS = 200_000

_PAST = (
    "INSERT INTO accounts (name, dataset, starting_cash, cash, active)"
    " VALUES ('Bench', 'import:bench', 1, 1, false)",
    "INSERT INTO instruments (symbol) VALUES ('BENCHED')",
    """INSERT INTO orders (account_id, client_order_id, ledger, signal_id, instrument_id, leg,
         side, quantity, filled_quantity, average_price,
         status, at, closed_at)
       SELECT (SELECT max(id) FROM accounts), 'bench-' || n, 'manual', 's' || n,
         (SELECT min(id) FROM instruments), 'entry', 'buy', 1, 1, 100, 'filled', now(), now()
       FROM generate_series(1, {rows}) n""",
    """INSERT INTO risk_violations (account_id, ledger, instrument_id, signal_id, side, quantity,
         code, at)
       SELECT (SELECT max(id) FROM accounts), 'manual', (SELECT min(id) FROM instruments),
         's' || n, 'buy', 1, (ARRAY['position_limit', 'order_value', 'halted'])[n % 3 + 1], now()
       FROM generate_series(1, {rows}) n""",
    """INSERT INTO trading_events (stream, seq, event_type, occurred_at, recorded_at, payload, hash)
       SELECT 'bench', n, 'order_filled', now(),
         now() - n * interval '1 ms', '{{"type": "order_filled"}}', decode(repeat('00', 32), 'hex')
       FROM generate_series(1, {rows}) n""",
    """INSERT INTO alerts (key, category, severity, title, resolved_at, announced, is_end_announced)
       SELECT 'bench:' || n, 'system', 'info', 'Bench ' || n, now(), 1, true
       FROM generate_series(1, {rows} / 20) n""",
    "ANALYZE",
)


def monitoring() -> list[Result]:
    with scratch_home() as home, running(home) as platform:
        asyncio.run(_past(platform.run("db", "url").strip()))
        keys = [_key(platform, f"load {number}") for number in range(LOADERS + 1)]
        found, served, seconds = asyncio.run(_measured(platform, keys))
        memory = round(platform.memory_mb(), 1)
    load = f"{served / seconds:.0f} requests/s of others, {ROWS:,} orders, denials and events each"
    return [
        at_most(f"{name}, p95, {load}", percentile(times, 0.95), "ms", limit, peak_rss_mb=memory)
        for (name, limit), times in found.items()
    ]


def _key(platform: Running, name: str) -> str:
    made = platform.run("keys", "create", "--name", name, "--scopes", "read,admin", "--json")
    return str(json.loads(made)["key"])


async def _past(url: str) -> None:
    connection = await asyncpg.connect(url)
    for statement in _PAST:
        await connection.execute(statement.format(rows=ROWS))
    await connection.close()


async def _measured(
    platform: Running, keys: list[str]
) -> tuple[dict[tuple[str, float], list[float]], int, float]:
    """Times by (what, limit); requests that the others were answered, in so many seconds."""
    found: dict[tuple[str, float], list[float]] = {}
    stop, served = asyncio.Event(), [0]
    loaders = [asyncio.create_task(_load(platform, key, stop, served)) for key in keys[1:]]
    began = time.perf_counter()
    async with _client(platform, keys[0]) as web:
        for path, (limit, pause) in ROUTES.items():
            times, bodies = await _calls(web, path, pause)
            found[f"http: {path}", limit] = times
            if path == "/health":
                latencies = [body["components"]["database"]["latency_ms"] for body in bodies]
                found["database health check", 10.0] = latencies
    seconds = time.perf_counter() - began
    stop.set()
    await asyncio.gather(*loaders)
    return found, served[0], seconds


async def _calls(
    web: httpx.AsyncClient, path: str, pause: float
) -> tuple[list[float], list[dict[str, dict[str, dict[str, float]]]]]:
    times: list[float] = []
    bodies = []
    for _ in range(CALLS):
        began = time.perf_counter()
        answer = await web.get(path)
        times.append(1000 * (time.perf_counter() - began))
        answer.raise_for_status()
        if path == "/health":
            bodies.append(answer.json())
        await asyncio.sleep(pause)
    return times, bodies


async def _load(platform: Running, key: str, stop: asyncio.Event, served: list[int]) -> None:
    """One other program that reads lists, within its allowance."""
    async with _client(platform, key) as web:
        while not stop.is_set():
            for path in LOAD:
                answer = await web.get(path)
                served[0] += answer.status_code == 200
                await asyncio.sleep(LOAD_PAUSE_SECONDS)


def _client(platform: Running, key: str) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(base_url=platform.url, headers=headers, timeout=30)
