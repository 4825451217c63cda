"""The figures of a backtest in words, for a terminal and a page alike."""

from collections.abc import Iterator
from decimal import Decimal

from app.domain.denials import MEANING, Denial
from app.research.causality import Verdict
from app.research.report import Report

NONE = "none"


def figure_pairs(report: Report) -> list[tuple[str, str]]:
    """Name and value of each figure, the money first."""
    result, curve, trading = report.result, report.curve, report.trading
    return [
        ("Final equity", money(result.final_equity)),
        ("Total return", percent(curve.total_return)),
        ("Return a year", percent(curve.cagr)),
        ("Volatility a year", percent(curve.volatility)),
        ("Sharpe ratio", number(curve.sharpe)),
        ("Sortino ratio", number(curve.sortino)),
        ("Largest drawdown", percent(-curve.max_drawdown)),
        ("Time in the market", percent(trading.exposure_time)),
        ("Commissions", money(trading.commissions)),
        ("Turnover", f"{trading.turnover:,.1f} times"),
        ("Round trips", f"{trading.trades:,}"),
        ("Winners", percent(trading.win_rate)),
        ("Profit factor", number(trading.profit_factor)),
        ("Average trade", money(trading.average_trade)),
        ("Average win", money(trading.average_win)),
        ("Average loss", money(trading.average_loss)),
        ("Best trade", money(trading.best_trade)),
        ("Worst trade", money(trading.worst_trade)),
        ("Average holding", span(trading.average_holding_seconds)),
        ("Expectancy", number(trading.expectancy)),
    ]


def remarks(report: Report) -> Iterator[str]:
    """Sentences: what is still open, which limits were at work, and what to be careful about."""
    result = report.result
    for position in report.open_positions:
        yield (
            f"Still open: {position.quantity:f} {position.symbol}"
            f" at {position.average_price.normalize():f}."
        )
    yield _limits(report)
    for code, count in result.journal.denials.most_common():
        yield f"Denied {count} times: {code}. {MEANING[Denial(code)]}"
    yield _causality(report)
    if report.failure:
        yield f"The strategy failed: {report.failure}"
    yield from report.notes
    rate = result.bars / result.seconds
    yield f"{result.bars:,} bars in {result.seconds:.2f} s ({rate:,.0f} a second)."
    if report.backtest_id is not None:
        yield f"Kept as backtest {report.backtest_id}."


def _limits(report: Report) -> str:
    if report.request.limits == "none":
        return "Limits: none were applied (--limits none)."
    limits = report.result.limits
    return (
        f"Limits: the account's, such as {limits.max_position_size:.0%} of the equity a position"
        f" and {limits.max_portfolio_exposure:.0%} in all."
    )


def _causality(report: Report) -> str:
    found = report.causality
    match found.verdict:
        case Verdict.CAUSAL:
            return f"Causality: the strategy does not look ahead. {found.detail}"
        case Verdict.LOOKS_AHEAD:
            return f"Causality: THE STRATEGY LOOKS AHEAD; its results mean nothing. {found.detail}"
        case Verdict.UNCHECKED:
            return f"Causality: could not be checked. {found.detail}"


def money(value: Decimal | None) -> str:
    return NONE if value is None else f"{value:,.2f}"


def percent(value: float | None) -> str:
    return NONE if value is None else f"{value:.2%}"


def number(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f}"


def span(seconds: float | None) -> str:
    """`42 min`, `3.2 h`, `5.1 days`."""
    if seconds is None:
        return NONE
    if seconds < 5_400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"
