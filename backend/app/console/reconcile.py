"""`tradewright reconcile`: hold an account's books against its broker's, and say what differs."""

from typing import Annotated, Any, Final

import typer

from app.console.connection import Connected, run
from app.console.output import Json, show
from app.core.clock import system
from app.core.errors import InvalidInput, NotFound
from app.core.registry import suggestion
from app.services.reconciliations import Reconciliations

WAIT_SECONDS: Final = 90.0
"A broker that owes executions is waited for a minute."


def reconcile(
    account: Annotated[
        str | None, typer.Argument(help="Name or id; default: the only account.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")
    ] = False,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="What the broker has is right: take it over.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Hold our books against the broker's: what we missed is told, what differs is said."""
    found = run(lambda at: _asked(at, account, dry_run=dry_run, adopt=adopt))
    show(found, _lines(found), as_json=as_json)
    if found["status"] != "completed" or found["result"]["differences"]:
        raise typer.Exit(1)


async def _asked(
    at: Connected, account: str | None, *, dry_run: bool, adopt: bool
) -> dict[str, Any]:
    account_id, name = await account_of(at, account)
    service = Reconciliations(at.pool, at.desk, at.audit_key, system)
    row = await service.ask(at.caller, account_id, dry_run=dry_run, adopt=adopt)
    for _ in range(round(WAIT_SECONDS / at.desk.wait_seconds)):
        if row["status"] != "pending":
            break
        row = await at.desk.outcome(row["id"])
    return {
        "account_id": account_id,
        "account": name,
        "status": row["status"],
        "dry_run": dry_run,
        "result": row["result"] or {"reports": [], "differences": []},
    }


async def account_of(at: Connected, wanted: str | None) -> tuple[int, str]:
    """Id and name of the account that is meant. Raises NotFound with the nearest name."""
    from app.repositories import accounts

    known = {one.id: one.name for one in await accounts.active(at.pool)}
    if wanted is None:
        if len(known) != 1:
            raise InvalidInput(
                f"There are {len(known)} accounts.",
                field="account",
                remedy=f"Name one of: {', '.join(known.values())}.",
            )
        return next(iter(known.items()))
    for account_id, name in known.items():
        if wanted in (name, str(account_id)):
            return account_id, name
    raise NotFound(f"There is no account {wanted!r}.", remedy=suggestion(wanted, known.values()))


def _lines(found: dict[str, Any]) -> list[str]:
    result, name = found["result"], found["account"]
    if found["status"] == "pending":
        return [f"{name}: the engine has not answered yet."]
    if found["status"] == "failed":
        return [f"{name} could not be reconciled: {result.get('detail', 'no reason given')}"]
    would = "would be " if found["dry_run"] else ""
    lines = [f"{would}told: {one}" for one in result["reports"]]
    lines += [f"unexplained: {one['detail']}" for one in result["differences"]]
    if result["differences"] and not found["dry_run"]:
        lines.append("Only reductions pass until this is explained; --adopt takes it over.")
    return lines or [f"{name}: our books and the broker's agree."]
