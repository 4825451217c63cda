"""The page docs/cli.md, made from the commands themselves."""

from collections.abc import Iterator
from typing import Any, Final

INTRODUCTION: Final = """\
# Command line

This page is made from the commands by `tradewright reference cli`; a test keeps it true.

The command is `.venv/bin/tradewright`; after `source .venv/bin/activate` just `tradewright`.
Commands that need the database find the one that `tradewright up` runs on the same home
(`TRADEWRIGHT_HOME`, default `.tradewright` in the project's root), or use `DATABASE_URL`.

- `--json` prints JSON for programs, on standard output and nothing else there.
- Exit code **0** is done, **1** failed, **2** wrong use. Errors are a sentence with a remedy on
  standard error, or with `--json` `{"error": {"code", "detail", "remedy"}}`.
- A wrong name is answered with the nearest right one.
- No secret is ever an argument: what a process list shows is public.
"""


def page(root: Any) -> str:  # noqa: ANN401 - Typer keeps its classes private
    """The whole page for the group `root`, whose commands are looked up one by one."""
    context = root.make_context("tradewright", [], resilient_parsing=True)
    names = root.list_commands(context)
    lines = [INTRODUCTION, "| command | does |", "|---|---|"]
    found = [(name, root.get_command(context, name)) for name in names]
    lines += [f"| [`{name}`](#{name}) | {summary(command)} |" for name, command in found]
    for name, command in found:
        lines += ["", f"## {name}", "", *described(command, f"tradewright {name}")]
    return "\n".join(lines) + "\n"


def described(command: Any, path: str) -> Iterator[str]:  # noqa: ANN401 - as above
    """A command with its arguments and options, or a group with its commands."""
    children = getattr(command, "commands", {})
    if not children:
        yield from leaf(command, path)
        return
    yield summary(command)
    for name, child in children.items():
        yield from ("", f"### {path.removeprefix('tradewright ')} {name}", "")
        yield from leaf(child, f"{path} {name}")


def leaf(command: Any, path: str) -> Iterator[str]:  # noqa: ANN401 - as above
    """What it does, how it is called, and what each argument and option means."""
    yield from (paragraph(command.help), "", "```", usage(command, path), "```")
    rows = [row(one) for one in command.params if not getattr(one, "hidden", False)]
    if rows:
        yield from ("", "| | meaning | default |", "|---|---|---|", *rows)


def usage(command: Any, path: str) -> str:  # noqa: ANN401 - as above
    """The call with its arguments: brackets mean that one may be left out."""
    words = [path]
    if any(one.param_type_name == "option" for one in command.params):
        words.append("[OPTIONS]")
    for one in command.params:
        if one.param_type_name == "argument":
            name = one.make_metavar(None) if one.metavar else one.name.upper()
            name += "…" if one.nargs == -1 else ""
            words.append(name if one.required else f"[{name}]")
    return " ".join(words)


def row(one: Any) -> str:  # noqa: ANN401 - as above
    """One argument or option."""
    is_option = one.param_type_name == "option"
    name = ", ".join([*one.opts, *one.secondary_opts]) if is_option else one.name.upper()
    meaning = paragraph(getattr(one, "help", None)) or ""
    required = "required" if is_option and one.required else ""
    return f"| `{name}` | {meaning.replace('|', chr(92) + '|')} | {required or default(one)} |"


def default(one: Any) -> str:  # noqa: ANN401 - as above
    """The default where it tells something."""
    value = one.default
    if (
        value is None
        or callable(value)
        or value in (False, (), [])
        or getattr(one, "is_flag", False)
    ):
        return ""
    return f"`{value}`"


def summary(command: Any) -> str:  # noqa: ANN401 - as above
    """The first sentence of a command's help."""
    return paragraph(command.help).split(". ")[0].rstrip(".") + "."


def paragraph(text: str | None) -> str:
    """Text on one line."""
    return " ".join((text or "").split())
