"""docs/security.md: every item of level 1 is there, and every test that it names exists."""

import re
from pathlib import Path

import pytest

from app.core.environment import project_root

ROWS = [
    [cell.strip() for cell in line.strip("|\n").split("|")]
    for line in (project_root() / "docs" / "security.md").read_text().splitlines()
    if re.match(r"\| \d+\.\d+\.\d+ \|", line)
]
NAMED = sorted({(item, one) for item, *_, shown in ROWS for one in re.findall(r"`([^`]+)`", shown)})


def test_each_of_the_70_items_is_there_once() -> None:
    items = [row[0] for row in ROWS]
    assert len(items) == len(set(items)) == 70
    assert items == sorted(items, key=lambda item: tuple(map(int, item.split("."))))


def test_each_item_has_a_state_and_says_why_where_it_is_not_whole() -> None:
    for item, _, state, how, shown in ROWS:
        assert state in ("yes", "partly", "n/a"), item
        assert how or shown, item
        assert state == "yes" or how, item


@pytest.mark.parametrize(("item", "named"), NAMED)
def test_what_an_item_names_exists(item: str, named: str) -> None:
    if named.startswith("make "):
        makefile = (project_root() / "Makefile").read_text()
        assert re.search(rf"^{named.removeprefix('make ')}:", makefile, re.MULTILINE)
        return
    path, _, test = named.partition("::")
    root = project_root() / ("" if path.startswith("frontend") else "backend")
    file: Path = root / path
    assert file.is_file(), (item, named)
    if test:
        assert re.search(rf"def {test}\b", file.read_text()), (item, named)
