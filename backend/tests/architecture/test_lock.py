"""The lock files satisfy pyproject.toml, carry hashes, and name no host."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def pins(name: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for line in (ROOT / name).read_text().splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)", line):
            found.setdefault(canonicalize_name(match[1]), set()).add(match[2])
    return found


def wanted(*groups: str) -> list[str]:
    lists = [
        PYPROJECT["project"]["dependencies"],
        *(PYPROJECT["dependency-groups"][g] for g in groups),
    ]
    return [entry for group in lists for entry in group if isinstance(entry, str)]


@pytest.mark.parametrize(
    ("lock", "groups"),
    [("requirements.txt", ["build"]), ("requirements-dev.txt", ["build", "dev"])],
)
def test_every_dependency_is_pinned_as_pyproject_asks(lock: str, groups: list[str]) -> None:
    pinned = pins(lock)
    for requirement in map(Requirement, wanted(*groups)):
        versions = pinned.get(canonicalize_name(requirement.name), set())
        assert any(requirement.specifier.contains(v) for v in versions), f"{requirement} in {lock}"


@pytest.mark.parametrize("lock", ["requirements.txt", "requirements-dev.txt"])
def test_the_lock_has_hashes_and_names_no_host(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "--hash=sha256:" in text
    assert "://" not in re.sub(r"#.*", "", text)


def test_the_npm_lock_names_no_host() -> None:
    assert '"resolved"' not in (ROOT / "frontend" / "package-lock.json").read_text()


def test_a_run_needs_no_test_or_docs_package() -> None:
    assert not {"pytest", "mkdocs-material", "hypothesis", "mypy"} & pins("requirements.txt").keys()
