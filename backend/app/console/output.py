"""How commands answer: JSON for programs, lines and tables for people."""

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def show(value: object, lines: str | Iterable[str], *, as_json: bool) -> None:
    """Print `value` as JSON, or else the lines for a person."""
    if as_json:
        print(json.dumps(value, default=str, indent=2))
        return
    for line in [lines] if isinstance(lines, str) else lines:
        print(line)


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[str]:
    """Aligned columns under their names; one line says so when there is nothing."""
    if not rows:
        return ["Nothing to show."]
    cells = [list(columns), *([_text(row.get(column)) for column in columns] for row in rows)]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]


def _text(value: object) -> str:
    """As a person writes it: no padding zeros, no brackets around lists."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    if isinstance(value, Decimal):
        plain = f"{value:f}"
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    return str(value)
