"""IBM's real prints and quotes, spoilt on purpose: every bad row is caught, hardly a good one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import numpy as np
import pytest

from app.ingest.ticks import TickIngest, TickSettings
from app.marketdata.batch import QuoteBatch, Rows, TickBatch
from app.marketdata.calendar import trading_calendar
from app.marketdata.shapes import Hints
from app.marketdata.tick_files import Kind, TickFile
from app.marketdata.tick_memory import Memory
from app.marketdata.tick_validation import StreamVerdict, validate_quotes, validate_ticks
from app.marketdata.top_of_book import TopOfBook
from app.repositories import quarantine, stocks
from tests.ticks import SECOND

CALENDAR = trading_calendar("XNYS")
EACH = 60
"Rows spoilt in each way."
LATENCY = 50_000_000
"Between a row's instant and the wall clock when it comes."

Spoil = Callable[[Rows, np.ndarray], None]


@dataclass
class Spoilt:
    """A stream with what is wrong with it: `bad` says which rows may not pass."""

    rows: Rows
    bad: np.ndarray
    came: np.ndarray
    "The wall clock when each row came."


def spoilt(rows: Rows, spoils: list[Spoil], seed: int) -> Spoilt:
    """Spoil rows in place, move some, repeat some, and leave out two minutes."""
    rng = np.random.default_rng(seed)
    rows = rows.copy()
    rows["sequence"] = np.arange(len(rows)) + 1
    came = rows["at"] + LATENCY
    bad = np.zeros(len(rows), dtype=np.bool_)
    chosen = rng.choice(np.arange(100, len(rows) - 2_000), EACH * (len(spoils) + 2), replace=False)
    parts = np.split(chosen, len(spoils) + 2)
    for spoil, mine in zip(spoils, parts, strict=False):
        spoil(rows, mine)
        bad[mine] = True
    place = np.arange(len(rows), dtype=np.float64)
    for i in parts[-2].tolist():  # come half a minute too late
        late = int(np.searchsorted(came, came[i] + 30 * SECOND)) + 1
        place[i], came[i], bad[i] = late + 0.5, came[late], True
    again = parts[-1]
    rows = np.concatenate([rows, rows[again]])
    bad = np.concatenate([bad, np.ones(len(again), dtype=np.bool_)])
    came = np.concatenate([came, came[again]])
    place = np.concatenate([place, again + 0.25])
    order = np.argsort(place, kind="stable")
    gap = (came > came[5_000]) & (came < came[5_000] + 120 * SECOND)
    order = order[~gap[order]]
    return Spoilt(rows[order], bad[order], came[order])


def times(factor: float, *names: str) -> Spoil:
    def spoil(rows: Rows, mine: np.ndarray) -> None:
        for name in names:
            rows[name][mine] *= factor

    return spoil


def moved(rows: Rows, mine: np.ndarray) -> None:
    rows["at"][mine] += 3_600 * SECOND


def crossed(rows: Rows, mine: np.ndarray) -> None:
    rows["bid"][mine] = rows["ask"][mine] + 0.01


def pieces(stream: Spoilt, seed: int) -> Iterator[slice]:
    """Batches as a connection gives them: what came within some milliseconds to seconds."""
    rng = np.random.default_rng(seed)
    first = 0
    while first < len(stream.rows):
        until = stream.came[first] + int(rng.choice([1_000_000, SECOND // 5, 2 * SECOND]))
        end = max(int(np.searchsorted(stream.came, until)), first + 1)
        yield slice(first, end)
        first = end


def refused(
    stream: Spoilt,
    judge: Callable[[slice, int], StreamVerdict[TickBatch] | StreamVerdict[QuoteBatch]],
) -> np.ndarray:
    """Which rows are quarantined when the stream comes in pieces of all sizes."""
    found = np.zeros(len(stream.rows), dtype=np.bool_)
    for piece in pieces(stream, 1):
        verdict = judge(piece, int(stream.came[piece.stop - 1]))
        found[piece.start + verdict.positions] = True
        assert verdict.repeated == 0
    return found


def assert_told_apart(stream: Spoilt, found: np.ndarray) -> None:
    missed = np.flatnonzero(stream.bad & ~found)
    assert not len(missed), stream.rows[missed[:5]]
    good = ~stream.bad
    assert np.count_nonzero(good & ~found) >= 0.9999 * np.count_nonzero(good)


def read(folder: Path, name: str, kind: Kind) -> TickBatch | QuoteBatch:
    (chunk,) = TickFile(folder / "equity_tick" / name, kind, Hints(symbol="IBM")).chunks(200_000)
    return chunk.batch


@pytest.fixture
def prints(shared_data: Path) -> TickBatch:
    batch = read(shared_data, "IBM_20131007.trade.csv.gz", Kind.TICKS)
    assert isinstance(batch, TickBatch)
    return batch


TICK_SPOILS = [times(0, "price"), times(-1, "price"), times(np.nan, "price"), times(np.inf, "size"),
    times(10, "price"), times(0.1, "price"), times(-1, "size"), moved]  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2])
def test_every_bad_print_is_caught(prints: TickBatch, seed: int) -> None:
    stream, memory = spoilt(prints.rows, TICK_SPOILS, seed), Memory()
    assert np.count_nonzero(stream.bad) > 500

    def judge(piece: slice, now: int) -> StreamVerdict[TickBatch]:
        batch = TickBatch(prints.symbols, stream.rows[piece], prints.labels)
        return validate_ticks(batch, CALENDAR, memory, now=now)

    assert_told_apart(stream, refused(stream, judge))


@pytest.mark.parametrize("seed", [1, 2])
def test_every_bad_quote_is_caught(shared_data: Path, seed: int) -> None:
    partial = read(shared_data, "IBM_20131007.quote.csv.gz", Kind.QUOTES)
    assert isinstance(partial, QuoteBatch)
    own = validate_quotes(partial, CALENDAR, Memory(sides=2))
    assert len(own.bad) == 0
    tops = TopOfBook().fold(own.good)
    whole = tops.rows[~(np.isnan(tops.rows["bid"]) | np.isnan(tops.rows["ask"]))]
    spoils = [times(0, "bid"), times(-1, "ask"), times(np.nan, "bid"), times(10, "bid", "ask"),
        times(0.1, "bid"), times(10, "ask"), times(-1, "ask_size"), crossed, moved]  # fmt: skip
    stream, memory = spoilt(whole, spoils, seed), Memory(sides=2)

    def judge(piece: slice, now: int) -> StreamVerdict[QuoteBatch]:
        batch = QuoteBatch(partial.symbols, stream.rows[piece])
        return validate_quotes(batch, CALENDAR, memory, now=now)

    assert_told_apart(stream, refused(stream, judge))


async def test_what_is_caught_stands_in_the_quarantine_and_the_rest_in_the_table(
    pool: asyncpg.Pool, prints: TickBatch
) -> None:
    await stocks.ensure(pool, "IBM")
    stream = spoilt(prints.rows, TICK_SPOILS, 4)
    settings = TickSettings(quarantine_a_minute=10_000)
    ingest = TickIngest(pool, "live", CALENDAR, source="spoilt", settings=settings)
    for piece in pieces(stream, 2):
        batch = TickBatch(prints.symbols, stream.rows[piece], prints.labels)
        await ingest.take(batch, int(stream.came[piece.stop - 1]))
    await ingest.close()
    kept = await pool.fetchval("SELECT count(*) FROM quarantine WHERE kind = 'tick'")
    stored = await pool.fetchval("SELECT count(*) FROM ticks")
    assert kept + stored == len(stream.rows)
    assert kept == np.count_nonzero(stream.bad)
    reasons = await quarantine.counts(pool, "live")
    assert {"duplicate", "out_of_order", "future", "jump", "not_a_number"} <= reasons.keys()
