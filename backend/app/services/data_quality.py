"""The verdict on stored series, window by window, and their gaps entered in the ledger."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import asyncpg
import msgspec

from app.core.clock import Clock, from_ns, system, to_ns
from app.core.errors import Unavailable
from app.domain.deployments import LIVE_DATASET
from app.domain.market import Timeframe
from app.ingest.gap_repair import GapRepair
from app.marketdata.calendar import TradingCalendar, trading_calendar
from app.marketdata.gap_ledger import OPEN, STATES
from app.marketdata.ports import DataProvider
from app.marketdata.quality import COMPLETE, Hole, SeriesCheck, behind_ns
from app.repositories import bar_series, data_gaps, feed_states, stocks
from app.repositories.bar_series import Judgement
from app.repositories.paging import Fetch, Row, Rows, every
from app.repositories.stock_data import StockData

STALE: Final = timedelta(minutes=5)
"Trading time for which a live series may be overdue."
VERDICTS: Final = ("good", "gaps", "stale", "bad", "unchecked")
_EVERYTHING: Final = 2**31
_FEED_SECONDS: Final = 30.0
"A feed whose state is older does not run."
_NS: Final = 1_000_000_000
_WINDOW: Final = {
    Timeframe.S1: timedelta(days=5),
    Timeframe.M1: timedelta(days=120),
    Timeframe.M5: timedelta(days=600),
    Timeframe.M15: timedelta(days=1_800),
    Timeframe.H1: timedelta(days=4_000),
    Timeframe.D1: timedelta(days=20_000),
}
"What is read at a time: some tens of thousands of bars."

Progress = Callable[[int, int], None]
"Called with the bars read so far and about how many there are."


class SeriesVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """One series: how many bars, how whole, how believable, and a fingerprint of all its bars."""

    dataset: str
    symbol: str
    timeframe: Timeframe
    bars: int
    first_start: datetime
    last_start: datetime
    expected: int
    "Bars of regular hours that the exchange's sessions promise."
    missing: int
    "Of those, the ones that are not there and not explained (closed, no trade)."
    completeness: float
    gaps: int
    "Open gaps: unexplained ones and holes of every provider."
    gaps_explained: int
    bad: int
    "Stored bars that the rules would refuse today, or that overlap."
    suspicious: int
    quarantined: int
    behind_seconds: float | None
    "For how much trading time a live series is overdue; None for the others."
    verdict: str
    "good, gaps (bars are missing), stale (live, and overdue) or bad (some bar is unbelievable)."
    fingerprint: str
    findings: dict[str, int]
    new_gaps: list[tuple[datetime, datetime, int]] = []
    "Gaps that the ledger did not know: start, end, bars."


async def check(
    pool: asyncpg.Pool,
    dataset: str | None = None,
    symbol: str | None = None,
    *,
    changed: bool = False,
    progress: Progress = lambda done, total: None,
    clock: Clock = system,
) -> AsyncIterator[SeriesVerdict]:
    """Judge every stored series, or those of a data set or symbol; gaps go into the ledger.

    `changed`: only those that have other bars than the last check has seen.
    """
    symbols = [] if symbol is None else [symbol]
    fetch = bar_series.listing(pool, dataset, symbols, changed=changed)
    found = [row async for row in every(fetch, _EVERYTHING)]
    total, done = sum(row["bars"] for row in found), 0
    for row in found:
        yield await judge(pool, row, clock=clock)
        done += row["bars"]
        progress(done, total)


async def judge(
    pool: asyncpg.Pool, row: Row, *, pause_seconds: float = 0.0, clock: Clock = system
) -> SeriesVerdict:
    """Read a series of `bar_series.listing` from end to end, and note what was found.

    `pause_seconds` after each window leaves the machine to a feed beside us.
    """
    timeframe = Timeframe(row["timeframe"])
    calendar = await asyncio.to_thread(trading_calendar, row["exchange"])
    check = SeriesCheck(row["symbol"], timeframe, calendar)
    bars = StockData(pool, row["dataset"])
    first, last = row["first_start"], row["last_start"]
    while first <= last:
        end = min(first + _WINDOW[timeframe], last + timedelta(microseconds=1))
        batch = await bars.stored(row["symbol"], timeframe, first, end)
        # numpy at work: the feed beside us must not wait for it
        await asyncio.to_thread(check.take, batch, to_ns(first), to_ns(end))
        await asyncio.sleep(pause_seconds)
        first = end
    check.finish()
    series = row["dataset"], row["stock_id"], timeframe
    async with pool.acquire() as db, db.transaction():
        new = await data_gaps.update(db, series, check.holes)
        await bar_series.judge(db, *series, row["bars"], _judgement(check, clock.now()))
        fetch = bar_series.listing(db, row["dataset"], [row["symbol"]], timeframe)
        (noted,) = (await fetch(1, None)).items
    return _verdict(noted, calendar, clock.now(), new)


async def look_at_the_end(pool: asyncpg.Pool, row: Row) -> list[tuple[datetime, datetime, int]]:
    """Enter the gaps of the newest sessions of a long series in the ledger; the new ones.

    The verdict on the whole stays what the last check said.
    """
    timeframe = Timeframe(row["timeframe"])
    calendar = await asyncio.to_thread(trading_calendar, row["exchange"])
    end = row["last_start"] + timedelta(microseconds=1)
    first = max(row["first_start"], end - _WINDOW[timeframe] / 20)
    session = calendar.session_at(to_ns(first))
    first = max(row["first_start"], from_ns(session.day_start) if session else first)
    check = SeriesCheck(row["symbol"], timeframe, calendar)
    bars = StockData(pool, row["dataset"])
    batch = await bars.stored(row["symbol"], timeframe, first, end)
    await asyncio.to_thread(check.take, batch, to_ns(first), to_ns(end))
    series = row["dataset"], row["stock_id"], timeframe
    async with pool.acquire() as db, db.transaction():
        new = await data_gaps.update(db, series, check.holes, first)
    return [(from_ns(hole.start), from_ns(hole.end), hole.bars) for hole in new]


def _judgement(check: SeriesCheck, at: datetime) -> Judgement:
    found = check.findings
    return Judgement(
        at=at,
        counted=check.bars,
        verdict="bad" if check.is_bad else "gaps" if check.missing else "good",
        expected=check.expected,
        missing=check.missing,
        bad=found.bad,
        suspicious=found.suspicious,
        fingerprint=check.fingerprint,
        findings=msgspec.to_builtins(found),
    )


def _verdict(
    row: Row, calendar: TradingCalendar, now: datetime, new: Sequence[Hole]
) -> SeriesVerdict:
    said = described(row, calendar, now)
    return msgspec.convert(
        {
            **said,
            "new_gaps": [(from_ns(hole.start), from_ns(hole.end), hole.bars) for hole in new],
        },
        SeriesVerdict,
    )


def described(row: Row, calendar: TradingCalendar, now: datetime) -> dict[str, Any]:
    """A row of `bar_series.listing` as people see it: with its verdict of this moment."""
    behind = None
    if row["dataset"] == LIVE_DATASET:
        timeframe = Timeframe(row["timeframe"])
        behind = _behind(calendar, timeframe, to_ns(row["last_start"]), to_ns(now)) / _NS
    expected = row["expected"]
    share = None
    if row["checked_at"] is not None:
        share = round(1 - row["missing"] / expected, 6) if expected else 1.0
    return {
        **{name: row[name] for name in _AS_THEY_ARE},
        "bars_exact": True,
        "missing": row["missing"] if row["checked_at"] else None,
        "completeness": share,
        "behind_seconds": behind,
        "verdict": _word(row["verdict"], share, behind),
    }


_behind: Final = lru_cache(maxsize=64)(behind_ns)
"Series of one feed end alike."

_AS_THEY_ARE: Final = (
    "dataset", "symbol", "timeframe", "bars", "first_start", "last_start", "sources", "checked_at",
    "expected", "gaps", "gaps_explained", "bad", "suspicious", "quarantined", "fingerprint",
    "findings",
)  # fmt: skip


def _word(noted: str | None, share: float | None, behind: float | None) -> str:
    if noted == "bad":
        return "bad"
    if behind is not None and behind > STALE.total_seconds():
        return "stale"
    if share is None:
        return "unchecked"
    return "good" if share >= COMPLETE else "gaps"


# ---------------------------------------------------------------------------- for the Data page


def described_pages(fetch: Fetch, verdicts: Sequence[str], now: datetime) -> Fetch:
    """Pages of `bar_series.listing` as people see them, narrowed to some verdicts.

    A page may then hold fewer rows than asked for although others follow.
    """

    async def pages(limit: int, cursor: str | None) -> Rows:
        while True:
            rows = await fetch(limit, cursor)
            items = [
                described(row, await asyncio.to_thread(trading_calendar, row["exchange"]), now)
                for row in rows.items
            ]
            items = [row for row in items if not verdicts or row["verdict"] in verdicts]
            if items or rows.next_cursor is None:
                return Rows(items, rows.next_cursor)
            cursor = rows.next_cursor

    return pages


async def summary(pool: asyncpg.Pool, dataset: str | None, now: datetime) -> Row:
    """Series by verdict, gaps by state, and the data sets that there are."""
    fetch = described_pages(bar_series.listing(pool, dataset), (), now)
    words = Counter([row["verdict"] async for row in every(fetch, _EVERYTHING)])
    gaps = await data_gaps.counts(pool, dataset)
    return {
        "series": words.total(),
        "verdicts": {word: words[word] for word in VERDICTS},
        "gaps": {state: gaps.get(state, 0) for state in STATES},
        "datasets": await bar_series.datasets(pool),
    }


async def ask_again(
    pool: asyncpg.Pool,
    symbol: str | None = None,
    timeframe: Timeframe | None = None,
    ids: Sequence[int] | None = None,
) -> int:
    """Have the trading process ask about open gaps of live series soon; how many.

    Raises Unavailable when no live feed runs that could ask.
    """
    fresh = [row for row in await feed_states.listed(pool) if row["age_seconds"] < _FEED_SECONDS]
    if not fresh:
        raise Unavailable(
            "No live feed runs that could ask its providers.",
            remedy="Start a live account, or use `tradewright data gaps --repair`.",
        )
    name = None if symbol is None else (await stocks.get(pool, symbol)).symbol
    return await data_gaps.ask_again(pool, LIVE_DATASET, name, timeframe, ids)


# ------------------------------------------------------------------------------------- repair


async def repair(
    pool: asyncpg.Pool,
    chain: Sequence[DataProvider],
    symbol: str | None = None,
    timeframe: Timeframe | None = None,
    *,
    progress: Progress = lambda done, total: None,
    clock: Clock = system,
) -> dict[str, int]:
    """Ask a chain of providers about every open gap of live series; bars by what became of them."""
    symbols = [] if symbol is None else [symbol]
    fetch = data_gaps.listing(pool, LIVE_DATASET, symbols, timeframe, OPEN)
    ids = [row["id"] async for row in every(fetch, _EVERYTHING)]
    asker = GapRepair(pool, chain, LIVE_DATASET, clock=clock)
    became: Counter[str] = Counter()
    for done, gap in enumerate(await data_gaps.take_all(pool, ids, clock.now()), 1):
        for part in await asker.repair(gap):
            became[part.state] += part.bars
        progress(done, len(ids))
    return dict(became)
