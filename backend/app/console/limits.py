"""`tradewright config get|set|history|rollback`: the limits in the database, and their past."""

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from app.console.output import Json, show, table

if TYPE_CHECKING:
    from app.console.connection import Connected
    from app.services.config import Config

Key = Annotated[str | None, typer.Argument(help="A limit, such as max_position_size.")]


def get(key: Key = None, as_json: Json = False) -> None:
    """Show one limit, or all, as they apply now."""
    entries = asyncio.run(_entries(key))
    values = {entry["key"]: entry["value"] for entry in entries}
    lines = table(entries, ("key", "value", "default", "updated_by"))
    show(values, lines, as_json=as_json)


def change(
    key: Annotated[str, typer.Argument(help="A limit, such as max_position_size.")],
    value: Annotated[str, typer.Argument(help="Its new value as JSON or plain text; null: none.")],
    reason: Annotated[str, typer.Option(help="Why, for the history.")] = "",
    as_json: Json = False,
) -> None:
    """Change one limit; running processes take it at once."""
    from app.console.connection import run

    entry = run(partial(_change, key=key, value=plain(value), reason=reason))
    show(entry, [f"{key} is {entry['value']} now."], as_json=as_json)


def history(
    key: Key = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Changes to show.")] = 50,
    as_json: Json = False,
) -> None:
    """Show the changes of one limit, or of all, the newest first."""
    rows = asyncio.run(_changes(key, limit))
    lines = table(rows, ("id", "at", "key", "before", "after", "actor", "reason"))
    show(rows, lines, as_json=as_json)


def rollback(
    change_id: Annotated[int, typer.Argument(help="Its id in the history.")],
    reason: Annotated[str, typer.Option(help="Why, for the history.")] = "",
    as_json: Json = False,
) -> None:
    """Set what a change had changed back to what it was; running processes take it at once."""
    from app.console.connection import run

    async def work(at: "Connected") -> dict[str, Any]:
        return await _config(at).rollback(at.caller, change_id, reason or None)

    entry = run(work)
    show(entry, [f"{entry['key']} is {entry['value']} now."], as_json=as_json)


async def _change(at: "Connected", key: str, value: object, reason: str) -> dict[str, Any]:
    return await _config(at).change(at.caller, key, value, reason or None)


def _config(at: "Connected") -> "Config":
    from app.core.clock import system
    from app.repositories.journal import SharedJournal
    from app.services.config import Config

    journal = SharedJournal(at.pool, at.journal_key)
    return Config(at.pool, at.desk, journal, at.audit_key, system)


def plain(text: str) -> object:
    """What the text means as JSON; numbers with a point stay text, to the last digit."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return text if isinstance(value, float) else value


async def _entries(key: str | None) -> list[dict[str, Any]]:
    from app.db.address import database_url
    from app.db.session import opened_pool
    from app.domain.limits import Limits
    from app.repositories import config
    from app.services.config import SCOPE, entry, known

    if key:
        known(key)
    async with opened_pool(database_url(), max_size=1) as pool:
        stored = await config.values(pool, SCOPE)
    return [entry(name, stored.get(name)) for name in ([key] if key else Limits.__struct_fields__)]


async def _changes(key: str | None, limit: int) -> list[dict[str, Any]]:
    from app.db.address import database_url
    from app.db.session import opened_pool
    from app.repositories import config
    from app.services.config import known

    if key:
        known(key)
    async with opened_pool(database_url(), max_size=1) as pool:
        found = await config.history(pool, key)(limit, None)
    return [dict(row) for row in found.items]
