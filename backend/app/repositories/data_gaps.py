"""The gap ledger: where bars are missing, why, and what the providers said."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
import orjson

from app.core.clock import from_ns, to_ns
from app.domain.market import Timeframe
from app.marketdata.gap_ledger import REPAIRED, UNEXPLAINED, Entry, compared
from app.marketdata.quality import Hole
from app.repositories.paging import Db, Fetch, Listing, Row, Where, lister

SeriesKey = tuple[str, int, Timeframe]
"Data set, stock, timeframe."


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What one provider answered when it was asked for missing bars."""

    provider: str
    answer: str
    """bars, nothing (though it has bars around), nothing_around, unknown (symbol or timeframe),
    refused or failed; peers: other series of the data set were looked at."""
    bars: int = 0
    around: int = 0
    "Bars that it has just before and after."
    at: datetime | None = None
    detail: str = ""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of a gap, and what became of it."""

    start: datetime
    end: datetime
    bars: int
    state: str
    detail: str


class OpenGap(msgspec.Struct, frozen=True, kw_only=True):
    """A gap that providers are to be asked about."""

    id: int
    dataset: str
    stock_id: int
    symbol: str
    exchange: str
    timeframe: Timeframe
    start: datetime
    end: datetime
    bars: int


_KNOWN: Final = """
  SELECT id, start, "end", bars, state FROM data_gaps
  WHERE dataset = $1 AND stock_id = $2 AND timeframe = $3
    AND ($4::timestamptz IS NULL OR start >= $4) ORDER BY start"""

_RECORD: Final = """
  INSERT INTO data_gaps (dataset, stock_id, timeframe, start, "end", bars, state, detail, evidence,
    asked_at, repaired_at)
  SELECT $1, $2, $3, g.start, g."end", g.bars, g.state, g.detail, $9::jsonb, $10,
    CASE WHEN g.state = 'repaired' THEN now() END
  FROM unnest($4::timestamptz[], $5::timestamptz[], $6::bigint[], $7::text[], $8::text[])
    AS g (start, "end", bars, state, detail)
  ON CONFLICT (dataset, stock_id, timeframe, start) DO UPDATE SET "end" = excluded."end",
    bars = excluded.bars, state = excluded.state, detail = excluded.detail,
    evidence = excluded.evidence, asked_at = excluded.asked_at, repaired_at = excluded.repaired_at,
    detected_at = CASE WHEN data_gaps.state = 'repaired' AND excluded.state <> 'repaired'
      THEN now() ELSE data_gaps.detected_at END"""

_CHANGE: Final = """
  UPDATE data_gaps d SET "end" = n."end", bars = n.bars, state = n.state,
    repaired_at = CASE WHEN n.state = 'repaired' THEN now() END,
    detail = CASE WHEN n.state = 'repaired' THEN 'The bars were stored later.' ELSE d.detail END
  FROM unnest($1::bigint[], $2::timestamptz[], $3::bigint[], $4::text[])
    AS n (id, "end", bars, state)
  WHERE d.id = n.id"""

# Whoever takes a gap notes so at once: two processes never ask about the same one.
_TAKE: Final = """
  UPDATE data_gaps d SET asked_at = $5::timestamptz
  FROM stocks s
  WHERE s.id = d.stock_id AND d.id IN (
    SELECT g.id FROM data_gaps g JOIN stocks t ON t.id = g.stock_id
    WHERE g.dataset = $1 AND t.symbol = ANY($2) AND g."end" <= $3
      AND g.state IN ('unexplained', 'provider_hole')
      AND (g.asked_at IS NULL OR g.asked_at < $5::timestamptz
        - CASE g.state WHEN 'unexplained' THEN $6::interval ELSE $7::interval END)
    ORDER BY g.asked_at NULLS FIRST, g.start DESC LIMIT $4
    FOR UPDATE OF g SKIP LOCKED)
  RETURNING d.id, d.dataset, d.stock_id, s.symbol, s.exchange, d.timeframe, d.start, d."end",
    d.bars"""

_TAKE_ALL: Final = """
  UPDATE data_gaps d SET asked_at = $2 FROM stocks s
  WHERE s.id = d.stock_id AND d.id = ANY($1) AND d.state IN ('unexplained', 'provider_hole')
  RETURNING d.id, d.dataset, d.stock_id, s.symbol, s.exchange, d.timeframe, d.start, d."end",
    d.bars"""

_ASK: Final = """
  UPDATE data_gaps d SET asked_at = NULL
  FROM stocks s WHERE s.id = d.stock_id AND d.dataset = $1
    AND d.state IN ('unexplained', 'provider_hole')
    AND ($2::text IS NULL OR s.symbol = $2) AND ($3::text IS NULL OR d.timeframe = $3)
    AND ($4::bigint[] IS NULL OR d.id = ANY($4))"""

_LISTING: Final = Listing(
    select="""g.id, g.dataset, s.symbol, g.timeframe, g.start, g."end", g.bars, g.state, g.detail,
       g.evidence, g.detected_at, g.asked_at, g.repaired_at""",
    source="data_gaps g JOIN stocks s ON s.id = g.stock_id",
    keys=(("g.start", "timestamptz"), ("g.id", "bigint")),
    documents=("evidence",),
)

_STATES: Final = """
  SELECT state, count(*) AS n FROM data_gaps WHERE ($1::text IS NULL OR dataset = $1)
  GROUP BY state"""

_BY_PERIOD: Final = """
  SELECT start, "end", state, bars FROM data_gaps
  WHERE dataset = $1 AND stock_id = $2 AND timeframe = $3 AND start >= $4 AND start < $5
    AND state <> 'repaired'"""

_PEERS: Final = """
  SELECT count(*) FILTER (WHERE around) AS around,
    count(*) FILTER (WHERE around AND inside) AS inside
  FROM (
    SELECT EXISTS (SELECT FROM stock_data d WHERE d.dataset = b.dataset AND d.stock_id = b.stock_id
        AND d.timeframe = b.timeframe AND ((d.start >= $4 AND d.start < $5)
          OR (d.start >= $6 AND d.start < $7))) AS around,
      EXISTS (SELECT FROM stock_data d WHERE d.dataset = b.dataset AND d.stock_id = b.stock_id
        AND d.timeframe = b.timeframe AND d.start >= $5 AND d.start < $6) AS inside
    FROM bar_series b JOIN stocks s ON s.id = b.stock_id
    WHERE b.dataset = $1 AND b.timeframe = $3 AND b.stock_id <> $2 AND s.exchange = ANY($8) LIMIT 50
  ) peers"""


async def update(
    db: Db, series: SeriesKey, found: Sequence[Hole], since: datetime | None = None
) -> list[Hole]:
    """Make the ledger of a series say what is missing now; returns the gaps that are new.

    What is known of a gap stays known; one whose bars have come is `repaired`. `since`: only the
    part from there on was looked at.
    """
    rows = await db.fetch(_KNOWN, *series, since)
    known = [
        Entry(row["id"], to_ns(row["start"]), to_ns(row["end"]), row["bars"], row["state"])
        for row in rows
    ]
    changes = compared(known, found)
    if changes.new:
        spans = [(from_ns(hole.start), from_ns(hole.end), hole.bars) for hole in changes.new]
        parts = [
            Part(start=start, end=end, bars=bars, state=UNEXPLAINED, detail="")
            for start, end, bars in spans
        ]
        await record(db, series, parts)
    changed = [(one, one.state) for one in changes.shortened]
    changed += [(one, REPAIRED) for one in changes.repaired]
    if changed:
        await db.execute(
            _CHANGE,
            [one.id for one, _ in changed],
            [from_ns(one.end) for one, _ in changed],
            [one.bars for one, _ in changed],
            [state for _, state in changed],
        )
    return changes.new


async def record(
    db: Db,
    series: SeriesKey,
    parts: Sequence[Part],
    evidence: Sequence[Evidence] = (),
    asked_at: datetime | None = None,
) -> None:
    """Gaps as they are now, in place of what the ledger said of those that start so."""
    await db.execute(
        _RECORD,
        *series,
        [part.start for part in parts],
        [part.end for part in parts],
        [part.bars for part in parts],
        [part.state for part in parts],
        [part.detail for part in parts],
        orjson.dumps(msgspec.to_builtins(list(evidence))).decode(),
        asked_at,
    )


async def take(
    db: Db,
    dataset: str,
    symbols: Sequence[str],
    *,
    ended: datetime,
    now: datetime,
    again: tuple[Any, Any],
    limit: int,
) -> list[OpenGap]:
    """Open gaps that nobody has asked about for long, marked as asked about `now`.

    `ended`: only those that are over by then. `again`: how long (timedelta) unexplained gaps and
    provider holes rest before they are asked about once more.
    """
    rows = await db.fetch(_TAKE, dataset, list(symbols), ended, limit, now, *again)
    return _newest_first(rows)


async def take_all(db: Db, ids: Sequence[int], now: datetime) -> list[OpenGap]:
    """These gaps, as far as they are open, marked as asked about `now`."""
    return _newest_first(await db.fetch(_TAKE_ALL, list(ids), now))


def _newest_first(rows: Sequence[Mapping[str, Any]]) -> list[OpenGap]:
    found = [
        OpenGap(**{**row, "timeframe": Timeframe(row["timeframe"])}) for row in map(dict, rows)
    ]
    return sorted(found, key=lambda gap: gap.start, reverse=True)


async def ask_again(
    db: Db,
    dataset: str,
    symbol: str | None = None,
    timeframe: Timeframe | None = None,
    ids: Sequence[int] | None = None,
) -> int:
    """Have open gaps asked about soon; how many."""
    numbers = None if ids is None else list(ids)
    status = await db.execute(_ASK, dataset, symbol, timeframe, numbers)
    return int(status.rsplit(" ", 1)[-1])


async def peers(
    db: Db, gap: OpenGap, before: datetime, after: datetime, exchanges: Sequence[str]
) -> tuple[int, int]:
    """Other series of `exchanges`: with bars beside the gap, and of those, with bars within.

    Beside it is [before, start of the gap) and [its end, after).
    """
    row = await db.fetchrow(
        _PEERS,
        gap.dataset,
        gap.stock_id,
        gap.timeframe,
        before,
        gap.start,
        gap.end,
        after,
        list(exchanges),
    )
    return (row["around"], row["inside"]) if row else (0, 0)


def listing(
    db: Db,
    dataset: str | None = None,
    symbols: Sequence[str] = (),
    timeframe: str | None = None,
    states: Sequence[str] = (),
    start: datetime | None = None,
    end: datetime | None = None,
) -> Fetch:
    """The newest gap first."""
    where = Where().add("g.dataset = {}", dataset)
    where.add("s.symbol = ANY({})", [one.upper() for one in symbols])
    where.add("g.timeframe = {}", timeframe).add("g.state = ANY({})", [str(s) for s in states])
    where.period("g.start", start, end)
    return lister(db, _LISTING, where)


async def counts(db: Db, dataset: str | None = None) -> dict[str, int]:
    """Gaps by state."""
    return {row["state"]: row["n"] for row in await db.fetch(_STATES, dataset)}


async def of_series(db: Db, series: SeriesKey, start: datetime, end: datetime) -> list[Row]:
    """start, end, state and bars of the gaps of a series that begin in [start, end), unrepaired."""
    return [dict(row) for row in await db.fetch(_BY_PERIOD, *series, start, end)]
