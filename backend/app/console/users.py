"""`tradewright users`: people and their roles, in the database itself."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import asyncpg
import typer

from app.console.keys import run
from app.console.output import Json, show, table
from app.core.clock import system
from app.core.config import settings
from app.core.errors import InvalidInput
from app.domain.users import Role

if TYPE_CHECKING:
    from app.services.users import Users

app = typer.Typer(help="People and their roles.", add_completion=False, no_args_is_help=True)


@app.command("list")
def list_users(as_json: Json = False) -> None:
    """Everybody who may sign in."""

    async def work(pool: asyncpg.Pool) -> list[dict[str, Any]]:
        from app.repositories import users

        return (await users.listing(pool)(1000, None)).items

    rows = run(work)
    columns = ("id", "email", "name", "role", "is_active", "account_ids", "last_sign_in_at")
    show({"users": rows}, table(rows, columns), as_json=as_json)


@app.command()
def add(
    email: Annotated[str, typer.Argument(help="Address to sign in with.")],
    role: Annotated[Role, typer.Option(help="viewer, trader or admin.")] = Role.VIEWER,
    name: Annotated[str | None, typer.Option(help="How the person is called.")] = None,
    accounts: Annotated[
        list[int] | None, typer.Option("--account", help="An account to see; repeat for more.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Let a person sign in. The password is asked for, or read from stdin; never an argument."""
    if "@" not in email.strip("@"):
        raise InvalidInput(f"{email!r} is no address.", field="email", remedy="Write name@host.")
    password = _password()

    async def work(pool: asyncpg.Pool) -> dict[str, Any]:
        return await _users(pool).add("console", email, password, name, role, accounts or [])

    row = run(work)
    show(row, f"{row['email']} may sign in as {row['role']}.", as_json=as_json)


@app.command("password")
def reset_password(
    email: Annotated[str, typer.Argument(help="Address the person signs in with.")],
    as_json: Json = False,
) -> None:
    """A new password for somebody who forgot theirs; asked for, or read from stdin.

    Their sessions and tokens end; API keys stay.
    """
    password = _password()

    async def work(pool: asyncpg.Pool) -> dict[str, Any]:
        return await _users(pool).reset_password("console", email, password)

    row = run(work)
    show(row, f"{row['email']} may sign in with the new password.", as_json=as_json)


def _users(pool: asyncpg.Pool) -> "Users":
    from app.core.security import master_key, subkey
    from app.services.users import Users

    audit_key = subkey(master_key(settings.home, settings.app.secret_key), "audit")
    return Users(pool, audit_key, system)


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
