"""Bars over a split on a real PostgreSQL: a price seven times lower is no mistake when told."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import asyncpg
import numpy as np
import pytest

from app.core.clock import ManualClock
from app.domain.market import SliceOpened, Timeframe
from app.ingest.splits import Splits
from app.marketdata.batch import BarBatch, concatenate
from app.marketdata.calendar import trading_calendar
from app.marketdata.ports import Action
from app.marketdata.shapes import Hints
from app.repositories import corporate_actions
from app.repositories.stock_data import StockData
from app.services.imports import import_bars
from app.services.ingestion import Ingestion
from tests.factories import FRIDAY, make_batch, ns, utc
from tests.services.test_ingestion import Recorded

XNYS = trading_calendar("XNYS")
MONDAY = FRIDAY + timedelta(days=3)
DATASET = "import:a"


async def tell(pool: asyncpg.Pool, ratio: int, dataset: str = DATASET) -> None:
    action = Action(symbol="AAPL", kind="split", ex_date=MONDAY, ratio=Decimal(ratio))
    await corporate_actions.store(pool, dataset, [action], "test")


def over_a_split(ratio: int) -> BarBatch:
    """The last minutes of Friday at 400, and the first of Monday in new shares."""
    friday = make_batch([400.0] * 20, first=370)
    monday = make_batch([400.0 / ratio] * 20, day=MONDAY)
    return concatenate([friday, monday])


async def test_factors_compare_with_the_newest_shares(pool: asyncpg.Pool) -> None:
    splits = Splits(pool, DATASET, XNYS)
    assert await splits.load(["AAPL"]) == {}
    assert splits.factors("AAPL", np.array([0])) is None
    await tell(pool, 4)
    assert await splits.load(["AAPL"]) == {"AAPL": 0.25}
    friday, monday = ns("2024-03-01 20:59"), ns("2024-03-04 14:30")
    found = splits.factors("AAPL", np.array([friday, monday]))
    assert found is not None
    assert found.tolist() == [0.25, 1.0]
    assert (splits.factor("AAPL", friday), splits.factor("IBM", friday)) == (0.25, 1.0)


@pytest.mark.parametrize(("is_told", "refused"), [(True, 0), (False, 6)])
async def test_a_stream_goes_on_over_a_split(
    pool: asyncpg.Pool, is_told: bool, refused: int
) -> None:
    if is_told:
        await tell(pool, 7)
    feed = Ingestion(Recorded(over_a_split(7)), StockData(pool, DATASET), pool, XNYS)
    moments = [moment async for moment in feed.feed(["AAPL"], Timeframe.M1)]
    assert feed.statistics.quarantined == refused
    opens = [m for m in moments if isinstance(m, SliceOpened) and m.session == MONDAY]
    assert len([m for m in opens if m.opens]) == (20 if is_told else 14)


async def test_a_feed_that_resumes_knows_the_split(pool: asyncpg.Pool) -> None:
    await tell(pool, 7)
    bars = StockData(pool, DATASET)
    await bars.store([make_batch([400.0] * 390)], "file")
    feed = Ingestion(Recorded(over_a_split(7)), bars, pool, XNYS)
    after = utc("2024-03-01 21:00")
    moments = [moment async for moment in feed.feed(["AAPL"], Timeframe.M1, after=after)]
    assert feed.statistics.quarantined == 0
    assert next(m for m in moments if isinstance(m, SliceOpened)).opens


async def test_a_split_that_is_told_while_a_feed_runs_is_heard(pool: asyncpg.Pool) -> None:
    clock = ManualClock(utc("2024-03-04 16:00"))
    provider = Recorded(make_batch([400.0] * 20, first=370))
    feed = Ingestion(provider, StockData(pool, "live"), pool, XNYS, clock=clock)
    async for _ in feed.feed(["AAPL"], Timeframe.M1):
        pass
    await tell(pool, 8, "live")
    monday = make_batch([50.0] * 5, day=MONDAY)
    await feed._look_for_splits([monday])
    assert feed._last["AAPL"] == 400  # it looks every ten minutes
    clock.move_to(utc("2024-03-04 16:11"))
    await feed._look_for_splits([monday])
    assert feed._last["AAPL"] == 50
    assert set(feed._closes["AAPL"].tolist()) == {50.0}


async def test_a_file_goes_on_over_a_split(pool: asyncpg.Pool, tmp_path: Path) -> None:
    batch = over_a_split(8)
    lines = [
        f"{np.datetime64(int(start), 'ns')}Z,{close},{close},{close},{close},100"
        for start, close in zip(batch.start, batch.rows["close"], strict=True)
    ]
    path = tmp_path / "AAPL.csv"
    path.write_text("\n".join(["ts_utc,open,high,low,close,volume", *lines]))
    hints = Hints(symbol="AAPL", timeframe=Timeframe.M1, tz="UTC")
    untold = await import_bars(pool, path, dataset="import:b", hints=hints)
    await tell(pool, 8)
    told = await import_bars(pool, path, dataset=DATASET, hints=hints)
    assert (told.rows_stored, told.rows_quarantined) == (40, 0)
    assert untold.rows_quarantined > 0
