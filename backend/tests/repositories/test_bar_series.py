"""How many bars a series has: counted with every write, whoever writes, and judged."""

import asyncpg

from app.domain.market import Timeframe
from app.repositories import bar_series, stocks
from app.repositories.bar_series import Judgement
from app.repositories.stock_data import Policy, StockData
from tests.factories import make_batch, utc

DATASET = "import:counted"


async def counted(pool: asyncpg.Pool) -> list[tuple[str, int, int]]:
    """(symbol, what is said, what there is) of every series."""
    rows = await pool.fetch(
        "SELECT s.symbol, b.bars, (SELECT count(*) FROM stock_data d WHERE (d.dataset, d.stock_id,"
        " d.timeframe) = (b.dataset, b.stock_id, b.timeframe)) AS there"
        " FROM bar_series b JOIN stocks s ON s.id = b.stock_id ORDER BY s.symbol"
    )
    return [tuple(row) for row in rows]


def judgement(counted: int, verdict: str = "good") -> Judgement:
    return Judgement(
        at=utc("2024-03-04 00:00"), counted=counted, verdict=verdict, expected=10, missing=2, bad=0,
        suspicious=1, fingerprint="abc", findings={"spikes": 1},
    )  # fmt: skip


async def test_bars_that_are_appended_merged_and_repeated_are_counted_once(
    pool: asyncpg.Pool,
) -> None:
    bars = StockData(pool, DATASET)
    whole = make_batch(range(1, 11), skip=[4, 5])
    await bars.store([whole[:4], make_batch([7], symbol="SPY")], "first")
    await bars.store([whole[2:]], "second")
    await bars.store([make_batch(range(1, 11))], "third", Policy.CORRECT)
    assert await counted(pool) == [("AAPL", 10, 10), ("SPY", 1, 1)]
    (series,) = await bars.series("AAPL")
    assert (series.first_start, series.last_start) == (whole.bar(0).start, whole.bar(7).start)
    sources = "SELECT sources FROM bar_series ORDER BY stock_id LIMIT 1"
    assert await pool.fetchval(sources) == ["first", "second", "third"]


async def test_two_writers_that_cannot_see_each_other_count_right(pool: asyncpg.Pool) -> None:
    one, other = StockData(pool, DATASET), StockData(pool, DATASET)
    await one.store([make_batch([1, 2])], "one")
    await other.store([make_batch([1, 2, 3])], "other")
    await one.store([make_batch([1, 2, 3, 4])], "one")
    assert await counted(pool) == [("AAPL", 4, 4)]


async def test_a_check_is_noted_and_put_a_wrong_count_right(pool: asyncpg.Pool) -> None:
    bars = StockData(pool, DATASET)
    await bars.store([make_batch(range(1, 11))], "file")
    stock = await stocks.get(pool, "AAPL")
    await pool.execute("DELETE FROM stock_data WHERE close > 8")
    series = (DATASET, stock.id, Timeframe.M1)
    await bar_series.judge(pool, *series, 10, judgement(8, "gaps"))
    (row,) = (await bar_series.listing(pool, DATASET, ["aapl"])(10, None)).items
    assert (row["bars"], row["verdict"], row["findings"]) == (8, "gaps", {"spikes": 1})
    assert (await bar_series.listing(pool, changed=True)(10, None)).items == []
    await bars.store([make_batch([11], first=10)], "file")
    (row,) = (await bar_series.listing(pool, changed=True)(10, None)).items
    await bar_series.judge(pool, *series, 8, judgement(8))
    assert await pool.fetchval("SELECT bars FROM bar_series") == 9, "nobody counts for the writer"
    assert await bar_series.datasets(pool) == [DATASET]
