"""Backtests: bars from files or the database, the run, the causality check, and what is kept."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import asyncpg
import msgspec
import numpy as np

from app.core.clock import from_ns, to_ns
from app.core.errors import InvalidInput
from app.domain.limits import Limits
from app.domain.market import Timeframe
from app.engine.series import block_key
from app.marketdata.batch import BarBatch, concatenate
from app.marketdata.calendar import TradingCalendar, trading_calendar
from app.marketdata.shapes import Hints
from app.repositories import backtests, config, corporate_actions, instruments
from app.repositories.journal import SharedJournal
from app.repositories.stock_data import StockData, datasets
from app.research.backtest import run_backtest
from app.research.causality import check_causality
from app.research.market import series_of
from app.research.performance import thinned
from app.research.report import BacktestRequest, Report, limits_named, report_of, value_of
from app.research.sources import Source, read_files, refuse_empty, traded
from app.strategies.base import BaseStrategy
from app.strategies.catalog import Catalogue

CURVE_POINTS: Final = 10_000
"Points of the equity curve that the database keeps; highs and lows are among them."


def run_on_files(
    catalogue: Catalogue,
    request: BacktestRequest,
    path: Path,
    *,
    hints: Hints | None = None,
    calendar: TradingCalendar | None = None,
) -> Report:
    """A backtest on a file, or a folder of files: no database, nothing stored.

    Without symbols in the request those of the files are traded. Raises InvalidInput, NotFound.
    """
    catalogue.make(request.strategy, request.parameters)
    source = read_files(
        path,
        calendar or trading_calendar(),
        timeframe=request.timeframe,
        symbols=request.symbols,
        hints=hints,
    )
    symbols = tuple(batch.symbol for batch in source.bars)
    return _run(catalogue, msgspec.structs.replace(request, symbols=symbols), source)


async def run_on_database(
    pool: asyncpg.Pool,
    catalogue: Catalogue,
    request: BacktestRequest,
    *,
    dataset: str | None = None,
    created_by: int | None = None,
    journal: SharedJournal | None = None,
) -> Report:
    """A backtest on stored bars; the run is a row of `backtests` with its round trips.

    Its end is journaled where there is a `journal`.

    Without `dataset` it is the only one that has the bars. Raises InvalidInput, NotFound.
    """
    strategy = catalogue.make(request.strategy, request.parameters)
    strategy.check_deployment(request.symbols, request.timeframe)
    request = msgspec.structs.replace(request, parameters=strategy.parameters)
    dataset = dataset or await _only_dataset(pool, request)
    source = await _read_stored(pool, strategy, request, dataset)
    refuse_empty(source, request.timeframe, request.start, request.end)
    asked = backtests.Asked(
        strategy=request.strategy,
        parameters=request.parameters,
        symbols=request.symbols,
        timeframe=request.timeframe,
        dataset=dataset,
        start=request.start,
        end=request.end,
        starting_cash=request.cash,
        limits=request.limits,
        created_by=created_by,
    )
    backtest_id = await backtests.start(pool, asked)
    try:
        report = _run(catalogue, request, source)
    except Exception as error:
        await backtests.fail(pool, backtest_id, str(error))
        raise
    report.backtest_id = backtest_id
    await backtests.finish(pool, backtest_id, _outcome(report), report.result.trades, journal)
    return report


def _run(catalogue: Catalogue, request: BacktestRequest, source: Source) -> Report:
    """The engine's run and the check of the strategy, on bars at hand."""

    def make() -> BaseStrategy:
        return catalogue.make(request.strategy, request.parameters)

    request = msgspec.structs.replace(request, parameters=make().parameters)
    refuse_empty(source, request.timeframe, request.start, request.end)
    bars = [traded(batch, None, request.end) for batch in source.bars]
    result = run_backtest(
        request.strategy,
        strategies=catalogue.make,
        bars=bars,
        timeframe=request.timeframe,
        calendar=source.calendar,
        parameters=request.parameters,
        start=request.start,
        end=request.end,
        cash=request.cash,
        capital=request.capital,
        limits=limits_named(request.limits, source.limits),
        instruments=source.instruments,
        actions=source.actions,
        keeps_events=False,
    )
    series = [series_of(batch, source.calendar) for batch in bars]
    starts = [one.start[one.start >= _ns(request.start)] for one in series]
    return report_of(
        request,
        result,
        source=source.name,
        start=from_ns(min(int(one[0]) for one in starts if len(one))),
        causality=check_causality(make, series, source.calendar),
        calendar=source.calendar,
        notes=source.notes,
    )


def _ns(start: datetime | None) -> int:
    return to_ns(start) if start else np.iinfo(np.int64).min


# ---------------------------------------------------------------------------- from the database


async def _only_dataset(pool: asyncpg.Pool, request: BacktestRequest) -> str:
    """The data set that has bars of all the symbols; the caller must choose among several."""
    known = await datasets(pool)
    if not known:
        raise InvalidInput(
            "The database holds no bars yet.",
            field="dataset",
            remedy="Import some (tradewright data import FILE), or name a file with --data.",
        )
    having = [name for name in known if await _has_all(StockData(pool, name), request)]
    if len(having) == 1:
        return having[0]
    symbols = ", ".join(request.symbols)
    if having:
        problem = f"Several data sets have {request.timeframe} bars of {symbols}."
    else:
        problem = f"No data set has {request.timeframe} bars of {symbols}."
    remedy = f"Name one with --dataset: {', '.join(having or known)}."
    raise InvalidInput(problem, field="dataset", remedy=remedy)


async def _has_all(bars: StockData, request: BacktestRequest) -> bool:
    for symbol in request.symbols:
        if not len(await bars.bars(symbol, request.timeframe, limit=1)):
            return False
    return True


async def _read_stored(
    pool: asyncpg.Pool, strategy: BaseStrategy, request: BacktestRequest, dataset: str
) -> Source:
    stored = StockData(pool, dataset)
    stocks = [await stored.stock(symbol) for symbol in request.symbols]
    calendars = {id(one): one for one in (trading_calendar(s.exchange) for s in stocks)}
    if len(calendars) > 1:
        raise InvalidInput(
            "The symbols trade on exchanges with different sessions:"
            f" {', '.join(sorted({stock.exchange for stock in stocks}))}.",
            field="symbols",
            remedy="Run one backtest an exchange.",
        )
    (calendar,) = calendars.values()
    bars = [await _history(stored, stock.symbol, strategy, request, calendar) for stock in stocks]
    return Source(
        name=dataset,
        bars=bars,
        actions=await corporate_actions.load(pool, dataset, request.symbols),
        calendar=calendar,
        instruments=await instruments.load(pool),
        limits=await _account_limits(pool),
    )


async def _history(
    stored: StockData,
    symbol: str,
    strategy: BaseStrategy,
    request: BacktestRequest,
    calendar: TradingCalendar,
) -> BarBatch:
    """Bars up to the end, from the block that holds the start and what is needed before it."""
    timeframe, start = request.timeframe, request.start
    if start is None:
        return await stored.bars(symbol, timeframe, None, request.end)
    needed = strategy.bars_needed(timeframe)
    anchor = _anchor(needed, timeframe, start, calendar)
    bars = await stored.bars(symbol, timeframe, min(anchor, start), request.end)
    count = _warm_up(needed, timeframe)
    before = await stored.bars(symbol, timeframe, None, min(anchor, start), count)
    whole = concatenate([before, bars])
    if len(traded(whole, start, request.end)):
        return whole
    return await stored.bars(symbol, timeframe)  # to be told what there is


def _anchor(
    needed: Iterable[Timeframe], timeframe: Timeframe, start: datetime, calendar: TradingCalendar
) -> datetime:
    """Where the blocks begin that `start` needs of each timeframe, or shortly before."""
    session = date.fromordinal(int(calendar.ordinals(np.array([to_ns(start)]))[0]))
    block = block_key(timeframe, session)
    first = min(block_key(one, block) for one in needed)
    # a session of currencies begins on the evening before
    return datetime(first.year, first.month, first.day, tzinfo=UTC) - timedelta(days=1)


def _warm_up(needed: Mapping[Timeframe, int], timeframe: Timeframe) -> int:
    """Bars to read for so many in regular hours: pre-market and after-hours may lie between.

    A longer bar is made of at most so many as fit into it, and the first may be incomplete.
    """
    longer = (
        (bars + 2) * (one.duration // timeframe.duration)
        for one, bars in needed.items()
        if one is not timeframe
    )
    return max(3 * needed[timeframe] + 1_000, *longer, 0)


async def _account_limits(pool: asyncpg.Pool) -> Limits:
    stored = await config.values(pool)
    known = set(Limits.__struct_fields__)
    values = {key: row["value"] for key, row in stored.items() if key in known}
    return msgspec.convert(values, Limits, strict=False)


def _outcome(report: Report) -> backtests.Outcome:
    result = report.result
    times, equity = thinned(result.times, result.equity, CURVE_POINTS)
    return backtests.Outcome(
        error=report.failure,
        bars=result.bars,
        seconds=result.seconds,
        final_equity=result.final_equity,
        total_return=report.curve.total_return,
        sharpe=report.curve.sharpe,
        max_drawdown=report.curve.max_drawdown,
        figures=value_of(report),
        causality=report.causality.verdict,
        data_fingerprint=result.fingerprint,
        journal_hash=result.journal_hash,
        artefact=backtests.pack(times, equity, result.executions),
    )
