"""`tradewright bench`: measure this machine against the figures to reach."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from app.console.output import Json
from app.core.environment import project_root, variables
from app.core.errors import ConfigurationError, NotFound
from app.core.registry import suggestion

_LIST = (
    "import json; from benchmarks.catalogue import BENCHMARKS as b;"
    " print(json.dumps({name: one.title for name, one in b.items()}))"
)


def bench(
    names: Annotated[list[str] | None, typer.Argument(help="Which ones; default all.")] = None,
    listing: Annotated[bool, typer.Option("--list", help="Say what there is.")] = False,
    as_json: Json = False,
) -> None:
    """Run benchmarks, each in a process of its own, on servers of its own."""
    known = titles()
    for name in names or ():
        if name not in known:
            raise NotFound(f"There is no benchmark {name}.", remedy=suggestion(name, known))
    if listing:
        _say_what_there_is(known, as_json)
        return
    results: list[dict[str, Any]] = []
    failed: dict[str, str] = {}
    for name in names or known:
        print(f"{name}: {known[name]} …", file=sys.stderr)
        try:
            results += measured(name)
        except RuntimeError as error:
            failed[name] = str(error)
            print(f"{name} failed: {error}", file=sys.stderr)
    if as_json:
        print(json.dumps(results, indent=2))
    else:
        _print(results)
    if failed:
        raise typer.Exit(1)


def titles() -> dict[str, str]:
    """What each benchmark measures, by name. Raises ConfigurationError outside a checkout."""
    if not (folder() / "benchmarks").is_dir():
        raise ConfigurationError(
            "The benchmarks are not part of an installed package.",
            remedy="Run from a checkout of the project.",
        )
    found: dict[str, str] = json.loads(_python("-c", _LIST))
    return found


def measured(name: str) -> list[dict[str, Any]]:
    """One benchmark's results. Raises RuntimeError with the end of what it said."""
    results: list[dict[str, Any]] = json.loads(_python("-m", "benchmarks", name))
    return results


def folder() -> Path:
    return project_root() / "backend"


def _python(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder(),
        env={**variables(), "PYTHONPATH": str(folder())},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise RuntimeError(lines[-1] if lines else f"it ended with {done.returncode}")
    return done.stdout


def _say_what_there_is(known: dict[str, str], as_json: bool) -> None:
    if as_json:
        print(json.dumps(known, indent=2))
        return
    width = max(map(len, known))
    for name, title in known.items():
        print(f"{name:<{width}}  {title}")


def _print(results: list[dict[str, Any]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("", "value", "limit", "ratio", "memory", "to reach"):
        table.add_column(heading, justify="left" if heading in ("", "to reach") else "right")
    for one in results:
        mark = {True: "[green]yes[/]: ", False: "[red]no[/]: ", None: ""}[one["is_met"]]
        table.add_row(
            one["name"],
            f"{short(one['value'])} {one['unit']}",
            short(one["limit"]),
            "" if one["ratio"] is None else f"{one['ratio']:.2f}",
            f"{one['peak_rss_mb']:,.0f} MB",
            f"{mark}{one['figure']}",
        )
    Console(highlight=False).print(table)
    print("Limits: the figure itself, or what was measured in the same run:")
    for against in dict.fromkeys(one["against"] for one in results):
        print(f"  {against}")


def short(value: float | None) -> str:
    """Three significant digits, thousands apart."""
    if value is None:
        return ""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"
