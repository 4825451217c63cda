"""`tradewright config get|set|history|rollback`: settings that change while it runs, their past."""

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson
import typer

from app.console.output import Json, show, table

if TYPE_CHECKING:
    from app.console.connection import Connected
    from app.services.config import Config

EXAMPLES: Final = "such as max_position_size or log.level"
Key = Annotated[str | None, typer.Argument(help=f"A setting, {EXAMPLES}.")]


def get(
    key: Key = None,
    category: Annotated[
        str | None, typer.Option(help="Only these: limits, alerts, log, sessions, retention, ….")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show settings that change while it runs, as they apply now, and where each comes from."""
    entries = asyncio.run(_entries(key, category))
    values = {entry["key"]: entry["value"] for entry in entries}
    lines = table(entries, ("key", "value", "source", "default", "updated_by"))
    show(values, lines, as_json=as_json)


def change(
    key: Annotated[str, typer.Argument(help=f"A setting, {EXAMPLES}.")],
    value: Annotated[
        str,
        typer.Argument(
            help="Its new value as JSON or plain text; null: no limit, or as the environment says."
        ),
    ],
    reason: Annotated[str, typer.Option(help="Why, for the history.")] = "",
    as_json: Json = False,
) -> None:
    """Change one setting; running processes take it at once."""
    from app.console.connection import run

    entry = run(partial(_change, key=key, value=plain(value), reason=reason))
    show(entry, [f"{key} is {entry['value']} now."], as_json=as_json)


def history(
    key: Key = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Changes to show.")] = 50,
    as_json: Json = False,
) -> None:
    """Show the changes of one setting, or of all, the newest first."""
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


async def _entries(key: str | None, category: str | None) -> list[dict[str, Any]]:
    from app.db.address import database_url
    from app.db.session import opened_pool
    from app.repositories import config
    from app.services.config import SCOPE, entry, keys, known

    if key:
        known(key)
    wanted = [key] if key else keys(category)
    async with opened_pool(database_url(), max_size=1) as pool:
        stored = await config.values(pool, SCOPE)
    return [entry(name, stored.get(name)) for name in wanted]


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
