"""Bars, quotes, indicators and sessions of a stock."""

from datetime import UTC, datetime, timedelta

import httpx
import numpy as np
import orjson
import pytest
from redis.asyncio import Redis

from app.api import columns
from app.api.parts import Parts
from app.domain.market import Timeframe
from app.repositories.stock_data import Policy, StockData
from tests.api.world import World
from tests.factories import make_batch, ns
from tests.waiting import until

BARS = "/api/stocks/AAPL/bars"


@pytest.fixture
async def stored(world: World) -> None:
    """An account on the simulated data set with 30 minutes of AAPL: 100, 101, …"""
    await world.account()
    await world.bars([100.0 + number for number in range(30)])


async def test_the_newest_bars_come_without_a_start(calm_admin: httpx.AsyncClient) -> None:
    body = (await calm_admin.get(f"{BARS}?limit=2")).json()
    assert body["dataset"] == "simulated"
    assert [bar["close"] for bar in body["items"]] == [128, 129]
    assert body["items"][1] == {
        "start": "2024-03-01T14:59:00Z",
        "end": "2024-03-01T15:00:00Z",
        "open": 128,
        "high": 129,
        "low": 128,
        "close": 129,
        "volume": 100,
        "vwap": None,
    }


@pytest.mark.parametrize(
    ("query", "closes"),
    [
        ("end=2024-03-01T14:32:00Z&limit=2", [100, 101]),
        ("start=2024-03-01T14:58:00Z", [128, 129]),
        ("start=2024-03-01T14:30:00Z&limit=2", [100, 101]),
        ("start=2024-03-01T14:31:00Z&end=2024-03-01T14:33:00Z", [101, 102]),
        ("timeframe=15m&limit=2", [114, 129]),
        ("start=2025-01-01T00:00:00Z", []),
        ("dataset=live", []),
    ],
)
async def test_a_part_of_the_bars(
    calm_admin: httpx.AsyncClient, query: str, closes: list[float]
) -> None:
    items = (await calm_admin.get(f"{BARS}?{query}")).json()["items"]
    assert [bar["close"] for bar in items] == closes


async def test_bars_come_as_csv(calm_admin: httpx.AsyncClient) -> None:
    lines = (await calm_admin.get(f"{BARS}?limit=1&format=csv")).text.splitlines()
    assert lines[0] == "start,end,open,high,low,close,volume,vwap"
    assert lines[1].startswith("2024-03-01T14:59:00Z,2024-03-01T15:00:00Z,128.0,129.0")


@pytest.mark.parametrize(
    ("path", "status", "remedy"),
    [
        ("/api/stocks/APPL/bars", 404, "AAPL"),
        (f"{BARS}?timeframe=2m", 422, ""),
        (f"{BARS}?limit=100000", 422, ""),
        (f"{BARS}?start=noon", 422, ""),
        (f"{BARS}?account_id=99", 422, ""),
        ("/api/stocks/AAPL/indicators?name=smaa", 404, "sma"),
        ("/api/stocks/AAPL/indicators?name=sma&length=x", 422, ""),
        ("/api/stocks/AAPL/indicators?name=sma&length=-3", 422, ""),
        ("/api/stocks/AAPL/indicators?name=sma&size=3", 422, "length"),
        ("/api/stocks/AAPL/quote?dataset=live", 404, "Import"),
        ("/api/stocks/AAPL/sessions?start=2024-01-02T00:00:00Z&end=2024-01-01T00:00:00Z", 422, ""),
        ("/api/stocks/AAPL/sessions?start=2014-01-02T00:00:00Z&end=2024-01-01T00:00:00Z", 422, ""),
    ],
)
async def test_wrong_questions_are_answered_with_a_remedy(
    calm_admin: httpx.AsyncClient, path: str, status: int, remedy: str
) -> None:
    answer = await calm_admin.get(path)
    assert answer.status_code == status, answer.text
    assert remedy in answer.json().get("remedy", "")


@pytest.mark.parametrize("parameter", ["length", "parameters[length]"])
async def test_an_indicator_runs_parallel_to_the_bars(
    calm_admin: httpx.AsyncClient, parameter: str
) -> None:
    query = {"name": "sma", parameter: 3, "limit": 4}
    body = (await calm_admin.get("/api/stocks/AAPL/indicators", params=query)).json()
    assert body["start"][0] == "2024-03-01T14:56:00Z"
    assert body["columns"] == {"sma": [125, 126, 127, 128]}
    assert body["parameters"] == {"length": 3}
    first = query | {"start": "2024-03-01T14:30:00Z"}
    body = (await calm_admin.get("/api/stocks/AAPL/indicators", params=first)).json()
    assert body["columns"] == {"sma": [None, None, 101, 102]}


async def test_an_indicator_over_nothing_is_empty(calm_admin: httpx.AsyncClient) -> None:
    body = (await calm_admin.get("/api/stocks/SPY/indicators?name=sma&length=3")).json()
    assert (body["start"], body["columns"]) == ([], {})


async def test_the_quote_is_redis_then_the_last_bar(
    calm_admin: httpx.AsyncClient, redis_url: str
) -> None:
    body = (await calm_admin.get("/api/stocks/AAPL/quote")).json()
    assert (body["source"], body["last"]) == ("bar", 129)
    at = datetime.now(UTC) - timedelta(seconds=2)
    async with Redis.from_url(redis_url) as redis:
        text = f'{{"symbol": "AAPL", "at": "{at.isoformat()}", "bid": 1.0, "ask": 2.0}}'
        await redis.set("quote:simulated:AAPL", text)
    body = (await calm_admin.get("/api/stocks/AAPL/quote")).json()
    assert (body["source"], body["last"], body["bid"]) == ("quote", 1.5, 1)
    assert body["age_seconds"] is None  # simulated time is nobody's wall time
    async with Redis.from_url(redis_url) as redis:
        await redis.set("quote:live:AAPL", text)
    body = (await calm_admin.get("/api/stocks/AAPL/quote?dataset=live")).json()
    assert 2 <= body["age_seconds"] < 60
    async with Redis.from_url(redis_url) as redis:
        text = f'{{"at": "{at.isoformat()}", "bid": null, "ask": null, "last": 130.0}}'
        await redis.set("quote:simulated:AAPL", text)
    body = (await calm_admin.get("/api/stocks/AAPL/quote")).json()
    assert (body["source"], body["last"], body["bid"]) == ("bar", 130, None)


@pytest.mark.usefixtures("stored")
async def test_the_watch_list_has_prices(admin: httpx.AsyncClient, world: World) -> None:
    await world.bars([90.0], timeframe=Timeframe.D1, symbol="SPY")
    items = (await admin.get("/api/stocks?account_id=1&symbol=AAPL&symbol=MSFT")).json()["items"]
    assert [(row["symbol"], (row["now"] or {}).get("last")) for row in items] == [
        ("AAPL", 129),
        ("MSFT", None),
    ]
    plain = (await admin.get("/api/stocks?symbol=AAPL")).json()["items"]
    assert plain[0]["now"] is None


@pytest.mark.usefixtures("stored")
async def test_the_watch_list_leaves_out_what_only_other_data_sets_know(
    admin: httpx.AsyncClient, world: World
) -> None:
    await world.bars([90.0], symbol="SPY", dataset="import:mine")
    await world.bars([90.0], symbol="AAPL", dataset="import:mine")
    answer = await admin.get("/api/stocks?account_id=1")
    listed = {row["symbol"] for row in answer.json()["items"]}
    assert listed >= {"AAPL", "MSFT"}
    assert "SPY" not in listed
    named = (await admin.get("/api/stocks?account_id=1&symbol=SPY")).json()["items"]
    assert [row["symbol"] for row in named] == ["SPY"]


async def test_a_stock_says_what_is_stored(calm_admin: httpx.AsyncClient) -> None:
    body = (await calm_admin.get("/api/stocks/aapl")).json()
    assert body["series"] == [
        {
            "dataset": "simulated",
            "timeframe": "1m",
            "first_start": "2024-03-01T14:30:00Z",
            "last_start": "2024-03-01T14:59:00Z",
            "bars": 30,
        }
    ]


async def test_sessions_shade_the_chart(calm_admin: httpx.AsyncClient) -> None:
    query = "start=2024-03-01T00:00:00Z&end=2024-03-05T00:00:00Z"
    items = (await calm_admin.get(f"/api/stocks/AAPL/sessions?{query}")).json()["items"]
    assert [one["session"] for one in items] == ["2024-03-01", "2024-03-04"]
    assert items[0]["open"] == "2024-03-01T14:30:00Z"


@pytest.mark.usefixtures("stored")
async def test_splits_adjust_what_came_before(admin: httpx.AsyncClient, parts: Parts) -> None:
    await parts.pool.execute(
        "INSERT INTO corporate_actions (dataset, stock_id, kind, ex_date, ratio, known_at, source)"
        " SELECT 'simulated', id, 'split', '2024-03-04', 4, '2024-03-01', 'test' FROM stocks"
        " WHERE symbol = 'AAPL'"
    )
    raw = (await admin.get(f"{BARS}?limit=1")).json()["items"][0]
    adjusted = (await admin.get(f"{BARS}?limit=1&adjusted=true")).json()["items"][0]
    before = f"{BARS}?limit=1&adjusted=true&as_of=2024-03-03T00:00:00Z"
    assert (await admin.get(before)).json()["items"] == [raw]
    assert adjusted["close"] == raw["close"] / 4
    assert adjusted["volume"] == raw["volume"] * 4


def test_what_is_no_number_is_null() -> None:
    values = np.array([1.0, np.nan, np.inf])
    assert columns.numbers(values) == [1.0, None, None]


def test_instants_show_fractions_only_where_there_are_some() -> None:
    whole, half = ns("2024-03-01 14:30"), ns("2024-03-01 14:30") + 500_000_000
    assert columns.instants(np.array([whole])) == ["2024-03-01T14:30:00Z"]
    assert columns.instants(np.array([whole, half]))[1] == "2024-03-01T14:30:00.500000Z"


async def test_the_indicator_catalogue(calm_admin: httpx.AsyncClient) -> None:
    items = (await calm_admin.get("/api/indicators")).json()["items"]
    names = {one["name"] for one in items}
    assert {"sma", "ema", "rsi", "macd", "bollinger", "atr", "vwap", "donchian"} <= names
    one = (await calm_admin.get("/api/indicators/macd")).json()
    assert one["parameters_schema"]["properties"]
    assert (await calm_admin.get("/api/indicators/macdd")).status_code == 404


async def test_the_strategy_catalogue(calm_admin: httpx.AsyncClient) -> None:
    items = (await calm_admin.get("/api/strategies")).json()["items"]
    assert {"sma_cross", "rsi_reversion", "breakout", "buy_and_hold"} <= {
        one["name"] for one in items
    }
    one = (await calm_admin.get("/api/strategies/sma_cross")).json()
    assert "class SmaCross" in one["source"]
    checked = await calm_admin.post(
        "/api/strategies/sma_cross/parameters", json={"parameters": {"fast": 3}}
    )
    assert checked.json()["parameters"]["fast"] == 3
    assert checked.json()["lookback"] > 3
    wrong = await calm_admin.post(
        "/api/strategies/sma_cross/parameters", json={"parameters": {"fast": 0}}
    )
    assert (wrong.status_code, wrong.json()["field"]) == (422, "fast")
    assert "sma_cross" in (await calm_admin.get("/api/strategies/sma_crss")).json()["remedy"]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_bars_are_written_as_json_as_they_are_as_objects(count: int) -> None:
    batch = make_batch([10.25, 11.0, 1e-7])[:count]
    batch.rows["vwap"][:1] = 10.5
    whole = orjson.loads(orjson.dumps(columns.bars_json(batch)))
    assert whole == columns.bars(batch)


async def test_what_is_remembered_changes_with_the_database(
    admin: httpx.AsyncClient, stored: None, world: World, parts: Parts
) -> None:
    async def closes() -> list[float]:
        items = (await admin.get(f"{BARS}?limit=2")).json()["items"]
        return [bar["close"] for bar in items]

    async def are_remembered() -> bool:
        assert await closes() == [128, 129]
        return bool((await parts.cache.figures())["cache_bars_hits_total"])

    await until(are_remembered)
    corrected = make_batch([100.0 + number for number in range(29)] + [500.0])
    await StockData(world.pool, "simulated").store([corrected], "correction", Policy.CORRECT)

    async def is_corrected() -> bool:
        return await closes() == [128, 500]

    await until(is_corrected)


async def test_the_watch_list_compares_with_the_session_before(
    admin: httpx.AsyncClient, stored: None, world: World
) -> None:
    await world.bars([100.0, 110.0], timeframe=Timeframe.D1, symbol="SPY")
    [spy] = (await admin.get("/api/stocks?dataset=simulated&symbol=SPY")).json()["items"]
    assert (spy["now"]["last"], spy["now"]["previous_close"]) == (110, 100)
    assert (spy["now"]["change"], spy["now"]["change_fraction"]) == (10, 0.1)
    [aapl] = (await admin.get("/api/stocks?dataset=simulated&symbol=AAPL")).json()["items"]
    assert (aapl["now"]["last"], aapl["now"]["previous_close"]) == (129, None)
