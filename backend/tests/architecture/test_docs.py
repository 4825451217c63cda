"""The documentation builds without a network, leads nowhere, and names only commands that exist."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli import COMMANDS
from app.core.env_example import option_classes
from app.core.options import variable_of

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
PAGES = [
    *sorted(DOCS.rglob("*.md")),
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "DEVELOPMENT.md", "CHANGELOG.md")),
]
NAV = (ROOT / "mkdocs.yml").read_text().split("\nnav:")[1]


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def test_it_builds_strictly_and_says_nothing(tmp_path: Path) -> None:
    site = tmp_path / "site"
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", site],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "HTTPS_PROXY": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (built.returncode, built.stdout + built.stderr) == (0, "")
    assert "decide" in (site / "reference" / "index.html").read_text()


def test_every_page_has_its_place() -> None:
    assert set(re.findall(r"([\w-]+\.md)", NAV)) == {path.name for path in DOCS.rglob("*.md")}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(), flags=re.DOTALL)
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", prose)
    assert [link for link in links if not (page.parent / link).exists()] == []


def calls(text: str) -> Iterator[list[str]]:
    """The words after `tradewright` wherever a command is quoted."""
    fenced = "\n".join(re.findall(r"```[^\n]*\n(.*?)```", text, re.DOTALL))
    quoted = re.findall(r"`(?:\.venv/bin/)?(tradewright [a-z][^`]*)`", text)
    for line in [*fenced.splitlines(), *quoted]:
        for call in re.findall(r"(?:^|(?<!from)[\s(/])tradewright ((?:[a-z-]+ ?)+)", line):
            yield call.split()


@pytest.mark.parametrize("page", [p for p in PAGES if p.name != "where-is.md"], ids=named)
def test_commands_that_it_names_exist(page: Path) -> None:
    assert {call[0] for call in calls(page.read_text())} - COMMANDS.keys() == set()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_variables_that_it_names_exist(page: Path) -> None:
    known = {variable_of(cls, name) for cls in option_classes() for name in cls.model_fields}
    known |= {"DB_URL", "REPLAY", "TRADEWRIGHT_ENV_FILE"}
    known |= {"TRADEWRIGHT_TEST_DATABASE_URL", "TRADEWRIGHT_TEST_REDIS_URL"}
    prefixes = r"TRADEWRIGHT|API|DATABASE|REDIS|LOG|SIMULATOR|IBKR|ALPACA|TWELVE_DATA|DATABENTO"
    found = set(re.findall(rf"`((?:{prefixes})_[A-Z_]*[A-Z])[=`]", page.read_text()))
    assert found - known - {"API_RETRY_CONFIG"} == set()


def test_the_layers_of_the_architecture_page_are_those_that_lint_holds() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = config["tool"]["importlinter"]["contracts"]
    held = next(c["layers"] for c in contracts if c["type"] == "layers")
    block = (ROOT / "ARCHITECTURE.md").read_text().split("## Layers")[1].split("```")[1]
    drawn = [re.split(r"\s{2,}", line)[0] for line in block.strip().splitlines()]
    assert drawn == held


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "DEVELOPMENT.md"])
def test_files_that_it_names_exist(name: str) -> None:
    text = (ROOT / name).read_text()
    named = re.findall(r"`([a-z_]+/[\w/]+(?:\.py|/))`", text)
    places = (ROOT, ROOT / "backend", ROOT / "backend" / "app")
    assert [path for path in named if not any((p / path).exists() for p in places)] == []
