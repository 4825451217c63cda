"""Option chains over HTTP."""

import asyncio

import asyncpg
import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from app.api.parts import Parts
from app.domain.options import OptionType
from app.ingest.option_writer import OptionWriter
from app.marketdata.options import MarketModel, OptionBatch
from tests.factories import ns
from tests.marketdata.test_options import contract

CHAIN = "/api/stocks/AAPL/options?dataset=import:chains"
FIRST, SECOND = "2024-06-21", "2024-09-20"


async def write(pool: asyncpg.Pool, dataset: str) -> OptionWriter:
    """Calls and puts of three strikes and two expiries, the stock at 102."""
    contracts = [
        contract(strike, kind, "AAPL", contract().expiry.replace(month=month, day=day))
        for month, day in ((6, 21), (9, 20))
        for strike in (90, 100, 112.5)
        for kind in OptionType
    ]
    prices = [14.0, 1.0, 6.0, 3.0, 1.5, 11.0, 16.0, 2.0, 9.0, 5.0, 3.5, 12.0]
    count = len(contracts)
    batch = OptionBatch.of(
        contracts,
        np.full(count, ns("2024-03-01 15:00")),
        np.arange(count),
        bid=np.array(prices) - 0.1,
        ask=np.array(prices) + 0.1,
        underlying_price=np.full(count, 102.0),
    )
    writer = OptionWriter(pool, dataset, source="test", model=MarketModel())
    await writer.write(batch)
    return writer


@pytest.fixture
async def reader(calm_app: FastAPI, calm_admin: httpx.AsyncClient) -> httpx.AsyncClient:
    """A program that reads the chain of the data set `import:chains`."""
    await write(calm_app.state.parts.pool, "import:chains")
    return calm_admin


async def test_a_chain_has_its_greeks_expiries_and_instant(reader: httpx.AsyncClient) -> None:
    body = (await reader.get(f"{CHAIN}&expiry={FIRST}")).json()
    assert (body["symbol"], body["dataset"], body["at"]) == (
        "AAPL",
        "import:chains",
        "2024-03-01T15:00:00Z",
    )
    assert (body["underlying_price"], body["expiries"]) == (102, [FIRST, SECOND])
    assert body["datasets"] == ["import:chains"]
    assert body["next_cursor"] is None
    assert [(one["strike"], one["type"]) for one in body["items"]] == [
        ("90", "call"),
        ("90", "put"),
        ("100", "call"),
        ("100", "put"),
        ("112.5", "call"),
        ("112.5", "put"),
    ]
    call = body["items"][2]
    assert call["symbol"] == "AAPL240621C00100000"
    assert (call["bid"], call["ask"], call["last"], call["volume"]) == (5.9, 6.1, None, None)
    assert 0.1 < call["implied_volatility"] < 0.5
    assert 0.5 < call["delta"] < 1
    assert call["theta"] < 0 < call["vega"]
    assert call["at"] == "2024-03-01T15:00:00Z"


@pytest.mark.parametrize(
    ("query", "strikes"),
    [
        ("type=put", ["90", "100", "112.5"] * 2),
        (f"type=call&expiry={SECOND}&min_strike=95", ["100", "112.5"]),
        (f"type=call&expiry={SECOND}&max_strike=100", ["90", "100"]),
        ("min_strike=95&max_strike=99", []),
        ("at=2024-02-01T00:00:00Z", []),
        (f"at=2024-03-02T00:00:00Z&expiry={FIRST}&type=put&max_strike=90", ["90"]),
    ],
)
async def test_a_part_of_the_chain(
    reader: httpx.AsyncClient, query: str, strikes: list[str]
) -> None:
    items = (await reader.get(f"{CHAIN}&{query}")).json()["items"]
    assert [one["strike"] for one in items] == strikes


async def test_pages_join_to_the_whole(reader: httpx.AsyncClient) -> None:
    whole = (await reader.get(CHAIN)).json()["items"]
    assert len(whole) == 12
    found, cursor = [], ""
    for _ in range(3):
        body = (await reader.get(f"{CHAIN}&limit=5{cursor}")).json()
        found += body["items"]
        cursor = f"&cursor={body['next_cursor']}"
    assert body["next_cursor"] is None
    assert found == whole


async def test_a_newer_quote_shows_once_it_is_announced(
    admin: httpx.AsyncClient, parts: Parts
) -> None:
    query = f"{CHAIN}&expiry={FIRST}&type=call&max_strike=90"
    writer = await write(parts.pool, "import:chains")
    assert (await admin.get(query)).json()["items"][0]["bid"] == 13.9
    one = contract(90, OptionType.CALL, "AAPL")
    at, bid = np.array([ns("2024-03-01 15:01")]), np.array([15.0])
    await writer.write(OptionBatch.of([one], at, np.array([0]), bid=bid, ask=bid + 0.2))
    for _ in range(100):
        body = (await admin.get(query)).json()
        if body["at"] == "2024-03-01T15:01:00Z":
            break
        await asyncio.sleep(0.05)
    assert body["items"][0]["bid"] == 15


async def test_a_chain_comes_as_csv(reader: httpx.AsyncClient) -> None:
    text = (await reader.get(f"{CHAIN}&limit=1&format=csv")).text
    assert text.splitlines()[0].startswith("symbol,expiry,strike,type,at,bid,ask")
    assert text.splitlines()[1].startswith("AAPL240621C00090000,2024-06-21,90,call,2024-03-01T15")


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/stocks/APPL/options?dataset=live", 404, "AAPL"),
        (f"{CHAIN}&expiry=2024-06-22", 404, FIRST),
        (f"{CHAIN}&expiry=soon", 422, "expiry"),
        (f"{CHAIN}&type=straddle", 422, "call"),
        (f"{CHAIN}&min_strike=-1", 422, "min_strike"),
        (f"{CHAIN}&limit=9999", 422, "limit"),
        (f"{CHAIN}&cursor=x", 422, "cursor"),
        (f"{CHAIN}&cursor=WyJhIiwiYiIsImMiXQ", 422, "cursor"),
        (f"{CHAIN}&strike=5", 422, "strike"),
        ("/api/stocks/AAPL/options?account_id=99", 422, "account_id"),
    ],
)
async def test_what_cannot_be_answered_says_why(
    reader: httpx.AsyncClient, path: str, status: int, words: str
) -> None:
    answer = await reader.get(path)
    assert answer.status_code == status
    assert words in answer.text


async def test_a_chain_that_is_not_there_is_empty(reader: httpx.AsyncClient) -> None:
    body = (await reader.get(f"/api/stocks/SPY/options?dataset=live&expiry={FIRST}")).json()
    assert (body["at"], body["expiries"], body["items"]) == (None, [], [])


async def test_a_stranger_sees_no_chain(calm_visitor: httpx.AsyncClient) -> None:
    assert (await calm_visitor.get(CHAIN)).status_code == 401
