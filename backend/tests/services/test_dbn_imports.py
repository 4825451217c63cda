"""DBN samples brought into a data set: every record accounted for, twice the same."""

from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
import zstandard

from app.core.errors import InvalidInput
from app.domain.market import Timeframe
from app.repositories.quotes import Quotes
from app.repositories.stock_data import StockData
from app.repositories.ticks import Ticks
from app.services.dbn_imports import dbn_lines, import_dbn
from app.services.imports import import_bars
from tests.factories import SHARED_DATA
from tests.vendors import databento_records as records
from tests.vendors.databento_records import Event

SAMPLES = SHARED_DATA / "databento_dbn"
needs_samples = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="the DBN samples are not on this machine"
)
DATASET = "import:dbn"
FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
AT = 1_709_303_400 * 10**9
CALL = "AAPL  261218C00250000"


def sample(name: str) -> Path:
    return SAMPLES / f"{name}.dbn.zst"


def written(path: Path, schema: str, *events: Event) -> Path:
    """A DBN file of our own."""
    symbols = sorted({event.symbol for event in events})
    head = records.history_head("OPRA.PILLAR", schema, symbols, (AT, AT + 10**12))
    path.write_bytes(zstandard.compress(head + b"".join(event.shown[schema] for event in events)))
    return path


@needs_samples
@pytest.mark.parametrize("name", ["EQUS.MINI.trades", "EQUS.MINI.tbbo", "XNAS.ITCH.trades"])
async def test_prints_are_stored_once(pool: asyncpg.Pool, name: str) -> None:
    report = await import_dbn(pool, sample(name), dataset=DATASET)
    assert (report.kind, report.rows_read, report.rows_stored) == ("ticks", 4, 4)
    assert report.rows_quarantined == 0
    (symbol,) = report.symbols
    assert len(await Ticks(pool, DATASET).ticks(symbol, FIRST, LAST)) == 4
    again = await import_dbn(pool, sample(name), dataset=DATASET)
    assert (again.rows_stored, again.duplicates) == (0, 4)


@needs_samples
@pytest.mark.parametrize("name", ["EQUS.MINI.mbp-1", "XNAS.ITCH.mbp-1", "EQUS.MINI.bbo-1s"])
async def test_every_quote_is_accounted_for(pool: asyncpg.Pool, name: str) -> None:
    report = await import_dbn(pool, sample(name), dataset=DATASET)
    assert report.kind == "quotes"
    assert report.rows_read == 4
    assert report.rows_stored + report.one_sided + report.rows_quarantined == 4
    (symbol,) = report.symbols
    stored = await Quotes(pool, DATASET).quotes(symbol, FIRST, LAST)
    assert len(stored) == report.rows_stored
    assert all(line for line in dbn_lines(report))


@needs_samples
async def test_quotes_beside_prints_are_stored_where_they_are_asked_for(
    pool: asyncpg.Pool,
) -> None:
    report = await import_dbn(pool, sample("EQUS.MINI.tbbo"), dataset=DATASET, kind="quotes")
    assert (report.kind, report.rows_read) == ("quotes", 4)
    assert report.rows_stored > 0


@needs_samples
@pytest.mark.parametrize(
    ("name", "symbol", "timeframe", "count"),
    [
        ("EQUS.MINI.ohlcv-1m", "QQQ", Timeframe.M1, 4),
        ("EQUS.MINI.ohlcv-1d", "QQQ", Timeframe.D1, 1),
        ("XNAS.ITCH.ohlcv-1m", "NVDA", Timeframe.M1, 4),
    ],
)
async def test_bars_are_stored_once(
    pool: asyncpg.Pool, name: str, symbol: str, timeframe: Timeframe, count: int
) -> None:
    report = await import_bars(pool, sample(name), dataset=DATASET)
    assert (report.symbols, report.timeframe, report.rows_stored) == ([symbol], timeframe, count)
    assert len(await StockData(pool, DATASET).bars(symbol, timeframe, FIRST, LAST)) == count
    again = await import_bars(pool, sample(name), dataset=DATASET)
    assert (again.rows_stored, again.duplicates) == (0, count)


@needs_samples
async def test_instruments_of_a_definition_are_known_after(pool: asyncpg.Pool) -> None:
    for _ in range(2):
        report = await import_dbn(pool, sample("XNAS.ITCH.definition"), dataset=DATASET)
        assert (report.kind, report.symbols) == ("definitions", ["NVDA"])
        assert report.rows_stored + report.duplicates == 1
    assert await pool.fetchval("SELECT kind FROM instruments WHERE symbol = 'NVDA'") == "stock"


@needs_samples
@pytest.mark.parametrize("schema", ["mbo", "imbalance"])
async def test_what_is_not_stored_is_refused(pool: asyncpg.Pool, schema: str) -> None:
    with pytest.raises(InvalidInput, match="which Tradewright does not store"):
        await import_dbn(pool, sample(f"XNAS.ITCH.{schema}"), dataset=DATASET)


async def test_definitions_of_options_make_contracts(pool: asyncpg.Pool, tmp_path: Path) -> None:
    event = records.definition(CALL, "AAPL", AT)
    report = await import_dbn(
        pool, written(tmp_path / "chain.dbn.zst", "definition", event), dataset=DATASET
    )
    assert (report.symbols, report.rows_stored) == (["AAPL261218C00250000"], 1)
    row = await pool.fetchrow("SELECT strike, option_type, expiry::text FROM option_contracts")
    assert row is not None
    assert (float(row["strike"]), row["option_type"], row["expiry"]) == (250, "call", "2026-12-18")


async def test_quotes_of_options_go_to_their_own_table(pool: asyncpg.Pool, tmp_path: Path) -> None:
    quotes = [records.quote(CALL, 2.0 + i / 10, 2.1 + i / 10, AT + i * 10**9) for i in range(3)]
    path = written(tmp_path / "opra.dbn.zst", "cbbo-1s", *quotes)
    report = await import_dbn(pool, path, dataset=DATASET)
    assert (report.rows_read, report.rows_stored, report.rows_quarantined) == (3, 3, 0)
    assert await pool.fetchval("SELECT count(*) FROM options_data") == 3


async def test_rows_that_cannot_be_believed_are_quarantined(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    prints = [
        records.trade("AAPL", price, 1, AT + i, i + 1) for i, price in enumerate([100, 0, 101])
    ]
    path = written(tmp_path / "bad.dbn.zst", "trades", *prints)
    report = await import_dbn(pool, path, dataset=DATASET)
    assert (report.rows_stored, report.rows_quarantined) == (2, 1)
    assert list(report.reasons) == ["not_positive"]
    assert any("not_positive" in line for line in dbn_lines(report))
