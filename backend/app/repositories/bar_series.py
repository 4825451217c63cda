"""What is stored of each series, counted with every write of bars, and what checks found of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
import orjson

from app.domain.market import Timeframe
from app.repositories.paging import Db, Fetch, Listing, Row, Where, lister


class Series(msgspec.Struct, frozen=True):
    """One series of a data set: what is there."""

    symbol: str
    timeframe: Timeframe
    first_start: datetime
    last_start: datetime
    bars: int


class Added(msgspec.Struct, frozen=True):
    """Bars that a transaction has stored of one series; `first` and `last` are starts."""

    stock_id: int
    bars: int
    first: datetime
    last: datetime


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found of a series; `counted` bars were read."""

    at: datetime
    counted: int
    verdict: str
    expected: int
    missing: int
    bad: int
    suspicious: int
    fingerprint: str
    findings: dict[str, int]


# In the order of the key, so that two writers never wait for each other.
_ADD: Final = """
  INSERT INTO bar_series AS b (dataset, stock_id, timeframe, bars, first_start, last_start, sources)
  SELECT $1, n.stock_id, $2, n.bars, n.first, n.last, ARRAY[$3::text]
  FROM unnest($4::bigint[], $5::bigint[], $6::timestamptz[], $7::timestamptz[])
    AS n (stock_id, bars, first, last)
  ORDER BY n.stock_id
  ON CONFLICT (dataset, stock_id, timeframe) DO UPDATE SET
    bars = b.bars + excluded.bars,
    first_start = least(b.first_start, excluded.first_start),
    last_start = greatest(b.last_start, excluded.last_start),
    sources = CASE WHEN $3 = ANY(b.sources) THEN b.sources ELSE b.sources || $3::text END"""

_OF: Final = """
  SELECT s.symbol, b.timeframe, b.first_start, b.last_start, b.bars
  FROM bar_series b JOIN stocks s ON s.id = b.stock_id
  WHERE b.dataset = $1 AND ($2::text IS NULL OR s.symbol = $2) AND b.bars > 0
  ORDER BY s.symbol, b.timeframe"""

_OF_STOCK: Final = """
  SELECT dataset, timeframe, first_start, last_start, bars FROM bar_series
  WHERE stock_id = $1 AND bars > 0 ORDER BY dataset, timeframe"""

# What was counted is right unless bars were stored meanwhile: $11 is the count before the check.
_JUDGE: Final = """
  UPDATE bar_series SET checked_at = $4, checked_bars = $5, verdict = $6, expected = $7,
    missing = $8, bad = $9, suspicious = $10, fingerprint = $12, findings = $13::jsonb,
    bars = CASE WHEN bars = $11 THEN $5 ELSE bars END
  WHERE dataset = $1 AND stock_id = $2 AND timeframe = $3"""

_LISTING: Final = Listing(
    select="""b.dataset, s.symbol, b.timeframe, s.exchange, b.stock_id, b.bars, b.first_start,
       b.last_start, b.sources, b.checked_at, b.checked_bars, b.verdict, b.expected, g.missing,
       b.bad, b.suspicious, b.fingerprint, b.findings, g.gaps, g.gaps_explained, q.quarantined""",
    source="""bar_series b JOIN stocks s ON s.id = b.stock_id
       LEFT JOIN LATERAL (
         SELECT count(*) FILTER (WHERE d.is_open) AS gaps,
           coalesce(sum(d.bars) FILTER (WHERE d.is_open), 0)::bigint AS missing,
           count(*) FILTER (WHERE NOT d.is_open) AS gaps_explained
         FROM (SELECT *, state IN ('unexplained', 'provider_hole') AS is_open FROM data_gaps) d
         WHERE (d.dataset, d.stock_id, d.timeframe) = (b.dataset, b.stock_id, b.timeframe)
       ) g ON true
       LEFT JOIN LATERAL (
         SELECT coalesce(sum(coalesce((r.record ->> 'rows_not_kept')::bigint, 1)), 0)::bigint
           AS quarantined
         FROM quarantine r WHERE r.dataset = b.dataset AND r.symbol = s.symbol
           AND r.kind = 'bar' AND r.timeframe = b.timeframe
       ) q ON true""",
    keys=(("b.dataset", "text"), ("s.symbol", "text"), ("b.timeframe", "text")),
    descending=False,
    documents=("findings",),
)

_COMPLETENESS: Final = """
  SELECT sum(b.expected) AS expected, coalesce(sum(g.missing), 0) AS missing
  FROM bar_series b LEFT JOIN LATERAL (
    SELECT sum(d.bars) AS missing FROM data_gaps d
    WHERE (d.dataset, d.stock_id, d.timeframe) = (b.dataset, b.stock_id, b.timeframe)
      AND d.state IN ('unexplained', 'provider_hole')
  ) g ON true
  WHERE b.dataset = $1 AND b.checked_at IS NOT NULL"""

# One walk through the index; a session is the odd buckets, what lies between two the even ones.
_COVERAGE: Final = """
  SELECT width_bucket(start, $4::timestamptz[]) AS bucket, count(*) AS found FROM stock_data
  WHERE dataset = $1 AND stock_id = $2 AND timeframe = $3 AND start >= $5 AND start < $6
  GROUP BY bucket"""


async def add(db: Db, dataset: str, timeframe: str, source: str, added: Sequence[Added]) -> None:
    """Count bars that were stored, in the transaction that stores them."""
    if added:
        await db.execute(
            _ADD,
            dataset,
            timeframe,
            source,
            [one.stock_id for one in added],
            [one.bars for one in added],
            [one.first for one in added],
            [one.last for one in added],
        )


async def of_dataset(db: Db, dataset: str, symbol: str | None = None) -> list[Series]:
    """What is stored in a data set, by symbol and timeframe."""
    rows = await db.fetch(_OF, dataset, symbol)
    return [Series(**{**row, "timeframe": Timeframe(row["timeframe"])}) for row in map(dict, rows)]


async def of_stock(db: Db, stock_id: int) -> list[Row]:
    """Every stored series of a stock, over all data sets."""
    return [dict(row) for row in await db.fetch(_OF_STOCK, stock_id)]


async def judge(
    db: Db, dataset: str, stock_id: int, timeframe: Timeframe, bars: int, found: Judgement
) -> None:
    """Note what a check has found; `bars` is the count that was stored when it began."""
    await db.execute(
        _JUDGE,
        dataset,
        stock_id,
        timeframe,
        found.at,
        found.counted,
        found.verdict,
        found.expected,
        found.missing,
        found.bad,
        found.suspicious,
        bars,
        found.fingerprint,
        orjson.dumps(found.findings).decode(),
    )


def listing(
    db: Db,
    dataset: str | None = None,
    symbols: Sequence[str] = (),
    timeframe: str | None = None,
    *,
    changed: bool = False,
) -> Fetch:
    """Series with what is known of their quality; `changed`: only those no check has seen so."""
    where = Where().add("b.dataset = {}", dataset).say("b.bars > 0")
    where.add("s.symbol = ANY({})", [one.upper() for one in symbols])
    where.add("b.timeframe = {}", timeframe)
    where.say("b.checked_bars IS DISTINCT FROM b.bars", when=changed)
    return lister(db, _LISTING, where)


async def datasets(db: Db) -> list[str]:
    """Data sets that have bars."""
    rows: Any = await db.fetch("SELECT DISTINCT dataset FROM bar_series ORDER BY dataset")
    return [row["dataset"] for row in rows]


async def completeness(db: Db, dataset: str) -> float | None:
    """Share of the expected bars of a data set that are there or explained; None unchecked."""
    row = await db.fetchrow(_COMPLETENESS, dataset)
    if row is None or not row["expected"]:
        return None
    return 1 - float(row["missing"]) / float(row["expected"])


async def bars_within(
    db: Db,
    series: tuple[str, int, Timeframe],
    opened: Sequence[datetime],
    closed: Sequence[datetime],
) -> list[int]:
    """How many bars start in each [opened, closed): ranges in their order that do not overlap."""
    if not opened:
        return []
    edges = [edge for pair in zip(opened, closed, strict=True) for edge in pair]
    rows = await db.fetch(_COVERAGE, *series, edges, edges[0], edges[-1])
    found = {row["bucket"]: row["found"] for row in rows}
    return [found.get(2 * place + 1, 0) for place in range(len(opened))]
