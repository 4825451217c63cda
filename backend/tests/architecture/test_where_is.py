"""docs/where-is.md: what it calls here is here, and every name of the documents has a row."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.api.document import DOCUMENT

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "where-is.md").read_text()
HERE = "**here**"
STATUSES = re.compile(
    r"\*\*here\*\*|\u2013|\*to come\*: (?:market data|order path|research|operations|user interface"
    r"|agents|shipping)(?:, (?:market data|order path|operations|agents|shipping))*"
)
PATH = re.compile(r"(?:app|backend|frontend|docs|infrastructure|\.github|\.ci|alembic|models)/\S*")
AT_ROOT = re.compile(
    r"\.?[\w.-]+\.(?:md|ini|yml|yaml|txt|toml)|\.gitignore|\.env\.example|Makefile"
)


class Row(NamedTuple):
    """One line of a table with a status."""

    asked: str
    home: str
    status: str


def rows() -> list[Row]:
    found = []
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| ") and len(cells) == 3 and cells[2].strip("| ") not in ("Status", ""):
            found.append(Row(cells[0], cells[1], cells[2].strip("| ")))
    return found


def paths(text: str) -> Iterator[Path]:
    """Every path in backticks; `{a,b}` stands for both, `app/` for `backend/app/`."""
    for code in re.findall(r"`([^`]+)`", text):
        if not (PATH.fullmatch(code) or AT_ROOT.fullmatch(code)):
            continue
        head, brace, rest = code.partition("{")
        names, _, tail = rest.partition("}")
        for name in [head + one + tail for one in names.split(",")] if brace else [code]:
            is_app = name.startswith(("app/", "models/"))
            yield ROOT / (f"backend/{'app/' * (name[0] == 'm')}{name}" if is_app else name)


def test_the_page_has_its_rows_and_each_a_status() -> None:
    assert len(rows()) > 110
    assert [row for row in rows() if not STATUSES.fullmatch(row.status)] == []


@pytest.mark.parametrize("row", [r for r in rows() if r.status == HERE], ids=lambda r: r.asked)
def test_what_is_here_is_here(row: Row) -> None:
    missing = [str(path.relative_to(ROOT)) for path in paths(row.home) if not path.exists()]
    assert missing == []


def test_a_name_that_is_the_same_exists_under_that_name() -> None:
    same = [r for r in rows() if r.status == HERE and r.home.startswith("the same")]
    strangers = {"alembic/env.py": "backend/alembic/env.py", "core/logging.py": None, ".env": None}
    missing = [
        code
        for row in same
        for code in re.findall(r"`([\w./-]+/|[\w./-]+\.\w+)`", row.asked)
        if code not in strangers
        and not any((ROOT / p / code).exists() for p in ("", "backend/app"))
    ]
    assert missing == []


def test_what_is_to_come_is_not_here_yet() -> None:
    """Whoever builds one of them is reminded to say so here."""
    first = {row.asked: next(paths(row.home), None) for row in rows() if "to come" in row.status}
    known = {"Fernet encryption", "`src/utils/notifications.py`"}
    known |= {"`app/trading_engine/event_bus.py`", "Quiver and Alpaca dependency checks"}
    known |= {"`monitoring/metrics/custom_metrics.py`"}
    present = [asked for asked, path in first.items() if path and path.exists()]
    assert [asked for asked in present if asked not in known] == []


def test_every_route_that_it_names_is_served() -> None:
    served = set(DOCUMENT["paths"])
    section = PAGE.split("## 6.")[1].split("## 7.")[0]
    plain = {"/ping", "/health", "/system"}
    engine = {
        f"/api/trading-engine/{name}"
        for name in ("health", "metrics", "alerts", "config", "event-history", "emergency-stop")
    }
    assert plain | engine | {"/api/trading-engine/alerts/{alert_id}/resolve"} <= served
    assert all(name in section for name in plain)


@pytest.mark.parametrize(
    "name",
    [
        *("src/agents/", "src/data/migrations/", "config/agents.json", "alpaca_api_key"),
        *("TradingEvent", "event_bus.py", "TradingEngineStatus.jsx", "TradingEnginePage.jsx"),
        *("databento_client.py", "redis_manager.py", "redis.conf", "002_hypertables.sql"),
        *("terraform/", "main_dashboard.json", "build_and_push.sh", "test_cache_performance.py"),
        *("stock_prices", "trading_system_config", "agent_positions", "DB_URL", "ECS_CLUSTER_NAME"),
    ],
)
def test_a_name_of_the_documents_has_a_row(name: str) -> None:
    assert any(name in line for line in PAGE.splitlines() if line.startswith("| "))
