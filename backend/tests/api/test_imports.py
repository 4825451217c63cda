"""Files uploaded over HTTP: taken in, followed, explained, refused."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.api.parts import Parts
from app.services.import_jobs import file_name
from tests.api.world import World, client_of, key_of, started
from tests.servers import TestServers

HEADER = "time,open,high,low,close,volume\n"


def csv(count: int = 30, price: float = 100.0) -> bytes:
    """Minute bars of one session in regular hours."""
    rows = (
        f"2024-03-01T15:{minute:02}:00Z,{price},{price + 1},{price - 1},{price},500\n"
        for minute in range(count)
    )
    return (HEADER + "".join(rows)).encode()


async def upload(client: httpx.AsyncClient, content: bytes, **query: str) -> httpx.Response:
    return await client.post(
        "/api/imports", params={"file": "SPY.csv", "symbol": "SPY", **query}, content=content
    )


async def finished(client: httpx.AsyncClient, answer: httpx.Response) -> dict[str, Any]:
    """The import once nothing more happens to it."""
    assert answer.status_code == 202, answer.text
    while True:
        body: dict[str, Any] = (await client.get(answer.headers["location"])).json()
        if body["state"] not in ("queued", "running"):
            return body
        await asyncio.sleep(0.02)


async def test_a_file_is_stored_and_its_report_says_what_became_of_every_row(
    admin: httpx.AsyncClient, parts: Parts
) -> None:
    bad = b"2024-03-01T16:10:00Z,100,90,110,100,500\n"
    body = await finished(admin, await upload(admin, csv() + bad, dataset="mine"))
    assert (body["state"], body["dataset"], body["file"]) == ("done", "import:mine", "SPY.csv")
    assert body["hints"] == {"symbol": "SPY"}
    assert body["rows_done"] == 31
    report = body["report"]
    assert (report["rows_read"], report["rows_stored"], report["rows_quarantined"]) == (31, 30, 1)
    assert "high" in report["explained"][0]
    assert await parts.pool.fetchval("SELECT count(*) FROM stock_data") == 30
    assert list((parts.settings.home / "uploads").iterdir()) == []


async def test_the_same_file_again_changes_nothing(admin: httpx.AsyncClient) -> None:
    await finished(admin, await upload(admin, csv()))
    body = await finished(admin, await upload(admin, csv()))
    assert (body["report"]["rows_stored"], body["report"]["duplicates"]) == (0, 30)
    listed = (await admin.get("/api/imports")).json()["items"]
    assert [one["state"] for one in listed] == ["done", "done"]
    assert listed[0]["id"] > listed[1]["id"]


async def test_a_file_that_is_none_says_why_and_what_to_do(admin: httpx.AsyncClient) -> None:
    body = await finished(admin, await upload(admin, b"a,b\n1,2\n"))
    assert body["state"] == "failed"
    assert len(body["detail"]) > 20


async def test_a_file_without_a_usable_row_failed_and_has_its_report(
    admin: httpx.AsyncClient,
) -> None:
    bad = b"2024-03-01T15:30:00Z,100,90,110,100,500\n2024-03-01T15:31:00Z,-1,1,-2,1,5\n"
    body = await finished(admin, await upload(admin, HEADER.encode() + bad, timeframe="1m"))
    assert (body["state"], body["detail"]) == ("failed", "No row of the file could be used.")
    assert body["report"]["rows_quarantined"] == 2


async def test_prints_are_imported_and_minutes_made_of_them(admin: httpx.AsyncClient) -> None:
    ticks = "time,price,size\n" + "".join(
        f"2024-03-01T15:30:{second:02}Z,100.5,10\n" for second in range(30)
    )
    body = await finished(admin, await upload(admin, ticks.encode(), kind="ticks"))
    assert (body["state"], body["report"]["rows_stored"]) == ("done", 30), body


async def test_an_empty_file_is_refused(admin: httpx.AsyncClient) -> None:
    answer = await upload(admin, b"")
    assert (answer.status_code, answer.json()["field"]) == (422, "file")


async def test_a_name_that_is_a_path_stays_a_name(admin: httpx.AsyncClient) -> None:
    body = await finished(admin, await upload(admin, csv(), file="../../etc/SPY.csv"))
    assert body["file"] == "SPY.csv"


@pytest.mark.parametrize(
    ("given", "kept"),
    [("C:\\data\\a b.csv", "a b.csv"), ("--help", "help"), ("..", "file"), ("ä;|.csv", "ä_.csv")],
)
def test_names_are_made_harmless(given: str, kept: str) -> None:
    assert file_name(given) == kept


@pytest.mark.parametrize("dataset", ["import:a/b", "replay:x", "", "live:"])
async def test_only_data_sets_of_imports_are_written(
    calm_admin: httpx.AsyncClient, dataset: str
) -> None:
    answer = await upload(calm_admin, csv(), dataset=dataset)
    assert (answer.status_code, answer.json()["field"]) == (422, "dataset")


async def test_a_key_that_may_only_read_cannot_upload_but_sees_the_list(
    parts: Parts, world: World, admin: httpx.AsyncClient, app: Any
) -> None:
    key = await key_of(parts, await world.person("vi@example.com", "viewer"), "viewer", "read")
    async with client_of(app, key) as viewer:
        assert (await upload(viewer, csv())).status_code == 403
        assert (await viewer.get("/api/imports")).json()["items"] == []
        assert (await viewer.get("/api/imports/7")).status_code == 404


@pytest.fixture
def small(environment: pytest.MonkeyPatch) -> None:
    """Files of at most 1 MiB."""
    environment.setenv("API_MAX_UPLOAD_MB", "1")


async def test_a_file_that_is_too_large_is_refused_before_it_is_sent(
    small: None, admin: httpx.AsyncClient, parts: Parts
) -> None:
    answer = await upload(admin, bytes(1024**2 + 1))
    assert answer.status_code == 413
    assert "API_MAX_UPLOAD_MB" in answer.json()["remedy"]


async def test_a_file_that_does_not_say_its_size_is_refused_as_soon_as_it_is_too_large(
    small: None, admin: httpx.AsyncClient, parts: Parts
) -> None:
    async def sent() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield bytes(65536)

    answer = await admin.post("/api/imports", params={"file": "a.csv"}, content=sent())
    assert answer.status_code == 413
    assert list((parts.settings.home / "uploads").iterdir()) == []


async def test_what_a_stopped_server_has_not_finished_says_so(
    test_servers: TestServers, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    release = asyncio.Event()

    async def never(*_: object) -> dict[str, Any]:
        await release.wait()
        return {}

    async with started(database_url, test_servers, tmp_path) as app:
        parts: Parts = app.state.parts
        parts.imports._run = never
        user_id = await World(parts.pool).person("ada@example.com", "admin")
        key = await key_of(parts, user_id, "admin", "read", "data")
        async with client_of(app, key) as client:
            assert (await upload(client, csv())).status_code == 202
    async with started(database_url, test_servers, tmp_path) as app, client_of(app, key) as client:
        (one,) = (await client.get("/api/imports")).json()["items"]
    assert (one["state"], "again" in one["detail"]) == ("failed", True)


async def test_a_process_that_vanished_leaves_interrupted_imports(
    admin: httpx.AsyncClient, parts: Parts
) -> None:
    body = await finished(admin, await upload(admin, csv()))
    await parts.pool.execute(
        "UPDATE data_imports SET state = 'running', seen_at = now() - interval '1 minute'"
    )
    assert (await admin.get(f"/api/imports/{body['id']}")).json()["state"] == "interrupted"
