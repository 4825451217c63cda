"""Files of prints and quotes: every row accounted for, and IBM's minutes against the vendor's."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import asyncpg
import numpy as np
import pytest

from app.core.clock import ManualClock
from app.core.errors import InvalidInput
from app.domain.market import Timeframe
from app.marketdata.batch import BarBatch, Rows, TickBatch, TickLabel, to_datetime
from app.marketdata.calendar import trading_calendar
from app.marketdata.conditions import (
    AVERAGE_PRICE,
    CLOSING,
    DERIVATIVELY_PRICED,
    EXTENDED_HOURS,
    OPENING,
    STOCK_OPTION,
    SWEEP,
)
from app.marketdata.files import read_bars
from app.marketdata.shapes import Hints
from app.marketdata.tick_bars import bars_of
from app.marketdata.tick_files import Kind
from app.repositories import quarantine
from app.repositories.quotes import Quotes, last_quote
from app.repositories.stock_data import StockData
from app.repositories.ticks import Ticks
from app.services import tick_imports
from app.services.tick_imports import TickImportReport, import_ticks, tick_lines
from tests.factories import ns, utc

IBM = Hints(symbol="IBM")
CALENDAR = trading_calendar("XNYS")
DATASET = "import:files"
TICKS = "ts_utc,price,size,exchange,sale_condition_hex,suspicious\n"
QUOTES = "ts_utc,bid,bid_size,ask,ask_size,exchange,quote_condition_hex,suspicious\n"
MONDAY, TUESDAY = utc("2013-10-07"), utc("2013-10-08")


def written(folder: Path, text: str, name: str = "IBM.trade.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


async def taken(
    pool: asyncpg.Pool, path: Path, kind: Kind = Kind.TICKS, **more: object
) -> TickImportReport:
    return await import_ticks(pool, path, kind, dataset=DATASET, hints=IBM, **more)  # type: ignore[arg-type]  # as given


def sum_of(report: TickImportReport) -> int:
    return (
        report.rows_stored + report.duplicates + report.rows_quarantined
        + report.passed_over + report.one_sided
    )  # fmt: skip


# --------------------------------------------------------------------- made-up files


async def test_every_print_is_accounted_for(pool: asyncpg.Pool, tmp_path: Path) -> None:
    rows = [
        "2013-10-07T13:30:00.000Z,182,100,N,1,0",
        "2013-10-07T13:30:02.000Z,182.1,100,D,20000020,0",
        "2013-10-07T13:30:01.000Z,181.9,100,D,2000000e,0",
        "2013-10-07T13:30:03.000Z,oops,100,D,1,0",
        "2013-10-07T13:30:04.000Z,1820,100,D,1,0",
        "2013-10-07T13:30:05.000Z,182,-1,D,1,0",
        "not a time,182,100,D,1,0",
        "2013-10-07T13:30:06.000Z,182,100,D,1,0,7",
        "2013-10-06T13:30:06.000Z,182,100,D,1,0",
        "2013-10-07T13:31:06.000Z,150,100,D,1,1",
        *(f"2013-10-07T13:32:{i:02}.000Z,182,10,N,1,0" for i in range(10)),
    ]
    path = written(tmp_path, TICKS + "\n".join(rows) + "\n")
    report = await taken(pool, path)
    assert (report.rows_read, report.rows_stored, report.unordered) == (20, 14, 2)
    assert report.reasons == {
        "bad_time": 1, "malformed": 1, "not_a_number": 1, "jump": 1,
        "negative_size": 1, "no_trading_day": 1,
    }  # fmt: skip
    assert sum_of(report) == report.rows_read
    bar, _ = (await StockData(pool, DATASET).stored("IBM", Timeframe.M1)).rows
    assert bar["volume"] == 300
    assert (bar["open"], bar["close"]) == (182, 182.1)
    kept = await pool.fetchval("SELECT record->>'price' FROM quarantine WHERE reason LIKE 'not_a%'")
    assert kept == "oops"
    lines = "\n".join(tick_lines(report))
    assert "1 jump: a price is several times" in lines
    assert "minutes made" in lines


@pytest.mark.parametrize("chunk_rows", [3, 100])
async def test_importing_prints_again_changes_nothing(
    pool: asyncpg.Pool, tmp_path: Path, chunk_rows: int
) -> None:
    rows = [f"2013-10-07T13:30:{i // 3:02}.000Z,{100 + i % 3},100,N,1,0" for i in range(20)]
    path = written(tmp_path, TICKS + "\n".join([*rows, "2013-10-07T13:31:00.000Z,0,1,N,1,0"]))
    first = await taken(pool, path, chunk_rows=chunk_rows)
    again = await taken(pool, path, chunk_rows=chunk_rows)
    assert (first.rows_stored, first.duplicates, first.bars_stored) == (20, 0, 1)
    assert (again.rows_stored, again.duplicates, again.bars_stored) == (0, 20, 0)
    assert await quarantine.counts(pool, DATASET) == {"not_positive": 1}
    assert await pool.fetchval("SELECT count(*) FROM stock_data_revisions") == 0


async def test_prints_alone_are_stored_where_no_bars_are_wanted(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    text = (
        "symbol,timestamp,price,size,sequence,conditions\nspy,1381152600000,150,100,7,@ I\n"
        "spy,1381152600000,150,100,7,@ I\nibm,1381152601000,182,100,8,\n"
        "ibm,1381152601000,183,100,8,\n"
    )
    path = written(tmp_path, text)
    report = await import_ticks(pool, path, Kind.TICKS, dataset=DATASET, bars=False)
    assert (report.rows_stored, report.duplicates, report.reasons) == (2, 1, {"duplicate": 1})
    spy = await Ticks(pool, DATASET).ticks("SPY", MONDAY, TUESDAY)
    assert spy.labels == (TickLabel(None, "@ I", volume_only=True),)
    assert await StockData(pool, DATASET).series() == []


async def test_a_flood_of_bad_rows_is_counted(
    pool: asyncpg.Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tick_imports, "MOST_REFUSED", 3)
    rows = [f"2013-10-07T13:30:{i:02}.000Z,-1,100,N,1,0" for i in range(20)]
    path = written(tmp_path, TICKS + "\n".join(rows))
    for _ in range(2):
        report = await taken(pool, path)
        assert report.rows_quarantined == 20
        assert await quarantine.counts(pool, DATASET) == {"not_positive": 20}
    assert await pool.fetchval("SELECT count(*) FROM quarantine") == 4


async def test_quotes_of_one_side_become_tops_of_book(pool: asyncpg.Pool, tmp_path: Path) -> None:
    rows = [
        "2013-10-07T13:30:00.000Z,182,100,0,0,N,1,0",
        "2013-10-07T13:30:00.100Z,0,0,182.1,200,N,1,0",
        "2013-10-07T13:30:00.200Z,182.05,300,0,0,N,1,0",
        "2013-10-07T13:30:01.100Z,0,0,182.2,200,N,1,0",
        "2013-10-07T13:30:01.200Z,182.5,100,182.2,200,N,1,0",
    ]
    path = written(tmp_path, QUOTES + "\n".join(rows))
    report = await taken(pool, path, Kind.QUOTES)
    assert (report.rows_stored, report.passed_over, report.one_sided) == (2, 1, 1)
    assert report.reasons == {"crossed": 1}
    assert sum_of(report) == 5
    every = await taken(pool, path, Kind.QUOTES, every_quote=True)
    assert (every.rows_stored, every.duplicates, every.passed_over) == (1, 2, 0)
    newest = await last_quote(pool, DATASET, "IBM")
    assert newest is not None
    assert (newest.bid, newest.ask) == (182.05, 182.2)
    assert "with one side only" in "\n".join(tick_lines(report))


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("ts_utc,price\n2013-10-07T13:30:00Z,1\n", Kind.TICKS, "no column for size"),
        ("price,size\n1,1\n", Kind.TICKS, "no column for time"),
        (TICKS, Kind.QUOTES, "no column for bid"),
        (TICKS, Kind.TICKS, "has a header but no rows"),
        ("date,price,size\n2013-10-07,1,1\n", Kind.TICKS, "without a time of day"),
    ],
)
async def test_other_files_are_refused(
    pool: asyncpg.Pool, tmp_path: Path, text: str, kind: Kind, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        await taken(pool, written(tmp_path, text), kind)


async def test_a_file_without_a_symbol_needs_one(pool: asyncpg.Pool, tmp_path: Path) -> None:
    path = written(tmp_path, TICKS + "2013-10-07T13:30:00.000Z,182,100,N,1,0\n")
    with pytest.raises(InvalidInput, match="--symbol IBM"):
        await import_ticks(pool, path, Kind.TICKS, dataset=DATASET)
    early = ManualClock(utc("2013-10-06"))
    report = await taken(pool, path, clock=early, exchange="XNYS")
    assert report.reasons == {"future": 1}
    assert "future" in "\n".join(tick_lines(report))


# ----------------------------------------------------------- IBM against its vendor's bars


@pytest.fixture
async def ibm(pool: asyncpg.Pool, shared_data: Path) -> dict[str, TickBatch]:
    """The prints of two days as they are stored after an import, by date."""
    found = {}
    for day, rows, minutes in (("20131007", 24_293, 444), ("20131008", 33_381, 415)):
        path = shared_data / "equity_tick" / f"IBM_{day}.trade.csv.gz"
        report = await taken(pool, path)
        assert (report.rows_read, report.rows_stored, report.reasons) == (rows, rows, {})
        assert report.bars_stored == minutes
        start = utc(f"{day[:4]}-{day[4:6]}-{day[6:]}")
        found[day] = await Ticks(pool, DATASET).ticks(
            "IBM", start, start.replace(hour=23, minute=59)
        )
    return found


Minutes = dict[int, Rows]


def minutes_of(batch: TickBatch) -> Minutes:
    (bars,) = bars_of(batch, Timeframe.M1, CALENDAR)
    return by_start(bars)


def by_start(bars: BarBatch) -> Minutes:
    return {int(row["start"]): row for row in bars.rows}


def bits(label: TickLabel) -> int:
    return int(label.conditions or "0", 16)


def relabelled(batch: TickBatch, rule: Callable[[int], bool]) -> TickBatch:
    """The same prints with another rule about whose price counts."""
    labels = tuple(replace(label, volume_only=rule(bits(label))) for label in batch.labels)
    return TickBatch(batch.symbols, batch.rows, labels)


def differences(ours: Minutes, theirs: Minutes) -> tuple[int, int, int, int]:
    """Minutes that only they have, only we have, and that differ in a price, or in volume."""
    both = ours.keys() & theirs.keys()
    prices = [
        s for s in both if any(ours[s][n] != theirs[s][n] for n in ("open", "high", "low", "close"))
    ]
    volumes = [s for s in both if ours[s]["volume"] != theirs[s]["volume"]]
    return len(theirs.keys() - both), len(ours.keys() - both), len(prices), len(volumes)


def vendors_rule(condition: int) -> bool:
    """Around regular hours every price counts; in them no sweep's, nor one agreed elsewhere."""
    agreed = SWEEP | DERIVATIVELY_PRICED | AVERAGE_PRICE | STOCK_OPTION
    return not condition & EXTENDED_HOURS and bool(condition & agreed)


def with_the_vendors_auctions(batch: TickBatch) -> TickBatch:
    """Auction prints where the vendor puts them: at the first instant, and before the close.

    An opening auction that was printed in a later minute is in none of its bars.
    """
    rows = batch.rows.copy()
    conditions = np.array([bits(label) for label in batch.labels])[rows["label"]]
    session = CALENDAR.session_at(int(rows["at"][0]))
    assert session is not None
    opening, closing = (conditions & OPENING) > 0, (conditions & CLOSING) > 0
    rows["at"][closing] = session.close - 1
    late = opening & (rows["at"] >= session.open + 60 * 10**9)
    rows["at"][opening & ~late] = session.open
    rows["sequence"][opening] = 0
    return TickBatch(batch.symbols, rows[~late], batch.labels)


AUCTIONS = {
    "20131007": [("13:30", 182.0, 138_862), ("20:01", 182.01, 151_665)],
    "20131008": [("13:31", 181.85, 88_065), ("20:00", 178.72, 262_948)],
}
"Minute (UTC) in which an auction was printed, its price and size."


def auctions_of(batch: TickBatch) -> list[tuple[str, float, float]]:
    conditions = np.array([bits(label) for label in batch.labels])[batch.rows["label"]]
    rows = batch.rows[(conditions & (OPENING | CLOSING)) > 0]
    return [
        (f"{to_datetime(at):%H:%M}", price, size)
        for at, price, size in rows[["at", "price", "size"]].tolist()
    ]


async def test_ibms_minutes_are_the_vendors_but_for_named_reasons(
    ibm: dict[str, TickBatch], shared_data: Path
) -> None:
    """Every difference between our minutes and the vendor's, cause by cause, until none is left.

    Ours follow the tapes' rules (see `marketdata/conditions.py`). What the vendor does otherwise:
    sweeps set no price in regular hours, average and derived prices do around them, and the
    auctions of the open and the close stand in the first and the last minute of the session.
    """
    file = shared_data / "equity_minute" / "IBM.trade.csv.gz"
    vendor = read_bars(file, CALENDAR, IBM)
    expected = {
        "20131007": (453, (9, 0, 197, 2), (0, 0, 2, 2)),
        "20131008": (424, (9, 0, 184, 3), (0, 0, 1, 3)),
    }
    for day, batch in ibm.items():
        session = CALENDAR.session_at(int(batch.rows["at"][0]))
        assert session is not None
        theirs = by_start(vendor.between(session.day_start, session.day_end))
        minutes, by_tape, by_their_rule = expected[day]
        assert len(theirs) == minutes
        assert differences(minutes_of(batch), theirs) == by_tape
        ruled = relabelled(batch, vendors_rule)
        assert differences(minutes_of(ruled), theirs) == by_their_rule
        assert differences(minutes_of(with_the_vendors_auctions(ruled)), theirs) == (0, 0, 0, 0)
        assert auctions_of(batch) == AUCTIONS[day]


async def test_ibms_quotes_become_tops_of_book(pool: asyncpg.Pool, shared_data: Path) -> None:
    path = shared_data / "equity_tick" / "IBM_20131007.quote.csv.gz"
    report = await taken(pool, path, Kind.QUOTES)
    assert report.rows_read == sum_of(report) == 109_067
    assert report.rows_quarantined == 0
    regular = ns("2013-10-07 13:31"), ns("2013-10-07 20:00")
    stored = await Quotes(pool, DATASET).quotes("IBM", *(to_datetime(edge) for edge in regular))
    spread = stored.rows["ask"] - stored.rows["bid"]
    assert (report.rows_stored, report.one_sided) == (11_677, 90)
    assert 0 <= spread.min() <= np.median(spread) < 0.1
