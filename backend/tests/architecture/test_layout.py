"""The code lies where its name says: one noun one name, one job a file, no drawer for the rest."""

import ast
from pathlib import Path

from app.db.base import Base
from tests import order

BACKEND = Path(__file__).parents[2]
APP = BACKEND / "app"

OVER_OTHER_NOUNS = {
    "alert_rules": "system_config, where their thresholds are; rules themselves are code",
    "auth": "users, sessions and refresh_tokens",
    "dead_letters": "handler_deliveries",
    "data_quality": "bar_series, data_gaps and quarantine: what there is, what is missing or bad",
    "event_bus": "handler_deliveries and heartbeats: what is stored, and what workers say",
    "feeds": "feed_states",
    "imports": "data_imports",
    "jobs": "job_runs: what is declared in code has only its runs and states there",
    "options": "option_contracts and options_data, together a chain",
    "risk": "explanations, and a process that reads the journal with other limits",
    "trading_engine": "trading_state, alerts, config and events under the names asked for",
}
"""Endpoints without a repository of their own name, and whose they use."""


def nouns(folder: str) -> set[str]:
    return {path.stem for path in (APP / folder).glob("*.py")} - {"__init__", "base"}


def sources() -> list[Path]:
    return sorted(path for path in APP.rglob("*.py") if path.stat().st_size)


def name_of(path: Path) -> str:
    return str(path.relative_to(BACKEND))


def test_every_endpoint_has_its_schemas_under_the_same_name() -> None:
    assert nouns("api/endpoints") == nouns("api/schemas")


def test_every_endpoint_has_its_repository_under_the_same_name() -> None:
    assert nouns("api/endpoints") - nouns("repositories") == set(OVER_OTHER_NOUNS)


def test_models_are_singular_nouns_of_their_tables() -> None:
    tables = set(Base.metadata.tables)
    modules = nouns("models") - {"views"}
    strays = {m for m in modules if not {m, f"{m}s", f"{m.removesuffix('y')}ies"} & tables}
    assert strays == set()


def test_there_is_no_utils() -> None:
    words = {"util", "utils", "helper", "helpers", "misc", "common"}
    assert [name_of(p) for p in APP.rglob("*.py") if words & {*p.stem.split("_")}] == []
    assert [name_of(p) for p in APP.rglob("*") if p.is_dir() and p.name in words] == []


def test_a_file_begins_with_its_single_job() -> None:
    """One sentence, so that a list of first lines is a map of the program."""
    texts = {p: ast.get_docstring(ast.parse(p.read_text(encoding="utf-8"))) for p in sources()}
    assert [name_of(p) for p, text in texts.items() if not text] == []
    firsts = {name_of(p): (text or "").splitlines()[0] for p, text in texts.items()}
    assert {name: line for name, line in firsts.items() if not line.endswith(".")} == {}


def test_the_test_files_that_begin_first_are_there() -> None:
    assert [name for name in order.LONGEST if not (order.FOLDER / name).is_file()] == []


def test_functions_of_the_decision_core_are_short() -> None:
    long = [
        f"{name_of(path)}:{node.name} has {node.end_lineno - node.lineno + 1} lines"
        for package in ("domain", "risk", "engine", "strategies")
        for path in (APP / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno
        and node.end_lineno - node.lineno + 1 > 45
    ]
    assert long == []
