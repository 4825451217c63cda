"""`tradewright secrets`: keys of vendors in the database, sealed; the vault's own keys."""

import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from app.console.output import Json, show, table

if TYPE_CHECKING:
    from app.services.credentials import Credentials

app = typer.Typer(
    help="Keys of vendors, sealed: set, list, rotate, delete.",
    add_completion=False,
    no_args_is_help=True,
)
T = TypeVar("T")
ACTOR = "console"
Name = Annotated[str, typer.Argument(help="Its variable, such as ALPACA_API_KEY.")]


@app.command("set")
def put(
    name: Name,
    file: Annotated[
        Path | None,
        typer.Option("--file", exists=True, dir_okay=False, help="Read the value from this file."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Keep a key. The value is asked for, or read from stdin or a file; never an argument."""
    value = _value(name, file)
    row = run(lambda at: at.put(ACTOR, None, name, value))
    line = f"{name} is stored, sealed under the key {row['key_id']}."
    if row["source"] == "environment":
        line += " The environment has one too, which goes before it."
    show(row, line, as_json=as_json)


@app.command("list")
def list_secrets(as_json: Json = False) -> None:
    """Which keys there are and where each comes from; never a value."""
    rows = run(lambda at: at.listing())
    lines = table(rows, ("name", "source", "is_stored", "key_id", "updated_at"))
    show({"credentials": rows}, lines, as_json=as_json)


@app.command()
def delete(name: Name, as_json: Json = False) -> None:
    """Forget a stored key."""
    run(lambda at: at.remove(ACTOR, None, name))
    show({"deleted": name}, f"{name} is forgotten.", as_json=as_json)


@app.command()
def rotate(
    resume: Annotated[
        bool, typer.Option("--resume", help="Make no new key; finish a rotation that broke off.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a new key for the vault and seal everything under it; the old ones still open.

    Where TRADEWRIGHT_VAULT_KEYS holds the keys, put a new one first in it and rotate with --resume.
    """
    from app.core.config import settings
    from app.core.vault import add_key

    made = None if resume else add_key(settings.home, settings.app.vault_keys)
    counts = run(lambda at: at.rotate(ACTOR))
    total = sum(counts.values())
    head = f"New key {made}. " if made else ""
    show(
        {"new_key_id": made, "sealed_anew": dict(counts)},
        f"{head}{total} values sealed anew. Keep the old keys for as long as you keep backups.",
        as_json=as_json,
    )


def run(work: "Callable[[Credentials], Awaitable[T]]") -> T:
    """`work` on the stored keys."""
    from app.console.keys import run as on_pool
    from app.console.stored import audit_key
    from app.core.clock import system
    from app.core.config import settings
    from app.core.vault import open_vault
    from app.services.credentials import Credentials

    vault = open_vault(settings.home, settings.app)
    return on_pool(lambda pool: work(Credentials(pool, vault, audit_key(), system)))


def offer_stored() -> None:
    """Let this command's settings fall back on the stored keys, where a database answers."""
    import asyncpg

    from app.console.keys import run as on_pool
    from app.core.config import settings
    from app.core.errors import ConfigurationError
    from app.core.vault import open_vault
    from app.services.credentials import offer

    with suppress(OSError, TimeoutError, asyncpg.PostgresError, ConfigurationError):
        on_pool(lambda pool: offer(pool, open_vault(settings.home, settings.app)))


def _value(name: str, file: Path | None) -> str:
    if file is not None:
        return file.read_text(encoding="utf-8")
    if sys.stdin.isatty():
        answer: str = typer.prompt(name, hide_input=True, err=True)
        return answer
    return sys.stdin.read()
