"""Data quality over HTTP: series with verdicts, gaps, coverage, refused records, repair."""

from datetime import timedelta

import asyncpg
import httpx
import pytest

from app.api.parts import Parts
from app.core.clock import now, to_ns
from app.domain.market import Timeframe
from app.ingest.link import LinkReport, LinkState
from app.marketdata.calendar import trading_calendar
from app.repositories import feed_states, metrics, quarantine
from app.repositories.quarantine import Refused
from app.repositories.stock_data import StockData
from app.services import data_quality
from tests.api.world import World
from tests.factories import make_batch

ROOT = "/api/data-quality"


async def filled(pool: asyncpg.Pool) -> None:
    """A whole series, one with two gaps, and a live one of years ago; all are judged."""
    imported, live = StockData(pool, "import:x"), StockData(pool, "live")
    holes = make_batch([10.0] * 400, symbol="SPY", skip=[*range(20, 30), 100])
    await imported.store([make_batch([10.0] * 400), holes], "file")
    await live.store([make_batch([10.0] * 100)], "alpaca")
    async for _ in data_quality.check(pool):
        pass
    await imported.store([make_batch([10.0] * 5, timeframe=Timeframe.D1)], "file")


@pytest.fixture
async def reader(admin: httpx.AsyncClient, parts: Parts) -> httpx.AsyncClient:
    await filled(parts.pool)
    return admin


async def items(client: httpx.AsyncClient, path: str, **query: object) -> list[dict[str, object]]:
    answer = await client.get(f"{ROOT}{path}", params=query)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    found: list[dict[str, object]] = answer.json()["items"]
    return found


async def test_series_gaps_coverage_and_summary_of_one_world(
    reader: httpx.AsyncClient, parts: Parts
) -> None:
    rows = await items(reader, "")
    assert [(r["dataset"], r["symbol"], r["timeframe"], r["verdict"]) for r in rows] == [
        ("import:x", "AAPL", "1d", "unchecked"),
        ("import:x", "AAPL", "1m", "good"),
        ("import:x", "SPY", "1m", "gaps"),
        ("live", "AAPL", "1m", "stale"),
    ]
    spy = rows[2]
    assert (spy["bars"], spy["bars_exact"], spy["missing"], spy["gaps"]) == (389, True, 11, 2)
    assert spy["completeness"] == 0.9725
    assert (spy["behind_seconds"], spy["sources"]) == (None, ["file"])
    assert float(str(rows[3]["behind_seconds"])) > 3_600
    stale = await items(reader, "", verdict="stale", limit=1)
    assert [row["dataset"] for row in stale] == ["live"]

    gaps = await items(reader, "/gaps", symbol="SPY", state="unexplained")
    assert [(gap["start"], gap["bars"]) for gap in gaps] == [
        ("2024-03-01T16:10:00Z", 1),
        ("2024-03-01T14:50:00Z", 10),
    ]
    assert await items(reader, "/gaps", state="closed") == []
    assert len(await items(reader, "/gaps", end="2024-03-01T15:00:00Z")) == 1

    days = await items(reader, "/coverage", symbol="SPY", dataset="import:x")
    assert [(day["session"], day["expected"], day["found"]) for day in days] == [
        ("2024-03-01", 390, 379),
        ("2024-03-04", 10, 10),
    ]
    assert (days[0]["gaps"], days[0]["is_half_day"]) == ({"unexplained": 11}, False)

    days = await items(reader, "/coverage", symbol="AAPL", dataset="import:x", timeframe="1d")
    assert [day["share"] for day in days] == [1.0] * 5, "counted: no check has seen them"

    summary = (await reader.get(f"{ROOT}/summary")).json()
    assert summary["verdicts"] == {"good": 1, "gaps": 1, "stale": 1, "bad": 0, "unchecked": 1}
    assert summary["gaps"]["unexplained"] == 2
    assert summary["datasets"] == ["import:x", "live"]
    assert [one["state"] for one in summary["targets"]] == ["met", "unknown", "unknown", "unknown"]

    text = (await reader.get(f"{ROOT}?format=csv")).text.splitlines()
    assert len(text) == 5
    bad = Refused(symbol="AAPL", reason="jump,high_low", record={"close": "9"})
    await quarantine.add(parts.pool, "live", "alpaca", [bad])
    (refused,) = await items(reader, "/quarantine", reason="jump", symbol="aapl")
    assert (refused["record"], refused["source"]) == ({"close": "9"}, "alpaca")
    assert await items(reader, "/quarantine", reason="crossed") == []


async def test_what_is_not_there_is_said(reader: httpx.AsyncClient) -> None:
    answer = await reader.get(f"{ROOT}/coverage?symbol=QQQ&dataset=import:x")
    assert (answer.status_code, "No 1m bars of QQQ" in answer.text) == (404, True)
    answer = await reader.get(f"{ROOT}/coverage?symbol=AAPPL&dataset=import:x")
    assert "Did you mean AAPL" in answer.json()["remedy"]
    answer = await reader.post(f"{ROOT}/repair", json={})
    assert (answer.status_code, "No live feed" in answer.json()["detail"]) == (503, True)


async def test_repair_asks_the_trading_process(
    admin: httpx.AsyncClient, parts: Parts, world: World
) -> None:
    account_id = await world.account(dataset="live")
    report = LinkReport(provider="alpaca", place=0, state=LinkState.UP)
    await feed_states.save(parts.pool, account_id, [report])
    await StockData(parts.pool, "live").store([make_batch([10.0] * 50, skip=[5, 9])], "alpaca")
    async for _ in data_quality.check(parts.pool):
        pass
    await parts.pool.execute("UPDATE data_gaps SET asked_at = now()")
    answer = await admin.post(f"{ROOT}/repair", json={"symbol": "aapl"})
    assert (answer.status_code, answer.json()["queued"]) == (202, 2)
    (gap, _) = await items(admin, "/gaps")
    assert gap["asked_at"] is None
    answer = await admin.post(f"{ROOT}/repair", json={"ids": [gap["id"]]})
    assert answer.json()["queued"] == 1


async def test_targets_are_held_against_what_the_feed_notes(
    admin: httpx.AsyncClient, parts: Parts
) -> None:
    sessions = trading_calendar().sessions(to_ns(now() - timedelta(days=10)), to_ns(now()))
    whole = make_batch([10.0] * 100, day=sessions[0].day)
    await StockData(parts.pool, "live").store([whole], "alpaca")
    async for _ in data_quality.check(parts.pool):
        pass
    noted = {
        "live_lag_seconds": 7.5,
        "live_write_ms_p95": 12.0,
        "live_rows_total": 10_000.0,
        "live_rows_refused_total": 4.0,
    }
    await metrics.note(parts.pool, "account:1", noted, now())
    targets = (await admin.get(f"{ROOT}/summary")).json()["targets"]
    assert [(one["name"], one["state"], one["value"]) for one in targets] == [
        ("completeness", "met", 1.0),
        ("freshness", "missed", 7.5),
        ("bad_rows", "met", 0.0004),
        ("write_p95", "met", 12.0),
    ]
    assert targets[1]["detail"] == "The newest live bars came 7.5 s after their end."
    text = (await admin.get("/metrics")).text
    assert "tradewright_data_freshness 7.5" in text
    assert "tradewright_data_targets_missed 1.0" in text
    health = (await admin.get("/health")).json()["components"]["market_data"]
    assert (health["status"], health["score"]) == ("degraded", 80)
    assert "A target is missed. The newest live bars came 7.5 s" in health["detail"]
