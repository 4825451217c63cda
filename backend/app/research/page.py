"""A backtest as one page: figures, equity, drawdown and trades, without anything from a network."""

import json
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from string import Template
from typing import Any, Final

import numpy as np

from app.marketdata.batch import Nanos, to_datetime
from app.research.causality import Verdict
from app.research.charts import bar_chart, compact, line_chart
from app.research.figures import figure_pairs, remarks
from app.research.performance import Floats, drawdowns, thinned
from app.research.report import TRADE_COLUMNS, Report, trade_rows

POINTS: Final = 1_500
TRADES: Final = 2_000
"Round trips that the page lists; the CSV has all of them."
_TEXT: Final = frozenset({"symbol", "direction", "entry_at", "exit_at", "exit_leg"})


def page_of(report: Report) -> str:
    """The whole page as HTML."""
    result, request = report.result, report.request
    initial = float(result.initial_cash)
    times, equity = thinned(result.times, result.equity, POINTS)
    falls = _falls(result.times, result.equity, times, initial)
    labels = _labels(times)
    values = [compact(value) for value in equity.tolist()]
    curve = {"x": labels, "equity": values, "drawdown": [f"{-fall:.2%}" for fall in falls.tolist()]}
    template = Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=escape(f"Backtest of {request.strategy}"),
        strategy=escape(request.strategy),
        subtitle=escape(
            f"{', '.join(request.symbols)} {request.timeframe} · {report.start:%Y-%m-%d %H:%M}"
            f" to {report.end:%Y-%m-%d %H:%M} UTC · {report.source}"
        ),
        parameters=escape(", ".join(f"{k} = {v}" for k, v in request.parameters.items())),
        remarks="".join(_remark(line, report) for line in remarks(report)),
        figures="".join(
            f"<div><span>{escape(name)}</span><b>{escape(value)}</b></div>"
            for name, value in figure_pairs(report)
        ),
        equity=line_chart("equity", equity, labels, initial),
        drawdown=line_chart("drawdown", -falls, labels, 0.0),
        results=bar_chart([float(trade.pnl) for trade in result.trades]),
        months=months_table(result.times, result.equity, initial),
        shown=_shown(len(result.trades)),
        trades=trades_table(list(trade_rows(result))[:TRADES]),
        fingerprint=result.fingerprint[:16],
        hash=result.journal_hash[:16],
        # In a script only `</` could end it early.
        curve=json.dumps(curve).replace("</", "<\\/"),
    )


def months_table(times: Nanos, equity: Floats, initial: float) -> str:
    """Return of each calendar month, when there is more than one."""
    months = times.astype("datetime64[ns]").astype("datetime64[M]")
    lasts = np.append(np.flatnonzero(months[1:] != months[:-1]), len(months) - 1)
    if len(lasts) < 2:
        return ""
    ends = equity[lasts]
    returns = ends / np.concatenate([[initial], ends[:-1]]) - 1
    by_year: dict[str, dict[int, float]] = {}
    for month, value in zip(months[lasts].astype(str).tolist(), returns.tolist(), strict=True):
        by_year.setdefault(month[:4], {})[int(month[5:])] = value
    head = "".join(f"<th>{month:02}</th>" for month in range(1, 13))
    rows = "".join(
        f'<tr><td class="text">{year}</td>'
        + "".join(_signed(found.get(month)) for month in range(1, 13))
        + "</tr>"
        for year, found in by_year.items()
    )
    table = f'<table><tr><th class="text">Year</th>{head}</tr>{rows}</table>'
    return f'<h2>Return by month</h2><div class="scroll">{table}</div>'


def trades_table(rows: Iterable[Mapping[str, Any]]) -> str:
    head = "".join(f"<th{_class(name)}>{name.replace('_', ' ')}</th>" for name in TRADE_COLUMNS)
    lines = [f"<tr>{head}</tr>"]
    for row in rows:
        cells = "".join(
            f"<td{_class(name, row)}>{_cell(name, row[name])}</td>" for name in TRADE_COLUMNS
        )
        lines.append(f"<tr>{cells}</tr>")
    return "\n".join(lines)


# ------------------------------------------------------------------------------------- pieces


def _remark(line: str, report: Report) -> str:
    is_bad = line.startswith("The strategy failed") or (
        line.startswith("Causality") and report.causality.verdict is not Verdict.CAUSAL
    )
    return f'<p class="{"warning" if is_bad else "note"}">{escape(line)}</p>'


def _shown(count: int) -> str:
    if count <= TRADES:
        return f"{count:,} round trips, in order of exit."
    return f"The first {TRADES:,} of {count:,}; --trades writes all of them."


def _falls(times: Nanos, equity: Floats, kept: Nanos, initial: float) -> Floats:
    """Drawdowns of the whole curve at the points that are kept."""
    return drawdowns(equity, initial)[np.searchsorted(times, kept)]


def _labels(times: Nanos) -> list[str]:
    return [f"{to_datetime(at):%Y-%m-%d %H:%M}" for at in times.tolist()]


def _signed(value: float | None) -> str:
    if value is None:
        return "<td></td>"
    return f'<td class="{"up" if value >= 0 else "down"}">{value:.2%}</td>'


def _class(name: str, row: Mapping[str, Any] | None = None) -> str:
    if name in _TEXT:
        return ' class="text"'
    if name == "pnl" and row is not None:
        return ' class="up"' if row["pnl"] >= 0 else ' class="down"'
    return ""


def _cell(name: str, value: object) -> str:
    text = str(value)
    return escape(text.replace("T", " ").removesuffix("Z") if name.endswith("_at") else text)
