"""`tradewright users`: people and their roles, in the database itself."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import asyncpg
import typer

from app.console.keys import run
from app.console.output import Json, show, table
from app.core.clock import system
from app.core.config import settings
from app.core.errors import InvalidInput, NotFound
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
    columns = (
        *("id", "email", "name", "role", "is_active", "has_second_factor"),
        *("account_ids", "last_sign_in_at"),
    )
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


@app.command()
def change(
    email: Annotated[str, typer.Argument(help="Address the person signs in with.")],
    role: Annotated[Role | None, typer.Option(help="viewer, trader or admin.")] = None,
    name: Annotated[str | None, typer.Option(help="How the person is called.")] = None,
    active: Annotated[
        bool | None,
        typer.Option("--active/--inactive", help="Inactive: every session, token and key ends."),
    ] = None,
    accounts: Annotated[
        list[int] | None,
        typer.Option("--account", help="The accounts to see, from now on; repeat for more."),
    ] = None,
    no_accounts: Annotated[bool, typer.Option("--no-accounts", help="No account at all.")] = False,
    as_json: Json = False,
) -> None:
    """Change what a person may do, or shut them out. The last admin stays one."""
    wanted = [] if no_accounts else accounts

    async def work(pool: asyncpg.Pool) -> dict[str, Any]:
        user_id = await _id(pool, email)
        return await _users(pool).change("console", user_id, role, active, name, wanted)

    row = run(work)
    state = "is active" if row["is_active"] else "is shut out"
    show(row, f"{row['email']} is {row['role']} and {state}.", as_json=as_json)


@app.command("second-factor-off")
def second_factor_off(
    email: Annotated[str, typer.Argument(help="Address the person signs in with.")],
    as_json: Json = False,
) -> None:
    """Let a person sign in with the password alone: phone and recovery codes are lost.

    Their sessions and tokens end.
    """

    async def work(pool: asyncpg.Pool) -> dict[str, Any]:
        from app.core.vault import open_vault
        from app.repositories import users
        from app.services.second_factor import SecondFactor

        user_id = await _id(pool, email)
        vault = open_vault(settings.home, settings.app)
        factor = SecondFactor(pool, vault, _audit_key(), system)
        await factor.remove("console", user_id)
        return await users.get(pool, user_id)

    row = run(work)
    show(row, f"{row['email']} signs in with the password alone.", as_json=as_json)


async def _id(pool: asyncpg.Pool, email: str) -> int:
    """Whose address it is. Raises NotFound."""
    from app.repositories import users

    known = await users.credentials(pool, email)
    if known is None:
        raise NotFound(f"Nobody signs in as {email}.", remedy="See tradewright users list.")
    return int(known["id"])


def _users(pool: asyncpg.Pool) -> "Users":
    from app.services.users import Users

    return Users(pool, _audit_key(), system)


def _audit_key() -> bytes:
    from app.core.security import master_key, subkey

    return subkey(master_key(settings.home, settings.app.secret_key), "audit")


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
