"""`tradewright strategy`: list, show, start and check strategies; `tradewright indicators`."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.console import output

if TYPE_CHECKING:
    from app.strategies.catalog import Catalogue, Description
    from app.strategies.validation import Report

app = typer.Typer(no_args_is_help=True, help="List, show, start and check strategies.")

Folder = Annotated[
    Path | None, typer.Option("--dir", help="Another folder with strategy files.", file_okay=False)
]


@app.command("list")
def list_strategies(folder: Folder = None, as_json: output.Json = False) -> None:
    """All strategies: built in, installed, and those in your folders."""
    catalogue = catalogue_of(folder)
    found, problems = [plain(one) for one in catalogue.describe_all()], catalogue.problems
    lines = output.table(found, ("name", "description", "origin"))
    lines += [f"Not usable: {origin}: {reason}" for origin, reason in problems.items()]
    output.show({"strategies": found, "problems": problems}, lines, as_json=as_json)


@app.command()
def show(
    name: str,
    folder: Folder = None,
    source: Annotated[bool, typer.Option("--source", help="Print the Python source.")] = False,
    as_json: output.Json = False,
) -> None:
    """What a strategy does, its parameters with bounds and defaults, and its columns."""
    catalogue = catalogue_of(folder)
    found, text = catalogue.describe(name), catalogue.source(name)
    value = {"strategy": plain(found), "source": text}
    output.show(value, text if source else description_lines(found), as_json=as_json)


@app.command()
def new(
    name: str,
    folder: Annotated[
        Path, typer.Option("--dir", help="Where to write it.", file_okay=False)
    ] = Path("strategies"),
    panel: Annotated[
        bool, typer.Option("--panel", help="One that sees several symbols at once.")
    ] = False,
    as_json: output.Json = False,
) -> None:
    """Write a strategy that works, and a test that passes, to start from."""
    from app.core.errors import Conflict
    from app.strategies.scaffold import strategy_text, test_text

    file, test = folder / f"{name}.py", folder / f"test_{name}.py"
    texts = {
        file: strategy_text(name, panel=panel),
        test: test_text(name, str(test), panel=panel),
    }
    for path in texts:
        if path.exists():
            raise Conflict(f"{path} exists and stays as it is.", remedy="Choose another name.")
    if name in catalogue_of(folder).names():
        raise Conflict(f"There is a strategy {name} already.", remedy="Choose another name.")
    write_new(texts)
    lines = (
        f"Wrote {file} and {test}.",
        f"Try it: pytest {test}; tradewright strategy validate {file}",
    )
    output.show({"strategy": str(file), "test": str(test)}, lines, as_json=as_json)


@app.command()
def validate(file: Path, as_json: output.Json = False) -> None:
    """Try a strategy file on made-up bars: does it run, remember, and never look ahead?"""
    from app.strategies.validation import validate as tried

    report = tried(file)
    value = {**plain(report), "is_valid": report.is_valid}
    output.show(value, report_lines(report), as_json=as_json)
    if not report.is_valid:
        raise typer.Exit(1)


def indicators(
    name: Annotated[str | None, typer.Argument(help="Describe this one.")] = None,
    as_json: output.Json = False,
) -> None:
    """List the indicators of the catalogue, or describe one."""
    from app.indicators import catalog

    found = [catalog.describe(name)] if name else catalog.describe_all()
    if name:
        lines = list(indicator_lines(found[0]))
    else:
        lines = output.table(found, ("name", "title", "group", "memory", "lookback", "source"))
    output.show(found[0] if name else {"indicators": found}, lines, as_json=as_json)


def catalogue_of(folder: Path | None) -> "Catalogue":
    """The catalogue over the user's folders and, if given, one more."""
    from app.core.environment import strategy_folders
    from app.strategies.catalog import Catalogue

    folders = (*strategy_folders(), *([folder.absolute()] if folder else []))
    return Catalogue(tuple(dict.fromkeys(folders)))


def write_new(texts: dict[Path, str]) -> None:
    """Write files that do not exist yet; their folder is made."""
    from app.core.errors import ConfigurationError

    for path, text in texts.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be written: {error.strerror}.") from error


def description_lines(found: "Description") -> Iterator[str]:
    """A strategy for a person."""
    yield from (f"{found.name} ({found.origin})", "", found.documentation, "")
    if found.defaults:
        yield from (*parameter_lines(found.parameters_schema), "")
    if found.columns:
        rows = [{"column": name, "meaning": text} for name, text in found.columns.items()]
        yield from (*output.table(rows, ("column", "meaning")), "")
    if found.is_panel:
        yield "It decides for all symbols of a deployment at once."
    yield f"Lookback with the defaults: {found.lookback} bars."


def indicator_lines(found: dict[str, Any]) -> Iterator[str]:
    """An indicator for a person."""
    yield from (f"{found['name']}: {found['title']} ({found['source']})", "")
    if found["description"]:
        yield from (found["description"], "")
    if found["defaults"]:
        yield from (*parameter_lines(found["parameters_schema"]), "")
    yield f"From {', '.join(found['inputs'])}; gives {', '.join(found['outputs'])}."
    yield f"Memory {found['memory']}; lookback with the defaults: {found['lookback']} bars."


def parameter_lines(schema: dict[str, Any]) -> list[str]:
    rows = [
        {
            "parameter": name,
            "default": one["default"],
            "allowed": bounds_of(one),
            "meaning": one.get("description"),
        }
        for name, one in schema["properties"].items()
    ]
    return output.table(rows, ("parameter", "default", "allowed", "meaning"))


def bounds_of(schema: dict[str, Any]) -> str:
    """`2 to 500 bars`, `at least 1`, `true or false`, or the choices."""
    if schema["type"] == "boolean":
        return "true or false"
    low, high = schema.get("minimum"), schema.get("maximum")
    if "enum" in schema:
        words = ", ".join(schema["enum"])
    elif low is not None and high is not None:
        words = f"{low:g} to {high:g}"
    elif low is not None:
        words = f"at least {low:g}"
    else:
        words = f"at most {high:g}" if high is not None else "any"
    return f"{words} {schema.get('unit', '')}".strip()


def report_lines(report: "Report") -> Iterator[str]:
    """What validation found, for a person."""
    yield from (f"Problem: {problem}" for problem in report.problems)
    yield from (f"Warning: {warning}" for warning in report.warnings)
    verdict = "can be used" if report.is_valid else "cannot be used"
    yield f"{report.path} {verdict}: {', '.join(report.strategies) or 'no strategy'}."


def plain(value: object) -> dict[str, Any]:
    """A struct as JSON has it."""
    import msgspec

    result: dict[str, Any] = msgspec.to_builtins(value)
    return result
