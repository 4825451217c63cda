"""`tradewright keys`: API keys, made and revoked in the database itself."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, TypeVar

import asyncpg
import typer

from app.console.output import Json, show, table
from app.core.clock import now, system
from app.core.config import settings
from app.core.errors import InvalidInput, NotFound
from app.domain.users import CONSOLE, Role, Scope

T = TypeVar("T")

app = typer.Typer(
    help="API keys: create, list, revoke.", add_completion=False, no_args_is_help=True
)
Owner = Annotated[
    str | None, typer.Option("--email", help="Owner; by default the first admin, or the console.")
]


@app.command()
def create(
    name: Annotated[str, typer.Option(help="What the key is for.")],
    scopes: Annotated[
        str, typer.Option(help="Comma-separated: read, trade, data, admin.")
    ] = "read",
    days: Annotated[int | None, typer.Option(help="Days until it ends; default never.")] = None,
    address: Annotated[
        list[str] | None,
        typer.Option(help="An address or network it may come from; repeat for more. Default any."),
    ] = None,
    notional_cap: Annotated[
        str | None, typer.Option(help="Largest value of one order, in money. Default none.")
    ] = None,
    email: Owner = None,
    as_json: Json = False,
) -> None:
    """Make a key; it is shown this once, and good at once."""
    wanted, cap = parsed(scopes), _money(notional_cap)

    async def work(pool: asyncpg.Pool) -> tuple[dict[str, Any], str]:
        from app.services.keys import Keys, KeyWish

        owner = await _owner(pool, email)
        wish = KeyWish(
            name=name,
            scopes=wanted,
            expires_at=now() + timedelta(days=days) if days is not None else None,
            addresses=tuple(address or ()),
            notional_cap=cap,
        )
        keys = Keys(pool, _audit_key(), system)
        return await keys.create("console", owner["id"], Role(owner["role"]), wish)

    row, key = run(work)
    show({"key": key, **row}, key, as_json=as_json)


@app.command("list")
def list_keys(as_json: Json = False) -> None:
    """All keys, newest first; never a secret."""

    async def work(pool: asyncpg.Pool) -> list[dict[str, Any]]:
        from app.repositories import api_keys

        return (await api_keys.listing(pool, None)(1000, None)).items

    rows = run(work)
    columns = (
        *("id", "name", "scopes", "addresses", "notional_cap"),
        *("created_at", "expires_at", "last_used_at", "revoked_at"),
    )
    show({"keys": rows}, table(rows, columns), as_json=as_json)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="The part between tw_ and the next _.")],
    as_json: Json = False,
) -> None:
    """End a key, at once."""

    async def work(pool: asyncpg.Pool) -> None:
        from app.services.keys import Keys

        await Keys(pool, _audit_key(), system).revoke("console", None, key_id)

    run(work)
    show({"revoked": key_id}, f"Revoked {key_id}.", as_json=as_json)


def run(work: Callable[[asyncpg.Pool], Awaitable[T]]) -> T:
    """`work` on a small pool."""
    from app.db.address import database_url
    from app.db.session import opened_pool

    async def whole() -> T:
        async with opened_pool(database_url(), min_size=0, max_size=2) as pool:
            return await work(pool)

    return asyncio.run(whole())


def parsed(scopes: str) -> frozenset[Scope]:
    """Scopes by name. Raises InvalidInput with the names there are."""
    names = [part.strip() for part in scopes.split(",") if part.strip()]
    unknown = [name for name in names if name not in set(Scope)]
    if unknown or not names:
        raise InvalidInput(
            f"There is no scope {unknown[0]!r}." if unknown else "A key needs a scope.",
            field="scopes",
            remedy=f"Choose among {', '.join(Scope)}.",
        )
    return frozenset(map(Scope, names))


def _money(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise InvalidInput(
            f"{text!r} is no amount.", field="notional-cap", remedy="Write a number, as 25000."
        )
    return amount


async def _owner(pool: asyncpg.Pool, email: str | None) -> dict[str, Any]:
    """Whose key it is: named, else the first admin, else the console's own user."""
    from app.core.security import hash_password, new_token
    from app.repositories import users

    if email is not None:
        found = await users.credentials(pool, email)
        if found is None:
            raise NotFound(f"There is no user {email}.", remedy="See `tradewright users list`.")
        return await users.get(pool, found["id"])
    admins = await users.admins(pool)
    if admins:
        return await users.get(pool, admins[0])
    await users.add(pool, CONSOLE, "Console", Role.ADMIN, hash_password(new_token()))
    known = await users.credentials(pool, CONSOLE)
    assert known is not None
    return await users.get(pool, known["id"])


def _audit_key() -> bytes:
    from app.core.security import master_key, subkey

    return subkey(master_key(settings.home, settings.app.secret_key), "audit")
