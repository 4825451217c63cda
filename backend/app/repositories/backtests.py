"""Backtests: the row of a run, its round trips, and one compressed artefact."""

import zlib
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import asyncpg
import msgspec
import numpy as np

from app.core import clock
from app.domain.events import BacktestFinished
from app.domain.executions import Execution
from app.domain.market import Timeframe
from app.domain.portfolio import Trade
from app.domain.ports import Entry
from app.repositories.journal import SharedJournal
from app.repositories.paging import Db

_START: Final = """
  INSERT INTO backtests (strategy, parameters, symbols, timeframe, dataset, start, "end",
    starting_cash, limits, created_by, status, started_at)
  VALUES ($1, $2::jsonb, $3, $4, $5, $6, $7, $8, $9, $10, 'running', now())
  RETURNING id"""

_FINISH: Final = """
  UPDATE backtests SET status = $2, error = $3, progress = 1, bars = $4, seconds = $5,
    final_equity = $6, total_return = $7, sharpe = $8, max_drawdown = $9, figures = $10::jsonb,
    causality = $11, data_fingerprint = $12, journal_hash = $13, artefact = $14,
    finished_at = now()
  WHERE id = $1 RETURNING strategy"""

_FAIL: Final = """
  UPDATE backtests SET status = 'failed', error = $2, finished_at = now() WHERE id = $1"""

_TRADE_COLUMNS: Final = (
    "backtest_id",
    "number",
    "symbol",
    "quantity",
    "entry_price",
    "exit_price",
    "entry_at",
    "exit_at",
    "commission",
    "pnl",
    "exit_leg",
)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a run was asked for, as its row keeps it."""

    strategy: str
    parameters: dict[str, Any]
    symbols: Sequence[str]
    timeframe: Timeframe
    dataset: str
    start: datetime | None
    end: datetime | None
    starting_cash: Decimal
    limits: str
    created_by: int | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `error` is why the strategy stopped early."""

    error: str | None
    bars: int
    seconds: float
    final_equity: Decimal
    total_return: float
    sharpe: float | None
    max_drawdown: float
    figures: dict[str, Any]
    causality: str
    data_fingerprint: str
    journal_hash: str
    artefact: bytes


async def start(db: Db, asked: Asked) -> int:
    """A new run, under way; returns its id."""
    found: int = await db.fetchval(
        _START,
        asked.strategy,
        msgspec.json.encode(asked.parameters).decode(),
        list(asked.symbols),
        asked.timeframe,
        asked.dataset,
        asked.start,
        asked.end,
        asked.starting_cash,
        asked.limits,
        asked.created_by,
    )
    return found


async def finish(
    pool: asyncpg.Pool,
    backtest_id: int,
    outcome: Outcome,
    trades: Sequence[Trade],
    journal: SharedJournal | None = None,
) -> None:
    """Keep the outcome and the round trips, and journal a run that came to its end: all or none."""
    rows = [
        (
            backtest_id,
            number,
            trade.symbol,
            trade.quantity,
            trade.entry_price,
            trade.exit_price,
            trade.entry_at,
            trade.exit_at,
            trade.commission,
            trade.pnl,
            trade.exit_leg,
        )
        for number, trade in enumerate(trades, 1)
    ]
    async with pool.acquire() as connection, connection.transaction():
        strategy = await connection.fetchval(
            _FINISH,
            backtest_id,
            "failed" if outcome.error else "finished",
            outcome.error,
            outcome.bars,
            outcome.seconds,
            outcome.final_equity,
            outcome.total_return,
            outcome.sharpe,
            outcome.max_drawdown,
            msgspec.json.encode(outcome.figures).decode(),
            outcome.causality,
            outcome.data_fingerprint,
            outcome.journal_hash,
            outcome.artefact,
        )
        await connection.copy_records_to_table(
            "backtest_trades", records=rows, columns=_TRADE_COLUMNS
        )
        if journal is not None and outcome.error is None:
            event = BacktestFinished(
                backtest_id=backtest_id,
                strategy=strategy,
                final_equity=outcome.final_equity,
                at=clock.now(),
            )
            await journal.append_within(connection, [Entry(event)])


async def fail(db: Db, backtest_id: int, error: str) -> None:
    """The run came to nothing, and why."""
    await db.execute(_FAIL, backtest_id, error)


class Artefact(msgspec.Struct, frozen=True, kw_only=True):
    """The curve (times in ns UTC) and the executions of a run."""

    times: list[int]
    equity: list[float]
    executions: list[Execution]


def pack(times: Any, equity: Any, executions: Sequence[Execution]) -> bytes:  # noqa: ANN401 - arrays
    """The artefact's bytes."""
    whole = Artefact(
        times=np.asarray(times).tolist(),
        equity=np.asarray(equity).tolist(),
        executions=list(executions),
    )
    return zlib.compress(msgspec.msgpack.encode(whole))


def unpack(artefact: bytes) -> Artefact:
    """The artefact that `pack` made."""
    return msgspec.msgpack.decode(zlib.decompress(artefact), type=Artefact)
