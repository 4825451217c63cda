"""What a backtest tells: every figure with what was asked, as JSON, as rows and for a page."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Literal

import msgspec
import numpy as np

from app.domain.events import CashMoved, PositionAdjusted
from app.domain.limits import UNLIMITED, Limits
from app.domain.market import Timeframe
from app.domain.portfolio import Position
from app.marketdata.batch import to_datetime, to_datetimes
from app.marketdata.calendar import TradingCalendar
from app.research.backtest import BacktestResult
from app.research.causality import Causality
from app.research.performance import (
    CurveFigures,
    CurveTally,
    Move,
    TradeFigures,
    drawdowns,
    periods_per_year,
    trade_figures,
)

TRADE_COLUMNS: Final = (
    "number",
    "symbol",
    "direction",
    "quantity",
    "entry_at",
    "entry_price",
    "exit_at",
    "exit_price",
    "commission",
    "pnl",
    "exit_leg",
)
EQUITY_COLUMNS: Final = ("at", "equity", "drawdown")
LimitsName = Literal["account", "none"]


class BacktestRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be tried. `end` is exclusive; without `capital` the limits say how much."""

    strategy: str
    symbols: tuple[str, ...]
    timeframe: Timeframe
    parameters: dict[str, Any] = {}
    start: datetime | None = None
    end: datetime | None = None
    cash: Decimal = Decimal(100_000)
    capital: Decimal | None = None
    limits: LimitsName = "account"


class Report(msgspec.Struct, kw_only=True):
    """A finished backtest."""

    request: BacktestRequest
    source: str
    "The data set, or the file or folder, that the bars came from."
    result: BacktestResult
    start: datetime
    "Start of the first bar that was traded."
    curve: CurveFigures
    trading: TradeFigures
    causality: Causality
    open_positions: list[Position]
    notes: list[str]
    backtest_id: int | None = None

    @property
    def failure(self) -> str | None:
        """Why the strategy stopped before the end; None when it did not."""
        failures = self.result.journal.failures
        return (
            f"{failures[0].reason} (at {failures[0].at:%Y-%m-%d %H:%M} UTC)" if failures else None
        )

    @property
    def end(self) -> datetime:
        """End of the last slice."""
        return to_datetime(int(self.result.times[-1]))


def limits_named(name: LimitsName, account: Limits | None = None) -> Limits:
    """The limits of an account (those of a new one without `account`), or none."""
    return UNLIMITED if name == "none" else account or Limits()


def report_of(
    request: BacktestRequest,
    result: BacktestResult,
    *,
    source: str,
    start: datetime,
    causality: Causality,
    calendar: TradingCalendar,
    notes: Sequence[str] = (),
) -> Report:
    """All figures of a result."""
    tally = CurveTally(start, float(result.initial_cash))
    tally.add(result.times, result.equity)
    return Report(
        request=request,
        source=source,
        result=result,
        start=start,
        curve=tally.figures(periods_per_year(result.times, calendar)),
        trading=trade_figures(
            result.trades, result.executions, result.times, tally.average, _moves(result)
        ),
        causality=causality,
        open_positions=list(result.positions),
        notes=list(notes),
    )


def _moves(result: BacktestResult) -> list[Move]:
    """Shares that came or went by corporate actions."""
    events = (one for one in result.journal.adjustments if isinstance(one, PositionAdjusted))
    return [(one.position.symbol, one.at, one.position.quantity - one.before) for one in events]


def dividends(result: BacktestResult) -> Decimal:
    """Cash that dividends brought, or cost short positions."""
    events = (one for one in result.journal.adjustments if isinstance(one, CashMoved))
    return sum((one.amount for one in events if one.kind == "dividend"), Decimal(0))


def value_of(report: Report) -> dict[str, Any]:
    """The report as JSON has it: money and quantities as strings, fractions as numbers."""
    result, request = report.result, report.request
    plain: dict[str, Any] = {
        "strategy": request.strategy,
        "parameters": request.parameters,
        "symbols": list(request.symbols),
        "timeframe": request.timeframe,
        "source": report.source,
        "start": report.start,
        "end": report.end,
        "bars": result.bars,
        "visited": result.visited,
        "seconds": round(result.seconds, 6),
        "bars_per_second": round(result.bars / result.seconds, 1),
        "initial_cash": result.initial_cash,
        "final_cash": result.final_cash,
        "final_equity": result.final_equity,
        "dividends": dividends(result),
        **msgspec.structs.asdict(report.curve),
        **msgspec.structs.asdict(report.trading),
        "open_positions": [
            {"symbol": one.symbol, "quantity": one.quantity, "average_price": one.average_price}
            for one in report.open_positions
        ],
        "causality": report.causality.verdict,
        "causality_cuts": report.causality.cuts,
        "causality_detail": report.causality.detail,
        "limits": request.limits,
        "limits_applied": result.limits,
        "fill_model": result.model,
        "denials": dict(sorted(result.journal.denials.items())),
        "failure": report.failure,
        "notes": report.notes,
        "data_fingerprint": result.fingerprint,
        "journal_hash": result.journal_hash,
        "backtest_id": report.backtest_id,
    }
    value: dict[str, Any] = msgspec.to_builtins(plain)
    return value


def trade_rows(result: BacktestResult) -> Iterator[Mapping[str, Any]]:
    """The round trips, numbered from 1 in order of exit; `pnl` is net of `commission`."""
    for number, trade in enumerate(result.trades, 1):
        yield {
            "number": number,
            "symbol": trade.symbol,
            "direction": "long" if trade.quantity > 0 else "short",
            "quantity": abs(trade.quantity),
            "entry_at": iso(trade.entry_at),
            "entry_price": trade.entry_price,
            "exit_at": iso(trade.exit_at),
            "exit_price": trade.exit_price,
            "commission": trade.commission,
            "pnl": trade.pnl,
            "exit_leg": trade.exit_leg or "",
        }


def equity_rows(result: BacktestResult) -> Iterator[Mapping[str, Any]]:
    """The curve: equity at the end of every slice, with its fall from the height before."""
    falls = drawdowns(result.equity, float(result.initial_cash))
    for at, equity, fall in zip(
        to_datetimes(result.times),
        np.round(result.equity, 6).tolist(),
        np.round(falls, 9).tolist(),
        strict=True,
    ):
        yield {"at": iso(at), "equity": equity, "drawdown": fall}


def iso(at: datetime) -> str:
    """`2013-10-04T13:30:00Z`."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
