"""The public surface stays as it is, unless somebody means to change it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import tradewright
import tradewright.testing

DOCS = Path(__file__).parents[3] / "docs"


def test_the_names_for_writing_a_strategy() -> None:
    assert tradewright.__all__ == [
        *("Array", "Columns", "InvalidInput", "Opinion", "Panel", "PanelRow", "PanelStrategy"),
        *("Row", "Strategy", "View", "parameter", "ta"),
    ]
    assert all(hasattr(tradewright, name) for name in tradewright.__all__)


def test_the_names_for_testing_one() -> None:
    assert tradewright.testing.__all__ == [
        *("Report", "bars_of", "load_file", "opinions", "panel_opinions", "sample_bars"),
        "validate",
    ]
    assert all(hasattr(tradewright.testing, name) for name in tradewright.testing.__all__)


def test_it_holds_re_exports_only() -> None:
    for module in (tradewright, tradewright.testing):
        own = [
            name
            for name, value in vars(module).items()
            if getattr(value, "__module__", None) == module.__name__
        ]
        assert own == []


def examples() -> list[str]:
    """The Python files shown on the page about writing strategies."""
    text = (DOCS / "strategies.md").read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_the_strategies_on_the_page_are_valid(tmp_path: Path, index: int) -> None:
    path = tmp_path / "shown.py"
    path.write_text(examples()[index])
    report = tradewright.testing.validate(path)
    assert report.problems == ()
    assert report.warnings == ()


def test_the_test_on_the_page_passes(tmp_path: Path) -> None:
    for scaffold in (["my_idea"], ["my_panel", "--panel"]):
        command = ["-c", "from app.cli import main; main()", "strategy", "new", *scaffold]
        subprocess.run([sys.executable, *command], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "test_shown.py").write_text(examples()[3])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "9 passed" in done.stdout  # two of the page, three and four of the scaffolds
