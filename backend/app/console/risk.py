"""`tradewright risk`: limits by scope with their use, changes of them, and what others would do."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
import typer

from app.console.connection import Connected, run
from app.console.output import Json, show, table
from app.console.words import Account, instant_of, parameter_of
from app.core.clock import system
from app.core.environment import strategy_folders
from app.core.errors import InvalidInput, NotFound
from app.domain.scopes import ACCOUNT, ALL
from app.repositories import account_reports, accounts
from app.repositories.journal import SharedJournal
from app.repositories.paging import Row
from app.risk.what_if import Supposed
from app.runner.what_if import Replay, WhatIf
from app.services.accounts import Accounts
from app.services.config import Config
from app.strategies.catalog import Catalogue

app = typer.Typer(help="Limits by scope: show, set, rollback, what-if.", add_completion=False)
_SCOPE: Final = "all, account:1, deployment:3 or symbol:AAPL. The tightest that applies holds."
Scope = Annotated[str, typer.Option("--scope", help=_SCOPE)]
Why = Annotated[str, typer.Option(help="Why, for the history.")]


@app.command("show")
def show_limits(account: Account = None, as_json: Json = False) -> None:
    """Show every limit, what deployments and symbols have beyond it, and how much is used."""

    async def work(at: Connected) -> dict[str, Any]:
        config = _config(at)
        number = await _account(at, account)
        uses = await Accounts(at.pool, system).limit_uses(at.caller, number) if number else []
        return {
            "account_id": number,
            "limits": await config.entries(),
            "scopes": await config.scoped(),
            "use": uses,
        }

    found = run(work)
    lines = [
        *table(found["limits"], ("key", "value", "default", "updated_by")),
        "",
        *(table(found["scopes"], ("scope", "key", "value", "updated_by"))
          if found["scopes"] else ["No account, deployment or symbol has limits of its own."]),
        "",
        *table(found["use"], ("title", "subject", "scope", "value", "limit", "use")),
    ]  # fmt: skip
    show(found, lines, as_json=as_json)


@app.command("set")
def change(
    key: Annotated[str, typer.Argument(help="A limit, such as max_position_size.")],
    value: Annotated[str, typer.Argument(help="Its new value; null: none, or no longer.")],
    scope: Scope = ALL,
    reason: Why = "",
    as_json: Json = False,
) -> None:
    """Change a limit of a scope; running engines take it at once."""
    from app.console.limits import plain

    async def work(at: Connected) -> Row:
        return await _config(at).change(at.caller, key, plain(value), reason or None, scope)

    entry = run(work)
    show(entry, _now(entry), as_json=as_json)


@app.command()
def rollback(
    change_id: Annotated[int, typer.Argument(help="As `tradewright config history` shows it.")],
    reason: Why = "",
    as_json: Json = False,
) -> None:
    """Set what a change had changed back to what it was before."""

    async def work(at: Connected) -> Row:
        return await _config(at).rollback(at.caller, change_id, reason or None)

    entry = run(work)
    show(entry, _now(entry), as_json=as_json)


@app.command("what-if")
def what_if(
    start: Annotated[str, typer.Option("--from", help="Such as 2026-01-05 or 2026-01-05T15:00Z.")],
    end: Annotated[str, typer.Option("--to", help="The end of the period.")],
    given: Annotated[list[str], typer.Option("--set", help="A limit as name=value; repeat it.")],
    scope: Annotated[
        str, typer.Option("--scope", help="account, deployment:3 or symbol:AAPL.")
    ] = ACCOUNT,
    account: Account = None,
    as_json: Json = False,
) -> None:
    """Say which orders of a period other limits would have denied or cut."""
    supposed = Supposed(dict(map(_limit_of, given)), scope)
    since, until = instant_of(start), instant_of(end)
    assert since is not None
    assert until is not None

    async def work(at: Connected) -> WhatIf:
        number = await _account(at, account)
        if number is None:
            raise InvalidInput("Which account?", field="account", remedy="Name it by --account.")
        try:
            found = await accounts.get(at.pool, number)
        except LookupError:
            raise NotFound(f"There is no account {number}.") from None
        catalogue = Catalogue(strategy_folders())
        return await Replay(at.pool, found, catalogue, supposed, since, until).run()

    found = run(work)
    shown = what_if_of(found)
    show(shown, _what_if_lines(shown), as_json=as_json)


def what_if_of(found: WhatIf) -> dict[str, Any]:
    """The answer as JSON has it: the orders that would have become others, and the counts."""
    changed = [one for one in found.answers if one.differs]
    return {
        "account_id": found.account_id,
        "start": found.start,
        "end": found.end,
        "supposed": found.supposed,
        "scope": found.scope,
        "inputs": found.inputs,
        "asked": len(found.answers),
        "denied": sum(1 for one in changed if one.made and not one.would_be),
        "cut": sum(1 for one in changed if 0 < one.would_be < one.made),
        "allowed": sum(1 for one in changed if one.would_be > one.made),
        "orders": [msgspec.to_builtins(one) for one in changed],
        "divergence": msgspec.to_builtins(found.divergence),
        "notes": found.notes,
    }


def _what_if_lines(found: dict[str, Any]) -> Sequence[str]:
    columns = ("at", "symbol", "side", "made", "would_be", "code", "value", "limit", "ledger")
    return [
        f"{found['asked']} orders were asked for: {found['denied']} would have been denied,"
        f" {found['cut']} cut, {found['allowed']} let through that were denied or cut.",
        *(table(found["orders"], columns) if found["orders"] else []),
        *found["notes"],
    ]


def _limit_of(text: str) -> tuple[str, Any]:
    from app.console.limits import plain

    key, equals, value = text.partition("=")
    if not equals:
        return parameter_of(text)  # says what is wrong
    return key.strip(), plain(value.strip())


def _config(at: Connected) -> Config:
    journal = SharedJournal(at.pool, at.journal_key)
    return Config(at.pool, at.desk, journal, at.audit_key, system)


async def _account(at: Connected, account: int | None) -> int | None:
    """The account that is meant, where it is plain; None where there are several."""
    if account is not None:
        return account
    known = await account_reports.ids(at.pool)
    return known[0] if len(known) == 1 else None


def _now(entry: Row) -> str:
    whose = "" if entry["scope"] == ALL else f" of {entry['scope']}"
    return f"{entry['key']}{whose} is {entry['value']} now."
