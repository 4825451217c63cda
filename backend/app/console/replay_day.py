"""`tradewright replay-day`: decide a day of an account again, and say what is otherwise now."""

from datetime import date
from typing import Annotated, Any

import msgspec
import typer

from app.console.output import Json, show
from app.core.errors import InvalidInput

app = typer.Typer(add_completion=False)
_SHOWN = 300


@app.command("replay-day")
def replay_day(
    account: Annotated[str, typer.Argument(help="Name or id.")],
    day: Annotated[str, typer.Argument(help="The exchange's day, such as 2026-01-05.")],
    as_json: Json = False,
) -> None:
    """Run the engine again over a day's stored bars and answers; compare what it decides."""
    from app.core import tasks
    from app.simulation.silence import silence

    with silence():
        found = tasks.run(_found(account, _day_of(day)))
    show(found, _lines(found), as_json=as_json)
    if found["different"]:
        raise typer.Exit(1)


def _day_of(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            f"{text!r} is no day.", field="day", remedy="Write it as 2026-01-05."
        ) from None


async def _found(account: str, day: date) -> dict[str, Any]:
    from app import bootstrap
    from app.console.connection import connected
    from app.console.reconcile import account_of
    from app.repositories import accounts
    from app.runner.replay_day import DayAgain

    async with connected() as at, bootstrap.strategies() as catalogue:
        account_id, _ = await account_of(at, account)
        known = await accounts.get(at.pool, account_id)
        found = await DayAgain(at.pool, known, catalogue, day, at.journal_key).run()
    built: dict[str, Any] = msgspec.to_builtins(found)
    return built


def _lines(found: dict[str, Any]) -> list[str]:
    lines = [
        f"{found['account']}, {found['day']}: {found['inputs']} inputs, {found['signals']} signals,"
        f" {found['denials']} denials and {found['orders']} orders were decided again."
    ]
    if not found["different"]:
        return [*lines, "Everything is decided as it was."]
    first = found["differences"][0]
    return [
        *lines,
        f"{found['different']} inputs lead to something else now. The first is event"
        f" {first['seq']} at {first['at']} ({first['what']}):",
        f"  was {first['was'][:_SHOWN]}",
        f"  now {first['now'][:_SHOWN]}",
        f"Cause: {found['cause']}",
    ]
