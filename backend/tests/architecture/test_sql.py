"""No value is ever written into SQL text: what an f-string puts there is a constant of the code."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

APP = Path(__file__).parents[2] / "app"
SQL = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|COPY)\b")
CONSTANT = re.compile(r"_?[A-Z][A-Z_]*(\.select|\.format\(.*\))?")
BUILDERS = {
    "repositories/fold_check.py",  # names of tables and columns declared in folds/tables.py
    "repositories/folds/rows.py",  # the same
    "db/readers.py",  # names of our tables and views
    "db/rollups.py",  # names of its own views, and buckets that it makes itself
    "db/timescale.py",  # its own table of hypertables
    "repositories/credentials.py",  # its own list of tables with sealed values
    "repositories/retention.py",  # its own rules, and chunks as the catalogue quotes them
    "repositories/paging.py",  # declared listings and numbered parameters
}


def interpolations(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.JoinedStr):
            continue
        text = "".join(str(v.value) for v in node.values if isinstance(v, ast.Constant))
        if SQL.search(text):
            for value in node.values:
                if isinstance(value, ast.FormattedValue):
                    yield node.lineno, ast.unparse(value.value)


def test_sql_is_put_together_from_constants_only() -> None:
    strange = [
        f"{path.relative_to(APP)}:{line} {expression}"
        for path in sorted(APP.rglob("*.py"))
        if str(path.relative_to(APP)) not in BUILDERS
        for line, expression in interpolations(path)
        if not CONSTANT.fullmatch(expression)
    ]
    assert strange == []


def test_the_builders_exist_and_say_where_their_names_come_from() -> None:
    assert all((APP / builder).is_file() for builder in BUILDERS)
