"""Every query of dashboards and alert rules, asked of a real Prometheus that scrapes a real API."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.api.parts import Parts
from app.db.loopback import free_port
from tests.api.live import serving
from tests.api.test_dashboards import PROMETHEUS, busy, expressions
from tests.api.world import World, key_of
from tests.waiting import until

PROGRAM = shutil.which("prometheus")
SPARSE = {
    "operations: Operations, mean time",
    "trading: Submit, mean time",
    "trading: Append to the journal, mean time",
}
"Means of what has to happen between two scrapes; with nothing to divide by there is no mean."


@asynccontextmanager
async def scraping(folder: Path, key: str, port: int) -> AsyncIterator[httpx.AsyncClient]:
    """Prometheus with the configuration of ours, in a hurry; a client of its API."""
    own = free_port()
    text = (PROMETHEUS / "prometheus.yml").read_text()
    text = text.replace("127.0.0.1:8000", f"127.0.0.1:{port}").replace("15s", "1s")
    (folder / "prometheus.yml").write_text(text)
    (folder / "alerts.yml").write_text((PROMETHEUS / "alerts.yml").read_text())
    (folder / "tradewright.key").write_text(key)
    process = await asyncio.create_subprocess_exec(
        PROGRAM or "", "--config.file=prometheus.yml", "--storage.tsdb.path=data",
        f"--web.listen-address=127.0.0.1:{own}", cwd=folder,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{own}/api/v1", trust_env=False
        ) as client:
            yield client
    finally:
        process.terminate()
        await process.wait()


async def asked(client: httpx.AsyncClient, expression: str) -> list[Any]:
    """What a query finds. Fails with what Prometheus says of one that it cannot answer."""
    answer = (await client.get("/query", params={"query": expression})).json()
    assert answer["status"] == "success", f"{expression}: {answer.get('error')}"
    found: list[Any] = answer["data"]["result"]
    return found


@pytest.mark.skipif(PROGRAM is None, reason="prometheus is not installed (Debian has it)")
async def test_every_query_finds_something_where_there_is_something(
    app: FastAPI, parts: Parts, world: World, database_url: str, tmp_path: Path
) -> None:
    key = await key_of(parts, await world.person("ada@example.com", "admin"), "viewer", "read")
    await busy(parts, database_url)
    async with serving(app) as live, scraping(tmp_path, key, live.port) as client:

        async def scraped_three_times() -> bool:
            try:
                (found,) = await asked(client, 'count_over_time(up{job="tradewright"}[5m])')
            except (httpx.HTTPError, ValueError):
                return False
            return int(found["value"][1]) >= 3

        await until(scraped_three_times, 60)
        (up,) = await asked(client, 'up{job="tradewright"}')
        assert up["value"][1] == "1"
        empty = [
            place
            for place, expression in expressions()
            if ": " in place and not await asked(client, expression) and place not in SPARSE
        ]
        assert empty == []
        values = [
            one["value"][1]
            for place, expression in expressions()
            if ": " in place
            for one in await asked(client, expression)
        ]
        assert "NaN" not in values
        groups = (await client.get("/rules")).json()["data"]["groups"]
        rules = {rule["name"]: rule for group in groups for rule in group["rules"]}

        async def judged() -> bool:
            now = (await client.get("/rules")).json()["data"]["groups"]
            return all(rule["health"] == "ok" for group in now for rule in group["rules"])

        await until(judged, 30)
        assert len(rules) == len([place for place, _ in expressions() if ": " not in place])
