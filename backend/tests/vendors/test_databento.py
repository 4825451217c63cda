"""The loopback of Databento speaks its protocol: the vendor's own clients understand it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import databento
import pytest
from databento.historical.api.timeseries import TimeseriesHttpAPI

from app.core.clock import now, to_ns
from tests.vendors import databento_records as records
from tests.vendors.databento import KEY, DatabentoLoopback
from tests.vendors.loopback import until


@pytest.fixture
async def server() -> AsyncIterator[DatabentoLoopback]:
    async with DatabentoLoopback() as running:
        yield running


async def test_the_live_client_signs_in_and_hears_what_happens(server: DatabentoLoopback) -> None:
    heard: list[Any] = []
    start = to_ns(now()) - 10**9
    server.publish(records.trade("AAPL", 99.5, 1, start, 1))
    client = databento.Live(key=KEY, gateway="127.0.0.1", port=server.port)
    client.add_callback(heard.append)
    await asyncio.to_thread(client.subscribe, "XNAS.ITCH", "trades", "AAPL", start=start)
    await asyncio.to_thread(client.start)
    await until(lambda: any(session.streaming for session in server.sessions))
    server.publish(records.trade("AAPL", 100.25, 7, to_ns(now()), 2))
    await until(lambda: sum(type(one) is databento.TradeMsg for one in heard) == 2)
    found = [one for one in heard if type(one) is databento.TradeMsg]
    assert [(one.pretty_price, one.size) for one in found] == [(99.5, 1), (100.25, 7)]
    assert client.symbology_map[records.INSTRUMENTS["AAPL"]] == "AAPL"
    await until(
        lambda: any(type(one) is databento.SystemMsg and one.is_heartbeat() for one in heard)
    )
    await asyncio.to_thread(client.stop)
    await asyncio.to_thread(client.block_for_close, 5)


async def test_the_live_client_is_refused_with_a_wrong_key(server: DatabentoLoopback) -> None:
    client = databento.Live(key="db-of-somebody-else", gateway="127.0.0.1", port=server.port)
    with pytest.raises(databento.BentoError, match="uthentication"):
        await asyncio.to_thread(client.subscribe, "XNAS.ITCH", "trades", "AAPL")


async def test_the_historical_client_reads_what_was_added(server: DatabentoLoopback) -> None:
    at = to_ns(now()) - 10**12
    server.history.add(records.trade("AAPL", 100.25, 7, at, 5))
    api = TimeseriesHttpAPI(KEY, server.base_url)
    store = await api.get_range_async("XNAS.ITCH", at, at + 10**10, "AAPL", "trades")
    record: Any = next(iter(store))
    assert (record.pretty_price, record.size, record.sequence) == (100.25, 7, 5)
    assert store.metadata.mappings["AAPL"][0]["symbol"] == str(records.INSTRUMENTS["AAPL"])
