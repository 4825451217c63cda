"""`tradewright reference`: pages of the documentation that are made from the code."""

import sys
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from app.console import command_page, settings_page
from app.risk import page as limits_page


class Page(StrEnum):
    """The pages, named as their files in docs/."""

    CLI = "cli"
    CONFIGURATION = "configuration"
    LIMITS = "limits"


MAKERS: Final[dict[Page, Callable[[Any], str]]] = {
    Page.CLI: command_page.page,
    Page.CONFIGURATION: lambda _: settings_page.page(),
    Page.LIMITS: lambda _: limits_page.page(),
}


def reference(
    ctx: typer.Context, page: Annotated[Page, typer.Argument(help="cli, configuration or limits.")]
) -> None:
    """Print a page of docs/ that is made from the code."""
    sys.stdout.write(MAKERS[page](ctx.find_root().command))
