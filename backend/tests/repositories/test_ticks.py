"""Prints and quotes on a real PostgreSQL: stored once, read as they were."""

import asyncpg
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.clock import from_ns
from app.core.errors import NotFound
from app.db.copy import Columns, Instants, Texts, encode
from app.domain.instruments import InstrumentKind
from app.marketdata.batch import TickBatch, TickLabel
from app.repositories import quarantine, stocks
from app.repositories.appending import Appended
from app.repositories.quarantine import NOT_KEPT, Refused
from app.repositories.quotes import Quotes
from app.repositories.ticks import Ticks
from tests.factories import utc
from tests.ticks import OPEN, make_quotes, make_ticks, random_ticks

DAY = (utc("2024-03-01"), utc("2024-03-02"))
LABELS = (
    TickLabel("N", "@F"),
    TickLabel("ARCX", None, volume_only=True),
    TickLabel(None, "1000000", counts=False),
    TickLabel(None, "€"),
)


async def test_prints_are_read_as_they_were_stored(pool: asyncpg.Pool) -> None:
    batch = random_ticks(np.random.default_rng(5), 20_000, labels=LABELS, disorder=0)
    store = Ticks(pool, "live")
    assert await store.store(batch, "test") == Appended(inserted=20_000)
    read = await store.ticks("AAPL", *DAY)
    mine = batch.rows[batch.rows["symbol"] == 0]
    for name in ("at", "sequence", "price", "size"):
        assert read.rows[name].tolist() == mine[name].tolist()
    told = [batch.labels[i] for i in mine["label"]]
    assert [read.labels[i] for i in read.rows["label"]] == told
    assert await pool.fetchval("SELECT count(*) FROM ticks WHERE exchange = '' OR source = ''") == 0


async def test_storing_again_changes_nothing_and_contradictions_are_counted(
    pool: asyncpg.Pool,
) -> None:
    batch = make_ticks([(0, 100), (1, 101), (2, 102)], sequence=1)
    store, other = Ticks(pool, "live"), Ticks(pool, "live")
    await other.store(batch[:1], "test")
    assert await store.store(batch, "test") == Appended(inserted=2, unchanged=1)
    # `other` believes that the series ends at the first print
    assert await other.store(batch, "test") == Appended(unchanged=3)
    batch.rows["price"][1] = 7
    assert await store.store(batch, "test") == Appended(unchanged=3, differing=1)
    assert (await store.ticks("AAPL", *DAY)).rows["price"].tolist() == [100, 101, 102]


async def test_late_prints_find_their_place(pool: asyncpg.Pool) -> None:
    store = Ticks(pool, "live")
    await store.store(make_ticks([(5, 100)]), "test")
    late = make_ticks([(3, 99), (6, 101)])
    assert await store.store(late, "test") == Appended(inserted=2)
    store.forget()
    assert await store.store(late, "test") == Appended(unchanged=2)
    assert (await store.ticks("AAPL", *DAY)).rows["price"].tolist() == [99, 100, 101]
    newest = await store.newest("AAPL", 2)
    assert newest["price"].tolist() == [100, 101]
    assert newest["at"][-1] == OPEN + 6 * 10**9
    span = await store.span("AAPL")
    assert span == (from_ns(OPEN + 3 * 10**9), from_ns(OPEN + 6 * 10**9))


async def test_series_that_are_not_there(pool: asyncpg.Pool) -> None:
    store = Ticks(pool, "live")
    assert await store.store(make_ticks([]), "test") == Appended()
    assert len(await store.newest("AAPL", 5)) == 0
    assert await store.span("AAPL") is None
    assert len(await store.ticks("AAPL", *DAY)) == 0
    with pytest.raises(NotFound, match="AAPL"):
        await store.ticks("AAPLE", *DAY)
    with pytest.raises(NotFound, match="NOPE"):
        await store.store(make_ticks([(0, 1)], symbol="NOPE"), "test")


async def test_quotes_are_read_as_they_were_stored(pool: asyncpg.Pool) -> None:
    await stocks.ensure(pool, "EURUSD", kind=InstrumentKind.FX)
    quotes = make_quotes([(0, 1.1, 1.2), (1, 1.1, 1.1)], symbol="EURUSD")
    store = Quotes(pool, "live")
    assert await store.store(quotes, "test") == Appended(inserted=2)
    store.forget()
    assert await store.store(quotes, "test") == Appended(unchanged=2)
    read = await store.quotes("EURUSD", *DAY)
    assert read.rows.tolist() == quotes.rows.tolist()
    with pytest.raises(asyncpg.CheckViolationError):
        await store.store(make_quotes([(5, 2, 1)], symbol="EURUSD"), "test")


async def test_rows_that_were_only_counted_count(pool: asyncpg.Pool) -> None:
    kept = Refused(symbol="AAPL", reason="jump", kind="tick", record={"price": "9"})
    many = Refused(symbol="AAPL", reason="jump", kind="tick", record={NOT_KEPT: 41})
    await quarantine.append(pool, "live", "feed", [kept, many])
    assert await quarantine.counts(pool, "live", "AAPL") == {"jump": 42}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    texts=st.lists(st.none() | st.text(max_size=9), min_size=1, max_size=5),
    data=st.data(),
)
def test_texts_take_the_room_that_they_need(texts: list[str | None], data: st.DataObject) -> None:
    index = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=20))
    at = np.arange(len(index), dtype=np.int64)
    columns: Columns = {"at": Instants(at), "text": Texts(texts, np.array(index, dtype=np.int32))}
    expected = b""
    for i, chosen in enumerate(index):
        text = texts[chosen]
        instant = int(Instants(at[i : i + 1]).microseconds[0])
        expected += (2).to_bytes(2) + (8).to_bytes(4) + instant.to_bytes(8, signed=True)
        raw = b"" if text is None else text.encode()
        expected += (-1 if text is None else len(raw)).to_bytes(4, signed=True) + raw
    assert encode(columns, len(index))[19:-2] == expected


def test_a_label_is_said_once() -> None:
    assert TickBatch(("A",), make_ticks([(0, 1)]).rows).labels == (TickLabel(),)
