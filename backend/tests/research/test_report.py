"""The report as JSON, rows and page."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import numpy as np
import pytest

from app.domain.market import Timeframe
from app.research.charts import bar_chart, compact, line_chart
from app.research.figures import figure_pairs, money, number, percent, remarks, span
from app.research.page import months_table, page_of
from app.research.report import BacktestRequest, Report, equity_rows, trade_rows, value_of
from app.services.backtests import run_on_files
from app.strategies.catalog import Catalogue
from tests.factories import make_batch, ns
from tests.research.test_sources import write

RELIED_UPON = (
    "bars", "seconds", "bars_per_second", "trades", "final_equity", "total_return", "sharpe",
    "max_drawdown", "causality", "data_fingerprint", "journal_hash",
)  # fmt: skip


def report(folder: Path, **asked: object) -> Report:
    closes = np.round(100 + 3 * np.sin(np.arange(900) / 12), 2).tolist()
    request = BacktestRequest(
        strategy="sma_cross", symbols=("AAPL",), timeframe=Timeframe.M1, parameters={"slow": 20}
    )
    request = msgspec.structs.replace(request, **asked)
    return run_on_files(Catalogue(), request, write(folder, make_batch(closes, volume=1e6)))


def test_the_documented_keys_are_there_and_json_can_hold_all_of_it(tmp_path: Path) -> None:
    value = value_of(report(tmp_path))

    assert set(RELIED_UPON) <= set(value)
    again = json.loads(json.dumps(value, allow_nan=False))
    assert again["final_equity"] == value["final_equity"]
    assert (again["bars"], again["limits"], again["causality"]) == (900, "account", "causal")
    assert again["limits_applied"]["max_position_size"] == "0.05"
    assert again["start"] == "2024-03-01T14:30:00Z"
    assert len(again["data_fingerprint"]) == len(again["journal_hash"]) == 64


def test_the_rows_add_up_to_the_result(tmp_path: Path) -> None:
    found = report(tmp_path)
    trades, points = list(trade_rows(found.result)), list(equity_rows(found.result))

    assert [row["number"] for row in trades] == list(range(1, len(trades) + 1))
    spent = sum(one.entry_value + one.trip_commission for one in found.open_positions)
    assert 100_000 + sum(row["pnl"] for row in trades) - spent == found.result.final_cash
    assert len(points) == 900
    assert points[-1]["equity"] == float(found.result.final_equity)
    assert points[0]["at"] == "2024-03-01T14:31:00Z"
    assert max(row["drawdown"] for row in points) == pytest.approx(found.curve.max_drawdown)


class Tags(HTMLParser):
    """Collects what a page would load and whether its tags are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "line", "rect", "polyline", "polygon"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing(tmp_path: Path) -> None:
    page = page_of(report(tmp_path))
    tags = Tags()
    tags.feed(re.sub(r"<(rect|line|polyline|polygon)([^>]*)/>", r"<\1\2>", page))

    assert tags.open == []
    assert tags.loads == []
    assert "://" not in page
    assert "$" not in page.replace("${", "")
    assert "prefers-color-scheme: dark" in page
    assert page.count("<svg") == 3


def test_a_page_escapes_what_came_from_outside(tmp_path: Path) -> None:
    found = report(tmp_path)
    found.source = "</script><b>"
    found.notes.append("<i>")

    page = page_of(found)

    assert "</script><b>" not in page
    assert "&lt;i&gt;" in page


def test_remarks_name_limits_denials_and_the_causality(tmp_path: Path) -> None:
    limited, free = report(tmp_path), report(tmp_path, limits="none")
    limited.result.journal.denials["drawdown"] = 3
    limited.backtest_id = 7

    said = " ".join(remarks(limited))

    assert "5% of the equity" in said
    assert "Denied 3 times: drawdown. " in said
    assert "does not look ahead" in said
    assert "Kept as backtest 7." in said
    assert "none were applied" in " ".join(remarks(free))


def test_what_is_still_open_is_told(tmp_path: Path) -> None:
    found = report(tmp_path, strategy="buy_and_hold", parameters={})

    assert len(found.open_positions) == 1
    assert "Still open: 5" in next(remarks(found))
    assert found.trading.trades == 0
    assert "There was no round trip." in page_of(found)


@pytest.mark.parametrize("verdict", ["looks_ahead", "unchecked"])
def test_doubtful_results_are_marked(tmp_path: Path, verdict: str) -> None:
    found = report(tmp_path)
    found.causality = msgspec.structs.replace(
        found.causality, verdict=type(found.causality.verdict)(verdict)
    )

    assert '<p class="warning">Causality' in page_of(found)


def test_every_figure_has_words_even_without_a_value(tmp_path: Path) -> None:
    pairs = dict(figure_pairs(report(tmp_path, strategy="buy_and_hold", parameters={})))

    assert pairs["Winners"] == "none"
    assert (money(None), percent(None), number(None), span(None)) == ("none",) * 4
    assert (span(600), span(7_200), span(864_000)) == ("10 min", "2.0 h", "10.0 days")


def test_charts_stand_a_flat_curve_one_point_and_many_trades() -> None:
    flat = line_chart("equity", np.full(3, 100.0), ["a", "b", "c"], 100.0)
    single = line_chart("drawdown", np.zeros(1), ["a"], 0.0)

    assert "nan" not in flat + single
    assert bar_chart([1.0, -2.0] * 500).count("<rect") == 240
    assert "nan" not in bar_chart([0.0])
    assert (compact(9_999.5), compact(123_456.7)) == ("9,999.50", "123,457")


def test_months_are_chained_from_the_first_equity() -> None:
    times = np.array([ns("2024-01-31 21:00"), ns("2024-02-01 21:00"), ns("2025-02-28 21:00")])

    table = months_table(times, np.array([110.0, 99.0, 99.0]), 100.0)

    assert re.findall(r"(-?\d+\.\d+)%", table) == ["10.00", "-10.00", "0.00"]
    assert ">2024<" in table
    assert ">2025<" in table
    assert months_table(times[:1], np.array([110.0]), 100.0) == ""
