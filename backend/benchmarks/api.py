"""The HTTP API of a running platform: bars against the bare query, and p95 of its own routes."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import orjson

from benchmarks.engine import market
from benchmarks.imports import write_csv
from benchmarks.measure import Result, at_most, percentile, result, scratch_home
from benchmarks.start import Running, running

BARS = 10_000
SYMBOL = "BENCH"
CALLS = 100
PAUSE_SECONDS = 0.04
"Between calls: the API limits how many a second one caller may make."
ROUTES = {
    "/health": 100,
    "/api/trading-engine/health": 100,
    "/api/trading-engine/metrics": 200,
    "/api/trading-engine/alerts": 150,
    "/api/trading-engine/config": 50,
    "/api/trading-engine/event-history": 50,
}
"""Milliseconds that p95 is to stay under."""

_SELECT = """
SELECT b.start, b.open, b.high, b.low, b.close, b.volume FROM stock_data b
JOIN stocks s ON s.id = b.stock_id
WHERE b.dataset = 'import:bench' AND s.symbol = $1 AND b.timeframe = '1m'
ORDER BY b.start LIMIT $2
"""


def api() -> list[Result]:
    with scratch_home() as home, running(home) as platform:
        _fill(platform, home)
        key = json.loads(platform.run("keys", "create", "--name", "bench", "--scopes",
                                      "read,admin", "--json"))["key"]  # fmt: skip
        url = platform.run("db", "url").strip()
        bare = asyncio.run(_bare(url))
        with httpx.Client(base_url=platform.url, headers={"Authorization": f"Bearer {key}"}) as web:
            bars = calls(web, _bars_path())
            own = {path: calls(web, path) for path in ROUTES}
        memory = round(platform.memory_mb(), 1)
    p95, limit = percentile(bars, 0.95), percentile(bare, 0.95)
    return [
        result(
            "http: 10,000 bars, p95", p95, "ms", limit=limit, against="p95 of SELECT and JSON",
            figure="at most 50 ms and twice the bare query",
            is_met=p95 <= 50 and p95 <= 2 * limit, peak_rss_mb=memory,
        ),
        *(
            at_most(f"http: {path}, p95", percentile(own[path], 0.95), "ms", figure,
                    peak_rss_mb=memory)
            for path, figure in ROUTES.items()
        ),
    ]  # fmt: skip


def _fill(platform: Running, home: Path) -> None:
    file = home / f"{SYMBOL}.csv"
    write_csv(market(BARS, SYMBOL), file)
    platform.run("data", "import", str(file), "--symbol", SYMBOL, "--dataset", "bench")


def _bars_path() -> str:
    return f"/api/stocks/{SYMBOL}/bars?dataset=import:bench&timeframe=1m&limit={BARS}"


def calls(web: httpx.Client, path: str) -> list[float]:
    """Milliseconds of each answer; the first ones fill caches and are not counted."""
    found: list[float] = []
    for _ in range(CALLS + 5):
        began = time.perf_counter()
        answer = web.get(path)
        answer.read()
        found.append(1000 * (time.perf_counter() - began))
        answer.raise_for_status()
        time.sleep(PAUSE_SECONDS)
    return found[5:]


async def _bare(url: str) -> list[float]:
    """The same bars by one query, as JSON, in one process."""
    connection: asyncpg.Connection = await asyncpg.connect(url)
    found: list[float] = []
    try:
        statement = await connection.prepare(_SELECT)
        for _ in range(CALLS):
            began = time.perf_counter()
            rows: list[Any] = await statement.fetch(SYMBOL, BARS)
            assert len(rows) == BARS
            orjson.dumps([dict(row) for row in rows])
            found.append(1000 * (time.perf_counter() - began))
    finally:
        await connection.close()
    return found
