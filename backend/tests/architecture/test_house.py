"""What lies around the code is true: ignored files, workflow, hooks, make targets, clean paths."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z][a-z0-9-]*):", MAKEFILE, re.MULTILINE))


@cache
def tracked() -> list[Path]:
    """Files under version control; the test is skipped in a copy without it."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("this copy is not under version control")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def texts() -> Iterator[tuple[str, str]]:
    """Name and content of every tracked text file."""
    for path in tracked():
        content = path.read_bytes()
        if b"\0" not in content[:8000]:
            yield str(path.relative_to(ROOT)), content.decode("utf-8")


def commands_of(workflow: Any) -> list[str]:
    return [
        step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step
    ]


# ------------------------------------------------------------------------------- around git


@pytest.mark.parametrize(
    "name",
    [
        *("backend/app/__pycache__/x.pyc", ".venv/bin/python", "tradewright.egg-info/PKG-INFO"),
        *(".coverage", ".coverage.host.1", ".mypy_cache/x", ".hypothesis/x", "site/index.html"),
        *("frontend/node_modules/x/y.js", "frontend/dist/index.html", "frontend/test-results/x"),
        *(".env", ".env.local", ".tradewright/secret.key", ".tradewright-2/secret.key"),
        *("logs/api.log",),
    ],
)
def test_what_is_made_or_secret_is_ignored(name: str) -> None:
    tracked()
    asked = subprocess.run(["git", "check-ignore", "-q", name], cwd=ROOT, check=False)
    assert asked.returncode == 0


@pytest.mark.parametrize("name", [".env.example", "frontend/public/icon.svg", "backend/config/x"])
def test_what_is_ours_is_not_ignored(name: str) -> None:
    tracked()
    asked = subprocess.run(["git", "check-ignore", "-q", name], cwd=ROOT, check=False)
    assert asked.returncode == 1


def test_no_tracked_file_names_this_machine_or_a_package_host() -> None:
    machine = re.compile(r"/(?:home|Users)/[a-z]\w+/|/root/|(?<![\w.$}])/work/(?:main|shared)")
    hosts = re.compile(r"https?://[\w.-]*(?:pypi|pythonhosted|npmjs|artifact|nexus|mirror)[\w.-]*")
    found = {
        name: match.group()
        for name, text in texts()
        if name != "backend/tests/architecture/test_house.py"
        and (match := machine.search(text) or hosts.search(text))
    }
    assert found == {}


def test_no_real_market_data_is_committed(shared_data: Path) -> None:
    theirs = {path.name for path in shared_data.rglob("*") if path.is_file()} - {"README.md"}
    assert [path for path in tracked() if path.name in theirs] == []
    assert [path for path in tracked() if path.stat().st_size > 2 * 1024**2] == []


# --------------------------------------------------------------------------- what is called


def test_the_workflow_calls_what_exists() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text())
    commands = commands_of(workflow)
    assert "make test" in commands
    called = {t for line in commands for t in re.findall(r"\bmake ([a-z-]+)", line)}
    assert called <= TARGETS
    files = re.findall(r"requirements[\w-]*\.txt", " ".join(commands))
    assert all((ROOT / name).is_file() for name in files)


def test_the_workflow_tests_every_python_that_the_project_promises() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text())
    promised = re.search(r'requires-python = "(.+)"', (ROOT / "pyproject.toml").read_text())
    assert promised
    assert promised[1] == ">=3.11,<3.14"
    matrix = workflow["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["python"] == ["3.11", "3.12", "3.13"]


def test_the_hooks_call_tools_that_are_installed() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = {hook["id"]: hook["entry"] for repo in config["repos"] for hook in repo["hooks"]}
    assert {"ruff", "ruff-format", "mypy", "bandit"} <= set(hooks)
    lock = (ROOT / "requirements-dev.txt").read_text()
    packages = {"lint-imports": "import-linter"}
    for entry in hooks.values():
        tool = entry.split()[0].removeprefix(".venv/bin/")
        assert f"\n{packages.get(tool, tool)}==" in f"\n{lock}"


def test_ci_runs_the_command_that_people_run() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert script.read_text().rstrip().endswith("exec make test")


def test_every_make_target_has_a_line_of_help_or_is_a_part_of_one() -> None:
    explained = set(re.findall(r"^([a-z][a-z0-9-]*):.*## ", MAKEFILE, re.MULTILINE))
    parts = {word for line in MAKEFILE.splitlines() if "$(MAKE)" in line for word in line.split()}
    assert TARGETS - explained - parts == set()


@pytest.mark.parametrize("name", ["README.md", "DEVELOPMENT.md", "ARCHITECTURE.md", "docs"])
def test_make_targets_named_in_the_documents_exist(name: str) -> None:
    place = ROOT / name
    pages = place.glob("*.md") if place.is_dir() else [place]
    named = {
        target
        for page in pages
        for target in re.findall(r"`make ([a-z][a-z0-9-]*)", page.read_text())
    }
    assert named - TARGETS == set()


def test_every_license_is_the_same() -> None:
    assert (ROOT / "LICENSE").read_text().lstrip().startswith("Apache License")
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text()
    assert '"license": "Apache-2.0"' in (ROOT / "frontend" / "package.json").read_text()


def test_no_directory_is_kept_for_later() -> None:
    """An empty folder promises what is not there."""
    for folder in ("infrastructure", "backend/config", "docs"):
        empty = [p for p in (ROOT / folder).rglob("*") if p.is_dir() and not any(p.iterdir())]
        assert empty == []
